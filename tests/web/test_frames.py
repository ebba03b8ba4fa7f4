"""Frames and bulk data over a node, against pixels that pydicom reads on its own."""

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames

from tests.flows.conftest import rig
from tests.flows.rig import CT, Rig
from tests.objects.elements import EXPLICIT_LITTLE
from tests.objects.files import Stored
from tests.objects.public import public
from tests.objects.samples import EXPLICIT_BIG, as_file, in_syntax
from tests.web.living import OCTET_PARTS, Living, parts_of, path_of
from tests.web.test_wado import living
from waystation.destinations import base
from waystation.flows import cargo

__all__ = ("rig",)

STAR = OCTET_PARTS + "; transfer-syntax=*"
COMPRESSED = [
    "emri_small_RLE.dcm",
    "emri_small_jpeg_2k_lossless.dcm",
    "JPEG2000.dcm",
    "SC_rgb_rle_2frame.dcm",
    "examples_ybr_color.dcm",
]
NATIVE = ["emri_small.dcm", "emri_small_big_endian.dcm", "SC_rgb_2frame.dcm", "liver.dcm"]


def a_file(name: str) -> Stored:
    if name not in public():
        pytest.skip(f"pydicom does not bring {name}")
    return public()[name]


def pixels(one: Stored) -> Any:
    data_set = dcmread(BytesIO(as_file(one)))
    found = data_set.pixel_array
    n = int(data_set.get("NumberOfFrames", 1) or 1)
    return found if n > 1 else found[np.newaxis]


