"""One compressed frame to the bytes that it has uncompressed.

Contract: runs only in a codec child (S-41).  `decode` returns the frame interleaved by pixel in
containers of Bits Allocated, little endian, numbers extended by their sign, and the Photometric
Interpretation that these bytes have: JPEG with loss comes out as RGB, whatever colours its code
stream used; JPEG 2000's own colour transforms are undone (PS3.5 8.2.4); everything else keeps
its own.  `UnfitError` where the stream does not give what the head promises.

Libraries: pydicom with pylibjpeg for JPEG 2000, HTJ2K and RLE; Pillow for JPEG of 8 bits;
imagecodecs, an extra, for the rest.  Its API moves between versions: only this file and
`encode` know it.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np

from waystation.dicom.uids import (
    ENCAPSULATED_UNCOMPRESSED,
    HTJ2K,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    JPEG_LS_NEAR,
    RLE_LOSSLESS,
)
from waystation.transforms.errors import UnfitError
from waystation.transforms.image import Image
from waystation.transforms.jpeg import look

ITEM = b"\xfe\xff\x00\xe0"
Array = np.ndarray[Any, np.dtype[Any]]
Found = tuple[Array, int, str]  # samples, bits of precision, photometric interpretation


def decode(syntax: str, code: bytes, image: Image) -> tuple[bytes, str]:
    """Return one frame uncompressed, and its Photometric Interpretation."""
    samples, precision, photometric = DECODERS[syntax](code, image)
    return fitted(samples, precision, image), photometric


def fitted(samples: Array, precision: int, image: Image) -> bytes:
    """Return decoded samples in the containers that the head promises."""
    shape = (image.rows, image.columns) + ((image.samples,) if image.samples > 1 else ())
    if samples.shape != shape:
        raise UnfitError(f"a frame is {samples.shape}, the head says {shape}")
    kind = np.dtype(f"<{'i' if image.signed else 'u'}{image.allocated // 8}")
    if samples.dtype.itemsize > kind.itemsize:
        if precision > image.allocated:
            raise UnfitError(f"{precision} bits do not fit into {image.allocated}")
        samples = samples.astype(f"{samples.dtype.kind}{kind.itemsize}")
    if samples.dtype.kind == "u" and image.signed and 0 < precision < image.allocated:
        # The stream knows no sign: it is the highest bit that was coded.
        shift = image.allocated - precision
        wide = samples.astype(f"u{kind.itemsize}") << np.uint32(shift)
        samples = wide.view(f"i{kind.itemsize}") >> shift
    return samples.astype(kind).tobytes()


def described(image: Image) -> dict[str, Any]:
    """Return one frame of ``image`` in the words of pydicom's codecs."""
    return {
        "rows": image.rows,
        "columns": image.columns,
        "number_of_frames": 1,
        "samples_per_pixel": image.samples,
        "bits_allocated": image.allocated,
        "bits_stored": image.stored,
        "pixel_representation": int(image.signed),
        "photometric_interpretation": image.photometric,
        "planar_configuration": 0,
    }


def _by_pydicom(syntax: str) -> Callable[[bytes, Image], Found]:
    def decoded(code: bytes, image: Image) -> Found:
        from pydicom.pixels.decoders.base import get_decoder

        padded = code + b"\0" * (len(code) % 2)
        source = ITEM + bytes(4) + ITEM + len(padded).to_bytes(4, "little") + padded
        # Bits beyond Bits Stored are not ours to tidy up.
        options: dict[str, Any] = {**described(image), "pixel_keyword": "PixelData"}
        options["correct_unused_bits"] = False
        try:
            samples, properties = get_decoder(syntax).as_array(
                source,
                index=0,
                raw=True,
                decoding_plugin="pylibjpeg",
                **options,
            )
        except (RuntimeError, ValueError, AttributeError, NotImplementedError) as error:
            raise UnfitError(f"the code stream cannot be decoded: {_short(error)}") from error
        return samples, image.allocated, str(properties["photometric_interpretation"])

    return decoded


