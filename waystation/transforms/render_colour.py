"""Frames in colour as 8-bit RGB: palettes, luminance and chrominance, RGB (PS3.3 C.7.6.3.1.2).

Contract: arrays and numbers only.  Numbers of more than 8 bits lose their lowest.
`UnfitError` where the colours cannot be told.
"""

from typing import Any

import numpy as np

from waystation.dicom.head import Head
from waystation.transforms.errors import UnfitError
from waystation.transforms.image import Image
from waystation.transforms.render_lut import table_of

DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
TABLES, SEGMENTED = (0x00281201, 0x00281202, 0x00281203), (0x00281221, 0x00281222, 0x00281223)
PLAIN, LINEAR, REPEAT = 0, 1, 2
MOST_ENTRIES = 1 << 16
Array = np.ndarray[Any, np.dtype[Any]]


def coloured(samples: Array, image: Image, head: Head) -> Array:
    """Return uint8, shape (rows, columns, 3); samples: shape (rows, columns, samples)."""
    if image.photometric == "PALETTE COLOR" and image.samples == 1:
        return _by_palette(samples[:, :, 0], image, head)
    if image.samples != 3:
        raise UnfitError(f"colours of {image.photometric} cannot be shown")
    shift = max(image.high - 7, 0)
    eight = np.asarray(samples >> shift & 0xFF, np.uint8)
    if image.photometric == "RGB":
        return np.ascontiguousarray(eight)
    if image.photometric in ("YBR_FULL", "YBR_FULL_422"):
        from PIL import Image as Pillow

        return np.array(Pillow.fromarray(np.ascontiguousarray(eight), "YCbCr").convert("RGB"))
    if image.photometric.startswith("YBR_PARTIAL"):
        return _of_studio_range(eight)
    raise UnfitError(f"colours of {image.photometric or 'no name'} cannot be shown")


def _of_studio_range(samples: Array) -> Array:
    """CCIR 601: luminance from 16 to 235, chrominance from 16 to 240."""
    wide = samples.astype(np.float64) - (16, 128, 128)
    to_rgb = np.array(
        [[1.16438, 0.0, 1.59603], [1.16438, -0.39176, -0.81297], [1.16438, 2.01723, 0.0]]
    )
    return np.asarray(np.clip(np.rint(wide @ to_rgb.T), 0, 255), np.uint8)


def _by_palette(index: Array, image: Image, head: Head) -> Array:
    planes = []
    for descriptor, plain, segmented in zip(DESCRIPTORS, TABLES, SEGMENTED, strict=True):
        said = head.raw(descriptor)
        data = head.raw_sequence(plain)
        if said is not None and len(said) >= 6 and not data:
            data = _unfolded(head.raw_sequence(segmented), said)
        table = None if said is None else table_of(said, data, signed=image.signed)
        if table is None:
            raise UnfitError("its palette is not complete")
        # Some tables of 8 bits call themselves 16 bits wide.
        wide = table.top > 0xFF and table.entries.max() > 0xFF
        entries = (table.entries >> 8 if wide else table.entries).astype(np.uint8)
        mask = (1 << image.stored) - 1
        numbers = index.astype(np.int64)
        numbers = numbers if image.signed else numbers & mask
        planes.append(entries[np.clip(numbers - table.first, 0, len(entries) - 1)])
    return np.stack(planes, axis=2)


def _unfolded(data: bytes, said: bytes) -> bytes:
    """Return the entries of a segmented table (PS3.3 C.7.9.2)."""
    wide = int.from_bytes(said[4:6], "little") > 8
    words = np.frombuffer(data[: len(data) // 2 * 2] if wide else data, "<u2" if wide else "u1")
    found: list[int] = []
    _unfold([int(word) for word in words], found, 0, len(words), wide=wide)
    return np.array(found[:MOST_ENTRIES], "<u2" if wide else "u1").tobytes()


def _unfold(
    words: list[int], found: list[int], at: int, segments: int, *, wide: bool, inner: bool = False
) -> None:
    while at + 1 < len(words) and segments and len(found) <= MOST_ENTRIES:
        kind, length = words[at], words[at + 1]
        segments -= 1
        if kind == PLAIN:
            found += words[at + 2 : at + 2 + length]
            at += 2 + length
        elif kind == LINEAR and found and at + 2 < len(words):
            start, end = found[-1], words[at + 2]
            steps = np.arange(1, length + 1) / max(length, 1)
            found += [int(one) for one in np.rint(start + (end - start) * steps)]
            at += 3
        elif kind == REPEAT and not inner:
            parts = words[at + 2 : at + (4 if wide else 6)]
            place = sum(one << (16 if wide else 8) * n for n, one in enumerate(parts))
            # An offset counts bytes; entries are read as bytes or words.
            where = place // 2 if wide else place
            _unfold(words, found, where, length, wide=wide, inner=True)
            at += 4 if wide else 6
        else:
            raise UnfitError("its palette cannot be read")
