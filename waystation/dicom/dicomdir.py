"""A DICOMDIR made of the heads of objects (PS3.3 annex F, PS3.10 section 8).

Contract: pure.  `directory` gives the whole file: patients, studies, series and objects in the
order in which they are given, each once, with the keys that its record must have; the same objects
give the same bytes.  What a record must say and the object does not is filled in by a dummy.  Of a
class without a record of its own no record is made: `record_kind` says "" then.

Offsets count from the first byte of the file to the tag of the item (PS3.3 F.3.2.2).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from waystation.dicom import tags
from waystation.dicom.compose import Elements, compose
from waystation.dicom.contents import contents
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.part10 import file_meta
from waystation.dicom.uids import EXPLICIT_VR_LE

MEDIA_STORAGE_DIRECTORY: Final = "1.2.840.10008.1.3.10"
NEXT, IN_USE, LOWER, KIND = 0x00041400, 0x00041410, 0x00041420, 0x00041430
FILE_ID, CLASS, INSTANCE, SYNTAX = 0x00041500, 0x00041510, 0x00041511, 0x00041512
CHARACTER_SET, ROWS = 0x00080005, 0x00280010
ITEM: Final = b"\xfe\xff\x00\xe0"
YES: Final = b"\xff\xff"
# What a record says, and a dummy where that must have a value; "#" is a number of our own.
Keys = Mapping[int, str]
PATIENT: Final[Keys] = {0x00100010: "", 0x00100020: "#"}
STUDY: Final[Keys] = {
    0x00080020: "19000101",
    0x00080030: "000000",
    0x00080050: "",
    0x00081030: "",
    0x0020000D: "",
    0x00200010: "#",
}
SERIES: Final[Keys] = {0x00080060: "OT", 0x0020000E: "", 0x00200011: "#"}
_CONTENT: Final[Keys] = {0x00080023: "19000101", 0x00080033: "000000", 0x00200013: "#"}
_NUMBER: Final[Keys] = {0x00200013: "#"}
IMAGE: Final = "IMAGE"
RECORDS: Final[Mapping[str, Keys]] = {
    IMAGE: _NUMBER,
    "SR DOCUMENT": {**_CONTENT, 0x0040A043: "", 0x0040A491: "PARTIAL", 0x0040A493: "UNVERIFIED"},
    "KEY OBJECT DOC": {**_CONTENT, 0x0040A043: ""},
    "PRESENTATION": {
        0x00081115: "",
        0x00200013: "#",
        0x00700080: "UNNAMED",
        0x00700081: "",
        0x00700082: "19000101",
        0x00700083: "000000",
        0x00700084: "",
    },
    "WAVEFORM": _CONTENT,
    "RT DOSE": {**_NUMBER, 0x3004000A: "PLAN"},
    "RT STRUCTURE SET": {**_NUMBER, 0x30060002: "UNNAMED", 0x30060008: "", 0x30060009: ""},
    "RT PLAN": {**_NUMBER, 0x300A0002: "UNNAMED", 0x300A0006: "", 0x300A0007: ""},
    "RT TREAT RECORD": {**_NUMBER, 0x30080250: "", 0x30080251: ""},
    "ENCAP DOC": {**_CONTENT, 0x0040A043: "", 0x00420010: "", 0x00420012: "application/pdf"},
    "RAW DATA": _CONTENT,
}
_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
# Ends of storage classes, the longest that fits counts.
_KINDS: Final = {
    "88.59": "KEY OBJECT DOC",
    "88.": "SR DOCUMENT",
    "11.": "PRESENTATION",
    "9.": "WAVEFORM",
    "481.2": "RT DOSE",
    "481.3": "RT STRUCTURE SET",
    "481.5": "RT PLAN",
    "481.8": "RT PLAN",
    "481.4": "RT TREAT RECORD",
    "481.6": "RT TREAT RECORD",
    "481.7": "RT TREAT RECORD",
    "104.": "ENCAP DOC",
    "66": "RAW DATA",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One object of a file-set.  file_id: components of its name below the DICOMDIR."""

    head: Head
    file_id: tuple[str, ...]
    transfer_syntax_uid: str


@dataclass(slots=True)
class _Record:
    kind: str
    elements: Elements
    below: dict[str, "_Record"] = field(default_factory=dict)
    at: int = 0


def record_kind(head: Head) -> str:
    """Return the type of an object's record, "" if it has none here."""
    own = head.text(tags.SOP_CLASS_UID)
    end = own.removeprefix(_STORAGE)
    if end == own:
        return ""
    fits = [name for name in _KINDS if end == name or (name[-1] == "." and end.startswith(name))]
    if fits:
        return _KINDS[max(fits, key=len)]
    return IMAGE if ROWS in head.elements else ""


