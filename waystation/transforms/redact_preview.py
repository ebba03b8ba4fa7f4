"""One frame of an object as a picture, with what would be blacked marked in it (D-41).

Contract: runs only in a codec child (S-41).  `preview` writes a PNG: grey values spread from the
lowest to the highest that occur, colours as they are; rectangles outlined in yellow, the areas to
be kept in green (or everything blacked that would be).  For looking only: nothing is measured in
it.  `UnfitError` or `DatasetError` if the frame cannot be had.
"""

from dataclasses import replace
from itertools import islice
from typing import Any, BinaryIO

import numpy as np

from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.transforms.decode import DECODERS, decode
from waystation.transforms.errors import UnfitError
from waystation.transforms.image import Image, image_of
from waystation.transforms.redact_fill import TABLES, covered
from waystation.transforms.redact_job import Glimpse, RedactJob
from waystation.transforms.redact_native import find, only_once
from waystation.transforms.stream import PLAIN
from waystation.transforms.transcode import codes, head_of, recode_file

YELLOW, GREEN = (255, 220, 0), (0, 200, 80)
Array = np.ndarray[Any, np.dtype[Any]]


def preview(source: BinaryIO, scratch: BinaryIO, out: BinaryIO, what: tuple[str, Glimpse]) -> None:
    """Write one frame of ``source`` into ``out`` as PNG; what: its syntax, and which frame."""
    from PIL import Image as Pillow

    has, glimpse = what
    if has in PLAIN and has not in (EXPLICIT_VR_LE, IMPLICIT_VR_LE):
        recode_file(source, scratch, has, EXPLICIT_VR_LE)
        source, has = scratch, EXPLICIT_VR_LE
    head = only_once(head_of(source, has))
    samples, image = _frame(source, head, has, glimpse.frame)
    shown = _shown(samples, head, image)
    if glimpse.blacked:
        shown[covered(glimpse.job, image.rows, image.columns)] = 0
    picture = Pillow.fromarray(shown)
    if not glimpse.blacked:
        _outline(picture, glimpse.job, image)
    picture.thumbnail((glimpse.side, glimpse.side))
    picture.save(out, "PNG")


def _frame(source: BinaryIO, head: Head, has: str, number: int) -> tuple[Array, Image]:
    """Return the samples of one frame, shape (rows, columns, samples), and what they are."""
    if has not in PLAIN and has not in DECODERS:
        raise UnfitError("no codec reads its transfer syntax")
    if has in PLAIN:
        found = find(head)
        if number >= found.image.frames:
            raise UnfitError(f"it has {found.image.frames} frames")
        return found.samples(source, number), found.image
    image = image_of(head)
    code = next(islice(codes(source, head, image, lambda _: None), number, None), None)
    if code is None:
        raise UnfitError(f"it has no frame number {number + 1}")
    frame, photometric = decode(has, code, image)
    kind = f"<{'i' if image.signed else 'u'}{image.allocated // 8}"
    samples = np.frombuffer(frame, kind).reshape(image.rows, image.columns, image.samples)
    return samples, replace(image, photometric=photometric)


def _shown(samples: Array, head: Head, image: Image) -> Array:
    """Return 8-bit RGB, shape (rows, columns, 3)."""
    if image.samples == 3:
        eight = (samples >> max(image.stored - 8, 0)).astype(np.uint8)
        return _from_luminance(eight) if image.photometric.startswith("YBR") else eight.copy()
    grey = samples[:, :, 0].astype(np.float64)
    if image.photometric == "PALETTE COLOR":
        coloured = _coloured(samples[:, :, 0], head)
        if coloured is not None:
            return coloured
    grey = np.nan_to_num(grey, posinf=0.0, neginf=0.0)
    low, high = grey.min(), grey.max()
    eight = ((grey - low) * (255.0 / max(high - low, 1e-30))).astype(np.uint8)
    if image.photometric == "MONOCHROME1":
        eight = 255 - eight
    return np.repeat(eight[:, :, None], 3, axis=2)


def _from_luminance(samples: Array) -> Array:
    from PIL import Image as Pillow

    return np.array(Pillow.fromarray(samples, "YCbCr").convert("RGB"))


def _coloured(index: Array, head: Head) -> Array | None:
    """Return the colours of a plain palette, None where it is not plain."""
    raws = [head.raw(table) for table in TABLES]
    said = head.raw(0x00281101)
    if said is None or any(raw is None for raw in raws):
        return None
    entries = int.from_bytes(said[:2], "little") or 1 << 16
    first = int.from_bytes(said[2:4], "little")
    at = np.clip(index.astype(np.int64) - first, 0, entries - 1)
    planes = []
    for raw in raws:
        assert raw is not None
        wide = len(raw) >= 2 * entries
        table = np.frombuffer(raw, "<u2" if wide else "u1")
        if len(table) < entries:
            return None
        planes.append(table[at] >> 8 if wide and table.max() > 0xFF else table[at])
    return np.stack(planes, axis=2).astype(np.uint8)


def _outline(picture: Any, job: RedactJob, image: Image) -> None:
    from PIL import ImageDraw

    covered(job, image.rows, image.columns)
    draw = ImageDraw.Draw(picture)
    width = max(1, max(image.rows, image.columns) // 400)
    for colour, rectangles in ((YELLOW, job.rectangles), (GREEN, job.keep or ())):
        for left, top, wide, tall in rectangles:
            corners = (left, top, left + wide - 1, top + tall - 1)
            draw.rectangle(corners, outline=colour, width=width)
