"""Schedules that cannot be, that open nothing, or that say something else than they seem to.

Contract: yields problems (N-17: a text that cannot be read is never put in force) and warnings;
reads zones and calendar files, changes nothing.  `window_problems` serves every key that takes a
schedule or the name of one.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from time import time

from waystation.app.faults import Problem, closest
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.settings_schedule import ScheduleSettings, is_calendar
from waystation.app.wiring_schedule import Windows
from waystation.app.zones import UnknownZoneError, zone_named
from waystation.timing.schedule_text import read_hours
from waystation.timing.window import Schedule

NO_ZONE = 'this host has no time zone, so that UTC is used; write it as zone = "Europe/Lisbon"'


def windows_of(parts: Parts, environ: Mapping[str, str]) -> Windows:
    """Return the schedules of what could be read."""
    return Windows(_tables(parts), now=time(), environ=environ)


def _tables(parts: Parts) -> dict[str, ScheduleSettings]:
    read = parts.named.get("schedule", {})
    return {name: table for name, table in read.items() if isinstance(table, ScheduleSettings)}


def schedules(parts: Parts, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong or doubtful with the schedules and with the windows of destinations."""
    windows = windows_of(parts, environ)
    for name, table in _tables(parts).items():
        yield from _names(name)
        yield from _zone(name, table, windows)
        yield from _doubts(name, table, windows.named[name])
        if not _used(parts.document, name):
            yield _warning(("schedule", name), "nothing uses it")
    for name, destination in parts.destinations.items():
        if destination is not None:
            at: Path = ("destination", name, "window")
            yield from window_problems(parts, windows, at, destination.window)


def window_problems(parts: Parts, windows: Windows, at: Path, text: str) -> Iterator[Problem]:
    """Yield what is wrong or doubtful with the window ``text`` written at ``at``."""
    names = parts.named.get("schedule", {})
    if text not in names:
        try:
            hours = read_hours(text)
        except ValueError as error:
            near = closest(text, names)
            missing = f'no schedule "{text}"{near}, and ' if near or text.isalnum() else ""
            yield Problem(path=at, text=f"{missing}no hours: {error}")
            return
        yield from (_warning(at, doubt) for doubt in hours.warnings)
        if windows.local is None and hours.text not in {"always", "never"}:
            yield _warning(at, NO_ZONE)
    if text not in names or names[text] is not None:
        yield from _never(at, windows.of(text), "nothing will be sent")


def _warning(path: Path, text: str) -> Problem:
    return Problem(path=path, text=text, warning=True)


def _names(name: str) -> Iterator[Problem]:
    try:
        read_hours(name)
    except ValueError:
        return
    text = "is the text of a schedule already; give it another name"
    yield Problem(path=("schedule", name), text=text)


def _zone(name: str, table: ScheduleSettings, windows: Windows) -> Iterator[Problem]:
    if table.zone is None:
        if windows.local is None:
            yield _warning(("schedule", name), NO_ZONE)
        return
    at: Path = ("schedule", name, "zone")
    try:
        zone = zone_named(table.zone)
    except UnknownZoneError as error:
        yield Problem(path=at, text=str(error))
        return
    if zone is None:
        yield _warning(at, "its data are missing on this machine: it stays shut")


def _doubts(name: str, table: ScheduleSettings, schedule: Schedule) -> Iterator[Problem]:
    at: Path = ("schedule", name)
    hours = schedule.hours
    yield from (_warning((*at, "open"), doubt) for doubt in hours.warnings)
    if hours.names_holidays and not table.holidays:
        yield _warning((*at, "open"), 'names holidays, and the list "holidays" is empty')
    if table.holidays and not hours.names_holidays:
        text = 'have no effect: "open" has no group like "holiday 00:00-24:00"'
        yield _warning((*at, "holidays"), text)
    problem = schedule.problem_at(time())
    if problem and schedule.zone is not None:
        place = next((n for n, text in enumerate(table.holidays) if _unreadable(text)), 0)
        yield _warning((*at, "holidays", place), f"{problem}: it stays shut")
    elif not problem:
        yield from _never((*at, "open"), schedule, "0 minutes from now on")


def _unreadable(text: str) -> bool:
    return is_calendar(text) and not FilePath(text).is_file()


def _never(at: Path, schedule: Schedule, then: str) -> Iterator[Problem]:
    now = time()
    if schedule.problem_at(now) or schedule.is_open(now):
        return
    if schedule.next_change(now) is None:
        yield _warning(at, f"is never open: {then}")


def _used(value: object, name: str) -> bool:
    """Return whether ``name`` stands anywhere but under its own heading, also in an expression."""
    if isinstance(value, Mapping):
        return any(_used(inside, name) for key, inside in value.items() if key != "schedule")
    if isinstance(value, list):
        return any(_used(inside, name) for inside in value)
    if not isinstance(value, str):
        return False
    return value.strip() == name or f"'{name}'" in value or f'"{name}"' in value
