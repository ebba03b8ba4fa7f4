"""STOW-RS by metadata and bulk data: what was described comes out as the object it describes."""

import json
from io import BytesIO
from typing import Any

import httpx2
import pytest
from pydicom import dcmread

from tests.flows.conftest import rig
from tests.flows.rig import Rig
from tests.objects.samples import as_file, study
from tests.web.living import OCTET_PARTS, Living, Part, path_of
from tests.web.test_frames import a_file
from tests.web.test_wado import living
from waystation.dicomweb.stow import read_answer
from waystation.dicomweb.xml_model import to_xml

__all__ = ("rig",)

JSON, XML = "application/dicom+json", "application/dicom+xml"
NAMES = ["MR_small.dcm", "rtdose_rle.dcm", "examples_palette.dcm", "rtdose.dcm"]


def body(metadata: list[bytes], media: str, bulk: list[Part]) -> bytes:
    made = [b"--sep\r\nContent-Type: %s\r\n\r\n%s\r\n" % (media.encode(), one) for one in metadata]
    for part in bulk:
        head = f"--sep\r\nContent-Type: {part.headers['Content-Type']}\r\n"
        head += f"Content-Location: {part.headers['Content-Location']}\r\n\r\n"
        made.append(head.encode() + part.body + b"\r\n")
    return b"".join(made) + b"--sep--\r\n"


async def post(web: Living, content: bytes, media: str = JSON) -> httpx2.Response:
    kind = f'multipart/related; type="{media}"; boundary=sep'
    return await web.ask("/studies", "POST", content=content, content_type=kind)


def renamed(text: str, uid: str) -> str:
    return text.replace(uid, uid[:-3] + "999")


@pytest.mark.req("W-92", "W-93")
@pytest.mark.parametrize("media", [JSON, XML])
async def test_what_was_retrieved_can_be_stored_again(rig: Rig, media: str) -> None:
    stored = {name: a_file(name, number) for number, name in enumerate(NAMES)}
    web = await living(rig, *stored.values())
    for name, one in stored.items():
        uid = one.sop_instance
        text = renamed((await web.ask(path_of(one) + "/metadata")).text, uid)
        parts = await web.parts(path_of(one) + "/bulkdata", OCTET_PARTS)
        bulk = [
            Part({key: renamed(value, uid) for key, value in part.headers.items()}, part.body)
            for part in parts
        ]
        metadata = [text.encode()] if media == JSON else [to_xml(json.loads(text)[0])]
        answer = await post(web, body(metadata, media, bulk), media)
        assert answer.status_code == 200, (name, answer.text, answer.headers)
        await rig.node.router.settled()
        accept = "application/dicom"
        before = dcmread(BytesIO((await web.ask(path_of(one), accept=accept)).content))
        after = dcmread(BytesIO((await web.ask(renamed(path_of(one), uid), accept=accept)).content))
        assert after.SOPInstanceUID == renamed(uid, uid)
        assert (after.pixel_array == before.pixel_array).all()
        again = (await web.ask(renamed(path_of(one), uid) + "/metadata")).json()
        assert _said(again[0]) == _said(json.loads(text)[0]), name


def _said(row: dict[str, Any]) -> dict[str, Any]:
    """Return what metadata says of the object, not of how it is coded."""
    return {tag: row[tag] for tag in row if tag not in ("00083002", "00080005")}


@pytest.mark.req("W-92", "W-95", "W-96", "W-97")
async def test_one_bad_description_never_costs_the_others(rig: Rig) -> None:
    web = await living(rig, *study(1, seed="x"))
    names = {
        "00080016": ui("1.2.840.10008.5.1.4.1.1.7"),
        "0020000D": ui("1.2.3"),
        "0020000E": ui("1.2.4"),
    }
    good = names | {
        "00080018": ui("1.2.5"),
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Günther"}]},
    }
    lost = names | {
        "00080018": ui("1.2.6"),
        "00420011": {"vr": "OB", "BulkDataURI": "https://x.org/1"},
    }
    odd = names | {"00080018": ui("1.2.7"), "00280010": {"vr": "US", "Value": [70000]}}
    answer = await post(web, body([json.dumps([good, lost, odd, {}]).encode()], JSON, []))
    assert answer.status_code == 202
    told = read_answer(answer.content)
    assert told is not None
    assert set(told.stored) == {"1.2.5"}
    assert told.failed == {"1.2.6": 0xC010, "1.2.7": 0xC010}
    assert told.unnamed == 1
    await rig.node.router.settled()
    path = "/studies/1.2.3/series/1.2.4/instances/1.2.5"
    got = dcmread(BytesIO((await web.ask(path, accept="application/dicom")).content))
    assert got.PatientName == "Günther"
    assert got.SpecificCharacterSet == "ISO_IR 192"


def ui(uid: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [uid]}


@pytest.mark.req("W-92")
async def test_compressed_pixels_come_as_an_image_type_that_names_its_syntax(rig: Rig) -> None:
    one = a_file("JPEG2000.dcm")
    web = await living(rig, one)
    uid, syntax = one.sop_instance, one.transfer_syntax
    text = renamed((await web.ask(path_of(one) + "/metadata")).text, uid)
    star = OCTET_PARTS + "; transfer-syntax=*"
    (frame,) = await web.parts(path_of(one) + "/frames/1", star)
    (row,) = json.loads(text)
    where = {"Content-Location": row["7FE00010"]["BulkDataURI"]}
    for kind, status in (
        ("image/png", 409),
        ("image/x-other", 409),
        (f"image/jpeg; transfer-syntax={syntax}", 409),
        (f"image/jp2; transfer-syntax={syntax}", 200),
    ):
        part = Part({**where, "Content-Type": kind}, frame.body)
        answer = await post(web, body([text.encode()], JSON, [part]))
        assert answer.status_code == status, kind
    await rig.node.router.settled()
    accept = "application/dicom; transfer-syntax=*"
    got = await web.ask(renamed(path_of(one), uid), accept=accept)
    before = dcmread(BytesIO(as_file(one)))
    assert (dcmread(BytesIO(got.content)).pixel_array == before.pixel_array).all()


@pytest.mark.req("W-94", "W-95")
async def test_metadata_that_is_none_is_refused_as_a_whole(rig: Rig) -> None:
    web = await living(rig, *study(1, seed="x"))
    for text in (b"{", b"[]", b'["x"]', b"<x/>"):
        assert (await post(web, body([text], JSON, []))).status_code == 400
    assert (await post(web, body([b"<x/>"], XML, []), XML)).status_code == 400
    assert (await post(web, body([b"[{}]"], JSON, [])[:-8])).status_code == 400
