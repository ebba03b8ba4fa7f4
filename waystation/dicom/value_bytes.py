"""Values into the bytes of one element: the way back from `values.decode_values`.

Contract: text values become one text with backslashes, in the given character set, unpadded
(`splice.encode_element` pads); numbers and AT are read from their text.  ValueError (CharsetError
for text) if a value does not fit its VR.  PS3.5 sections 6.1 and 6.2.
"""

from collections.abc import Sequence
from struct import error as StructError
from struct import pack

from waystation.dicom.charsets import IN_CHARSET, Charset, encode
from waystation.dicom.values import NUMBERS, TEXT

FLOATS = frozenset({"FL", "FD"})


def value_bytes(
    values: Sequence[str], vr: str, charset: Charset | str = "", *, big_endian: bool = False
) -> bytes:
    """Return the bytes of the values; ``charset``: Specific Character Set as it stands."""
    if not any(values):
        return b""
    if vr in IN_CHARSET or vr in TEXT:
        return encode("\\".join(values), charset, vr)
    order = ">" if big_endian else "<"
    if vr == "AT":
        tags = (int("".join(one for one in value if one.isalnum()), 16) for value in values)
        return b"".join(_packed(order + "HH", tag >> 16, tag & 0xFFFF) for tag in tags)
    code = NUMBERS.get(vr)
    if code is None:
        raise ValueError(f"VR {vr} has no values of text")
    numbers = (float(value) if vr in FLOATS else int(value) for value in values)
    return b"".join(_packed(order + code, number) for number in numbers)


def _packed(form: str, *numbers: float) -> bytes:
    try:
        return pack(form, *numbers)
    except (StructError, OverflowError):
        raise ValueError("a number does not fit its VR") from None
