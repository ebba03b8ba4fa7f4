"""STOW-RS with images of everyday types as bulk data (PS3.18 section 10.5.2)."""

import json
from collections.abc import AsyncIterator
from io import BytesIO
from itertools import count
from typing import Any

import httpx2
import numpy as np
import pytest
import pytest_asyncio
from PIL import Image as Pillow
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames

from tests.flows.rig import Rig
from tests.web.living import Living, Part
from tests.web.test_frames import a_file
from tests.web.test_store import reason
from tests.web.test_store_metadata import JSON, body, post, ui

pytestmark = [pytest.mark.req("W-98"), pytest.mark.asyncio(loop_scope="module")]
NUMBERS = count(1)
PATH = "/studies/1.2.3/series/1.2.4/instances"
GREY = (np.arange(30, dtype=np.uint8) * 8).reshape(5, 6)
COLOURED = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """Return one node for all of them."""
    made = Rig(tmp_path_factory.mktemp("images"))
    await made.start()
    yield made
    await made.close()


def metadata(uid: str, **more: Any) -> dict[str, Any]:
    return {
        "00080016": ui("1.2.840.10008.5.1.4.1.1.7"),
        "00080018": ui(uid),
        "0020000D": ui("1.2.3"),
        "0020000E": ui("1.2.4"),
        "7FE00010": {"vr": "OW", "BulkDataURI": "pixels"},
        **{name.removeprefix("t"): element for name, element in more.items()},
    }


async def send(web: Living, media: str, content: bytes, uid: str, **more: Any) -> httpx2.Response:
    part = Part({"Content-Type": media, "Content-Location": "pixels"}, content)
    text = json.dumps([metadata(uid, **more)]).encode()
    return await post(web, body([text], JSON, [part]))


async def stored(rig: Rig, web: Living, media: str, content: bytes, **more: Any) -> Dataset:
    """Send an image; return the object that it became."""
    uid = f"1.2.5.{next(NUMBERS)}"
    answer = await send(web, media, content, uid, **more)
    assert answer.status_code == 200, answer.headers
    await rig.node.router.settled()
    got = await web.ask(f"{PATH}/{uid}", accept="application/dicom; transfer-syntax=*")
    assert got.status_code == 200, got.text
    return dcmread(BytesIO(got.content))


def coded(picture: Pillow.Image, kind: str, **options: Any) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def pixels_of(one: Dataset) -> bytes:
    return next(generate_frames(one.PixelData, number_of_frames=1))


@pytest.mark.parametrize(
    ("name", "picture", "expected"),
    [
        ("grey", Pillow.fromarray(GREY), GREY),
        ("colours", Pillow.fromarray(COLOURED), COLOURED),
        ("deep", Pillow.fromarray(GREY.astype(np.uint16) * 257), GREY.astype(np.uint16) * 257),
        ("palette", Pillow.fromarray(COLOURED).quantize(30), None),
        ("bits", Pillow.fromarray(GREY > 100), np.where(GREY > 100, 255, 0)),
    ],
)
async def test_a_png_is_kept_uncompressed_and_nothing_of_it_is_lost(
    rig: Rig, name: str, picture: Pillow.Image, expected: Any
) -> None:
    web = Living(rig)
    expected = np.asarray(picture.convert("RGB")) if expected is None else expected
    one = await stored(rig, web, "image/png", coded(picture, "PNG"))
    assert one.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert (one.pixel_array == expected).all()
    assert (one.Rows, one.Columns, one.PixelRepresentation) == (5, 6, 0)
    assert one.PhotometricInterpretation == ("RGB" if expected.ndim == 3 else "MONOCHROME2")
    assert one.BitsStored == one.BitsAllocated == expected.dtype.itemsize * 8 or name == "bits"


async def test_a_gif_that_moves_becomes_frames(rig: Rig) -> None:
    web = Living(rig)
    frames = [Pillow.fromarray(np.roll(COLOURED, n, axis=0)).quantize(30) for n in range(3)]
    moving = coded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    one = await stored(rig, web, "image/gif", moving)
    assert (one.NumberOfFrames, one.pixel_array.shape) == (3, (3, 5, 6, 3))
    for shown, frame in zip(one.pixel_array, frames, strict=True):
        assert (shown == np.asarray(frame.convert("RGB"))).all()


