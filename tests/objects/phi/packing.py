"""Synthetic pixels in transfer syntaxes, by libraries that Waystation does not use for it.

Contract: `packed` gives frames as code streams, `SYNTAXES` says which pictures each can hold.
"""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from tests.objects.layouts import Array, Picture

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
BASELINE, LOSSLESS_SV1 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
JPEG_LS, J2K, RLE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
NATIVE = (EXPLICIT, IMPLICIT, DEFLATED, BIG)
GREY, COLOUR = (RLE, J2K, JPEG_LS), (BASELINE, RLE, J2K)


def packed(syntax: str, numbers: Array, picture: Picture) -> list[bytes]:
    """Return the code stream of each frame; numbers: (frames, rows, columns, samples)."""
    return [
        _ONE[syntax](frame.squeeze(-1) if frame.shape[-1] == 1 else frame, picture)
        for frame in _cells(numbers, picture)
    ]


def _cells(numbers: Array, picture: Picture) -> Array:
    return numbers.astype(f"<u{picture.allocated // 8}")


def _rle(frame: Array, picture: Picture) -> bytes:
    from pydicom.pixels.encoders.base import get_encoder

    options: dict[str, Any] = {
        "rows": picture.rows,
        "columns": picture.columns,
        "samples_per_pixel": picture.samples,
        "number_of_frames": 1,
        "bits_allocated": picture.allocated,
        "bits_stored": picture.bits,
        "pixel_representation": 0,
        "photometric_interpretation": picture.photometric,
        "planar_configuration": 0,
    }
    encoder = get_encoder("1.2.840.10008.1.2.5")
    return bytes(encoder.encode(frame.tobytes(), encoding_plugin="pydicom", **options))


def _j2k(frame: Array, picture: Picture) -> bytes:
    import imagecodecs

    return bytes(
        imagecodecs.jpeg2k_encode(
            frame, codecformat="j2k", reversible=True, mct=False, bitspersample=picture.bits
        )
    )


def _jpeg_ls(frame: Array, _: Picture) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpegls_encode(np.ascontiguousarray(frame)))


def _baseline(frame: Array, _: Picture) -> bytes:
    out = BytesIO()
    Image.fromarray(frame).save(out, "JPEG", quality=90)
    return out.getvalue()


_ONE = {RLE: _rle, J2K: _j2k, JPEG_LS: _jpeg_ls, BASELINE: _baseline}