def directory(objects: Iterable[Listed], name: str = "") -> bytes:
    """Return the DICOMDIR of a file-set.  name: its ID, up to 16 characters."""
    root: dict[str, _Record] = {}
    for one in objects:
        _file(root, one)
    preface = len(_data(name, 0, 0, b""))
    meta_length = len(file_meta(MEDIA_STORAGE_DIRECTORY, _uid(b""), EXPLICIT_VR_LE))
    _place(root, meta_length + preface)
    records = list(_depth_first(root))
    placed = b"".join(_item(record, following) for record, following in records)
    last = next((one.at for one in reversed(root.values())), 0)
    data = _data(name, next((one.at for one in root.values()), 0), last, placed)
    return file_meta(MEDIA_STORAGE_DIRECTORY, _uid(placed), EXPLICIT_VR_LE) + data


def _uid(content: bytes) -> str:
    """Return a UID that follows from the content, of the same length for any."""
    number = int.from_bytes(hashlib.sha256(content).digest()[:15], "big")
    return f"2.25.{10**38 + number:039d}"


def _data(name: str, first: int, last: int, records: bytes) -> bytes:
    head = compose(
        {
            0x00041130: ("CS", name),
            0x00041200: ("UL", first.to_bytes(4, "little")),
            0x00041202: ("UL", last.to_bytes(4, "little")),
            0x00041212: ("US", b"\0\0"),
        },
        EXPLICIT_VR_LE,
    )
    length = len(records).to_bytes(4, "little")
    return head + b"\x04\x00\x20\x12SQ\0\0" + length + records


def _file(root: dict[str, _Record], one: Listed) -> None:
    """Put an object under its patient, study and series; what has no record is left out."""
    kind, head = record_kind(one.head), one.head
    if not kind:
        return
    at = root
    for level, keys, unique in (
        ("PATIENT", PATIENT, tags.PATIENT_ID),
        ("STUDY", STUDY, tags.STUDY_INSTANCE_UID),
        ("SERIES", SERIES, tags.SERIES_INSTANCE_UID),
    ):
        name = head.text(unique)
        record = at.get(name)
        if record is None:
            record = at[name] = _Record(level, _said(head, keys, len(at) + 1))
        at = record.below
    uid = head.text(tags.SOP_INSTANCE_UID)
    if uid not in at:
        at[uid] = _Record(kind, _reference(one) | _said(head, RECORDS[kind], len(at) + 1))


def _reference(one: Listed) -> dict[int, tuple[str, str | bytes | Sequence[Elements]]]:
    return {
        FILE_ID: ("CS", "\\".join(one.file_id)),
        CLASS: ("UI", one.head.text(tags.SOP_CLASS_UID)),
        INSTANCE: ("UI", one.head.text(tags.SOP_INSTANCE_UID)),
        SYNTAX: ("UI", one.transfer_syntax_uid),
    }


def _said(
    head: Head, keys: Keys, number: int
) -> dict[int, tuple[str, str | bytes | Sequence[Elements]]]:
    """Return what the object says of a level, with dummies where that is nothing."""
    found: dict[int, tuple[str, str | bytes | Sequence[Elements]]] = {}
    for tag, dummy in keys.items():
        vr = tags.vr_of(tag)
        if vr == "SQ":
            if items := _items(head, tag):
                found[tag] = (vr, items)
            continue
        raw = (head.raw(tag) or b"").strip(b"\0 ")
        found[tag] = (vr, raw or dummy.replace("#", str(number)))
    charset = head.raw(CHARACTER_SET)
    if charset and not all(
        value.isascii() for _, value in found.values() if isinstance(value, bytes)
    ):
        found[CHARACTER_SET] = ("CS", charset)
    return found


def _items(head: Head, tag: int) -> list[Elements]:
    try:
        return [contents(item, "") for item in head.items(tag)]
    except DatasetError:
        return []


def _encoded(record: _Record, following: int) -> bytes:
    lower = next((one.at for one in record.below.values()), 0)
    return compose(
        {
            NEXT: ("UL", following.to_bytes(4, "little")),
            IN_USE: ("US", YES),
            LOWER: ("UL", lower.to_bytes(4, "little")),
            KIND: ("CS", record.kind),
            **record.elements,
        },
        EXPLICIT_VR_LE,
    )


def _item(record: _Record, following: int) -> bytes:
    content = _encoded(record, following)
    return ITEM + len(content).to_bytes(4, "little") + content


def _place(level: dict[str, _Record], at: int) -> int:
    """Give each record its offset; return the one behind them."""
    for record in level.values():
        record.at = at
        at = _place(record.below, at + len(_item(record, 0)))
    return at


def _depth_first(level: dict[str, _Record]) -> Iterator[tuple[_Record, int]]:
    """Yield each record, with the offset of its next neighbour, 0 for none."""
    records = list(level.values())
    for number, record in enumerate(records, 1):
        yield record, records[number].at if number < len(records) else 0
        yield from _depth_first(record.below)
