"""Queries that keep to the levels of their model, and those that do not."""

import pytest

from waystation.flows.hierarchy import kept
from waystation.matching.keys import BadIdentifier
from waystation.model.query import Key, Options, Query

LEVEL, MODALITY, IN_STUDY = 0x00080052, 0x00080060, 0x00080061
NAME, PATIENT, STUDY, SERIES, IMAGE = 0x00100010, 0x00100020, 0x0020000D, 0x0020000E, 0x00080018
DATE, DESCRIPTION, ROWS = 0x00080020, 0x0008103E, 0x00280010


def query(level: str, *keys: tuple[int, str, str], relational: bool = False) -> Query:
    return Query(level=level, options=Options(relational=relational)).with_keys(
        Key(tag, vr, (value,) if value else ()) for tag, vr, value in keys
    )


def fault(found: Query | BadIdentifier) -> int:
    assert isinstance(found, BadIdentifier), found
    assert found.status == 0xA900
    assert found.comment
    return found.element


@pytest.mark.req("T-38")
@pytest.mark.parametrize(
    ("asked", "patient_root", "element"),
    [
        (query(""), False, LEVEL),
        (query("BANANA"), True, LEVEL),
        (query("PATIENT"), False, LEVEL),
        (query("SERIES", (SERIES, "UI", "")), False, STUDY),
        (query("SERIES", (STUDY, "UI", ""), (SERIES, "UI", "")), False, STUDY),
        (query("IMAGE", (STUDY, "UI", "1.2")), False, SERIES),
        (query("STUDY", (STUDY, "UI", "")), True, PATIENT),
        (query("STUDY", (PATIENT, "LO", "P*")), True, PATIENT),
        (query("STUDY", (DESCRIPTION, "LO", "AX*")), False, DESCRIPTION),
        (query("SERIES", (STUDY, "UI", "1.2"), (DATE, "DA", "2020")), False, DATE),
    ],
)
def test_what_leaves_its_level_is_refused_by_name(
    asked: Query, patient_root: bool, element: int
) -> None:
    assert fault(kept(asked, patient_root=patient_root)) == element


@pytest.mark.req("T-38")
def test_relational_queries_may_leave_everything_out() -> None:
    for level in ("STUDY", "SERIES", "IMAGE"):
        asked = query(level, (ROWS, "US", "512"), (NAME, "PN", "Doe*"), relational=True)
        assert kept(asked, patient_root=True) == asked
    assert fault(kept(query("BANANA", relational=True), patient_root=True)) == LEVEL


@pytest.mark.req("T-38")
def test_patient_attributes_are_asked_for_below_their_level() -> None:
    study = query("STUDY", (NAME, "PN", "Doe*"), (STUDY, "UI", ""))
    assert kept(study, patient_root=False) == study
    series = query("SERIES", (STUDY, "UI", "1.2"), (PATIENT, "LO", "P"))
    assert kept(series, patient_root=False) == series
    patient = query("STUDY", (PATIENT, "LO", "P"), (NAME, "PN", ""))
    assert kept(patient, patient_root=True) == patient


@pytest.mark.req("T-38", "T-15")
def test_modality_of_a_study_means_modalities_in_study() -> None:
    found = kept(query("STUDY", (MODALITY, "CS", "MR")), patient_root=False)
    assert isinstance(found, Query)
    assert found.keys == (Key(IN_STUDY, "CS", ("MR",)),)
    assert found.unknown == ((MODALITY, "Modality"),)


@pytest.mark.req("T-38", "T-15")
def test_a_stray_key_without_a_value_is_left_out_and_named_unless_strict() -> None:
    asked = query("STUDY", (DESCRIPTION, "LO", ""), (STUDY, "UI", "1.2"))
    found = kept(asked, patient_root=False)
    assert isinstance(found, Query)
    assert found.unknown == ((DESCRIPTION, "SeriesDescription"),)
    assert found.key(DESCRIPTION) is None
    assert fault(kept(asked, patient_root=False, strict=True)) == DESCRIPTION


@pytest.mark.req("T-37")
def test_what_every_answer_has_is_no_key() -> None:
    asked = query("STUDY", (0x00080054, "AE", ""), (0x00080056, "CS", "ONLINE"), (STUDY, "UI", ""))
    assert kept(asked, patient_root=False, strict=True) == query("STUDY", (STUDY, "UI", ""))


@pytest.mark.req("T-37")
def test_patient_study_only_ends_at_studies() -> None:
    asked = query("SERIES", (PATIENT, "LO", "P"), (STUDY, "UI", "1.2"))
    assert fault(kept(asked, patient_root=True, study_only=True)) == LEVEL
