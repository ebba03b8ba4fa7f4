from io import BytesIO

import pytest
from pydicom.filereader import dcmread

from tests.dicom.building import BIG, EXPLICIT, IMPLICIT, el, small
from waystation.dicom.errors import DatasetError
from waystation.dicom.part10 import Meta, file_meta, read_meta
from waystation.dicom.uids import IMPLEMENTATION_CLASS_UID

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize("source_ae", ["", "MODALITY", "ODD"])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_pydicom_reads_what_we_write(syntax: str, source_ae: str) -> None:
    meta = file_meta(CT, "1.2.3.4", syntax, source_ae=source_ae)
    assert meta[:132] == bytes(128) + b"DICM"
    theirs = dcmread(BytesIO(meta + small(syntax)))
    assert theirs.file_meta.MediaStorageSOPClassUID == CT
    assert theirs.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4"
    assert theirs.file_meta.TransferSyntaxUID == syntax
    assert theirs.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert theirs.file_meta.FileMetaInformationGroupLength == len(meta) - 144
    assert theirs.file_meta.get("SourceApplicationEntityTitle", "") == source_ae
    assert theirs.PatientID == "PID 7"
    assert read_meta(meta + small(syntax)) == Meta(syntax, CT, "1.2.3.4", len(meta))
    assert read_meta(meta[128:] + small(syntax)) == Meta(syntax, CT, "1.2.3.4", len(meta) - 128)
    assert read_meta(meta[132:] + small(syntax)) == Meta(syntax, CT, "1.2.3.4", len(meta) - 132)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_a_bare_data_set_is_recognised(syntax: str) -> None:
    assert read_meta(small(syntax)) == Meta(syntax, CT, "1.2.3.4", 0)
    after_prefix = bytes(128) + b"DICM" + small(syntax)
    assert read_meta(after_prefix) == Meta(syntax, CT, "1.2.3.4", 132)


def test_wrong_and_missing_group_lengths_do_not_matter() -> None:
    body = el(0x00020002, "UI", CT.encode() + b"\0") + el(0x00020010, "UI", b"1.2.840.10008.1.2\0")
    for length in (b"", el(0x00020000, "UL", b"\xff\0\0\0")):
        meta = read_meta(bytes(128) + b"DICM" + length + body + small(IMPLICIT))
        assert meta == Meta(IMPLICIT, CT, "", 132 + len(length) + len(body))


def test_without_a_syntax_the_first_element_tells() -> None:
    body = el(0x00020002, "UI", CT.encode() + b"\0")
    for syntax in (EXPLICIT, IMPLICIT, BIG):
        assert read_meta(body + small(syntax)).transfer_syntax_uid == syntax


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MZ" + bytes(200),
        b"PK\3\4" + bytes(200),
        b"%PDF-1.7 and so on, much longer than a header",
        b"README\nThis is a text",
        bytes(600),
        file_meta(CT, "1.2.3.4", EXPLICIT)[:150],
    ],
)
def test_what_is_no_dicom_file_is_refused(data: bytes) -> None:
    with pytest.raises(DatasetError):
        read_meta(data)
