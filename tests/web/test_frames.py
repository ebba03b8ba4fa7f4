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
from tests.objects.samples import DEFLATED, EXPLICIT_BIG, as_file, in_syntax
from tests.web.living import OCTET_PARTS, Living, parts_of, path_of
from tests.web.test_wado import living
from waystation.destinations import base
from waystation.flows import cargo

__all__ = ("rig",)

STAR = OCTET_PARTS + "; transfer-syntax=*"
COMPRESSED = [
    *("rtdose_rle.dcm", "SC_rgb_rle_2frame.dcm", "JPEG2000.dcm"),
    *("examples_ybr_color.dcm", "MR_small_jp2klossless.dcm"),
]
ONE_BIT = ["liver_1frame.dcm", "liver_expb_1frame.dcm"]
NATIVE = [
    *("rtdose.dcm", "rtdose_expb.dcm", "SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm"),
    *("MR_small_bigendian.dcm", "image_dfl.dcm", *ONE_BIT),
]


def a_file(name: str, number: int = 0) -> Stored:
    """Return a public file with a UID of its own: several are copies of one object."""
    one = public()[name]
    uid = f"{one.sop_instance[:-3]}{number + 100}"
    old, new = one.sop_instance.encode(), uid.encode()
    if one.transfer_syntax == DEFLATED:
        return one
    return replace(one, sop_instance=uid, data_set=one.data_set.replace(old, new))


def files(names: list[str]) -> dict[str, Stored]:
    return {name: a_file(name, number) for number, name in enumerate(names)}


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
async def test_stored_code_streams_leave_frame_by_frame(rig: Rig, big: bool) -> None:
    stored = files(COMPRESSED)
    web = await living(rig, *stored.values())
    for one in stored.values():
        data_set = dcmread(BytesIO(as_file(one)))
        n = int(data_set.get("NumberOfFrames") or 1)
        expected = list(generate_frames(data_set.PixelData, number_of_frames=n))
        for numbers in ([n], list(range(n, 0, -1))):
            path = path_of(one) + "/frames/" + ",".join(map(str, numbers))
            parts = await web.parts(path, STAR)
            assert [part.body for part in parts] == [expected[number - 1] for number in numbers]
            for part, number in zip(parts, numbers, strict=True):
                assert part.headers["Content-Type"] == (
                    f"application/octet-stream; transfer-syntax={one.transfer_syntax}"
                )
                assert part.headers["Content-Location"].endswith(f"/frames/{number}")


@pytest.mark.req("W-65", "W-72", "W-73", "W-82", "W-83")
async def test_frames_are_decoded_unless_asked_otherwise(rig: Rig, big: bool) -> None:
    stored = files([*COMPRESSED[:3], *NATIVE])
    web = await living(rig, *stored.values())
    for name, one in stored.items():
        if big and name == "image_dfl.dcm":
            continue
        image = pixels(one)
        numbers = [len(image), 1]
        parts = await web.parts(path_of(one) + "/frames/" + ",".join(map(str, numbers)))
        for part, number in zip(parts, numbers, strict=True):
            assert part.headers["Content-Type"].endswith(EXPLICIT_LITTLE)
            frame = image[number - 1]
            if name in ONE_BIT:
                bits = np.unpackbits(np.frombuffer(part.body, np.uint8), bitorder="little")
                assert np.array_equal(bits[: frame.size], frame.ravel()), name
            else:
                found = np.frombuffer(part.body, frame.dtype.newbyteorder("<"))
                assert np.array_equal(found, frame.ravel()), name
    one = stored["rtdose.dcm"]
    alone = await web.ask(path_of(one) + "/frames/1", accept="application/octet-stream")
    assert alone.content == pixels(one)[0].tobytes()
    several = await web.ask(path_of(one) + "/frames/1,1", accept="application/octet-stream")
    assert several.status_code == 406


@pytest.mark.req("W-65", "W-71")
async def test_frames_as_images_where_they_are_stored_so_or_can_be_made(rig: Rig) -> None:
    one = a_file("MR_small_jp2klossless.dcm")
    web = await living(rig, one)
    for accept in ('multipart/related; type="image/jp2"', "image/jp2"):
        answer = await web.ask(path_of(one) + "/frames/1", accept=accept)
        assert answer.status_code == 200
        assert "image/jp2" in answer.headers["content-type"]
    assert (await web.ask(path_of(one) + "/frames/1", accept="image/jpeg")).status_code == 406
    rle = 'multipart/related; type="image/dicom-rle"'
    (made,) = parts_of(await web.ask(path_of(one) + "/frames/1", accept=rle))
    assert made.headers["Content-Type"] == "image/dicom-rle; transfer-syntax=1.2.840.10008.1.2.5"
    assert made.body[:4] == b"\2\0\0\0"


@pytest.mark.req("W-82", "W-84", "W-89")
async def test_frame_lists_and_paths_that_lead_nowhere(rig: Rig) -> None:
    web = await living(rig, CT)
    for numbers, status in (
        *(("0", 400), ("x", 400), ("1,", 400), ("-1", 400), (",".join(["1"] * 1025), 400)),
        *(("2", 404), ("1,99", 404)),
    ):
        assert (await web.ask(f"{path_of(CT)}/frames/{numbers}")).status_code == status
    for path, status in (
        *(("7FE0001", 400), ("00081140/x/00081150", 400), ("00420011", 404)),
        *(("00081140/5/00081150", 404), ("7FE00010/0/00081150", 404)),
    ):
        assert (await web.ask(f"{path_of(CT)}/bulkdata/{path}")).status_code == status


@pytest.mark.req("W-83")
async def test_a_big_object_is_read_whole_only_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (base, cargo):
        monkeypatch.setattr(module, "WHOLE_BYTES", 0)
    one = a_file("rtdose.dcm")
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


@pytest.mark.req("W-66", "W-84", "W-85")
async def test_every_uri_of_the_metadata_leads_to_its_bytes(rig: Rig) -> None:
    stored = files(["rtdose.dcm", "rtdose_rle.dcm", "examples_palette.dcm", "JPEG2000.dcm"])
    web = await living(rig, *stored.values())
    for one in stored.values():
        (row,) = (await web.ask(path_of(one) + "/metadata")).json()
        uris = list(_uris(row))
        assert uris[-1].endswith("/bulkdata/7FE00010")
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
        raw = pixels(one).tobytes()
        assert everything[-1].body[: len(raw)] == raw


@pytest.mark.req("W-84", "W-78")
async def test_compressed_pixels_of_a_long_object_have_a_uri_too(rig: Rig, big: bool) -> None:
    one = a_file("examples_ybr_color.dcm")
    web = await living(rig, one)
    (row,) = (await web.ask(path_of(one) + "/metadata")).json()
    path = row["7FE00010"]["BulkDataURI"].partition("/dicom-web")[2]
    parts = await web.parts(path, STAR)
    frames = await web.parts(path_of(one) + "/frames/" + ",".join(map(str, range(1, 31))), STAR)
    assert [part.body for part in parts] == [part.body for part in frames]
    assert len(parts) == 30


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
