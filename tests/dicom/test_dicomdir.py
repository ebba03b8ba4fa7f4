"""A DICOMDIR of many kinds of objects, as pydicom reads it."""

from io import BytesIO

import pytest
from pydicom import dcmread

from tests.dicom.building import EXPLICIT
from waystation.dicom.compose import Elements, compose
from waystation.dicom.dicomdir import Listed, directory, record_kind
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE

STORAGE = "1.2.840.10008.5.1.4.1.1."


def listed(number: int, end: str = "2", **more: tuple[str, str | bytes]) -> Listed:
    elements: Elements = {
        0x00080005: ("CS", "ISO_IR 192"),
        0x00080016: ("UI", STORAGE + end),
        0x00080018: ("UI", f"1.2.3.{number}"),
        0x00080060: ("CS", "CT"),
        0x00100010: ("PN", "Böhm^Ä".encode()),
        0x00100020: ("LO", "P1"),
        0x0020000D: ("UI", f"1.2.{number % 2}"),
        0x0020000E: ("UI", f"1.2.{number % 2}.{number % 4}"),
        0x0040A043: ("SQ", [{0x00080104: ("LO", "Report")}]),
        **({0x00280010: ("US", b"\1\0")} if end in ("2", "6.1") else {}),
    }
    head = Head.from_bytes(compose(elements, EXPLICIT_VR_LE), EXPLICIT_VR_LE)
    return Listed(head=head, file_id=("DICOM", f"F{number}"), transfer_syntax_uid=EXPLICIT)


@pytest.mark.req("D-19")
def test_every_object_stands_under_its_series_study_and_patient_where_offsets_lead() -> None:
    ends = ["2"] * 9 + ["88.11", "88.59", "11.1", "481.3", "104.1", "9.1.1"]
    objects = [listed(number, end) for number, end in enumerate(ends)]
    content = directory(objects)
    assert directory(objects) == content
    found = dcmread(BytesIO(content))
    records = {item.seq_item_tell: item for item in found.DirectoryRecordSequence}
    seen: list[str] = []

    def walk(offset: int, depth: int) -> None:
        while offset:
            item = records[offset]
            kinds = ("PATIENT", "STUDY", "SERIES", item.DirectoryRecordType)
            assert item.DirectoryRecordType == kinds[depth]
            if depth == 3:
                seen.append(item.ReferencedSOPInstanceUIDInFile)
            else:
                walk(item.OffsetOfReferencedLowerLevelDirectoryEntity, depth + 1)
            offset = item.OffsetOfTheNextDirectoryRecord

    first = found.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity
    walk(first, 0)
    assert sorted(seen) == sorted(one.head.text(0x00080018) for one in objects)
    assert found.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity == first
    patient = records[first]
    assert str(patient.PatientName) == "Böhm^Ä"
    report = next(i for i in records.values() if i.DirectoryRecordType == "SR DOCUMENT")
    assert report.ConceptNameCodeSequence[0].CodeMeaning == "Report"
    assert (report.CompletionFlag, int(report.InstanceNumber) > 0) == ("PARTIAL", True)
    assert len(dcmread(BytesIO(directory([]))).DirectoryRecordSequence) == 0


@pytest.mark.req("D-19")
def test_what_has_no_record_of_its_own_is_left_out() -> None:
    odd = listed(1, "999.1")
    assert record_kind(odd.head) == ""
    assert directory([odd]) == directory([])
    assert [record_kind(listed(1, end).head) for end in ("2", "88.33", "88.59", "481.2")] == [
        "IMAGE",
        "SR DOCUMENT",
        "KEY OBJECT DOC",
        "RT DOSE",
    ]
