"""What a schedule does, for people: now, next, and to the second (R-35, R-41).

Contract: values and sentences only; reads the configuration where a name is asked for, and needs
none for a text.  A text that is neither raises `ConfigError`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, tzinfo
from pathlib import Path

from waystation.app.faults import closest
from waystation.app.read import find_file, load
from waystation.app.settings import Settings
from waystation.app.wiring_schedule import Windows
from waystation.app.zones import UnknownZoneError, zone_named
from waystation.model.errors import ConfigError
from waystation.timing.schedule_text import EVERY_DAY, HOUR, WEEKDAYS, Group, Hours, read_hours
from waystation.timing.window import Schedule

CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}", re.ASCII)
INSTANTS = 'an instant is written like "2026-03-29 01:15", "2026-03-29T01:15+00:00" or "01:15"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A schedule at an instant.  changes: (Unix seconds, opens?), ascending."""

    name: str
    schedule: Schedule
    at: float
    changes: tuple[tuple[float, bool], ...]

    @property
    def is_open(self) -> bool:
        return self.schedule.is_open(self.at)

    @property
    def zone(self) -> str:
        return zone_text(self.schedule.zone)

    def moment(self, at: float) -> datetime:
        """Return ``at`` as the clock on the wall shows it."""
        return datetime.fromtimestamp(at, self.schedule.zone or UTC)


def zone_text(zone: tzinfo | None) -> str:
    """Return the name of a zone."""
    return str(getattr(zone, "key", None) or zone or "unknown zone")


def moment_text(moment: datetime) -> str:
    """Return a moment with its day of the week and its offset."""
    return f"{WEEKDAYS[moment.weekday()]} {moment.isoformat(' ', 'seconds')}"


def find_schedule(
    text: str, *, config: Path | None, environ: Mapping[str, str], zone: str, now: float
) -> Schedule:
    """Return the schedule that ``text`` spells out, or that has this name in the configuration.

    zone: overrides that of the schedule, unless empty.
    """
    reason = ""
    try:
        read_hours(text)
    except ValueError as error:
        reason = str(error)
    if not reason:
        found = Windows({}, now=now, environ=environ).of(text)
    else:
        found = _named(text, config, environ, now, reason)
    if not zone:
        return found
    try:
        return replace(found, zone=zone_named(zone))
    except UnknownZoneError as error:
        raise ConfigError("--zone", str(error)) from error


def _named(
    text: str, config: Path | None, environ: Mapping[str, str], now: float, reason: str
) -> Schedule:
    path = find_file(config)
    if path is None:
        raise ConfigError(f'"{text}"', reason)
    tables = load(path, environ).settings.schedule
    if text not in tables:
        problem = f"{path} has no [schedule.{text}]{closest(text, tables)}, and no hours: {reason}"
        raise ConfigError(f'"{text}"', problem)
    return Windows({text: tables[text]}, now=now, environ=environ).of(text)


def preview(name: str, schedule: Schedule, at: float, count: int) -> Preview:
    """Return what ``schedule`` does at ``at``, with its next ``count`` changes."""
    changes: list[tuple[float, bool]] = []
    change: float | None = at
    while change is not None and len(changes) < count:
        change = schedule.next_change(change)
        if change is not None:
            changes.append((change, schedule.is_open(change)))
    return Preview(name=name, schedule=schedule, at=at, changes=tuple(changes))


def read_instant(text: str, zone: tzinfo | None, now: float) -> float:
    """Return Unix seconds; without an offset ``text`` is civil time in ``zone``."""
    zone = zone or UTC
    try:
        if CLOCK.fullmatch(text.strip()):
            hour, minute = text.strip().split(":")
            today = datetime.fromtimestamp(now, zone).date()
            moment = datetime.combine(today, time(int(hour), int(minute)), zone)
        else:
            moment = datetime.fromisoformat(text.strip())
            moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise ConfigError("--at", INSTANTS) from None


# to the second


def spelled(settings: Settings, environ: Mapping[str, str], now: float) -> Iterator[str]:
    """Yield lines that tell each schedule in use, and when each of its ranges shuts (R-35)."""
    windows = Windows(settings.schedule, now=now, environ=environ)
    for name in settings.schedule:
        yield from _lines(f"schedule.{name}", windows.named[name], now)
    for name, destination in settings.destination.items():
        text = destination.window
        if text not in settings.schedule and text not in {"always", "never"}:
            yield from _lines(f"destination.{name}.window", windows.of(text), now)


def _lines(where: str, schedule: Schedule, now: float) -> Iterator[str]:
    state = "open" if schedule.is_open(now) else "shut"
    yield f"{where}: {state} now, {schedule.outlook(now)}; zone {zone_text(schedule.zone)}"
    for line in shuttings(schedule.hours):
        yield f"  {line}"


def shuttings(hours: Hours) -> Iterator[str]:
    """Yield each range with the exact instants of the clock at which it opens and shuts."""
    for group in hours.groups:
        if "<" in group.text:
            yield f"{group.text}: {_cycle(group)}"
            continue
        for each in group.ranges:
            whole = group.weekdays == EVERY_DAY and each.shuts == "24:00:00" and not each.begin
            shuts = "never shuts" if whole else f"shuts {each.shuts}"
            text = group.text if len(group.ranges) == 1 else f"{group.text}: {each.text}"
            yield f"{text}: opens {each.opens}, {shuts}"


def _cycle(group: Group) -> str:
    """Return the first hour of a cyclic schedule; all hours are alike."""
    inside = [each for each in group.ranges if each.begin < HOUR]
    if len(group.ranges) == 1:
        return "never shuts"
    pairs = ", ".join(f":{e.begin:02}:00 to :{e.end % HOUR:02}:00" for e in inside)
    return f"open in every hour from {pairs}"
