"""A data set as DICOM JSON (PS3.18 annex F).

Contract (W-53, W-78): tags ascending in upper case, no group lengths; an element without a value
has no Value; an empty value among several is null.  A DS, IS, SV or UV that is no JSON number, or
would lose digits as one, stays a string, and so do NaN and infinity.  Text is decoded by the
character set that the data set names, so (0008,0005) says ISO_IR 192.  Binary values stand inline
in little endian; where the caller gives ``bulk``, pixels, palettes, documents and whatever is
longer than 256 bytes become a BulkDataURI instead.  Every URI that is given can be resolved.
"""

import base64
import math
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from waystation.dicom import tags
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_BE, ITEM_START_LE, is_pixel
from waystation.dicom.scan import form_of
from waystation.dicom.values import NUMBERS, TEXT, Value, decode_values

GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
UTF_8: Final = "ISO_IR 192"
LONGEST_INLINE: Final = 256
# Palette data, encapsulated document: bulk data however short.
ALWAYS_BULK: Final = frozenset({0x00281201, 0x00281202, 0x00281203, 0x00420011})
PADDING: Final = 0xFFFCFFFC
_WIDTHS: Final = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
# Beyond these a reader that knows only binary64 changes the number.
_SAFE: Final = 1 << 53

# Path of an element, "7FE00010" or "00081140/0/00420011" → where its value can be fetched.
Bulk = Callable[[str], str]


def to_json(
    head: Head, charset: str = "", bulk: Bulk | None = None, at: str = ""
) -> dict[str, Any]:
    """Return the data set.

    charset: that of the surroundings, for items.  at: path of the item, with a slash at its end.
    """
    own = head.charset(charset)
    found: dict[str, Any] = {}
    for tag in shown(head):
        found[f"{tag:08X}"] = element(head, tag, own, bulk, at)
    return found


def shown(head: Head) -> Iterable[int]:
    """Return the tags of a data set that JSON has, in order."""
    return (
        tag for tag in sorted(head.elements) if tag & 0xFFFF and tag >> 16 != 2 and tag != PADDING
    )


def vr_of(head: Head, tag: int) -> str:
    """Return the VR of an element, by the private dictionary too."""
    if tag == tags.PIXEL_DATA and head.elements[tag][0] is None:
        return "OW"  # PS3.5 section A.1
    if not tags.is_private(tag) or tag & 0xFFFF <= 0xFF:
        return head.vr(tag)
    return head.vr(tag, head.text(tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8) or None)


def element(
    head: Head, tag: int, charset: str, bulk: Bulk | None = None, at: str = ""
) -> dict[str, Any]:
    """Return one element.  charset: the one in force in ``head``."""
    vr, path = vr_of(head, tag), f"{at}{tag:08X}"
    if vr == "SQ" or (vr == "UN" and _holds_items(head, tag)):
        return {"vr": "SQ", **_items(head, tag, charset, bulk, path)}
    if len(vr) != 2:
        vr = "UN"
    _, start, length = head.elements[tag]
    if not length:
        return {"vr": vr}
    if tag == tags.SPECIFIC_CHARACTER_SET:
        return {"vr": vr, "Value": [UTF_8]}
    is_text = vr in TEXT or vr in NUMBERS or vr == "AT"
    if bulk is not None and _is_bulk(head, tag, is_text=is_text):
        return {"vr": vr, "BulkDataURI": bulk(path)}
    raw = head.data[start : start + length]
    big = form_of(head.transfer_syntax_uid) == EXPLICIT_BE
    if not is_text:
        data = _little(raw, vr) if big else raw
        return {"vr": vr, "InlineBinary": base64.b64encode(data).decode("ascii")}
    values = [json_value(value, vr) for value in decode_values(raw, vr, charset, big_endian=big)]
    return {"vr": vr, "Value": values} if any(value is not None for value in values) else {"vr": vr}


def _items(head: Head, tag: int, charset: str, bulk: Bulk | None, path: str) -> dict[str, Any]:
    try:
        items = [
            to_json(item, charset, bulk, f"{path}/{number}/")
            for number, item in enumerate(head.items(tag))
        ]
    except DatasetError:
        # A fault inside must not hide the rest of the object.
        return {}
    return {"Value": items} if items else {}


def _holds_items(head: Head, tag: int) -> bool:
    _, start, length = head.elements[tag]
    if length < len(ITEM_START_LE) * 2 or head.data[start : start + 4] != ITEM_START_LE:
        return False
    try:
        return sum(1 for _ in head.items(tag)) > 0
    except DatasetError:
        return False


def _is_bulk(head: Head, tag: int, *, is_text: bool) -> bool:
    _, start, length = head.elements[tag]
    if is_pixel(tag) or tag in ALWAYS_BULK or start + length > len(head.data):
        return True
    return not is_text and length > LONGEST_INLINE


def _little(raw: bytes, vr: str) -> bytes:
    width = _WIDTHS.get(vr, 1)
    if width == 1:
        return raw
    return b"".join(raw[at : at + width][::-1] for at in range(0, len(raw), width))


def json_value(value: Value, vr: str) -> Any:
    """Return one value as JSON has it; None for an empty one."""
    if value == "":
        return None
    if vr == "PN":
        groups = zip(GROUPS, str(value).split("="), strict=False)
        return {name: text for name, text in groups if text} or None
    if vr == "AT":
        return str(value).strip("()").replace(",", "")
    if vr in ("IS", "SV", "UV"):
        text = str(value)
        return int(text) if _WHOLE.fullmatch(text) and abs(int(text)) <= _SAFE else text
    if vr == "DS":
        return _decimal(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _decimal(text: str) -> float | int | str:
    try:
        number = float(text)
        same = math.isfinite(number) and Decimal(repr(number)) == Decimal(text.strip())
    except (ValueError, InvalidOperation):
        return text
    if not same:
        return text
    return int(number) if _WHOLE.fullmatch(text.strip()) else number
