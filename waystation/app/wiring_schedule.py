"""``[schedule.NAME]`` and schedules in place → `Schedule` values.

Contract: zones and calendar files are read when a `Windows` is made, so at start, at each reload,
and, as `waystation.app.serving` looks at the content of `calendar_files`, within seconds of a
change of one of them.  Whatever cannot be read gives a schedule that is shut and says why (R-39);
nothing here raises for it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path

from waystation.app.settings_schedule import ScheduleSettings, is_calendar
from waystation.app.zones import UnknownZoneError, host_zone, zone_named
from waystation.timing.calendar import read_calendar
from waystation.timing.schedule_days import Holidays, read_days
from waystation.timing.window import NEVER, Schedule, read_schedule

MOST_BYTES = 4 * 2**20
YEARS_AHEAD = 20
NO_YEARS: frozenset[int] = frozenset()


class Windows:
    """The schedules of one configuration, read once.

    local: the zone of this host; None if it has none, and UTC stands in.  now: Unix seconds;
    calendars are read for the year before and those that follow.
    """

    def __init__(
        self,
        tables: Mapping[str, ScheduleSettings],
        *,
        now: float,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        year = datetime.fromtimestamp(now, UTC).year
        self._years = range(year - 1, year + YEARS_AHEAD)
        self.local = host_zone(environ)
        self.named = {name: self._read(table) for name, table in tables.items()}
        self._in_place: dict[str, Schedule] = {}

    def of(self, text: str) -> Schedule:
        """Return what a ``window`` means: the name of a schedule, or its text in place."""
        if text in self.named:
            return self.named[text]
        if text not in self._in_place:
            self._in_place[text] = self._plain(text)
        return self._in_place[text]

    def problems(self, at: float) -> Iterator[tuple[str, str]]:
        """Yield (name, why) of each schedule that is shut because it cannot be evaluated."""
        for name, schedule in (*self.named.items(), *self._in_place.items()):
            problem = schedule.problem_at(at)
            if problem:
                yield name, problem

    def _plain(self, text: str) -> Schedule:
        try:
            return read_schedule(text, zone=self.local or UTC)
        except ValueError as error:
            return replace(NEVER, problem=str(error))

    def _read(self, table: ScheduleSettings) -> Schedule:
        zone, problem = self._zone(table.zone)
        days = tuple(read_days(text) for text in table.holidays if not is_calendar(text))
        holidays = Holidays(days=days)
        files = [Path(text) for text in table.holidays if is_calendar(text)]
        if files:
            try:
                events, years = self._calendars(files, zone or UTC)
                holidays = Holidays(days=days, events=events, years=years)
            except ValueError as error:
                problem = problem or str(error)
                holidays = replace(holidays, years=NO_YEARS)
        closed = tuple(map(read_days, table.closed))
        return read_schedule(
            table.open, zone=zone, holidays=holidays, closed=closed, problem=problem
        )

    def _zone(self, name: str | None) -> tuple[tzinfo | None, str]:
        if name is None:
            return self.local or UTC, ""
        try:
            zone = zone_named(name)
        except UnknownZoneError as error:
            return None, str(error)
        return zone, "" if zone else f'the data of zone "{name}" are missing on this machine'

    def _calendars(self, files: list[Path], zone: tzinfo) -> tuple[dict[date, str], frozenset[int]]:
        """Return the days of all ``files``, and the years in which they have events.

        Raises ValueError if one of them cannot be read.
        """
        events: dict[date, str] = {}
        years: set[int] = set()
        for file in files:
            try:
                found = read_calendar(_bytes(file), years=self._years, zone=zone)
            except OSError as error:
                raise ValueError(f"{file.name} cannot be read: {error.strerror}") from error
            except ValueError as error:
                raise ValueError(f"{file.name} {error}") from error
            events.update(found.events)
            years.update(found.years)
        return events, frozenset(years)


def _bytes(file: Path) -> bytes:
    with file.open("rb") as opened:
        data = opened.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"has more than {MOST_BYTES} bytes")
    return data


def calendar_files(tables: Mapping[str, ScheduleSettings]) -> list[Path]:
    """Return the calendar files that ``tables`` name, each once."""
    named = (text for table in tables.values() for text in table.holidays)
    return sorted({Path(text) for text in named if is_calendar(text)})
