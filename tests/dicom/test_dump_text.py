"""Dumps into data sets: the language of dump2dcm, and what it refuses."""

import io
import subprocess
from contextlib import suppress
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from tests.peers.program import need
from waystation.dicom.dump_text import DumpError, is_dump, read_dump

DCMDUMP, DUMP2DCM = "/usr/bin/dcmdump", "/usr/bin/dump2dcm"
FILES = ("CT_small.dcm", "rtplan.dcm", "reportsi.dcm", "test-SR.dcm", "nested_priv_SQ.dcm")


def read(text: str) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(read_dump(text.encode("latin-1")).data), force=True)


@pytest.mark.peer
@pytest.mark.req("T-57")
def test_the_examples_of_dcmtk_become_the_bytes_that_dump2dcm_makes(
    golden: Path, tmp_path: Path
) -> None:
    for dump in sorted((golden / "wlm" / "data" / "OFFIS").glob("*.dump")):
        target = tmp_path / "theirs"
        options = ["-q", "-g", "+te", "-F"]
        subprocess.run([need(DUMP2DCM), *options, str(dump), str(target)], check=True)
        assert read_dump(dump.read_bytes()).data == target.read_bytes(), dump.name


@pytest.mark.peer
@pytest.mark.parametrize("name", FILES)
def test_what_dcmdump_writes_is_read_back(name: str) -> None:
    file = get_testdata_file(name)
    assert isinstance(file, str)
    dumped = subprocess.run(
        [need(DCMDUMP), "-q", "+L", "-Un", file], capture_output=True, check=True
    ).stdout
    ours = pydicom.dcmread(io.BytesIO(read_dump(dumped).data), force=True)
    theirs = pydicom.dcmread(file)
    for data in (ours, theirs):
        for tag in [one.tag for one in data if not one.tag.element or one.tag == 0x7FE00010]:
            del data[tag]
        data.remove_private_tags()
    assert ours == theirs


@pytest.mark.req("T-57")
@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("(0010,0010) PN [DOE^JOHN]  #   8, 1 PatientName", "DOE^JOHN"),
        ("(0010,0010) PN DOE^JOHN", "DOE^JOHN"),
        ("(0010,0010) PN  DOE^JOHN   # comment", "DOE^JOHN"),
        ("(0010,0010) PN [A # B] ]# 8, 1 PatientName", "A # B] "),
        ("(0010,0010) PN (no value available)", ""),
        ("(0010,0010) PN []", ""),
        ("(0010,0010) DOE", "DOE"),
        ("(0010,0010) ?? [DOE]", "DOE"),
    ],
)
def test_values_stand_with_and_without_brackets(line: str, value: str) -> None:
    assert str(read(line).PatientName) == value.rstrip()


def test_numbers_tags_and_bytes_are_read_by_their_vr() -> None:
    found = read(
        "(0028,0010) US 512\n(0028,0034) IS [1\\1]\n(0028,0009) AT (0018,1063)\n"
        "(0008,0018) UI =CTImageStorage\n(0018,9074) DT [20260101]\n(0028,1101) xs 1\\0\\16\n"
        "(0029,0010) LO [ACME]\n(0029,1001) OB 00\\ff\\10\n(0018,1310) US 0\\256\\256\\0\n"
    )
    assert (found.Rows, found.PixelAspectRatio) == (512, [1, 1])
    assert found.FrameIncrementPointer == 0x00181063
    assert found.SOPInstanceUID == "1.2.840.10008.5.1.4.1.1.2"
    assert found[0x00291001].value[:3] == b"\x00\xff\x10"
    assert found.AcquisitionMatrix == [0, 256, 256, 0]


@pytest.mark.req("T-57")
def test_elements_in_any_order_are_sorted_and_the_first_of_two_counts() -> None:
    found = read_dump(b"(0010,0020) LO [2]\n(0008,0050) SH [A]\n(0008,0050) SH [B]\n")
    assert found.warnings == ("line 3: (0008,0050) is there again; the first one counts",)
    assert pydicom.dcmread(io.BytesIO(found.data), force=True).AccessionNumber == "A"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("hello", 1, "is no element"),
        ("\n# c\n(0010,0010 PN [A]", 3, "is no element"),
        ("(0010,0010) PN [A", 1, "no closing bracket"),
        ("(0028,0010) US x", 1, "no value of VR US"),
        ("(0028,0010) US 70000", 1, "no value of VR US"),
        ("(7fe0,0010) OW =pixels.raw", 1, "in a file of its own"),
        ("(7fe0,0010) OW (not loaded)", 1, "is not in the dump"),
        ("(0008,0016) UI =NoSuchClass", 1, "no UID is called"),
        ("(fffe,e00d) -", 1, "closes what was not open"),
        ("(0040,0100) SQ\n(0010,0010) PN [A]", 2, "between two items"),
    ],
)
def test_what_is_no_line_of_a_dump_is_named(text: str, line: int, problem: str) -> None:
    with pytest.raises(DumpError) as wrong:
        read_dump(text.encode())
    assert wrong.value.line == line
    assert problem in str(wrong.value)


def test_sequences_nested_too_deeply_are_refused() -> None:
    with pytest.raises(DumpError, match="nested deeper"):
        read_dump(b"(0040,0100) SQ\n(fffe,e000) -\n" * 200)


@given(st.text(max_size=200))
def test_any_text_gives_a_data_set_or_a_line(text: str) -> None:
    raw = text.encode()
    for one in (raw, b"(0010,0010) PN " + raw, b"(0040,0100) SQ\n(fffe,e000) -\n" + raw):
        is_dump(one)
        with suppress(DumpError):
            read_dump(one)