@pytest.fixture(params=[False, True], ids=["whole", "in pieces"])
def big(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Treat every object in a blob as one that is too big to hold, or none."""
    if request.param:
        for module in (base, cargo):
            monkeypatch.setattr(module, "WHOLE_BYTES", 0)
    return bool(request.param)


@pytest.mark.req("W-65", "W-72", "W-82", "W-83")
@pytest.mark.parametrize("name", COMPRESSED)
async def test_stored_code_streams_leave_frame_by_frame(rig: Rig, name: str, big: bool) -> None:
    one = a_file(name)
    data_set = dcmread(BytesIO(as_file(one)))
    n = int(data_set.get("NumberOfFrames", 1))
    expected = list(generate_frames(data_set.PixelData, number_of_frames=n))
    web = await living(rig, one)
    for numbers in ([n], list(range(n, 0, -1))):
        path = path_of(one) + "/frames/" + ",".join(map(str, numbers))
        parts = await web.parts(path, STAR)
        assert [part.body for part in parts] == [expected[number - 1] for number in numbers]
        for part, number in zip(parts, numbers, strict=True):
            assert part.headers["Content-Type"] == (
                f"application/octet-stream; transfer-syntax={one.transfer_syntax}"
            )
            assert part.headers["Content-Location"].endswith(f"/frames/{number}")


@pytest.mark.req("W-65", "W-72", "W-73", "W-82")
@pytest.mark.parametrize("name", [*COMPRESSED[:4], *NATIVE])
async def test_frames_are_decoded_unless_asked_otherwise(rig: Rig, name: str, big: bool) -> None:
    one = a_file(name)
    image = pixels(one)
    n = len(image)
    web = await living(rig, one)
    numbers = [n, 1]
    parts = await web.parts(path_of(one) + "/frames/" + ",".join(map(str, numbers)))
    for part, number in zip(parts, numbers, strict=True):
        assert part.headers["Content-Type"].endswith(EXPLICIT_LITTLE)
        frame = image[number - 1]
        if name == "liver.dcm":
            found = np.unpackbits(np.frombuffer(part.body, np.uint8), bitorder="little")
            assert np.array_equal(found[: frame.size], frame.ravel())
        else:
            found = np.frombuffer(part.body, frame.dtype.newbyteorder("<"))
            assert np.array_equal(found, frame.ravel())
    alone = await web.ask(path_of(one) + "/frames/1", accept="application/octet-stream")
    assert alone.content == parts[1].body
    several = await web.ask(path_of(one) + "/frames/1,1", accept="application/octet-stream")
    assert several.status_code == 406


@pytest.mark.req("W-65", "W-71")
async def test_frames_as_images_where_they_are_stored_so_or_can_be_made(rig: Rig) -> None:
    one = a_file("emri_small_jpeg_2k_lossless.dcm")
    plain = a_file("emri_small.dcm")
    plain = replace(plain, sop_instance=plain.sop_instance)
    web = await living(rig, one)
    for accept in ('multipart/related; type="image/jp2"', "image/jp2"):
        answer = await web.ask(path_of(one) + "/frames/2", accept=accept)
        assert answer.status_code == 200
        assert "image/jp2" in answer.headers["content-type"]
    assert (await web.ask(path_of(one) + "/frames/1", accept="image/jpeg")).status_code == 406
    rle = 'multipart/related; type="image/dicom-rle"'
    made = parts_of(await web.ask(path_of(one) + "/frames/3", accept=rle))[0]
    assert made.headers["Content-Type"] == "image/dicom-rle; transfer-syntax=1.2.840.10008.1.2.5"
    assert made.body[:4] in (b"\1\0\0\0", b"\2\0\0\0")


@pytest.mark.req("W-82")
@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        ("0", 400),
        ("x", 400),
        ("1,", 400),
        ("-1", 400),
        (",".join(["1"] * 1025), 400),
        ("2", 404),
        ("1,99", 404),
    ],
)
async def test_frame_lists_that_are_none(rig: Rig, numbers: str, status: int) -> None:
    web = await living(rig, CT)
    assert (await web.ask(f"{path_of(CT)}/frames/{numbers}")).status_code == status


@pytest.mark.req("W-83")
async def test_a_big_object_is_read_whole_only_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (base, cargo):
        monkeypatch.setattr(module, "WHOLE_BYTES", 0)
    one = a_file("emri_small.dcm")
    web = await living(rig, one)
    rig.node.recent = rig.node.recent.__class__()
    web = Living(rig)
    first = await web.parts(path_of(one) + "/frames/1", STAR)

    def never(*_: object) -> None:
        raise AssertionError("read whole again")

    monkeypatch.setattr(rig.node.blobs, "pieces", never)
    assert await web.parts(path_of(one) + "/frames/1", STAR) != []
    assert first
    monkeypatch.undo()
    await rig.restart()
    web = Living(rig)
    monkeypatch.setattr("waystation.flows.cargo.JournalCargo._look", never)
    again = await web.parts(path_of(one) + "/frames/1", STAR)
    assert again[0].body == first[0].body


@pytest.mark.req("W-84", "W-66")
@pytest.mark.parametrize(
    "name", ["emri_small.dcm", "emri_small_RLE.dcm", "examples_palette.dcm", "nested_priv_SQ.dcm"]
)
async def test_every_uri_of_the_metadata_leads_to_its_bytes(rig: Rig, name: str) -> None:
    one = a_file(name)
    web = await living(rig, one)
    (row,) = (await web.ask(path_of(one) + "/metadata")).json()
    uris = list(_uris(row))
    assert uris
    everything = await web.parts(path_of(one) + "/bulkdata")
    assert [part.headers["Content-Location"] for part in everything] == uris
    for uri, whole in zip(uris, everything, strict=True):
        path = uri.partition("/dicom-web")[2]
        (part,) = await web.parts(path)
        assert part.headers["Content-Location"] == uri
        assert part.body == whole.body
        alone = await web.ask(path, accept="application/octet-stream", range="bytes=1-2")
        assert alone.status_code == 206
        assert alone.content == part.body[1:3]
    data_set = dcmread(BytesIO(as_file(one)))
    raw = everything[-1].body
    assert raw[: data_set.pixel_array.nbytes] == data_set.pixel_array.tobytes()


def _uris(row: dict[str, Any]) -> list[str]:
    found = []
    for element in row.values():
        if "BulkDataURI" in element:
            found.append(element["BulkDataURI"])
        elif element["vr"] == "SQ":
            for item in element.get("Value", ()):
                found += _uris(item)
    return found


@pytest.mark.req("W-84")
async def test_words_of_big_endian_objects_come_in_little_endian(rig: Rig) -> None:
    one = in_syntax(EXPLICIT_BIG)
    web = await living(rig, one)
    (part,) = await web.parts(path_of(one) + "/bulkdata/7fe00010")
    assert part.body[: pixels(one).nbytes] == pixels(one).astype("<u2").tobytes()


@pytest.mark.req("W-84", "W-89")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("7FE0001", 400),
        ("00081140/x/00081150", 400),
        ("00420011", 404),
        ("00081140/5/00081150", 404),
        ("7FE00010/0/00081150", 404),
    ],
)
async def test_paths_to_nothing(rig: Rig, path: str, status: int) -> None:
    web = await living(rig, CT)
    assert (await web.ask(f"{path_of(CT)}/bulkdata/{path}")).status_code == status
