"""An object with some of its frames only, its head unchanged but for their number.

Contract: pure.  For drawing, never for sending: what the head says frame by frame still speaks of
all frames, so that the caller must remember which ones these are.
"""

from collections.abc import Sequence
from struct import pack

from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_BE, UNDEFINED
from waystation.dicom.scan import form_of
from waystation.dicom.splice import Change, replace
from waystation.dicom.uids import DEFLATED
from waystation.transforms.errors import UnfitError
from waystation.transforms.frames import DOUBLE, FLOAT, Pixels
from waystation.transforms.image import FRAMES, PIXELS
from waystation.transforms.syntax import header

OFFSETS = (0x7FE00001, 0x7FE00002, 0x7FE00003)
END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def can_be_cut(syntax: str) -> bool:
    """Tell whether `excerpt` knows a transfer syntax."""
    return syntax != DEFLATED and form_of(syntax) != EXPLICIT_BE


def excerpt(head: Head, pixels: Pixels, frames: Sequence[bytes], *, compressed: bool) -> bytes:
    """Return the data set with these frames alone; frames: as they are stored."""
    if not head.whole:
        raise UnfitError("its head is too large to be written anew")
    changes: dict[int, Change] = {tag: None for tag in OFFSETS if tag in head.elements}
    changes[FRAMES] = ("IS", str(len(frames)).encode())
    form = form_of(head.transfer_syntax_uid)
    before = replace(head, changes)
    if not compressed:
        value = b"".join(frames)
        value += b"\0" * (len(value) % 2)
        vr = {FLOAT: "OF", DOUBLE: "OD"}.get(pixels.tag, "OW")
        return before + header(pixels.tag, vr, len(value), form) + value
    parts = [before, header(PIXELS, "OB", UNDEFINED, form), pack("<HHI", 0xFFFE, 0xE000, 0)]
    for frame in frames:
        padded = frame + b"\0" * (len(frame) % 2)
        parts += [pack("<HHI", 0xFFFE, 0xE000, len(padded)), padded]
    return b"".join([*parts, END])
