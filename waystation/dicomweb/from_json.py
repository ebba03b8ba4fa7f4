"""A data set out of DICOM JSON, for objects that are stored as metadata with bulk data (W-92).

Contract: pure.  `pieces` gives the data set in explicit little endian, tags ascending, text in
UTF-8 with (0008,0005) saying so; where a value stands elsewhere it gives an `Outside` in its place,
so that no value need be held.  Lengths are defined but for compressed pixels.  ValueError says
what is wrong with the JSON, `MissingError` which value is not there.
"""

import base64
import binascii
import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from waystation.dicom import tags
from waystation.dicom.nested import EXPLICIT_LE, HEADERS, LENGTHS, UNDEFINED
from waystation.dicom.splice import LONG_FORM, encode_element
from waystation.dicom.value_bytes import value_bytes
from waystation.dicom.values import NUMBERS, TEXT
from waystation.dicomweb.dicom_json import GROUPS, UTF_8

DEEPEST: Final = 64
# Said of a representation, not of the object.
NOT_STORED: Final = frozenset({0x00083002, 0xFFFCFFFC})
_ITEM: Final = struct.Struct("<HHI")
_END: Final = _ITEM.pack(0xFFFE, 0xE0DD, 0)


class MissingError(Exception):
    """A value that the metadata points to is not in the request."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The place of a value that is somewhere else; followed by a byte if its size is odd."""

    uri: str


@dataclass(frozen=True, slots=True)
class Where:
    """What is known of a value that is somewhere else.  fragment: it is a compressed frame."""

    size: int
    fragment: bool = False


Find = Callable[[str], Where | None]
Load = Callable[[str], bytes]


def data_sets(text: bytes) -> list[dict[str, Any]]:
    """Return the data sets of a JSON text: an array of them, or one alone."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the metadata is no JSON: {str(error)[:100]}") from None
    rows = found if isinstance(found, list) else [found]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError("the metadata is no array of data sets")
    return rows


def text_of(data_set: Mapping[str, Any], tag: str) -> str:
    """Return the first value of an element as text, "" if there is none."""
    element = data_set.get(tag)
    values = element.get("Value") if isinstance(element, Mapping) else None
    return str(values[0]).strip("\0 ") if isinstance(values, list) and values else ""


def pieces(data_set: Mapping[str, Any], find: Find, load: Load) -> Iterator[bytes | Outside]:
    """Yield the data set.  find, load: of the values that URIs point to."""
    for tag, element in _ordered(data_set):
        uri = element.get("BulkDataURI")
        if uri is None:
            yield _element(tag, element, find, load, 1)
        else:
            yield from _outside(tag, element, str(uri), find)


def _ordered(data_set: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    found = []
    for name, element in data_set.items():
        try:
            tag = int(name, 16) if len(name) == 8 else -1
        except ValueError:
            tag = -1
        if tag < 0 or not isinstance(element, Mapping) or not _is_vr(element.get("vr")):
            raise ValueError(f"{name[:20]} is no element")
        if tag & 0xFFFF and tag >> 16 > 7 and tag not in NOT_STORED:
            found.append((tag, element))
    if any(not _is_plain(element) for _, element in found):
        found = [one for one in found if one[0] != tags.SPECIFIC_CHARACTER_SET]
        found.append((tags.SPECIFIC_CHARACTER_SET, {"vr": "CS", "Value": [UTF_8]}))
    return sorted(found, key=lambda one: one[0])


def _is_vr(vr: object) -> bool:
    return isinstance(vr, str) and len(vr) == 2 and vr.isascii() and vr.isalpha() and vr.isupper()


def _is_plain(element: Mapping[str, Any]) -> bool:
    """Tell whether an element has no text beyond ASCII, at any depth."""
    return json.dumps(element.get("Value"), ensure_ascii=False).isascii()


def _outside(
    tag: int, element: Mapping[str, Any], uri: str, find: Find
) -> Iterator[bytes | Outside]:
    where = find(uri)
    if where is None:
        raise MissingError(uri)
    if where.fragment:
        yield _long(tag, "OB", UNDEFINED) + _ITEM.pack(0xFFFE, 0xE000, 0)
        yield _ITEM.pack(0xFFFE, 0xE000, where.size + where.size % 2)
        yield Outside(uri)
        yield b"\0" * (where.size % 2) + _END
        return
    vr = element["vr"]
    yield _long(tag, vr if vr in LONG_FORM else "UN", where.size + where.size % 2)
    yield Outside(uri)
    if where.size % 2:
        yield b"\0"


def _long(tag: int, vr: str, size: int) -> bytes:
    head = HEADERS[EXPLICIT_LE].pack(tag >> 16, tag & 0xFFFF, vr.encode("ascii"), 0)
    return head + LENGTHS[EXPLICIT_LE].pack(size)


def _element(tag: int, element: Mapping[str, Any], find: Find, load: Load, depth: int) -> bytes:
    vr: str = element["vr"]
    try:
        return encode_element(tag, vr, _value(element, vr, find, load, depth), EXPLICIT_LE)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{tags.format_tag(tag)}: {str(error)[:100]}") from None


def _value(element: Mapping[str, Any], vr: str, find: Find, load: Load, depth: int) -> bytes:
    if "BulkDataURI" in element:
        uri = str(element["BulkDataURI"])
        if find(uri) is None:
            raise MissingError(uri)
        return load(uri)
    if "InlineBinary" in element:
        try:
            return base64.b64decode(element["InlineBinary"], validate=True)
        except binascii.Error:
            raise ValueError("InlineBinary is not Base64") from None
    values = element.get("Value", [])
    if not isinstance(values, list):
        raise ValueError("Value is no array")
    if vr == "SQ":
        return b"".join(_item(item, find, load, depth) for item in values)
    if values and vr not in TEXT and vr not in NUMBERS and vr != "AT":
        raise ValueError(f"a Value of VR {vr}")
    return value_bytes(_texts(values, vr), vr, UTF_8)


def _item(item: Mapping[str, Any] | None, find: Find, load: Load, depth: int) -> bytes:
    if depth >= DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST}")
    inner = [
        _element(tag, element, find, load, depth + 1)
        for tag, element in _ordered(item or {})
        if tag != tags.SPECIFIC_CHARACTER_SET
    ]
    content = b"".join(inner)
    return _ITEM.pack(0xFFFE, 0xE000, len(content)) + content


def _texts(values: Sequence[Any], vr: str) -> list[str]:
    return ["" if value is None else _text(value, vr) for value in values]


def _text(value: Any, vr: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | dict):
        raise ValueError("a value that is neither text nor number")
    if vr == "PN":
        name = value if isinstance(value, dict) else {"Alphabetic": value}
        return "=".join(str(name.get(group, "")) for group in GROUPS).rstrip("=")
    if isinstance(value, dict):
        raise ValueError("an object where a value belongs")
    if vr == "DS" and isinstance(value, float) and len(repr(value)) > 16:
        return f"{value:.10g}"
    return str(value)
