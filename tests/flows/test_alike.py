"""The same image in another coding is no other version, where the file says so (R-75)."""

from collections.abc import Callable
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from tests.flows.rig import Rig, destination, rule
from tests.objects.files import Stored, read_stored

CONTENT = '[duplicates]\ncompare = "content"\nresend_after = "1h"\n'
BYTES = '[duplicates]\nresend_after = "1h"\n'


def image(
    syntax: UID = ExplicitVRLittleEndian, change: Callable[[Dataset], None] = lambda _data_set: None
) -> Stored:
    """Return one MR image in a syntax; change: what is different in it."""
    path = get_testdata_file("MR_small.dcm")
    assert isinstance(path, str)
    data_set = dcmread(path)
    change(data_set)
    if syntax in (RLELossless, JPEG2000Lossless):
        data_set.compress(syntax, generate_instance_uid=False)
    buffer = BytesIO()
    if syntax == ExplicitVRBigEndian:
        data_set.PixelData = data_set.pixel_array.astype(">i2").tobytes()
    data_set.file_meta.TransferSyntaxUID = syntax
    little = syntax != ExplicitVRBigEndian
    implicit = syntax == ImplicitVRLittleEndian
    dcmwrite(buffer, data_set, implicit_vr=implicit, little_endian=little, force_encoding=True)
    return read_stored(buffer.getvalue())


def other_pixel(data_set: Dataset) -> None:
    pixels = data_set.pixel_array.copy()
    pixels.flat[0] += 1
    data_set.PixelData = pixels.tobytes()


def other_name(data_set: Dataset) -> None:
    data_set.PatientName = "Other^Patient"


@pytest.mark.req("R-75")
@pytest.mark.parametrize(
    "syntax", [RLELossless, JPEG2000Lossless, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
async def test_another_lossless_coding_of_the_same_image_is_a_duplicate(
    rig: Rig, syntax: UID
) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + rule("a") + CONTENT)
    await rig.accepted(image())
    await rig.wait_for({"done": 1})
    await rig.accepted(image(syntax))
    assert await rig.arrivals() == [(None, None), (None, "discarded:duplicate")]


@pytest.mark.req("R-75")
@pytest.mark.parametrize("change", [other_pixel, other_name])
async def test_one_other_pixel_or_name_is_another_version(
    rig: Rig, change: Callable[[Dataset], None]
) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + rule("a") + CONTENT)
    await rig.accepted(image())
    await rig.wait_for({"done": 1})
    await rig.accepted(image(RLELossless, change))
    assert [hold for hold, _ in await rig.arrivals()] == [None, "conflict"]


@pytest.mark.req("R-75")
async def test_bytes_are_compared_unless_the_file_says_otherwise(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + rule("a") + BYTES)
    await rig.accepted(image())
    await rig.wait_for({"done": 1})
    await rig.accepted(image(RLELossless))
    assert [hold for hold, _ in await rig.arrivals()] == [None, "conflict"]
