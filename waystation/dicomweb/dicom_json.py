"""A data set as DICOM JSON (PS3.18 annex F).

Contract (W-53): tags ascending in upper case, no group lengths; an element without a value has no
Value; an empty value among several is null.  A DS, IS, SV or UV that is no JSON number, or would
lose digits as one, stays a string, and so do NaN and infinity.  Text is decoded by the character
set that the data set names, so (0008,0005) says ISO_IR 192.  Binary values stand inline.
"""

import base64
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_BE
from waystation.dicom.scan import form_of
from waystation.dicom.values import NUMBERS, TEXT, Value, decode_values

GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
UTF_8 = "ISO_IR 192"
_WHOLE = re.compile(r"[+-]?[0-9]+")
# Beyond these a reader that knows only binary64 changes the number.
_SAFE = 1 << 53


def to_json(head: Head, charset: str = "") -> dict[str, Any]:
    """Return the data set.  charset: that of the surroundings, for items."""
    own = head.charset(charset)
    found: dict[str, Any] = {}
    for tag in sorted(head.elements):
        if not tag & 0xFFFF:
            continue
        vr = head.vr(tag)
        found[f"{tag:08X}"] = {"vr": vr, **_content(head, tag, vr, own)}
    return found


def _content(head: Head, tag: int, vr: str, charset: str) -> dict[str, Any]:
    if vr == "SQ":
        items = [to_json(item, charset) for item in head.items(tag)]
        return {"Value": items} if items else {}
    raw = head.raw(tag)
    if not raw:
        return {}
    if tag == tags.SPECIFIC_CHARACTER_SET:
        return {"Value": [UTF_8]}
    if vr not in TEXT and vr not in NUMBERS and vr != "AT":
        return {"InlineBinary": base64.b64encode(raw).decode("ascii")}
    big = form_of(head.transfer_syntax_uid) == EXPLICIT_BE
    values = [_value(value, vr) for value in decode_values(raw, vr, charset, big_endian=big)]
    return {"Value": values} if any(value is not None for value in values) else {}


def _value(value: Value, vr: str) -> Any:
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
        return str(value)
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
