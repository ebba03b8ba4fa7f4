"""``[schedule.NAME]`` and schedules in place: what is refused, what is doubtful, what is shut."""

import sys
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.app.conftest import Complain, Load
from waystation.app import zones
from waystation.app.schedule_preview import spelled
from waystation.app.wiring_schedule import Windows, calendar_files
from waystation.timing.window import Schedule

PACS = '[destination.pacs]\nkind = "dicom"\nhost = "10.1.9.10"\nae_title = "PACS"\n'
RULE = '[[rule]]\nname = "all"\nsend = ["pacs"]\n'
NIGHT = f'{PACS}window = "night"\n{RULE}[schedule.night]\n'
LISBON = {"TZ": "Europe/Lisbon"}
Open = Callable[..., Schedule]
NATAL = (
    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Natal\r\n"
    "DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def at(moment: str, zone: str = "Europe/Lisbon") -> float:
    return datetime.fromisoformat(moment).replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp()


NOW = at("2026-06-01T12:00")


@pytest.fixture
def window(read: Load) -> Open:
    """Return a function: text of a file → the window of its destination pacs."""

    def _window(text: str, **environ: str) -> Schedule:
        settings = read(text, environ or LISBON).settings
        windows = Windows(settings.schedule, now=NOW, environ=environ or LISBON)
        return windows.of(settings.destination["pacs"].window)

    return _window


@pytest.fixture
def no_zone_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take the data of all time zones away."""
    for name in [name for name in sys.modules if name.startswith("tzdata.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.req("R-38", "R-1", "N-17")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'{PACS}window = "8-12"\n', '5 destination.pacs.window: no hours: hours and minutes are'),
        (
            f'{PACS}window = "nigth"\n[schedule.night]\nopen = "20:00-07:59"\n',
            '5 destination.pacs.window: no schedule "nigth" (did you mean "night"?), and no hours',
        ),
        ("[schedule.night]\n", "1 schedule.night.open: is missing"),
        (f'{NIGHT}open = "M10 < 5"\n', "10 schedule.night.open: a cyclic schedule is m, a number"),
        (f'{NIGHT}open = "always"\nzone = "Europe/Lisbn"\n',
         '11 schedule.night.zone: there is no zone "Europe/Lisbn" (did you mean "Europe/Lisbon"?)'),
        (f'{NIGHT}open = "always"\nzone = "../etc"\n', "11 schedule.night.zone: there is no zone"),
        (f'{NIGHT}open = "always"\nholidays = ["25.12."]\n',
         "11 schedule.night.holidays: dates are written like"),
        (f'{NIGHT}open = "always"\nclosed = ["02-30"]\n',
         "11 schedule.night.closed: there is no such date as 02-30"),
        (f'{NIGHT}open = "always"\nclosed = "02-28"\n',
         '11 schedule.night.closed: expected a list, like ["02-28"]'),
        ('[schedule.never]\nopen = "always"\n',
         "1 schedule.never: is the text of a schedule already; give it another name"),
        ('[schedule."19:00-07:00"]\nopen = "always"\n', "is the text of a schedule already"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_fault(text: str, expected: str, faults: Complain) -> None:
    said = faults(text)
    assert any(expected in fault for fault in said), said


@pytest.mark.req("R-38", "R-39", "R-1")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'{PACS}window = "m90 < 60"\n{RULE}', "5 destination.pacs.window: the minute of the hour"),
        (f'{PACS}window = "8:5-9:00"\n{RULE}', "5 destination.pacs.window: 8:5 is read as 08:05"),
        (f'{PACS}window = "m10<0"\n{RULE}', "5 destination.pacs.window: is never open: nothing"),
        (
            f'{PACS}window = "2020-01-01 08:00-09:00"\n{RULE}',
            "5 destination.pacs.window: is never open: nothing will be sent",
        ),
        (f'{NIGHT}open = "08:00-08:00"\n', "10 schedule.night.open: 08:00-08:00 is open for that"),
        (
            f'{NIGHT}open = "holiday 08:00-09:00; 08:00-10:00"\n',
            '10 schedule.night.open: names holidays, and the list "holidays" is empty',
        ),
        (
            f'{NIGHT}open = "08:00-10:00"\nholidays = ["12-25"]\n',
            "11 schedule.night.holidays: have no effect",
        ),
        ('[schedule.night]\nopen = "08:00-10:00"\n', "1 schedule.night: nothing uses it"),
        (
            f'{NIGHT}open = "08:00-10:00; holiday 08:00-08:30"\nholidays = ["12-25", "gone.ics"]\n',
            "11 schedule.night.holidays: gone.ics cannot be read: No such file or directory: it"
            " stays shut",
        ),
    ],
)
def test_what_is_legal_but_doubtful_is_a_warning(text: str, expected: str, read: Load) -> None:
    (warning,) = map(str, read(text, LISBON).warnings)
    assert warning.startswith(f"waystation.toml:{expected}")


@pytest.mark.req("R-35")
def test_a_window_is_a_text_in_place_or_the_name_of_a_schedule(window: Open) -> None:
    in_place = window(f'{PACS}window = " 20:00-07:59 "\n{RULE}')
    named = window(f'{NIGHT}open = "20:00-07:59"\nzone = "Europe/Lisbon"\n')
    for schedule in (in_place, named):
        assert isinstance(schedule, Schedule)
        assert schedule.is_open(at("2026-01-01T20:00"))
        assert not schedule.is_open(at("2026-01-01T19:59:59"))


@pytest.mark.req("R-37")
def test_the_zone_is_that_of_the_host_unless_stated(window: Open) -> None:
    hours = 'open = "20:00-20:59"\n'
    assert window(NIGHT + hours, TZ="Asia/Kathmandu").is_open(
        at("2026-01-01T20:30", "Asia/Kathmandu")
    )
    stated = window(f'{NIGHT}{hours}zone = "Asia/Kathmandu"\n', TZ="America/New_York")
    assert stated.is_open(at("2026-01-01T20:30", "Asia/Kathmandu"))
    assert not stated.is_open(at("2026-01-01T20:30", "America/New_York"))


@pytest.mark.req("R-37")
def test_a_host_without_a_zone_is_in_utc_with_a_warning(read: Load, window: Open) -> None:
    nowhere = {"TZ": "Nowhere/City"}
    for text in (f'{PACS}window = "20:00-20:59"\n{RULE}', f'{NIGHT}open = "20:00-20:59"\n'):
        (warning,) = map(str, read(text, nowhere).warnings)
        assert "this host has no time zone, so that UTC is used" in warning
        assert window(text, **nowhere).is_open(at("2026-07-01T20:30", "UTC"))
    assert read(f'{PACS}window = "always"\n{RULE}', nowhere).warnings == []


@pytest.mark.parametrize(
    ("localtime", "expected"),
    [("zoneinfo/Europe/Lisbon", "Europe/Lisbon"), ("elsewhere/copy", "copy"), ("gone", None)],
)
def test_the_zone_of_the_host_is_read_from_its_localtime(
    localtime: str, expected: str | None, tmp_path: Path
) -> None:
    found = Path("/usr/share/zoneinfo/Europe/Lisbon")
    if not found.is_file():
        pytest.skip("no zone data of the system")
    for name in ("zoneinfo/Europe/Lisbon", "elsewhere/copy"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(found.read_bytes())
    (tmp_path / "localtime").symlink_to(localtime)
    zone = zones.host_zone({}, tmp_path / "localtime")
    assert (zone.key if zone else None) == expected


@pytest.mark.req("R-39")
def test_missing_zone_data_shut_what_needs_them(read: Load, no_zone_data: None) -> None:
    text = f'{NIGHT}open = "always"\nzone = "Europe/Lisbon"\n'
    loaded = read(text)
    assert any("schedule.night.zone: its data are missing" in str(w) for w in loaded.warnings)
    windows = Windows(loaded.settings.schedule, now=NOW, environ={})
    assert not windows.of("night").is_open(NOW)
    assert dict(windows.problems(NOW)) == {
        "night": 'the data of zone "Europe/Lisbon" are missing on this machine'
    }


def holidays(window: Open, folder: Path, data: bytes | None) -> Schedule:
    """Return a window that is shut on holidays, its calendar holding ``data``."""
    if data is not None:
        (folder / "holidays.ics").write_bytes(data)
    return window(
        f'{NIGHT}open = "00:00-24:00; holiday 00:00-00:00"\nholidays = ["01-01", "holidays.ics"]\n'
    )


@pytest.mark.req("R-35", "R-36")
def test_a_calendar_counts_from_the_folder_of_the_configuration(
    window: Open, tmp_path: Path
) -> None:
    schedule = holidays(window, tmp_path, NATAL.encode())
    assert schedule.is_open(at("2026-12-24T12:00"))
    assert not schedule.is_open(at("2026-12-25T12:00"))
    assert not schedule.is_open(at("2026-01-01T12:00"))
    assert "a holiday (Natal)" in schedule.why(at("2026-12-25T12:00"))


@pytest.mark.req("R-39", "RT-6")
@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"no calendar",
        NATAL.encode()[:-20],
        NATAL.replace("20201225", "2020122x").encode(),
        NATAL.replace("\r\nRRULE:FREQ=YEARLY", "").encode(),
        NATAL.encode() + b"\n" * 5_000_000,
    ],
)
def test_a_calendar_that_cannot_be_read_shuts_the_window_and_says_so(
    data: bytes | None, window: Open, tmp_path: Path
) -> None:
    schedule = holidays(window, tmp_path, data)
    for moment in ("2026-06-01T12:00", "2026-12-24T12:00", "2027-03-01T00:00"):
        assert not schedule.is_open(at(moment))
        assert schedule.next_change(at(moment)) is None
        assert schedule.problem_at(at(moment))


@pytest.mark.req("R-39")
def test_a_text_that_slipped_through_opens_nothing() -> None:
    windows = Windows({}, now=NOW, environ=LISBON)
    assert not windows.of("24:00-07:00").is_open(NOW)
    assert [name for name, _ in windows.problems(NOW)] == ["24:00-07:00"]


def test_calendar_files_are_known_for_the_reload(read: Load, tmp_path: Path) -> None:
    text = '[schedule.{}]\nopen = "holiday 08:00-09:00"\nholidays = ["b.ics", "12-25", "{}"]\n'
    tables = read(text.format("x", "a.ICS") + text.format("y", "b.ics")).settings.schedule
    assert calendar_files(tables) == [tmp_path / "a.ICS", tmp_path / "b.ics"]


@pytest.mark.req("R-35", "R-37")
def test_check_spells_out_zone_and_shutting_of_every_range(read: Load) -> None:
    text = (
        f'{PACS}window = "m20<3"\n{RULE}'
        '[schedule.night]\nzone = "Asia/Kathmandu"\n'
        'open = "Fri 22:00-05:59, 08:00-12:00; Sat-Sun 00:00-24:00; 00:00-23:59"\n'
    )
    lines = list(spelled(read(text, LISBON).settings, LISBON, NOW))
    assert lines == [
        "schedule.night: open now, never shuts; zone Asia/Kathmandu",
        "  Fri 22:00-05:59, 08:00-12:00: 22:00-05:59: opens 22:00:00, shuts 06:00:00 the next day",
        "  Fri 22:00-05:59, 08:00-12:00: 08:00-12:00: opens 08:00:00, shuts 12:01:00",
        "  Sat-Sun 00:00-24:00: opens 00:00:00, shuts 24:00:00",
        "  00:00-23:59: opens 00:00:00, never shuts",
        "destination.pacs.window: open now, shuts Mon 12:03 (in 3 min); zone Europe/Lisbon",
        "  m20<3: open in every hour from :00:00 to :03:00, :20:00 to :23:00, :40:00 to :43:00",
    ]