def _baseline(code: bytes, image: Image) -> Found:
    from PIL import Image as Pillow

    found = look(code)
    if found.precision > 8:
        return _jpeg_of_12_bits(code, image)
    # The address space of the child is the limit; Pillow's own would refuse a whole slide.
    Pillow.MAX_IMAGE_PIXELS = None
    try:
        picture = Pillow.open(BytesIO(code), formats=("JPEG",))
        if picture.size != (image.columns, image.rows):
            raise UnfitError(f"a frame is {picture.size}, the head says otherwise")
        if image.samples == 3 and image.photometric == "RGB" and _unmarked(picture):
            # libjpeg would take it for YCbCr; asked for that, it leaves the numbers alone.
            picture.draft("YCbCr", picture.size)
        samples = np.asarray(picture)
    except (OSError, ValueError, SyntaxError) as error:
        raise UnfitError(f"the code stream cannot be decoded: {_short(error)}") from error
    return samples, 8, "RGB" if image.samples == 3 else image.photometric


def _unmarked(picture: Any) -> bool:
    """Tell whether no marker says that the colours of an RGB image were transformed."""
    return "adobe_transform" not in picture.info and "jfif" not in picture.info


def _jpeg_of_12_bits(code: bytes, image: Image) -> Found:
    if image.samples != 1:
        raise UnfitError("JPEG of 12 bits with colours")
    samples = _extra("jpeg8_decode", code)
    return samples, look(code).precision, image.photometric


def _lossless_jpeg(code: bytes, image: Image) -> Found:
    return _extra("jpegsof3_decode", code), look(code).precision, image.photometric


def _jpeg_ls(code: bytes, image: Image) -> Found:
    return _extra("jpegls_decode", code), look(code).precision, image.photometric


def _extra(name: str, code: bytes) -> Array:
    import imagecodecs

    try:
        samples: Array = getattr(imagecodecs, name)(code)
    except (RuntimeError, ValueError) as error:
        raise UnfitError(f"the code stream cannot be decoded: {_short(error)}") from error
    return samples


def _as_it_is(code: bytes, image: Image) -> Found:
    kind = np.dtype(f"<u{image.allocated // 8}")
    if len(code) < image.frame_bytes:
        raise UnfitError("a frame is too short")
    samples = np.frombuffer(code[: image.frame_bytes], kind)
    if image.samples > 1 and image.planar == 1:
        planes = samples.reshape(image.samples, image.rows, image.columns)
        return planes.transpose(1, 2, 0), image.allocated, image.photometric
    shape = (image.rows, image.columns) + ((image.samples,) if image.samples > 1 else ())
    return samples.reshape(shape), image.allocated, image.photometric


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[-1].strip()[:200]


DECODERS: dict[str, Callable[[bytes, Image], Found]] = {
    JPEG_BASELINE: _baseline,
    JPEG_EXTENDED: _baseline,
    JPEG_LOSSLESS: _lossless_jpeg,
    JPEG_LOSSLESS_SV1: _lossless_jpeg,
    JPEG_LS_LOSSLESS: _jpeg_ls,
    JPEG_LS_NEAR: _jpeg_ls,
    ENCAPSULATED_UNCOMPRESSED: _as_it_is,
    **{
        syntax: _by_pydicom(syntax)
        for syntax in (
            *(JPEG_2000_LOSSLESS, JPEG_2000, RLE_LOSSLESS),
            *(HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K),
        )
    },
}


def is_lossy(syntax: str, code: bytes) -> bool:
    """Tell whether the stream has certainly lost something: then the head must say so."""
    if syntax in (JPEG_BASELINE, JPEG_EXTENDED):
        return True
    found = look(code)
    return found.irreversible or (syntax == JPEG_LS_NEAR and found.near > 0)
