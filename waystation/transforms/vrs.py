"""The VR of an element whose data set does not write it down.

Contract: `vr_of` gives what the dictionary says; where that is a choice the surroundings decide
(PS3.5 A.1 and A.2, PS3.6): Pixel Representation between US and SS, the allocated bits between OB
and OW.  What no dictionary knows is UN, or SQ where its form shows a sequence.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from waystation.dicom import dictionary, tags

BITS_ALLOCATED = 0x00280100
WAVEFORM_BITS_ALLOCATED = 0x54001004
LUT_DESCRIPTOR, LUT_DATA = 0x00283002, 0x00283006
WAVEFORM = frozenset({0x54001010, 0x54000100, 0x54000110, 0x54000112})

# Bytes of one unit of a binary VR: what changes places between little and big endian.
WIDTHS = {
    **dict.fromkeys(("US", "SS", "OW", "AT"), 2),
    **dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}


@dataclass(slots=True)
class Scope:
    """What the elements of one data set or item say about each other.

    signed, bits: Pixel Representation and Bits Allocated, from outside where they are not given.
    waveform_bits: Waveform Bits Allocated.  lut_entries: the first value of LUT Descriptor.
    """

    signed: bool = False
    bits: int = 16
    waveform_bits: int = 16
    lut_entries: int = 0
    creators: dict[int, str] = field(default_factory=dict)

    def inside(self, found: Iterable[tuple[int, bytes]], order: str) -> "Scope":
        """Return the scope of a data set in this one; found: (tag, value) of what matters."""
        made = Scope(self.signed, self.bits, self.waveform_bits)
        for tag, value in found:
            number = int.from_bytes(value[:2], "big" if order == ">" else "little")
            if tag == tags.PIXEL_REPRESENTATION:
                made.signed = number == 1
            elif tag == BITS_ALLOCATED:
                made.bits = number
            elif tag == WAVEFORM_BITS_ALLOCATED:
                made.waveform_bits = number
            elif tag == LUT_DESCRIPTOR:
                made.lut_entries = number
            else:
                made.creators[tag] = value.decode("latin-1").strip("\0 ")
        return made


def matters(tag: int) -> bool:
    """Tell whether a `Scope` wants the value of this element."""
    if tag in (tags.PIXEL_REPRESENTATION, BITS_ALLOCATED, WAVEFORM_BITS_ALLOCATED, LUT_DESCRIPTOR):
        return True
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF


def vr_of(tag: int, scope: Scope) -> str:
    """Return the VR of ``tag`` in ``scope``."""
    group, number = tag >> 16, tag & 0xFFFF
    if group & 1 and number > 0xFF:
        creator = scope.creators.get(group << 16 | number >> 8)
        choice = _private(tag, creator) if creator else "UN"
    else:
        choice = _standard(tag)
    return choice if len(choice) == 2 else _chosen(tag, choice, scope)


def _chosen(tag: int, choice: str, scope: Scope) -> str:
    if tag == LUT_DATA:
        return "US" if scope.lut_entries == 1 else "OW"
    if choice == "OB or OW":
        if tag in WAVEFORM:
            return "OB" if scope.waveform_bits == 8 else "OW"
        if tag == tags.PIXEL_DATA:
            return "OB" if scope.bits <= 8 else "OW"
        return "OW"
    return "SS" if scope.signed else "US"


@lru_cache(maxsize=4096)
def _standard(tag: int) -> str:
    if tag >> 16 & 1 or not tag & 0xFFFF:
        return tags.vr_of(tag)
    try:
        return dictionary.entry_of(tag)[0]
    except KeyError:
        return "UN"


@lru_cache(maxsize=4096)
def _private(tag: int, creator: str) -> str:
    vr = tags.vr_of(tag, creator)
    return vr if len(vr) == 2 and vr.isalpha() else "UN"
