"""Icons that are compressed like the image they belong to (PS3.3 C.7.6.1.1.6, PS3.5 A.4).

Contract: `plain_icons` returns Icon Image Sequence with uncompressed pixels, None if there was
nothing to do.  It raises what `decode` raises.
"""

from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_LE, ITEM_TAG
from waystation.dicom.splice import replace as spliced
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.transforms.decode import decode
from waystation.transforms.image import PHOTOMETRIC, PIXELS, PLANAR, image_of
from waystation.transforms.syntax import LIMITS, OPEN, check, header, items

ICONS = 0x00880200
ITEM = (ITEM_TAG >> 16).to_bytes(2, "little") + (ITEM_TAG & 0xFFFF).to_bytes(2, "little")


def plain_icons(head: Head, syntax: str) -> bytes | None:
    """Return the value of Icon Image Sequence for a ``head`` stored in ``syntax``."""
    if ICONS not in head.elements:
        return None
    pieces: list[bytes] = []
    compressed = False
    for item, scan, is_open in items(memoryview(head.raw_sequence(ICONS)), EXPLICIT_LE):
        check(scan)
        body = bytes(item[: scan.item_end] if is_open else item)
        if PIXELS in scan.elements and _is_open(body, scan.elements[PIXELS][1]):
            body = _plain(body, Head(scan, EXPLICIT_VR_LE, LIMITS), syntax)
            compressed = True
        pieces += [ITEM, len(body).to_bytes(4, "little"), body]
    return b"".join(pieces) if compressed else None


def _is_open(body: bytes, start: int) -> bool:
    return body[start - 4 : start] == OPEN


def _plain(body: bytes, head: Head, syntax: str) -> bytes:
    from pydicom.encaps import generate_frames

    image = image_of(head)
    _, start, length = head.elements[PIXELS]
    code = next(generate_frames(body[start : start + length], number_of_frames=1))
    frame, photometric = decode(syntax, code, image)
    changes: dict[int, bytes] = {}
    if photometric != image.photometric:
        changes[PHOTOMETRIC] = photometric.encode("ascii")
    if image.samples > 1:
        changes[PLANAR] = b"\0\0"
    frame += b"\0" * (len(frame) % 2)
    vr = "OB" if image.allocated <= 8 else "OW"
    pixels = header(PIXELS, vr, len(frame), EXPLICIT_LE) + frame
    return spliced(head, changes) + pixels + body[start + length :]
