"""Every listed requirement has a test, and every id that a test names exists."""

from pathlib import Path

import pytest

from tests.requirement_ids import (
    delivered,
    ids_named_by_tests,
    ids_named_in,
    report,
    requirements,
    requirements_of,
)

SAMPLE = """
- **R-1** One file. Unknown keys are errors. **R-2** Reload *swaps* once (S-3).
| id | limit |
| L1 | PDU type | A-ABORT |
| W-62 event at a PACS | alone |
See R-9, L7 and | O1 | in passing.
"""


def test_a_listed_id_has_a_test_that_names_it() -> None:
    missing = sorted(set(delivered()) - ids_named_by_tests().keys())
    assert not missing, f"tests/requirements.txt lists ids that no test names: {missing}"


def test_a_listed_id_is_defined_and_listed_once() -> None:
    listed = delivered()
    assert sorted(set(listed)) == sorted(listed)
    assert not set(listed) - requirements().keys()


def test_a_test_names_only_ids_that_the_spec_defines() -> None:
    known = requirements()
    unknown = {name: at for name, at in ids_named_by_tests().items() if name not in known}
    assert not unknown


def test_the_spec_is_read_without_gaps() -> None:
    numbers: dict[str, set[int]] = {}
    for name in requirements():
        prefix = name.rstrip("0123456789")
        numbers.setdefault(prefix, set()).add(int(name.removeprefix(prefix)))
    assert numbers.keys() == {
        *("R-", "RT-", "N-", "S-", "W-", "WT-", "T-", "TT-", "D-"),
        *("E", "O", "F", "L", "G"),
    }
    for prefix, found in numbers.items():
        assert found == set(range(1, max(found) + 1)), prefix


def test_only_bold_ids_and_table_rows_are_definitions() -> None:
    found = {each.id: each.title for each in requirements_of(SAMPLE, "sample.md")}
    assert found == {
        "R-1": "One file",
        "R-2": "Reload swaps once (S-3)",
        "L1": "PDU type · A-ABORT",
        "W-62": "alone",
    }


def test_ids_are_found_in_marks_wherever_they_stand() -> None:
    source = (
        "pytestmark = pytest.mark.req('R-1')\n"
        "@pytest.mark.req('S-1', 'E2')\ndef test_a(): ...\n"
        "CASE = pytest.param(1, marks=pytest.mark.req(NAME))\n"
    )
    assert list(ids_named_in(source)) == [("R-1", 1), ("S-1", 2), ("E2", 2), ("", 4)]


def test_comments_and_blank_lines_of_the_list_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("# heading\n\nR-4  # Success\nE2\n")
    assert delivered(file) == ["R-4", "E2"]


@pytest.mark.parametrize(
    ("done", "named", "line"),
    [
        (set[str](), set[str](), "    R-1    One file"),
        (set[str](), {"R-1"}, "  + R-1    One file"),
        ({"R-1"}, {"R-1"}, "1 of 4 delivered, 3 open (+ named by a test, not listed)"),
    ],
)
def test_the_report_tells_open_from_named(done: set[str], named: set[str], line: str) -> None:
    lines = list(report(requirements_of(SAMPLE, "sample.md"), done, named))
    assert line in lines
