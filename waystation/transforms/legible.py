"""Frames of an object as pictures in which a program can read what is written (D-36).

Contract: runs in a codec child (S-41), on files that the caller opened; one frame is in memory at
a time.  `legible` writes the pictures one behind the other, each with its length before it (8
bytes, big endian), and returns the frame, from 1, that each one shows.  Every frame of an object
is shown, of more than `MOST_FRAMES` so many, spread evenly, the first and the last among them.  A
frame gives one or two pictures: all shades from the lowest to the highest number that occurs, and,
where that tells more, the brightest parts alone, as devices write in the brightest shade that they
have and a single pixel can be brighter still.  Overlay planes are drawn into both.
`UnfitError` or `DatasetError` if any of this cannot be had.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from waystation.transforms.image import Image
from waystation.transforms.render_colour import coloured
from waystation.transforms.render_frame import Film, opened
from waystation.transforms.render_marks import overlaid
from waystation.transforms.transcode import Tick

MOST_FRAMES = 32
# Small letters are read better when they are larger; huge pictures only take longer.
ENLARGED_SIDE, LONGEST_SIDE, EDGE = 2048, 4096, 16
LUMINANCE = (0.299, 0.587, 0.114)
TOP = 255
# What is left out at either end to find what is bright, in percent; how near to that is bright
# too, where pictures were compressed with loss; how much of a picture may be bright.
ODD_PERCENT, NEAR, MOST_BRIGHT, LOOKED_AT = 0.1, 0.98, 0.2, 1_000_000
Array = np.ndarray[Any, np.dtype[Any]]


def legible(source: BinaryIO, scratch: BinaryIO, out: BinaryIO, has: str, tick: Tick) -> list[int]:
    """Write the pictures of ``source`` into ``out``; has: its transfer syntax."""
    file, head, has = opened(source, scratch, has)
    film = Film(file, head, has)
    shown = []
    for number in chosen(film.image.frames):
        tick(number)
        for view in _views(film, number):
            picture = _picture(view)
            out.write(len(picture).to_bytes(8, "big"))
            out.write(picture)
            shown.append(number + 1)
    return shown


def chosen(frames: int) -> list[int]:
    """Return which of so many frames are shown, from 0."""
    if frames <= MOST_FRAMES:
        return list(range(frames))
    return [place * (frames - 1) // (MOST_FRAMES - 1) for place in range(MOST_FRAMES)]


def _views(film: Film, number: int) -> Iterator[Array]:
    """Yield a frame once or twice, each uint8, shape (rows, columns)."""
    samples, image = film.samples(number)
    if image.samples == 1 and image.photometric != "PALETTE COLOR":
        shades = brightness = _numbers(samples[:, :, 0], image)
    else:
        colours = coloured(samples, image, film.head)
        shades, brightness = colours @ np.array(LUMINANCE, np.float32), colours.max(axis=2)
    grey = overlaid(_spread(shades), film.head, number, TOP)
    yield grey
    bright = overlaid(_brightest(brightness) * np.uint8(TOP), film.head, number, TOP)
    if 0 < bright.mean() <= MOST_BRIGHT * TOP and not np.isin(grey, (0, TOP)).all():
        yield TOP - bright


def _numbers(samples: Array, image: Image) -> Array:
    """Return stored numbers as float32, the more the brighter; bits that nobody shows are left."""
    if samples.dtype.kind == "f":
        numbers = np.nan_to_num(samples, posinf=0.0, neginf=0.0).astype(np.float32)
    else:
        stored = samples.view(f"u{samples.dtype.itemsize}") >> max(image.high + 1 - image.stored, 0)
        stored = stored & ((1 << image.stored) - 1)
        if image.signed:
            # With its sign turned over, the lowest number is 0.
            stored = stored ^ stored.dtype.type(1 << image.stored - 1)
        numbers = stored.astype(np.float32)
    return -numbers if image.photometric == "MONOCHROME1" else numbers


def _spread(numbers: Array) -> Array:
    """Return shades from 0 to 255, from the lowest to the highest number."""
    low, high = float(numbers.min()), float(numbers.max())
    shades = (numbers - np.float32(low)) * np.float32(TOP / max(high - low, 1e-30))
    return np.asarray(np.clip(shades, 0, TOP), np.uint8)


def _brightest(numbers: Array) -> Array:
    """Return flags: what is as bright as a device writes, if it looks like strokes."""
    some = numbers.ravel()[:: max(1, numbers.size // LOOKED_AT)]
    low, high = np.percentile(some, (ODD_PERCENT, 100 - ODD_PERCENT))
    if low == high:
        return _joined(numbers > high)
    near = numbers >= low + NEAR * (high - low)
    strokes = _joined(near)
    if 2 * strokes.sum() >= near.sum():
        return strokes
    # Most of it stands alone: noise on top of something large and bright.
    return _joined(numbers >= high)


def _joined(bright: Array) -> Array:
    """Return flags without those that stand alone or in pairs, which are noise and no strokes."""
    strokes = bright & (_neighbours(bright) >= 2)
    return np.asarray(bright & (strokes | (_neighbours(strokes) > 0)))


def _neighbours(flags: Array) -> Array:
    """Return how many of the eight around each are set."""
    wide = np.pad(flags.astype(np.uint8), 1)
    rows, columns = flags.shape
    around = [(down, right) for down in range(3) for right in range(3) if (down, right) != (1, 1)]
    return np.asarray(
        sum(wide[down : down + rows, right : right + columns] for down, right in around)
    )


def _picture(view: Array) -> bytes:
    """Return a PNG, as large as is good for reading, with room around what touches the edge."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.pad(view, EDGE, mode="edge"))
    longest = max(picture.size)
    if longest <= ENLARGED_SIDE:
        picture = picture.resize((picture.width * 2, picture.height * 2), Pillow.Resampling.LANCZOS)
    elif longest > LONGEST_SIDE:
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Pillow.Resampling.BOX)
    out = BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
