"""Groups in the file: what cannot be, and what is doubtful (R-1, R-42)."""

import pytest

from tests.app.conftest import Complain

TWO = "".join(
    f'[destination.{name}]\nkind = "dicom"\nhost = "10.0.0.{number}"\nae_title = "X"\n'
    for number, name in ((1, "a"), (2, "b"))
)
RULE = '[[rule]]\nname = "all"\nsend = ["g"]\n'


def text(group: str) -> str:
    """Return a file whose group begins in line 12."""
    return f"{TWO}{RULE}{group}"


@pytest.mark.req("R-1", "R-42")
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ('[group.g]\nmembers = ["a", "c"]\n', '13 group.g.members: no destination "c"'),
        ('[group.g]\nmembers = ["g"]\n', "13 group.g.members: a group cannot be a member of"),
        ('[group.g]\nmembers = ["a", "a"]\n', '13 group.g.members: "a" is a member twice'),
        ("[group.g]\nmembers = []\n", "13 group.g.members: must not be empty"),
        ("[group.g]\n", "12 group.g.members: is missing"),
        (
            '[group.g]\nmembers = ["a"]\n[group.h]\nmembers = ["g"]\n',
            '15 group.h.members: "g" is a group: a member is a destination',
        ),
        ('[group.a]\nmembers = ["b"]\n', '12 group.a: "a" is the name of a destination, too'),
        (
            '[group.g]\nmembers = ["a", "b"]\nstrategy = "cheapest"\n',
            '14 group.g.strategy: expected "failover", "by-time" or "balance"',
        ),
        (
            '[group.g]\nstrategy = "by-time"\nmembers = [{ to = "a", window = "8-12" }, "b"]\n',
            "14 group.g.members.window: no hours",
        ),
    ],
)
def test_what_cannot_be_is_a_fault_with_its_line(
    group: str, expected: str, faults: Complain
) -> None:
    said = faults(text(group))
    assert any(fault.startswith(f"waystation.toml:{expected}") for fault in said), said


@pytest.mark.req("R-1", "R-42")
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ('[group.g]\nmembers = ["a"]\n', "12 group.g: has one member only"),
        (
            '[group.g]\nmembers = ["a", "b"]\n[group.h]\nmembers = ["a", "b"]\n',
            "14 group.h: no rule sends to it",
        ),
        (
            '[group.g]\nmembers = ["a", "b"]\nbackup = true\n',
            '14 group.g.backup: says nothing for strategy "failover"',
        ),
        (
            '[group.g]\nmembers = [{ to = "a", weight = 2 }, "b"]\n',
            '13 group.g.members.weight: is read by strategy "balance" only',
        ),
        (
            '[group.g]\nstrategy = "by-time"\nmembers = [{ to = "a", window = "08:00-11:59" },'
            ' { to = "b", window = "10:00-19:59" }]\n',
            "12 group.g: all members are shut at the same time",
        ),
    ],
)
def test_what_is_doubtful_is_a_warning(group: str, expected: str, warnings: Complain) -> None:
    said = warnings(text(group))
    assert any(warning.startswith(f"waystation.toml:{expected}") for warning in said), said


@pytest.mark.req("R-42")
def test_two_readers_by_hour_and_price_are_clean(warnings: Complain) -> None:
    group = (
        '[group.g]\nstrategy = "by-time"\nbackup = true\n'
        'members = [{ to = "a", window = "08:00-19:59", cost = 4 },'
        ' { to = "b", window = "20:00-07:59", cost = 3 }]\n'
    )
    assert warnings(text(group)) == []
