"""The tables of the conformance statement say what the tables of the engine say."""

from pathlib import Path

import pytest

from waystation.app.conformance import DECISION, LETTERS, elements, page, profiles
from waystation.transforms.deid_actions import OPTIONS
from waystation.transforms.deid_options import COLUMNS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "conformance" / "deidentification.md"


@pytest.mark.req("D-49")
def test_the_committed_page_is_the_one_the_tables_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run: python -m waystation.app.conformance > docs/conformance/deidentification.md"
    )


def test_every_row_and_every_cell_is_on_the_page() -> None:
    rows = list(elements())
    assert len(rows) == 656
    cells = sum(row.split("|")[5].count(":") for row in rows)
    assert cells == sum(map(len, COLUMNS.values())) == 602
    assert set(LETTERS) == set(COLUMNS)
    assert len(set(LETTERS.values())) == len(LETTERS)


def test_the_profile_and_each_option_has_a_line() -> None:
    assert len(list(profiles())) == 1 + len(OPTIONS)


@pytest.mark.parametrize(
    "row",
    [
        "| Private Attributes | odd groups |  | X | P:C | N |  |",
        "| Patient's Name | (0010,0010) | PN | Z |  | N |  |",
        "| SOP Instance UID | (0008,0018) | UI | U | U:K | N | mapped UID |",
        "| Content Date | (0008,0023) | DA | Z/D | F:K M:C | N | `19000101` |",
        "| Curve Data | (50xx,xxxx) |  | X | G:C | N |  |",
    ],
)
def test_a_row_reads_as_the_standard_has_it(row: str) -> None:
    assert row in list(elements())


def test_the_page_leads_to_where_the_tables_come_from() -> None:
    assert (DOCS / "decisions" / DECISION).is_file()
