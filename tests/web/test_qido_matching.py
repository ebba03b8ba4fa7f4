"""QIDO-RS: the kinds of matching, at every level, in every character set."""

from pathlib import Path

import pytest

from tests.index.conftest import shelf
from tests.index.making import Shelf, ct
from tests.web.dicomweb import Web, filled, uids, value

__all__ = ("shelf",)

STUDY, INSTANCE = "0020000D", "00080018"
ONE = "/dicom-web/studies/1.2.3.1"


@pytest.fixture
async def web(shelf: Shelf, tmp_path: Path) -> Web:
    return await filled(shelf, tmp_path)


@pytest.mark.req("W-35", "W-37")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Modality=CT", 3),
        ("Modality=MR", 0),
        ("SeriesDescription=Series 2", 3),
        ("SOPInstanceUID=1.2.3.2.1.1", 1),
        ("Rows=512&PatientID=P1", 1),
        ("Rows=513", 0),
    ],
)
async def test_keys_of_lower_levels_filter_studies(web: Web, query: str, found: int) -> None:
    assert len(await web.found(f"/dicom-web/studies?{query}")) == found


@pytest.mark.req("W-35")
async def test_keys_of_levels_above_filter_what_is_below(web: Web) -> None:
    rows = await web.found("/dicom-web/instances", PatientID="P3", SeriesNumber="2")
    assert uids(rows, INSTANCE) == ["1.2.3.3.2.1", "1.2.3.3.2.2"]
    assert await web.found(f"{ONE}/series", PatientID="P3") == []


@pytest.mark.req("W-39", "W-40", "W-41", "W-42")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("PatientName=NAME1^first", ["1"]),
        ("PatientID=p1", []),
        ("PatientID=*", ["3", "2", "1"]),
        ("PatientName=*2*", ["2"]),
        ("PatientID=P?", ["3", "2", "1"]),
        ("StudyDate=20260201-20260303", ["2", "1"]),
        ("StudyDate=-20260201", []),
        ("StudyDate=20260404-", ["3"]),
        ("AccessionNumber=A2 ", ["2"]),
    ],
)
async def test_the_kinds_of_matching_are_those_of_the_core(
    web: Web, query: str, found: list[str]
) -> None:
    rows = await web.found(f"/dicom-web/studies?{query}")
    assert uids(rows, STUDY) == [f"1.2.3.{number}" for number in found]


@pytest.mark.req("W-30")
async def test_fuzzy_matching_takes_any_component_and_no_accents(web: Web, shelf: Shelf) -> None:
    await shelf.put(ct(7, PatientName="Müller^Jörg", SpecificCharacterSet="ISO_IR 100"))
    path = "/dicom-web/studies"
    assert await web.found(path, PatientName="jorg mull") == []
    found = await web.found(path, PatientName="jorg mull", fuzzymatching="true")
    assert uids(found, STUDY) == ["1.2.3.7"]


@pytest.mark.req("W-31")
async def test_empty_and_several_values_can_be_matched(web: Web, shelf: Shelf) -> None:
    await shelf.put(ct(8, PatientID=""), ct(9, 1, 1, Modality="MR"), ct(9, 2, 1, Modality="PT"))
    path = "/dicom-web/studies"
    empty = await web.found(path, PatientID='""', emptyvaluematching="true")
    assert uids(empty, STUDY) == ["1.2.3.8"]
    both = {"ModalitiesInStudy": "MR\\PT", "multiplevaluematching": "true"}
    assert uids(await web.found(path, **both), STUDY) == ["1.2.3.9"]
    other = {"ModalitiesInStudy": "MR\\CT", "multiplevaluematching": "true"}
    assert await web.found(path, **other) == []


@pytest.mark.req("W-43", "W-44")
async def test_dates_with_times_and_items_are_matched_as_one(web: Web, shelf: Shelf) -> None:
    item = [
        {"ScheduledProcedureStepID": "S1", "RequestedProcedureID": "R1"},
        {"ScheduledProcedureStepID": "S2", "RequestedProcedureID": "R2"},
    ]
    await shelf.put(ct(10, StudyTime="235900", RequestAttributesSequence=item))
    path = "/dicom-web/series"
    sequence = "RequestAttributesSequence."
    crossed = {f"{sequence}00400009": "S1", f"{sequence}RequestedProcedureID": "R2"}
    assert await web.found(path, **crossed) == []
    same = {f"{sequence}00400009": "S2", f"{sequence}RequestedProcedureID": "R2"}
    (row,) = await web.found(path, **same)
    assert row["00400275"]["Value"] == [
        {"00400009": {"vr": "SH", "Value": ["S2"]}, "00401001": {"vr": "SH", "Value": ["R2"]}}
    ]
    night = {"StudyDate": "20261111-20261112", "StudyTime": "2300-0100"}
    assert uids(await web.found("/dicom-web/studies", **night), STUDY) == ["1.2.3.10"]


@pytest.mark.req("W-55", "W-57", "WT-14")
@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 126", "Διονυσιος"),
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎"),
        ("GB18030", "王^小东"),
        ("\\ISO 2022 IR 149", "Hong=洪^吉洞"),
    ],
)
async def test_names_are_found_and_shown_in_utf_8(
    web: Web, shelf: Shelf, charset: str, name: str
) -> None:
    await shelf.put(ct(20, PatientName=name, SpecificCharacterSet=charset))
    (row,) = await web.found("/dicom-web/studies", PatientName=name)
    assert value(row, "00080005") == "ISO_IR 192"
    assert "=".join(value(row, "00100010").values()) == name


@pytest.mark.req("W-55")
async def test_what_cannot_be_decoded_is_marked(web: Web, shelf: Shelf) -> None:
    await shelf.put(ct(21, PatientName=b"A\xff\xfe", SpecificCharacterSet="ISO_IR 192"))
    answer = await web.ask("/dicom-web/studies?StudyInstanceUID=1.2.3.21")
    assert answer.status_code == 200
    if "\ufffd" in answer.text:
        assert "could not be read" in answer.headers["warning"]
