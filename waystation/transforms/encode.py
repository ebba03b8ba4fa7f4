"""One uncompressed frame to a code stream without loss.

Contract: runs only in a codec child (S-41).  `encode` decodes what it made and compares it with
the frame, byte for byte: what is not the same is never given away (`NoEncoderError`).  Colours stay
as they are: no transform is applied, so Photometric Interpretation stays too.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from waystation.dicom.uids import (
    HTJ2K_LOSSLESS,
    JPEG_2000_LOSSLESS,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
)
from waystation.transforms.decode import Array, decode, described
from waystation.transforms.errors import NoEncoderError
from waystation.transforms.image import Image


def encode(syntax: str, frame: bytes, image: Image) -> bytes:
    """Return ``frame`` (interleaved, little endian) as a code stream in ``syntax``."""
    code = ENCODERS[syntax](frame, image)
    again, _ = decode(syntax, code, image)
    if again != frame:
        raise NoEncoderError("compressing it would have changed it")
    return code + b"\0" * (len(code) % 2)


def _by_pydicom(syntax: str) -> Callable[[bytes, Image], bytes]:
    def encoded(frame: bytes, image: Image) -> bytes:
        from pydicom.pixels.encoders.base import get_encoder

        options = described(image)
        if syntax == JPEG_2000_LOSSLESS:
            options["use_mct"] = False
        try:
            encoder = get_encoder(syntax)
            return bytes(encoder.encode(frame, encoding_plugin="pylibjpeg", **options))
        except (RuntimeError, ValueError, AttributeError, NotImplementedError) as error:
            raise NoEncoderError(f"cannot be compressed so: {str(error)[:200]}") from error

    return encoded


def _by_imagecodecs(
    name: str, *, signs: bool = False, **options: Any
) -> Callable[[bytes, Image], bytes]:
    """Return an encoder; signs: whether its streams say that numbers have a sign."""

    def encoded(frame: bytes, image: Image) -> bytes:
        try:
            import imagecodecs

            return bytes(getattr(imagecodecs, name)(_array(frame, image, signs), **options))
        except (RuntimeError, ValueError, ImportError) as error:
            raise NoEncoderError(f"cannot be compressed so: {str(error)[:200]}") from error

    return encoded


def _array(frame: bytes, image: Image, signs: bool) -> Array:
    if image.allocated > 16:
        raise NoEncoderError(f"{image.allocated} bits are too many")
    shape = (image.rows, image.columns) + ((image.samples,) if image.samples > 1 else ())
    kind = "i" if signs and image.signed else "u"
    return np.frombuffer(frame, f"<{kind}{image.allocated // 8}").reshape(shape)


ENCODERS: dict[str, Callable[[bytes, Image], bytes]] = {
    JPEG_2000_LOSSLESS: _by_pydicom(JPEG_2000_LOSSLESS),
    RLE_LOSSLESS: _by_pydicom(RLE_LOSSLESS),
    JPEG_LS_LOSSLESS: _by_imagecodecs("jpegls_encode"),
    HTJ2K_LOSSLESS: _by_imagecodecs("htj2k_encode", signs=True, reversible=True, rgb=False),
}
