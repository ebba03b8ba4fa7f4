"""What is drawn into a picture besides its pixels: overlay planes, words in its corners.

Contract: nothing is drawn that nobody asked for.  Words are white on black so that they can be read
on anything; characters that the built-in font does not have become question marks.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.transforms.errors import UnfitError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

WORDS = {
    "patient": ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    "technique": ("Modality", "StudyDate", "SeriesDescription", "SeriesNumber", "InstanceNumber"),
}
OVERLAYS = range(0x6000, 0x6020, 2)
ROWS, COLUMNS, FRAMES, ORIGIN, FIRST, DATA = 0x10, 0x11, 0x15, 0x50, 0x51, 0x3000
LONGEST_LINE = 64
Array = np.ndarray[Any, np.dtype[Any]]


def annotated(picture: "Picture", head: Head, words: tuple[str, ...]) -> "Picture":
    """Return ``picture`` with what ``words`` stand for: patient top left, technique below."""
    from PIL import ImageDraw, ImageFont

    size = max(10, min(picture.size) // 40)
    font, draw = ImageFont.load_default(size), ImageDraw.Draw(picture)
    for word in words:
        lines = [text for name in WORDS[word] if (text := _text(head, name))]
        top = 4 if word == "patient" else picture.height - 4 - len(lines) * (size + 4)
        for number, line in enumerate(lines):
            place = (4.0, float(top + number * (size + 4)))
            draw.text(place, line, "white", font, stroke_width=1, stroke_fill="black")
    return picture


def _text(head: Head, name: str) -> str:
    try:
        values = head.values(name) or []
    except (DatasetError, ValueError):
        return ""
    text = ", ".join(map(str, values)).replace("^", " ").replace("=", " / ")[:LONGEST_LINE]
    return "".join(one if " " <= one < "\x7f" or "\xa0" <= one < "\u0180" else "?" for one in text)


def overlaid(pixels: Array, head: Head, number: int, top: int) -> Array:
    """Return ``pixels`` with the overlay planes of a frame in white (PS3.3 C.9.2).

    pixels: shape (rows, columns) or (rows, columns, 3).  number: of the frame, from 0.
    """
    made = pixels.copy()
    for group in OVERLAYS:
        plane = _plane(head, group << 16, number)
        if plane is None:
            continue
        bits, down, right = plane
        rows, columns = made.shape[:2]
        cut = bits[max(0, -down) : max(0, rows - down), max(0, -right) : max(0, columns - right)]
        area = made[max(0, down) :, max(0, right) :][: cut.shape[0], : cut.shape[1]]
        area[cut] = top
    return made


def _plane(head: Head, group: int, number: int) -> tuple[Array, int, int] | None:
    """Return the bits of a plane that belong to a frame, and where they begin."""
    rows, columns = (_number(head, group | tag) for tag in (ROWS, COLUMNS))
    data = head.raw_sequence(group | DATA)
    if not rows or not columns or not data:
        return None
    frames = head.text(group | FRAMES)
    count = int(frames) if frames.isascii() and frames.isdigit() else 1
    place = number + 1 - (_number(head, group | FIRST) or 1)
    if not 0 <= place < count:
        return None
    pixels = rows * columns
    first, skipped = divmod(place * pixels, 8)
    raw = np.frombuffer(data[first : first + (skipped + pixels + 7) // 8], np.uint8)
    bits = np.unpackbits(raw, bitorder="little")[skipped : skipped + pixels]
    if len(bits) < pixels:
        raise UnfitError("an overlay plane is too short")
    origin = head.raw(group | ORIGIN) or b""
    down, right = (
        int.from_bytes(origin[at : at + 2], "little", signed=True) - 1 if len(origin) >= 4 else 0
        for at in (0, 2)
    )
    return bits.reshape(rows, columns).astype(np.bool_), down, right


def _number(head: Head, tag: int) -> int:
    return int.from_bytes((head.raw(tag) or b"")[:2], "little")
