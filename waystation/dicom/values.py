"""Values out of the bytes of one element.

Contract: text VRs give text without padding, one per value (DS and IS too, as they are written);
binary numbers give numbers; AT gives ``(gggg,eeee)``; sequences and bulk VRs give no values.
Bytes that do not fit their VR or character set give what can be read, never an error: a
wrong value must not stop an image (N-4).  PS3.5 sections 6.1 and 6.2.
"""

from struct import calcsize, iter_unpack

from waystation.dicom.charsets import IN_CHARSET, decode
from waystation.dicom.tags import format_tag

Value = str | int | float

NUMBERS = {
    "US": "H",
    "SS": "h",
    "UL": "I",
    "SL": "i",
    "UV": "Q",
    "SV": "q",
    "FL": "f",
    "FD": "d",
}
# One value whatever it contains: the backslash is an ordinary character there.
SINGLE = frozenset({"ST", "LT", "UT", "UR"})
TEXT = IN_CHARSET | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}


def decode_values(
    raw: bytes, vr: str, charset: str = "", *, big_endian: bool = False
) -> list[Value]:
    """Return the values of one element; ``charset`` is Specific Character Set as it stands."""
    if not raw:
        return []
    if vr in TEXT or (vr == "UN" and _looks_like_text(raw)):
        return list(split_text(decode_text(raw, vr, charset), vr))
    if vr == "AT":
        order = ">HH" if big_endian else "<HH"
        whole = raw[: len(raw) // 4 * 4]
        return [format_tag(group << 16 | number) for group, number in iter_unpack(order, whole)]
    code = NUMBERS.get(vr)
    if code is None:
        return []
    form = (">" if big_endian else "<") + code
    whole = raw[: len(raw) // calcsize(form) * calcsize(form)]
    return [value for (value,) in iter_unpack(form, whole)]


def _looks_like_text(raw: bytes) -> bool:
    text = raw.rstrip(b"\0 ")
    return bool(text) and text.isascii() and all(byte >= 32 for byte in text)


def split_text(text: str, vr: str) -> list[str]:
    """Return the values of a decoded text, without their padding."""
    text = text.rstrip("\0 ")
    if vr in SINGLE:
        return [text] if text else []
    if not text:
        return []
    if "\\" not in text:
        return [text.strip("\0 ")]
    return [part.strip("\0 ") for part in text.split("\\")]


def decode_text(raw: bytes, vr: str, charset: str) -> str:
    """Return the text; what the character set cannot say comes out as U+FFFD."""
    if raw.isascii() and b"\x1b" not in raw and not charset:
        return raw.decode("ascii")
    return decode(raw, charset, vr)
