"""Objects with, and without, something written in their pixels, as a device would burn it in.

Contract: `drawn` gives stored numbers, shape (frames, rows, columns, samples): an ellipse of
tissue in the dark, with noise, and a text in the brightest shade.  `with_pixels` puts bytes in the
place of an object's pixels.
"""

import struct
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tests.objects.files import Stored
from tests.objects.layouts import Array, Picture
from waystation.dicom.head import Head

NAME = "MUSTER^ERIKA 1951-03-17"
PLACE = (8, 6)  # left, top


def drawn(
    picture: Picture, text: str = "", *, shade: float = 1.0, place: tuple[int, int] = PLACE
) -> Any:
    """Return the numbers; shade: of the text, as a part of the whole range."""
    random = np.random.default_rng(5)
    down, right = np.mgrid[: picture.rows, : picture.columns]
    off = ((down / picture.rows - 0.5) / 0.3) ** 2 + ((right / picture.columns - 0.5) / 0.4) ** 2
    shape = (picture.frames, picture.rows, picture.columns)
    shades = np.where(off < 1, 0.3, 0.02) + random.normal(0, 0.005, shape)
    page = Image.new("L", (picture.columns, picture.rows))
    ImageDraw.Draw(page).text(place, text, fill=255, font=ImageFont.load_default(12))
    shades[:, np.asarray(page) > 127] = shade
    top = (1 << picture.bits) - 1
    low = 1 << (picture.bits - 1) if picture.kind == "i" else 0
    numbers: Array = (np.clip(shades, 0, 1) * top).astype(np.int64) - low
    return np.repeat(numbers[..., None], picture.samples, axis=3)


def with_pixels(one: Stored, raw: bytes) -> Stored:
    """Return an object in explicit little endian with other pixels of the same size."""
    head = Head.from_bytes(one.data_set, one.transfer_syntax)
    lead = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, len(raw))
    return replace(one, data_set=one.data_set[: head.pixel_offset] + lead + raw)
