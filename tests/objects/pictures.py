"""Objects whose pixels a test chooses, and what `render` makes of them."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from tests.objects.elements import EXPLICIT_LITTLE
from tests.objects.files import Stored
from tests.objects.study import uid_of
from waystation.transforms.render import render
from waystation.transforms.render_job import Drawn, RenderJob

CT, STATE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.11.1"
Array = np.ndarray[Any, np.dtype[Any]]


def item(**said: object) -> Dataset:
    """Return a data set of keywords."""
    made = Dataset()
    for word, value in said.items():
        setattr(made, word, value)
    return made


def stored(data_set: Dataset) -> Stored:
    """Return a data set as an object in explicit little endian."""
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, data_set)
    return Stored(
        sop_class=data_set.SOPClassUID,
        sop_instance=data_set.SOPInstanceUID,
        transfer_syntax=EXPLICIT_LITTLE,
        data_set=out.getvalue(),
    )


def named(seed: object, **said: object) -> Dataset:
    """Return what identifies an object; said: instead of that, or besides."""
    study = said.pop("study", "p")
    return item(
        **{
            "SOPClassUID": CT,
            "SOPInstanceUID": uid_of("picture", seed),
            "StudyInstanceUID": uid_of("picture study", study),
            "SeriesInstanceUID": uid_of("picture series", study, said.get("SOPClassUID", CT)),
            "Modality": "CT",
            "PatientName": "Doe^Jane",
            "PatientID": "P1",
            **said,
        }
    )


def picture(pixels: Array, seed: object = 0, **said: object) -> Stored:
    """Return an object with these pixels.

    pixels: shape (rows, columns), (frames, rows, columns) or (rows, columns, 3).
    """
    colours = 3 if pixels.ndim == 3 and pixels.shape[-1] == 3 else 1
    if pixels.ndim == 3 and colours == 1:
        said = {"NumberOfFrames": len(pixels), **said}
    rows, columns = pixels.shape[:2] if colours == 3 else pixels.shape[-2:]
    bits = pixels.dtype.itemsize * 8
    data_set = named(
        seed,
        **{
            "SamplesPerPixel": colours,
            "PhotometricInterpretation": "RGB" if colours == 3 else "MONOCHROME2",
            **({"PlanarConfiguration": 0} if colours == 3 else {}),
            "Rows": rows,
            "Columns": columns,
            "BitsAllocated": bits,
            "BitsStored": bits,
            "HighBit": bits - 1,
            "PixelRepresentation": int(pixels.dtype.kind == "i"),
            **said,
        },
    )
    data = pixels.tobytes()
    data_set.add_new(0x7FE00010, "OW" if bits > 8 else "OB", data + b"\0" * (len(data) % 2))
    return stored(data_set)


def rendered(one: Stored, job: RenderJob) -> tuple[Drawn, list[bytes]]:
    """Return what `render` says and writes."""
    out = io.BytesIO()
    said = render(
        io.BytesIO(one.data_set), io.BytesIO(), out, (one.transfer_syntax, job), lambda _: None
    )
    return said, list(_split(out.getvalue()))


def _split(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "big")
        yield data[at + 8 : at + 8 + size]
        at += 8 + size


def shown(one: Stored, **job: Any) -> Array:
    """Return the first picture of an object, from a PNG."""
    _, pictures = rendered(one, RenderJob(**{"kind": "png", **job}))
    return pixels_of(pictures[0])


def pixels_of(data: bytes) -> Array:
    """Return the pixels of a picture."""
    return np.asarray(Image.open(io.BytesIO(data)))


def as_pydicom(one: Stored) -> Dataset:
    """Return an object as pydicom reads it."""
    return pydicom.filereader.read_dataset(io.BytesIO(one.data_set), False, True)
