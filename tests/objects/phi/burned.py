"""Pixels with names in them: text drawn in known boxes, and in bits that nobody shows (D-44).

Contract: `Burned` holds stored numbers, shape (frames, rows, columns, samples), and where text
was drawn; `Picture` of `tests.objects.layouts` knows how they lie.
"""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tests.objects.layouts import Array, Picture
from tests.objects.phi.key import Box


def background(picture: Picture, seed: int) -> Array:
    """Return an image that compresses: slopes with a little noise."""
    if picture.kind == "f" or picture.allocated == 1:
        return picture.numbers(seed)
    random = np.random.default_rng(seed)
    shape = (picture.frames, picture.rows, picture.columns, picture.samples)
    slope = np.add.outer(np.arange(picture.rows), np.arange(picture.columns))
    top = (1 << min(picture.bits, 16)) - 1
    numbers = slope[None, :, :, None] * (top // 4) // slope.max() + top // 8
    noise = random.integers(0, max(top // 64, 2), shape)
    numbers = np.broadcast_to(numbers, shape) + noise
    if picture.subsampled:
        numbers[..., 1:] = np.repeat(numbers[:, :, ::2, 1:], 2, axis=2)
    return numbers.astype(np.int64)


def letters(text: str, box: Box) -> Any:
    """Return which pixels of a box are ink, shape (height, width)."""
    _, _, width, height = box
    page = Image.new("L", (width, height), 0)
    ImageDraw.Draw(page).text((1, 0), text, fill=255, font=ImageFont.load_default(9))
    return np.asarray(page) > 127


def burn(numbers: Array, picture: Picture, text: str, box: Box) -> None:
    """Draw text into every frame."""
    left, top, width, height = box
    ink = letters(text, box)
    bright = (1 << picture.bits) - 1
    area = numbers[:, top : top + height, left : left + width]
    area[:, ink] = bright
    if picture.subsampled:
        numbers[..., 1:] = np.repeat(numbers[:, :, ::2, 1:], 2, axis=2)


def hide(raw: bytes, picture: Picture, text: str) -> bytes:
    """Draw text into the bit above Bits Stored, in every frame."""
    cells = np.frombuffer(raw, "<u2").reshape(picture.frames, picture.rows, picture.columns).copy()
    ink = letters(text, (0, 0, picture.columns, picture.rows))
    cells[:, ink] |= np.uint16(1 << picture.bits)
    return cells.tobytes()
