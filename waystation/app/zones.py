"""Time zones of this machine: those that it has data for, and the one that it lives in.

Contract: `zone_named` tells a name that does not exist (`UnknownZoneError`) from data that are
missing (None); whoever gets None is shut (R-39).  `host_zone` returns None where the host does
not say where it is.
"""

import os
import re
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from waystation.app.faults import closest

LOCALTIME = Path("/etc/localtime")
FOLDER = "zoneinfo/"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
# Machines without data still know this one.
ALWAYS_THERE = {"UTC"}


class UnknownZoneError(ValueError):
    """There is no zone of that name; the text says what to write."""


def zone_named(name: str) -> ZoneInfo | None:
    """Return the zone ``name``; None if its data are missing on this machine."""
    if NAME.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (OSError, ValueError, LookupError):
            if not _has_data():
                return None
    near = closest(name, zoneinfo.available_timezones())
    raise UnknownZoneError(f'there is no zone "{name}"{near}; write a name like "Europe/Lisbon"')


def _has_data() -> bool:
    return bool(zoneinfo.available_timezones() - ALWAYS_THERE)


def host_zone(environ: Mapping[str, str], localtime: Path = LOCALTIME) -> ZoneInfo | None:
    """Return the zone this host lives in, or None if it has none that we can read."""
    stated = environ.get("TZ", "").removeprefix(":")
    if stated:
        return _loaded(stated)
    try:
        target = os.path.realpath(localtime, strict=True)
    except OSError:
        return None
    named = _loaded(target.partition(FOLDER)[2]) if FOLDER in target else None
    return named or _from_file(Path(target))


def _loaded(name: str) -> ZoneInfo | None:
    if name.startswith("/"):
        return _from_file(Path(name))
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return None


def _from_file(path: Path) -> ZoneInfo | None:
    try:
        with path.open("rb") as file:
            return ZoneInfo.from_file(file, key=path.name)
    except (OSError, ValueError):
        return None
