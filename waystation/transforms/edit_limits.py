"""What no edit may touch (R-66), and how that is said.

Contract: `refusal` says in one sentence why an element cannot be set, or removed, "" if it can.
SOP class, transfer syntax, geometry, and whatever says how pixels are to be read stay as they came;
UIDs change only all together, by `new_uids`; the record of earlier changes is not rewritten.
"""

from waystation.dicom import tags
from waystation.dicom.paths import parse_path
from waystation.transforms.edit_values import name_of

ORIGINAL_ATTRIBUTES = 0x04000561
# Window, its words, and how burned-in text is declared: they are no part of the pixels.
_FREE_0028 = frozenset({0x00281050, 0x00281051, 0x00281055, 0x00281056})
_GEOMETRY = frozenset(
    {
        *(0x00180050, 0x00180088, 0x00181114, 0x00181164, 0x00185100, 0x00186011, 0x00189073),
        *(0x00200020, 0x00200032, 0x00200037, 0x00200050, 0x00201041, 0x00209113, 0x00209116),
        *(0x52009229, 0x52009230, 0x00480008, 0x00480102, 0x0048021A, 0x30060039, 0x00620002),
    }
)
_IDENTITY = frozenset({0x00080018, 0x0020000D, 0x0020000E, 0x00200052})
_WHOLE_GROUPS = {
    0x0002: "is written anew for each file",
    0x0028: "says how the pixels are to be read",
    0x5400: "describes a waveform",
    0x7FE0: "holds the pixels",
}


def refusal(tag: int, *, removing: bool = False) -> str:
    """Return why the element of a tag may not be edited, "" if it may."""
    why = _why(tag, removing)
    return f"{name_of(tag)} cannot be edited: it {why}" if why else ""


def _why(tag: int, removing: bool) -> str:
    group = tag >> 16
    if not tag & 0xFFFF:
        return "is a group length"
    if tag in (tags.SOP_CLASS_UID, 0x0008001A):
        return "says what kind of object this is"
    if tag == tags.SPECIFIC_CHARACTER_SET and not removing:
        return 'follows the values: write charset = "utf-8" to convert them'
    if tag == ORIGINAL_ATTRIBUTES:
        return "records earlier changes"
    if tag in _GEOMETRY:
        return "describes the geometry"
    if group in _WHOLE_GROUPS and tag not in _FREE_0028:
        return _WHOLE_GROUPS[group]
    if group > 0x7FE0:
        return "lies behind the pixels"
    if group & 0xFF01 == 0x6000 and not removing:
        return "describes an overlay"
    if (tag in _IDENTITY) if removing else tags.vr_of(tag) == "UI":
        return "is a UID: only new_uids changes those, all together"
    return ""


def path_refusal(path: str, *, removing: bool = False) -> str:
    """Return why what a path leads to may not be edited, "" if it may.

    Raises ValueError for a path that is none.
    """
    steps = parse_path(path)
    for step in steps[:-1]:
        if not step.creator and (step.tag in _GEOMETRY or step.tag == ORIGINAL_ATTRIBUTES):
            return refusal(step.tag)
    last = steps[-1]
    return "" if last.creator else refusal(last.tag, removing=removing)
