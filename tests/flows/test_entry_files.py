"""Worklist entries out of files of every kind, and files that are none (T-56)."""

import json
from pathlib import Path

import pydicom
import pytest

from waystation.flows.entry_files import Entries, read_entries
from waystation.matching.entry import flat, items

FULL = (
    "Patient ID;Patient Name;birth date;sex;Station;start date;Time;Modality;"
    "RequestedProcedureCodeSequence;AccessionNumber;\n"
)


def texts(found: Entries) -> list[dict[str, tuple[str, ...]]]:
    return [flat(draft.data) for draft in found.drafts]


@pytest.mark.req("T-56")
def test_dump_and_file_of_an_entry_say_the_same(golden: Path) -> None:
    folder = golden / "wlm" / "data" / "OFFIS"
    dumps = sorted(folder.glob("*.dump"))
    assert len(dumps) == 10
    for dump in dumps:
        (ours,) = read_entries(dump.read_bytes()).drafts
        (theirs,) = read_entries(dump.with_suffix(".wl").read_bytes()).drafts
        assert ours.data == theirs.data, dump.name


@pytest.mark.req("T-56")
def test_a_data_set_without_file_header_is_read(golden: Path) -> None:
    raw = (golden / "wlm" / "data" / "EXTRA" / "raw-dataset.wl").read_bytes()
    assert raw[128:132] != b"DICM"
    (found,) = texts(read_entries(raw))
    assert found["PatientName"]


@pytest.mark.req("T-57")
def test_the_doubled_number_of_dcmtks_example_is_told(golden: Path) -> None:
    found = read_entries((golden / "wlm" / "data" / "OFFIS" / "wklist2.dump").read_bytes())
    assert texts(found)[0]["AccessionNumber"] == ("00002",)
    assert found.warnings == ("line 3: (0008,0050) is there again; the first one counts",)


@pytest.mark.req("T-54")
def test_a_file_with_two_steps_is_one_entry_until_it_is_split(golden: Path) -> None:
    raw = (golden / "wlm" / "data" / "PARTIAL" / "two-sps.wl").read_bytes()
    assert len(read_entries(raw).drafts) == 1
    first, second = texts(read_entries(raw, split_steps=True))
    assert first["StudyInstanceUID"] == second["StudyInstanceUID"]


@pytest.mark.req("T-61")
def test_dicom_json_is_read(golden: Path) -> None:
    files = sorted((golden / "wlm" / "data" / "EXTRA").glob("*.wl"))
    sets = [pydicom.dcmread(file, force=True).to_json_dict() for file in files]
    found = read_entries(json.dumps(sets).encode())
    assert (found.kind, found.faults) == ("JSON", ())
    for data, file in zip(texts(found), files, strict=True):
        (own,) = texts(read_entries(file.read_bytes()))
        assert data == own, file.name


@pytest.mark.req("T-61")
def test_a_table_is_read_row_by_row() -> None:
    rows = FULL + "P1;Müller^Jörg;1970-01-02;M;CT1;2026-03-01;8:30;CT;CTH^CT head^L;A1\n\n"
    found = read_entries(rows.encode("utf-8-sig"))
    assert found.faults == ()
    (draft,) = found.drafts
    assert draft.values == {
        "PatientID": "P1",
        "PatientName": "Müller^Jörg",
        "PatientBirthDate": "19700102",
        "PatientSex": "M",
        "ScheduledStationAETitle": "CT1",
        "ScheduledProcedureStepStartDate": "20260301",
        "ScheduledProcedureStepStartTime": "0830",
        "Modality": "CT",
        "RequestedProcedureCodeSequence": [
            {"CodeValue": "CTH", "CodeMeaning": "CT head", "CodingSchemeDesignator": "L"}
        ],
        "AccessionNumber": "A1",
    }


@pytest.mark.req("T-61")
@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (FULL + "P1;A;1970-13-02;M;CT1;2026-03-01;8:30;CT;;A1", "line 2: PatientBirthDate"),
        (FULL + f"{'P' * 65};A;;;;;;;;", "line 2: PatientID has 65 characters"),
        ("PatientID,PatientNme\n1,2", "did you mean PatientName"),
        ("PatientID,Patient ID\n1,2", "is there twice"),
        ('PatientID,PatientName\n"1,2', "line"),
        ("PatientID,PatientName\n1,2,3", "more values than there are columns"),
    ],
)
def test_a_row_that_is_wrong_is_named(table: str, problem: str) -> None:
    found = read_entries(table.encode())
    assert problem in " ".join(found.faults)
    assert found.drafts == ()


def test_a_table_in_another_character_set_is_refused_with_its_line() -> None:
    found = read_entries((FULL + "P1;Müller").encode("latin-1"))
    assert found.faults == ("line 2: is not UTF-8; save the table as CSV UTF-8",)


@pytest.mark.req("T-56")
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   \n",
        b"hello",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 200,
        b"\0" * 128 + b"DICM",
        b"\0" * 128 + b"DICM\x02\x00",
        b"{}",
        b"[1]",
        b'{"00100010": {"vr": "PN"',
        b"(0010,0010) PN [Doe\n",
        b"(0010,0010) PN [Doe]\n(0040,0100) SQ\n(fffe,e000) -\n",
    ],
)
def test_what_is_no_worklist_file_is_said(raw: bytes) -> None:
    found = read_entries(raw)
    assert found.drafts == ()
    assert found.faults


@pytest.mark.req("T-56")
def test_a_file_that_is_cut_inside_an_element_is_refused(golden: Path) -> None:
    raw = (golden / "wlm" / "data" / "OFFIS" / "wklist3.wl").read_bytes()
    whole = read_entries(raw).drafts[0].data
    for length in range(len(raw)):
        for draft in read_entries(raw[:length]).drafts:
            # Only between two elements a beginning is a data set; then nothing of it is broken.
            assert flat(draft.data).items() <= flat(whole).items()
            items(draft.data, "ScheduledProcedureStepSequence")
