"""What a patient, study or series row says: a small data set, and the values it had elsewhere.

Contract: pure.  `attributes` takes the attributes of a level out of the head of an object, value
by value as the bytes came, written in explicit little endian with the object's own character set.
`merged` lays newer attributes over older ones: the newest value that is not empty is shown, every
other value is remembered (T-32).  Where both are of different character sets, what is kept is
converted to UTF-8; the stored objects stay as they are.

Others are JSON: tag as eight hexadecimal digits → sorted texts, of a sequence
``character set|bytes as hexadecimal``.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from waystation.dicom.charsets import IN_CHARSET
from waystation.dicom.compose import compose
from waystation.dicom.contents import LONGEST, contents
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_LE
from waystation.dicom.splice import encode_element
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.dicom.values import decode_text
from waystation.index.levels import SPECIFIC_CHARACTER_SET, TABLES

UTF_8: Final = b"ISO_IR 192"
Others = dict[str, list[str]]


def attributes(head: Head, name: str, read_as: str = "") -> bytes:
    """Return the attributes of a level, by its name, that the object has a value for.

    read_as: character set to name where the object names none.
    """
    elements, data, limit = head.elements, head.data, len(head.data)
    found: list[bytes | None] = []
    for tag, vr in TABLES[name].items():
        element = elements.get(tag)
        if element is None:
            found.append(None)
        elif vr == "SQ":
            found.append(sequence(head, tag))
        else:
            _, start, length = element
            end = start + length
            found.append(data[start:end] if length <= LONGEST and end <= limit else None)
    charset = head.raw(SPECIFIC_CHARACTER_SET) or b""
    if not charset.strip(b"\0 "):
        charset = read_as.encode("ascii")
    return _assembled(name, charset, tuple(found))


@lru_cache(maxsize=2048)
def _assembled(name: str, charset: bytes, found: tuple[bytes | None, ...]) -> bytes:
    values = {
        tag: (vr, value)
        for (tag, vr), value in zip(TABLES[name].items(), found, strict=True)
        if value and (vr == "SQ" or value.strip(b"\0 "))
    }
    return _encoded(charset, values)


def _encoded(charset: bytes, values: Mapping[int, tuple[str, bytes]]) -> bytes:
    """Return the data set; (0008,0005) stands in it only where it says something."""
    whole = dict(values)
    if charset.strip(b"\0 "):
        whole[SPECIFIC_CHARACTER_SET] = ("CS", charset)
    return b"".join(
        encode_element(tag, vr, value, EXPLICIT_LE) for tag, (vr, value) in sorted(whole.items())
    )


def sequence(head: Head, tag: int, declared: str = "") -> bytes:
    """Return the items of a sequence in explicit little endian, b"" if it cannot be read.

    declared: character set that each item is to name, where it names none itself.
    """
    try:
        items = [contents(item, declared) for item in head.items(tag)]
    except DatasetError:
        return b""
    whole = compose({tag: ("SQ", items)}, EXPLICIT_VR_LE)
    return whole[12:]


def united(old: bytes, new: bytes) -> bytes:
    """Return the items of both sequences, as `sequence` wrote them, each of them once."""
    return old if not new else b"".join(sorted({*_split(old), *_split(new)}))


def _split(items: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(items):
        end = at + 8 + int.from_bytes(items[at + 4 : at + 8], "little")
        found.append(items[at:end])
        at = end
    return found


@lru_cache(maxsize=1024)
def read(data: bytes) -> Head:
    """Return the data set that `attributes` or `merged` wrote."""
    return Head.from_bytes(data, EXPLICIT_VR_LE)


def only(data: bytes, level: Mapping[int, str]) -> bytes:
    """Return the part of ``data`` that belongs to ``level``."""
    head = read(data)
    there = head.elements
    values = {tag: (vr, head.raw_sequence(tag)) for tag, vr in level.items() if tag in there}
    return _encoded(head.raw(SPECIFIC_CHARACTER_SET) or b"", values)


def merged(old: bytes, others: str, new: bytes, level: Mapping[int, str]) -> tuple[bytes, str]:
    """Return ``old`` with the values of ``new`` on top, and the others that there are then."""
    if old == new or not new:
        return old, others
    if not old:
        return new, others
    before, after = read(old), read(new)
    values: dict[int, tuple[str, bytes]] = {}
    known: Others = json.loads(others) if others else {}
    mixed = _mixed(before, after)
    for tag, vr in level.items():
        newest = after if tag in after.elements else before
        if tag not in newest.elements:
            continue
        values[tag] = (vr, _value(newest, tag, vr, mixed))
        if newest is after and tag in before.elements:
            _remember(known, tag, said(before, tag, vr), said(after, tag, vr))
    own = after if after.charset("") or not before.charset("") else before
    charset = UTF_8 if mixed else own.raw(SPECIFIC_CHARACTER_SET) or b""
    return _encoded(charset, values), _dumped(known)


def corrected(data: bytes, others: str, values: Mapping[int, str]) -> tuple[bytes, str]:
    """Return a study's data and others with what a person corrected: that stands alone.

    values: tag → text, "" for none.
    """
    charset = b"" if all(text.isascii() for text in values.values()) else UTF_8
    said_now = {tag: (TABLES["STUDY"][tag], _padded(text)) for tag, text in values.items() if text}
    data, others = merged(data, others, _encoded(charset, said_now), TABLES["STUDY"])
    known: Others = json.loads(others) if others else {}
    for tag in values:
        known.pop(f"{tag:08X}", None)
    head = read(data)
    left = {
        tag: (vr, head.raw_sequence(tag))
        for tag, vr in TABLES["STUDY"].items()
        if tag in head.elements and values.get(tag) != ""
    }
    return _encoded(head.raw(SPECIFIC_CHARACTER_SET) or b"", left), _dumped(known)


def _padded(text: str) -> bytes:
    raw = text.encode()
    return raw + b" " * (len(raw) % 2)


def with_others(others: str, data: bytes, more: str, level: Mapping[int, str]) -> str:
    """Return the others of a row that shows ``data``, with ``more`` of them."""
    known: Others = json.loads(others) if others else {}
    head = read(data) if data else None
    for key, found in (json.loads(more) if more else {}).items():
        tag = int(key, 16)
        if tag not in level:
            continue
        shown = said(head, tag, level[tag]) if head is not None and tag in head.elements else ""
        for each in found:
            _remember(known, tag, each, shown)
    return _dumped(known)


def _remember(known: Others, tag: int, old: str, shown: str) -> None:
    """Add ``old`` to the others of a tag, and take away what is shown again."""
    found = set(known.get(f"{tag:08X}", ())) | {old}
    found -= {shown, ""}
    if found:
        known[f"{tag:08X}"] = sorted(found)
    else:
        known.pop(f"{tag:08X}", None)


def _dumped(known: Others) -> str:
    if not known:
        return ""
    return json.dumps(known, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def said(head: Head, tag: int, vr: str) -> str:
    """Return a value as it stands in the others."""
    raw = head.raw_sequence(tag)
    if vr == "SQ":
        return f"{head.charset('')}|{raw.hex()}"
    return decode_text(raw, vr, head.charset("")).strip("\0 ")


def _mixed(before: Head, after: Head) -> bool:
    """Return whether the character sets differ, and it matters."""
    if before.charset("") == after.charset(""):
        return False
    plain = [_is_plain(head.data) for head in (before, after)]
    return not all(plain) and not any(
        is_plain and not head.charset("")
        for is_plain, head in zip(plain, (before, after), strict=True)
    )


def _is_plain(data: bytes) -> bool:
    # Lengths in headers may be beyond 127; then converting does no harm.
    return data.isascii() and b"\x1b" not in data


def _value(head: Head, tag: int, vr: str, mixed: bool) -> bytes:
    if not mixed:
        return head.raw_sequence(tag)
    if vr == "SQ":
        return sequence(head, tag, head.charset("") or "ISO_IR 6")
    raw = head.raw_sequence(tag)
    return decode_text(raw, vr, head.charset("")).encode() if vr in IN_CHARSET else raw
