"""``waystation schedule``."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

HOLIDAYS = (
    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Natal\r\n"
    "DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
NIGHT = (
    '[schedule.night]\nzone = "Europe/Lisbon"\nholidays = ["holidays.ics"]\n'
    'open = "Mon-Sun 20:00-07:59; holiday 00:00-24:00"\n'
)


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Europe/Lisbon")
    return tmp_path


@pytest.mark.req("R-41")
def test_a_text_needs_no_configuration(run: Run) -> None:
    ran = run("schedule", "19:00-07:00", "--at", "2026-03-28 18:00", "--next", "3")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "shut at Sat 2026-03-28 18:00:00+00:00 (Europe/Lisbon)",
        'why: outside "19:00-07:00" on Sat 2026-03-28',
        "opens Sat 2026-03-28 19:00:00+00:00, in 1 h 0 min",
        "shuts Sun 2026-03-29 07:01:00+01:00, in 12 h 1 min",
        "opens Sun 2026-03-29 19:00:00+01:00, in 24 h 0 min",
    ]


@pytest.mark.req("R-41")
def test_a_name_is_looked_up_with_its_zone_and_holidays(run: Run, in_folder: Path) -> None:
    (in_folder / "site.toml").write_text(NIGHT)
    (in_folder / "holidays.ics").write_text(HOLIDAYS)
    words = ("schedule", "night", "--config", "site.toml", "--at", "2026-12-25T12:00", "--json")
    ran = run(*words, "--next", "1")
    assert ran.code == 0
    said = json.loads(ran.out)
    assert said["why"] == 'open: "holiday 00:00-24:00", 2026-12-25 is a holiday (Natal)'
    assert (said["open"], said["zone"], said["problem"]) == (True, "Europe/Lisbon", "")
    assert said["next"] == [
        {"change": "shuts", "at": "2026-12-26T00:00:00+00:00", "unix": 1798243200.0}
    ]


@pytest.mark.req("R-39", "R-41")
def test_a_schedule_whose_calendar_is_gone_is_shown_shut(run: Run, in_folder: Path) -> None:
    (in_folder / "waystation.toml").write_text(NIGHT)
    ran = run("schedule", "night", "--at", "2026-12-25 22:00")
    assert ran.code == 0
    assert ran.out.splitlines()[1:] == [
        "why: holidays.ics cannot be read: No such file or directory",
        "never opens",
    ]


@pytest.mark.req("R-41", "N-17")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["24:00-07:00"], 'write "00:00-07:00"'),
        (["night"], '"night" is no day of the week'),
        (["always", "--at", "tomorrow"], "--at: an instant is written like"),
        (["always", "--at", "25:00"], "--at: an instant is written like"),
        (["always", "--zone", "Europe/Lisbn"], 'did you mean "Europe/Lisbon"?'),
        (["night", "--config", "gone.toml"], "gone.toml: cannot be read"),
        (["always", "--next", "-1"], "--next"),
        ([], "NAME"),
    ],
)
def test_what_cannot_be_answered_exits_2(words: list[str], said: str, run: Run) -> None:
    ran = run("schedule", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


@pytest.mark.req("R-41")
def test_an_unknown_name_gets_the_nearest(run: Run, in_folder: Path) -> None:
    (in_folder / "waystation.toml").write_text(NIGHT)
    ran = run("schedule", "nigth")
    assert ran.code == 2
    assert 'waystation.toml has no [schedule.nigth] (did you mean "night"?)' in ran.err


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-10-25T01:15+00:00", "Sun 2026-10-25 01:15:00+00:00"),
        ("2026-10-25T01:15+01:00", "Sun 2026-10-25 01:15:00+01:00"),
        ("2026-07-01 12:00", "Wed 2026-07-01 12:00:00+01:00"),
    ],
)
def test_an_instant_may_carry_its_offset(moment: str, expected: str, run: Run) -> None:
    ran = run("schedule", "01:00-01:29", "--at", moment, "--next", "0")
    assert ran.out.splitlines()[0].endswith(f" at {expected} (Europe/Lisbon)")


def test_a_doubtful_text_warns_and_says_its_ranges_when_asked(run: Run) -> None:
    ran = run("schedule", "m90 < 60", "-v", "--next", "1")
    assert ran.err.splitlines()[0].startswith("warning: the minute of the hour decides")
    assert ran.err.splitlines()[1] == "m90 < 60: never shuts"
    assert ran.out.splitlines()[-1] == "never shuts"


def test_help_says_what_to_write(run: Run) -> None:
    assert "Name of a schedule, or hours" in run("schedule", "--help").out