async def test_a_jpeg_stays_as_it_is_and_says_what_it_shows(rig: Rig) -> None:
    web = Living(rig)
    jpeg = coded(Pillow.fromarray(COLOURED), "JPEG", quality=90)
    one = await stored(rig, web, "image/jpeg", jpeg, t00280010={"vr": "US", "Value": [5]})
    assert one.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert pixels_of(one).removesuffix(b"\0" * (len(jpeg) % 2)) == jpeg
    assert (one.Rows, one.Columns, one.SamplesPerPixel, one.BitsStored) == (5, 6, 3, 8)
    assert one.PhotometricInterpretation == "YBR_FULL_422"
    assert one.LossyImageCompression == "01"
    assert one.pixel_array.shape == (5, 6, 3)


@pytest.mark.parametrize("wrapped", [False, True])
async def test_jpeg_2000_is_kept_without_its_wrapping(rig: Rig, wrapped: bool) -> None:
    web = Living(rig)
    source = a_file("JPEG2000.dcm")
    code = code_of(source.data_set)
    content = code
    if wrapped:
        content = b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 "
        content += (len(code) + 8).to_bytes(4, "big") + b"jp2c" + code
    one = await stored(rig, web, "image/jp2", content)
    assert one.file_meta.TransferSyntaxUID in ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
    assert pixels_of(one)[: len(code)] == code
    assert one.pixel_array.shape == (one.Rows, one.Columns)


async def test_part_2_of_jpeg_2000_has_a_syntax_of_its_own(rig: Rig) -> None:
    web = Living(rig)
    code = code_of(a_file("JPEG2000.dcm").data_set)
    one = await stored(rig, web, "image/jpx", code)
    assert one.file_meta.TransferSyntaxUID in ("1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93")
    assert pixels_of(one)[: len(code)] == code
    assert one.BitsAllocated == 16


def code_of(data_set: bytes) -> bytes:
    at = data_set.index(b"\xff\x4f\xff\x51")
    return data_set[at : data_set.rindex(b"\xff\xd9") + 2]


@pytest.mark.parametrize(
    ("media", "content", "syntax"),
    [
        ("video/mpeg", b"\0\0\1\xba" + bytes(10) + b"\0\0\1\xb3\x14\x00\xf0" + bytes(9), "100"),
        ("video/mpeg", b"\0\0\1\xb3\x78\x04\x38" + bytes(9), "101"),
        ("video/mp4", b"avc1", "102"),
        ("video/mp4", b"hvc1", "107"),
    ],
)
async def test_a_film_stays_as_it_is(rig: Rig, media: str, content: bytes, syntax: str) -> None:
    web = Living(rig)
    if media == "video/mp4":
        entry = content + bytes(24) + b"\x02\x80\x01\xe0" + bytes(50)
        content = b"\0\0\0\x10ftypmp42" + bytes(4) + b"\0\0\0\x0cmdatabcd"
        content += (len(entry) + 8).to_bytes(4, "big") + b"moov" + entry
    one = await stored(rig, web, media, content, t00280008={"vr": "IS", "Value": [2]})
    assert one.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4." + syntax
    assert one.PixelData.count(content) == 1
    assert one.Columns in (320, 640, 1920)
    assert (one.SamplesPerPixel, one.PhotometricInterpretation) == (3, "YBR_PARTIAL_420")


async def test_what_is_none_or_would_lose_something_is_refused(rig: Rig) -> None:
    web = Living(rig)
    clear = Pillow.fromarray(np.dstack([COLOURED, GREY]))
    grey = coded(Pillow.fromarray(GREY), "PNG")
    for media, content, more, expected in (
        ("image/png", b"no picture", {}, 0xC010),
        ("image/png", grey[:40], {}, 0xC010),
        ("image/png", coded(clear, "PNG"), {}, 0xC010),
        ("image/gif", grey, {}, 0xC010),
        ("image/png", grey, {"t00280010": {"vr": "US", "Value": [512]}}, 0xC010),
        ("image/jpeg", grey, {}, 0xC010),
        ("image/jpeg", coded(Pillow.fromarray(GREY), "JPEG", progressive=True), {}, 0xC010),
        ("image/jp2", b"\0\0\0\x0cjP  \r\n\x87\n", {}, 0xC010),
        ("video/mp4", b"\0\0\0\x08moov", {}, 0xC010),
        ("image/tiff", b"II*\0", {}, 0xC122),
    ):
        answer = await send(web, media, content, "1.2.6", **more)
        assert (answer.status_code, reason(answer)) == (409, {"1.2.6": expected}), (media, more)
    assert (await web.ask(f"{PATH}/1.2.6")).status_code == 404
