"""A head as a mapping of elements that can be changed and composed again.

Contract: `contents` gives what `compose` writes: values as the bytes came (swapped where the byte
order differs), sequences as items.  Group lengths are left out, and values that no short length
can hold.  DatasetError for a sequence that is broken inside.
"""

from typing import Final

from waystation.dicom.compose import Elements, Items
from waystation.dicom.head import Head
from waystation.dicom.scan import form_of
from waystation.dicom.tags import SPECIFIC_CHARACTER_SET
from waystation.dicom.uids import EXPLICIT_VR_BE

LONGEST: Final = 0xFFFE
# What a big endian value is made of, where it is no text.
WIDTHS: Final = {"US": 2, "SS": 2, "OW": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4}
WIDTHS_8: Final = {"FD": 8, "OD": 8, "OV": 8, "SV": 8, "UV": 8}


def contents(head: Head, declared: str = "", *, big_endian: bool = False) -> Elements:
    """Return the elements of a data set or item.

    declared: character set that is to be named where none is.  big_endian: what is made of them is.
    """
    found: dict[int, tuple[str, str | bytes | Items]] = {}
    is_big = form_of(head.transfer_syntax_uid) == form_of(EXPLICIT_VR_BE)
    for tag in head.elements:
        vr = head.vr(tag)
        if tag & 0xFFFF == 0:
            continue
        if vr == "SQ":
            found[tag] = (vr, [contents(one, big_endian=big_endian) for one in head.items(tag)])
        elif (raw := head.raw(tag)) is not None and len(raw) <= LONGEST:
            found[tag] = (vr, _swapped(raw, vr) if is_big != big_endian else raw)
    if declared and SPECIFIC_CHARACTER_SET not in found:
        found[SPECIFIC_CHARACTER_SET] = ("CS", declared.encode("latin-1"))
    return found


def _swapped(raw: bytes, vr: str) -> bytes:
    width = WIDTHS.get(vr) or WIDTHS_8.get(vr)
    if width is None:
        return raw
    return b"".join(raw[at : at + width][::-1] for at in range(0, len(raw), width))
