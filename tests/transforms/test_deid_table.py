"""The basic column of table E.1-1, against the source it was made from."""

from collections import Counter
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from tests.transforms.generators import committed, generator
from waystation.transforms.deid_table import ACTIONS, EDITION, MASKS, PRIVATE, action, row_of

LISTS = {
    "X_TAGS": ("X", 415),
    "D_TAGS": ("D", 93),
    "U_TAGS": ("U", 55),
    "Z_TAGS": ("Z", 42),
    "X_D_TAGS": ("X/D", 23),
    "X_Z_TAGS": ("X/Z", 11),
    "X_Z_D_TAGS": ("X/Z/D", 8),
    "Z_D_TAGS": ("Z/D", 6),
    "X_Z_U_STAR_TAGS": ("X/Z/U*", 2),
}


def source(edition: str = "2026c") -> Any:
    return import_module(f"dicomanonymizer.dicom_anonymization_databases.dicomfields_{edition}")


@pytest.mark.req("D-4")
@pytest.mark.parametrize("name", LISTS)
def test_every_row_of_the_source_has_its_code(name: str) -> None:
    code, count = LISTS[name]
    rows = getattr(source(), name)
    assert len(rows) == count
    wrong = [row for row in rows if action(row[0] << 16 | row[1]) != code]
    assert not wrong


@pytest.mark.req("D-4")
def test_the_table_has_655_rows_and_the_one_of_private_attributes() -> None:
    assert EDITION == "2026c"
    assert Counter(ACTIONS.values()) == {
        code: count + (code == "X") for code, count in LISTS.values()
    }
    assert len(ACTIONS) == 656
    assert ACTIONS[PRIVATE] == "X"
    assert [row for row, _ in MASKS if row != PRIVATE] == [0x50000000, 0x60003000, 0x60004000]


@pytest.mark.req("D-4")
def test_the_committed_files_are_what_the_generator_writes() -> None:
    for name, text in generator("deid_table").files().items():
        assert committed(name) == text


@pytest.mark.req("D-4")
def test_the_head_names_edition_licence_and_digest_of_the_source() -> None:
    tool = generator("standard_sources")
    digest = tool.sha256(tool.source("dicom-anonymizer", "dicomfields_2026c.py"))
    head = committed("deid_table.py").split('"""')[1]
    assert all(word in head for word in ("edition 2026c", "BSD", "2.1.0", digest))


@pytest.mark.parametrize(
    ("tag", "row"),
    [
        (0x00100010, 0x00100010),
        (0x00090010, PRIVATE),
        (0x00E11001, PRIVATE),
        (0x60013000, PRIVATE),
        (0x50000005, 0x50000000),
        (0x501E3000, 0x50000000),
        (0x60003000, 0x60003000),
        (0x60FE3000, 0x60003000),
        (0x60124000, 0x60004000),
        (0x60120010, None),
        (0x00280010, None),
        (0x7FE00010, None),
    ],
)
def test_masks_and_odd_groups_find_their_row(tag: int, row: int | None) -> None:
    assert row_of(tag) == row
    assert action(tag) == (None if row is None else ACTIONS[row])


@pytest.mark.req("D-7")
def test_a_made_up_edition_is_told_apart_row_by_row() -> None:
    new = {**ACTIONS, 0x00100010: "X", 0x00280010: "Z/D", 0x00EE1234: "D"}
    del new[0x00080050]
    assert list(generator("deid_table").differences(ACTIONS, new)) == [
        "- (0008,0050) AccessionNumber: Z",
        "! (0010,0010) PatientName: Z becomes X",
        "+ (0028,0010) Rows: Z/D",
        "+ (00EE,1234): D",
    ]
    assert not list(generator("deid_table").differences(ACTIONS, dict(ACTIONS)))


@pytest.mark.req("D-7")
def test_an_installed_source_that_differs_is_printed_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = generator("deid_table")
    monkeypatch.setattr(tool, "fields", edition_with_another_row)
    monkeypatch.setattr(tool, "write", None)
    monkeypatch.setattr("sys.argv", ["deid_table.py", "--compare"])
    tool.main()
    printed = capsys.readouterr().out.splitlines()
    assert printed[1:] == ["+ (0028,0011) Columns: Z"]


@pytest.mark.req("D-4")
def test_a_source_with_other_counts_is_not_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = generator("deid_table")
    monkeypatch.setattr(tool, "fields", edition_with_another_row)
    with pytest.raises(SystemExit, match="rows by code"):
        tool.files()


def edition_with_another_row(edition: str) -> SimpleNamespace:
    lists = {name: list(getattr(source(edition), name)) for name in LISTS}
    lists["Z_TAGS"].append((0x0028, 0x0011))
    return SimpleNamespace(**lists)
