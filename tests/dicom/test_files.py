"""The same answers as pydicom, on every file that pydicom brings along."""

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pydicom.data
import pytest
from pydicom.filereader import dcmread

from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, identity
from waystation.dicom.part10 import read_meta
from waystation.dicom.splice import replace

# Cut on purpose by their makers, or with a sequence that is shorter than its items.
BROKEN = {
    *("MR_truncated.dcm", "rtplan_truncated.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm"),
    "DICOMDIR-nooffset",
}
TEXT = {"AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UT"}


def roots() -> Iterator[Path]:
    """Folders of the installed packages: nothing is ever fetched."""
    here = Path(pydicom.data.__file__).parent
    yield from (here / "test_files", here / "charset_files", here / "palettes")
    try:
        import data_store  # type: ignore[import-untyped]
    except ImportError:
        return
    yield Path(data_store.__file__).parent


def files() -> list[Path]:
    found = [file for root in roots() for file in sorted(root.rglob("*")) if file.is_file()]
    return [file for file in found if is_dicom(file)]


def is_dicom(file: Path) -> bool:
    try:
        read_meta(file.read_bytes()[:4096])
    except DatasetError:
        return False
    return True


FILES = files()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def test_there_are_files_to_compare_with() -> None:
    assert len(FILES) > 150


@pytest.mark.req("R-5", "N-4")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_elements_identity_and_end_are_those_of_pydicom(file: Path) -> None:
    data = file.read_bytes()
    meta = read_meta(data)
    body = data[meta.data_set_offset :]
    if file.name in BROKEN:
        with pytest.raises(DatasetError):
            Head.from_bytes(body, meta.transfer_syntax_uid)
        return
    head = Head.from_bytes(body, meta.transfer_syntax_uid)
    theirs = dcmread(file, force=True)
    assert set(head.elements) == {int(tag) for tag in theirs.keys()}  # noqa: SIM118
    assert identity(head).sop_instance_uid == theirs.get("SOPInstanceUID", "")
    assert identity(head).study_uid == theirs.get("StudyInstanceUID", "")
    assert head.whole
    if not head.transfer_syntax_uid.endswith(".1.99"):
        assert head.total_length == len(body)
        assert replace(head, {}) + body[head.pixel_offset :] == body
    again = replace(head, {0x00100020: b"NEW ID"})
    changed = Head.from_bytes(again, inflated(meta.transfer_syntax_uid))
    assert changed.text(0x00100020) == "NEW ID"
    untouched = (set(head.elements) | {0x00100020}) - {0x00080001, 0x00100000}
    assert set(changed.elements) == {tag for tag in untouched if tag < 0x7FE00008}


def inflated(syntax: str) -> str:
    return "1.2.840.10008.1.2.1" if syntax.endswith("1.2.1.99") else syntax


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_texts_are_those_of_pydicom(file: Path) -> None:
    if file.name in BROKEN:
        return
    data = file.read_bytes()
    meta = read_meta(data)
    head = Head.from_bytes(data[meta.data_set_offset :], meta.transfer_syntax_uid)
    theirs = dcmread(file, force=True)
    compared = 0
    for tag in list(theirs.keys()):
        try:
            element = theirs[tag]
        except Exception:  # noqa: BLE001  (pydicom refuses some values of its own files)
            continue
        if element.VR not in TEXT or tag.is_private or head.raw(int(tag)) is None:
            continue
        value = element.value
        parts = list(value) if element.VM > 1 else [value] if value else []
        expected = [str(part).strip("\0 ") for part in parts]
        ours = head.values(f"({tag.group:04X},{tag.element:04X})")
        assert ours is not None
        # An empty last group of a name is kept by us and dropped by pydicom.
        assert [str(one).rstrip("=") for one in ours] == [one.rstrip("=") for one in expected], tag
        compared += 1
    assert compared or len(theirs) < 8
