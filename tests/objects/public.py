"""The public test files that come with pydicom: real objects of many makers, in most syntaxes."""

import io
import warnings
import zlib
from array import array
from functools import cache
from pathlib import Path
from typing import Any

import pydicom
from pydicom.filereader import read_dataset

from tests.objects.files import Stored
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, identity
from waystation.dicom.part10 import file_meta, read_meta

ROOT = Path(pydicom.__file__).parent / "data" / "test_files"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
PLAIN = {IMPLICIT, EXPLICIT, BIG, DEFLATED}
# Damaged on purpose, or without what makes an object.
BROKEN = {"MR_truncated.dcm", "rtplan_truncated.dcm", "JPEG2000-embedded-sequence-delimiter.dcm"}


@cache
def public() -> dict[str, Stored]:
    """Return every whole object by the name of its file."""
    found: dict[str, Stored] = {}
    for path in sorted(ROOT.glob("*.dcm")):
        content = path.read_bytes()
        if content[128:132] != b"DICM" or path.name in BROKEN:
            continue
        meta = read_meta(content)
        data_set = content[meta.data_set_offset :]
        syntax = meta.transfer_syntax_uid
        try:
            who = identity(Head.from_bytes(data_set, syntax))
        except DatasetError:
            continue
        if who.sop_instance_uid:
            found[path.name] = Stored(
                sop_class=who.sop_class_uid,
                sop_instance=who.sop_instance_uid,
                transfer_syntax=syntax,
                data_set=data_set,
            )
    return found


def distinct() -> dict[str, Stored]:
    """Return of each SOP instance only the first object: several files are copies of another."""
    seen: set[str] = set()
    found: dict[str, Stored] = {}
    for name, one in public().items():
        if one.sop_instance not in seen:
            seen.add(one.sop_instance)
            found[name] = one
    return found


def parsed(data_set: bytes, syntax: str) -> pydicom.Dataset:
    """Return a bare data set as pydicom reads it."""
    if syntax == DEFLATED:
        data_set = zlib.decompress(data_set, -zlib.MAX_WBITS)
    return read_dataset(io.BytesIO(data_set), syntax == IMPLICIT, syntax != BIG)


def as_dataset(stored: Stored) -> pydicom.FileDataset:
    """Return an object as pydicom reads its file."""
    meta = file_meta(stored.sop_class, stored.sop_instance, stored.transfer_syntax)
    return pydicom.dcmread(io.BytesIO(meta + stored.data_set), force=True)


def pixels(stored: Stored) -> Any:
    """Return the pixels of an uncompressed object as pydicom reads them, None without any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = as_dataset(stored)
        if "PixelData" not in data_set or not str(data_set.get("NumberOfFrames", 1)).isdigit():
            return None
        return data_set.pixel_array


def values(stored: Stored, *, leave_out: frozenset[int] = frozenset()) -> list[Any]:
    """Return (tag, value) of every element, items included; group lengths are nobody's value.

    What no VR tells is compared as its bytes, words as little endian.  Of private elements only
    the presence counts: implicit VR takes away what pydicom needs to read them.
    """
    with warnings.catch_warnings():
        # Some of the files hold wrong values on purpose.
        warnings.simplefilter("ignore")
        data_set = parsed(stored.data_set, stored.transfer_syntax)
        return _values(data_set, stored.transfer_syntax == BIG, leave_out)


def _values(data_set: pydicom.Dataset, big: bool, leave_out: frozenset[int]) -> list[Any]:
    found: list[Any] = []
    for element in data_set:
        tag = int(element.tag)
        if not tag & 0xFFFF or tag in leave_out:
            continue
        if element.VR == "SQ":
            found.append((tag, [_values(item, big, leave_out) for item in element.value]))
        else:
            found.append((tag, _value(element, big)))
    return found


def _value(element: Any, big: bool) -> Any:
    value = element.value
    if element.is_empty or element.tag.is_private:
        return ""
    if not isinstance(value, bytes):
        return str(value)
    if element.VR == "OW" and big:
        words = array("H", value)
        words.byteswap()
        value = words.tobytes()
    return value.rstrip(b"\0 ").decode("latin-1")
