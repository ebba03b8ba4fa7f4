"""Small objects that hold one attribute of the table, with a value that gives somebody away.

Contract: `object_with` gives a CT-like data set in Explicit VR Little Endian, made byte for byte.
Every value carries something that is nowhere else in it and occurs in no output: `SECRETS`.
"""

from dataclasses import dataclass

from tests.dicom.building import el, item, seq
from waystation.dicom.tags import vr_of
from waystation.transforms.deid_table import PRIVATE

STORAGE = "1.2.840.10008.5.1.4.1.1."
CT, ENHANCED_CT = STORAGE + "2", STORAGE + "2.1"
PRIVATE_CLASS = "1.2.276.0.7230010.3.1.0.1"
SOP_UID = b"1.2.3.4711.5.6"
STUDY_DATE, SOP_INSTANCE_UID = 0x00080020, 0x00080018
NAME, ROWS, CODE, MEANING, REFERENCED = 0x00100010, 0x00280010, 0x00080100, 0x00080104, 0x00081155
CREATOR = 0x00090010
# One tag for each row that stands for many.
TAGS = {PRIVATE: 0x00091001, 0x50000000: 0x50103000}
WORDS = b"chest Zyxwvut"
VALUES = {
    **dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC"), WORDS),
    **dict.fromkeys(("AE", "CS"), b"ZYXWVUT"),
    **dict.fromkeys(("OB", "OW", "UN"), b"Zyxwvut!"),
    "PN": b"Zyxwvut^Anna",
    "UR": b"http://zyxwvut.example/1",
    "AS": b"045Y",
    "DA": b"20200229",
    "TM": b"131415",
    "DT": b"20200229131415",
    "DS": b"123.25",
    "IS": b"4711",
    "UI": SOP_UID,
    "US": b"\x67\x12",
}
SECRETS = (b"zyxwvut", b"20200229", b"131415", b"123.25", b"4711")


@dataclass(frozen=True, slots=True)
class Planted:
    """The attribute of a row in an object.

    path: the sequences it lies in.  value: as it was; b"" for a sequence.
    """

    path: tuple[int, ...]
    tag: int
    vr: str
    value: bytes
    data: bytes


def planted(
    row: int, sop_class: str = CT, path: tuple[int, ...] = (), *, written: str = ""
) -> Planted:
    """Return an object that holds the attribute of ``row``, in the items of ``path``.

    written: the VR that stands in the object; "": its own.
    """
    tag = TAGS.get(row, row)
    vr = "LO" if row == PRIVATE else vr_of(tag)
    made = el(tag, written or vr, padded(vr)) if vr != "SQ" else seq(tag, sequence_item())
    if tag >> 16 & 1:
        made = el(CREATOR, "LO", b"ZYXWVUT 1.0 ") + made
    for sequence in reversed(path):
        made = seq(sequence, item(made))
    value = b"" if vr == "SQ" else VALUES[vr]
    return Planted(path, tag, vr, value, object_with((*path, tag)[0], made, sop_class))


def object_with(tag: int, made: bytes, sop_class: str) -> bytes:
    elements = {
        0x00080016: el(0x00080016, "UI", even(sop_class.encode(), b"\0")),
        SOP_INSTANCE_UID: el(SOP_INSTANCE_UID, "UI", even(SOP_UID, b"\0")),
        STUDY_DATE: el(STUDY_DATE, "DA", b"20200229"),
        0x00080060: el(0x00080060, "CS", b"CT"),
        NAME: el(NAME, "PN", b"Zyxwvut^Anna"),
        0x00100020: el(0x00100020, "LO", b"ZYXWVUT-4711"),
        0x0020000D: el(0x0020000D, "UI", b"1.2.3.4711.1"),
        0x0020000E: el(0x0020000E, "UI", b"1.2.3.4711.2"),
        ROWS: el(ROWS, "US", b"\1\0"),
        tag: made,
    }
    return b"".join(elements[each] for each in sorted(elements))


def sequence_item() -> bytes:
    """Return an item with a private code, a reference, a name, and something harmless."""
    return item(
        el(CODE, "SH", b"ZYXWVUT ")
        + el(0x00080102, "SH", b"99ZYXWVUT ")
        + el(MEANING, "LO", even(b"Zyxwvut Hospital", b" "))
        + el(0x00081150, "UI", even(CT.encode(), b"\0"))
        + el(REFERENCED, "UI", even(SOP_UID, b"\0"))
        + el(NAME, "PN", b"Zyxwvut^Anna")
        + el(ROWS, "US", b"\7\0")
    )


def padded(vr: str) -> bytes:
    return even(VALUES[vr], b"\0" if vr in ("UI", "OB", "UN") else b" ")


def even(value: bytes, pad: bytes) -> bytes:
    return value + pad if len(value) % 2 else value
