"""Pictures of everyday types as uncompressed pixels, without loss (W-98).

Contract: runs in a codec child (S-41).  Writes the frames of a PNG or GIF one behind the other,
little endian, by pixel; `UnfitError` if anything of it would be lost: what is half transparent, or
colours of 16 bits.
"""

from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from PIL import Image as Pillow

from waystation.transforms.errors import UnfitError
from waystation.transforms.image_parts import Pixels

DEEP_COLOURS = (2, 4, 6)


def picture_pixels(
    source: BinaryIO, out: BinaryIO, kind: str, tick: Callable[[int], None]
) -> Pixels:
    """Write the pixels of ``source``; kind: PNG or GIF."""
    head = source.read(33)
    source.seek(0)
    if kind == "PNG" and len(head) > 25 and head[24] == 16 and head[25] in DEEP_COLOURS:
        raise UnfitError("a PNG with colours or transparency of 16 bits is not taken")
    # The address space of the child is the limit.
    Pillow.MAX_IMAGE_PIXELS = None
    made: Pixels | None = None
    try:
        with Pillow.open(source, formats=(kind,)) as picture:
            frames = int(getattr(picture, "n_frames", 1))
            for number in range(frames):
                tick(number)
                picture.seek(number)
                samples, photometric = _samples(picture, moving=frames > 1)
                out.write(np.ascontiguousarray(samples).tobytes())
                made = Pixels(
                    rows=samples.shape[0],
                    columns=samples.shape[1],
                    samples=3 if samples.ndim == 3 else 1,
                    bits=samples.dtype.itemsize * 8,
                    photometric=photometric,
                    frames=frames,
                )
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UnfitError(f"this is no {kind} that can be read") from error
    if made is None or max(made.rows, made.columns) > 0xFFFF:
        raise UnfitError("an image has 1 to 65535 rows and columns")
    return made


def _samples(picture: Pillow.Image, *, moving: bool) -> tuple[np.ndarray[Any, Any], str]:
    if picture.mode == "1":
        return np.asarray(picture.convert("L")), "MONOCHROME2"
    if picture.mode == "L" and not moving and "transparency" not in picture.info:
        return np.asarray(picture), "MONOCHROME2"
    if picture.mode.startswith("I"):
        return np.asarray(picture).astype("<u2"), "MONOCHROME2"
    grey = picture.mode == "LA"
    clear = np.asarray(picture.convert("RGBA"))
    if (clear[:, :, 3] != 0xFF).any():
        raise UnfitError("a picture that is transparent in places is not taken")
    return (clear[:, :, 0], "MONOCHROME2") if grey else (clear[:, :, :3], "RGB")
