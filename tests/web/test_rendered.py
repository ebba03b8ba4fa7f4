"""Pictures over DICOMweb: what leaves for which Accept, and what is said when nothing can."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from tests.flows.conftest import rig
from tests.flows.rig import Rig
from tests.objects.files import Stored
from tests.objects.pictures import (
    CT,
    STATE,
    as_pydicom,
    item,
    named,
    picture,
    pixels_of,
    stored,
)
from tests.objects.public import public
from tests.objects.study import uid_of
from tests.web.living import Living, parts_of, path_of
from waystation.app.view_archive import NodeArchive
from waystation.codecs.pool import Converted
from waystation.destinations.base import WHOLE_BYTES
from waystation.dicom.head import Head, identity
from waystation.web.api_archive import CorrectionAsked

__all__ = ("rig",)

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
RLE = "1.2.840.10008.1.2.5"
JPEGS, PNGS = 'multipart/related; type="image/jpeg"', 'multipart/related; type="image/png"'
ALONE = "image/png"


def compressed(one: Stored, syntax: str) -> Stored:
    """Return an object with its pixels in RLE."""
    data_set = as_pydicom(one)
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(one.transfer_syntax)
    data_set.compress(UID(syntax))
    return replace(stored(data_set), transfer_syntax=syntax)


async def living(rig: Rig, *sent: Stored, config: str = "") -> Living:
    await rig.start(config)
    await rig.accepted(*sent)
    return Living(rig)


@pytest.mark.req("W-67", "W-86", "W-87", "W-18", "W-17")
async def test_one_image_is_one_picture_in_the_way_that_was_asked(rig: Rig) -> None:
    one = picture(RAMP, WindowCenter="2048", WindowWidth="4096")
    web = await living(rig, one)
    path = path_of(one) + "/rendered"
    answer = await web.ask(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert pixels_of(answer.content).shape == (64, 64)
    assert int(answer.headers["content-length"]) == len(answer.content)
    head = await web.ask(path, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == answer.headers["etag"]
    again = await web.ask(path, if_none_match=answer.headers["etag"])
    assert again.status_code == 304
    png = await web.ask(path, accept=ALONE)
    assert np.abs(pixels_of(png.content) - RAMP * (255 / 4095)).max() <= 1
    assert png.headers["etag"] != answer.headers["etag"]
    window = await web.ask(path + "?window=0,1,linear&accept=image/png")
    assert set(pixels_of(window.content)[1:].ravel().tolist()) == {255}
    small = await web.ask(path + "?viewport=16,8&quality=1&annotation=patient,shoesize")
    assert pixels_of(small.content).shape[:2] == (8, 8)
    assert "shoesize" in small.headers["warning"]
    for level in ("study", "series"):
        whole = await web.ask(path_of(one, level) + "/rendered")
        assert whole.headers["content-type"] == "image/jpeg"
    for query in ("window=1,2", "viewport=0,0", "quality=0", "window=1,1,1&window=2,2,2"):
        wrong = await web.ask(f"{path}?{query}")
        assert (wrong.status_code, wrong.headers["content-type"]) == (
            400,
            "application/problem+json",
        )
    assert (await web.ask(path, accept="video/mp4")).status_code == 406
    missing = await web.ask(path.replace(one.sop_instance, "1.2.3"))
    assert missing.status_code == 404


@pytest.mark.req("W-73", "W-86", "S-41")
async def test_only_what_is_compressed_needs_a_child(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, packed = picture(RAMP), compressed(picture(RAMP, 2), RLE)
    web = await living(rig, plain, packed)
    path = path_of(plain) + "/rendered?accept=image/png"
    first = await web.ask(path)
    assert first.status_code == 200
    assert (await web.ask(path_of(plain) + "/thumbnail")).status_code == 200
    codecs = rig.node.codecs
    assert codecs is not None
    assert codecs.started == 0
    same = await web.ask(path_of(packed) + "/rendered?accept=image/png")
    assert codecs.started == 1
    assert (pixels_of(same.content) == pixels_of(first.content)).all()

    def failing(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("waystation.transforms.render_plain.drawn", failing)
    assert (await web.ask(path)).content == first.content


@pytest.mark.req("W-67", "W-82", "W-86")
async def test_several_pictures_come_as_parts_in_order(rig: Rig) -> None:
    frames = np.stack([np.full((8, 8), shade, np.uint16) for shade in (0, 100, 255)])
    film = picture(frames, 1, WindowCenter="128", WindowWidth="256", study="film")
    others = [picture(RAMP, number, study="stack") for number in (2, 3, 4)]
    report = public()["test-SR.dcm"]
    web = await living(rig, film, *others, report)
    path = path_of(film)
    shades = [int(pixels_of(one.body)[0, 0]) for one in await web.parts(path + "/rendered", PNGS)]
    assert shades == [0, 100, 255]
    assert len(await web.parts(path + "/rendered")) == 3
    chosen = await web.ask(path + "/frames/3,1/rendered", accept=PNGS)
    parts = parts_of(chosen)
    assert [int(pixels_of(one.body)[0, 0]) for one in parts] == [255, 0]
    assert parts[0].headers["Content-Location"].endswith("/frames/3/rendered")
    single = await web.ask(path + "/frames/2/rendered", accept=ALONE)
    assert pixels_of(single.content)[0, 0] == 100
    stands = await web.ask(path + "/rendered", accept=ALONE)
    assert "frame 2 of 3" in stands.headers["warning"]
    gif = await web.ask(path + "/rendered", accept="image/gif")
    assert gif.content.startswith(b"GIF89a")
    assert "warning" not in gif.headers
    assert (await web.ask(path + "/frames/4/rendered")).status_code == 404
    assert (await web.ask(path + "/frames/0/rendered")).status_code == 400
    series = await web.parts(path_of(others[0], "series") + "/rendered")
    assert len(series) == 3
    refused = await web.ask(path_of(others[0], "study") + "/rendered", accept="image/jpeg")
    assert refused.status_code == 406
    assert "3 instances" in refused.json()["detail"]
    nothing = await web.ask(path_of(report) + "/rendered", accept=ALONE)
    assert (nothing.status_code, "report" in nothing.json()["detail"]) == (406, True)
    whole = await web.ask(path_of(report, "study") + "/rendered")
    assert (whole.status_code, "drawn" in whole.json()["detail"]) == (406, True)


@pytest.mark.req("W-67", "W-18")
async def test_a_structured_report_is_a_page(rig: Rig) -> None:
    report = public()["test-SR.dcm"]
    web = await living(rig, report)
    path = path_of(report) + "/rendered"
    answer = await web.ask(path)
    assert (answer.status_code, answer.headers["content-type"]) == (
        200,
        "text/html; charset=utf-8",
    )
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<b>Diameter</b>: 3 cm" in answer.text
    assert "&amp;%$§&quot;!()&lt;&gt;" in answer.text
    assert "<script" not in answer.text
    again = await web.ask(path, accept="text/html", if_none_match=answer.headers["etag"])
    assert again.status_code == 304
    assert (await web.ask(path_of(report) + "/thumbnail")).headers["content-type"] == "image/jpeg"


@pytest.mark.req("T-32", "W-18")
async def test_words_about_a_corrected_patient_are_those_that_were_corrected(rig: Rig) -> None:
    right = {"PatientName": "Right^One", "PatientID": "R1"}
    wrong = picture(RAMP, "wrong", study="wrong", PatientName="Wrong^One", PatientID="W1")
    meant = picture(RAMP, "meant", study="meant", **right)
    report = public()["test-SR.dcm"]
    web = await living(rig, wrong, meant, report)
    annotated = f"{path_of(wrong)}/rendered?annotation=patient&accept=image/png"
    who = identity(Head.from_bytes(wrong.data_set, wrong.transfer_syntax))
    uri = (
        f"/wado?requestType=WADO&studyUID={who.study_uid}&seriesUID={who.series_uid}"
        f"&objectUID={who.sop_instance_uid}&contentType=image/png&annotation=patient"
    )
    page = path_of(report) + "/rendered"
    asked = (annotated, uri, page)
    before = [await web.ask(path) for path in asked]
    assert [one.status_code for one in before] == [200, 200, 200]
    studies = [path_of(one, "study").rpartition("/")[2] for one in (wrong, report)]
    order = CorrectionAsked(studies=studies, values=right, because="mixed up", user="ann")
    assert set((await NodeArchive(rig.node).correct(order, "ann")).values()) == {""}
    after = [
        await web.ask(path, if_none_match=known.headers["etag"])
        for path, known in zip(asked, before, strict=True)
    ]
    assert [one.status_code for one in after] == [200, 200, 200]
    drawn = await web.ask(annotated.replace(path_of(wrong), path_of(meant)))
    for answer in after[:2]:
        assert (pixels_of(answer.content) == pixels_of(drawn.content)).all()
    assert "Right" in after[2].text
    assert "Right" not in before[2].text


@pytest.mark.req("W-68", "W-88")
async def test_a_thumbnail_is_small_and_shows_nobody(rig: Rig) -> None:
    one = picture(np.zeros((512, 256), np.uint16), 5, study="one")
    risky = picture(RAMP, 6, study="risky", BurnedInAnnotation="YES")
    report = public()["test-SR.dcm"]
    web = await living(rig, one, risky, report)
    for level in ("study", "series", "instance"):
        answer = await web.ask(path_of(one, level) + "/thumbnail")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert pixels_of(answer.content).shape == (256, 128)
    frame = await web.ask(path_of(one) + "/frames/1/thumbnail?viewport=32,32", accept=ALONE)
    assert pixels_of(frame.content).shape == (32, 16)
    assert (await web.ask(path_of(one) + "/frames/2/thumbnail")).status_code == 404
    assert (await web.ask(path_of(one) + "/thumbnail?viewport=1,1,1,1")).status_code == 400
    for other in (risky, report):
        icon = await web.ask(path_of(other) + "/thumbnail?viewport=48,48", accept=ALONE)
        pixels = pixels_of(icon.content)
        assert pixels.shape == (48, 48)
        assert pixels.min() == 58


@pytest.mark.req("W-86", "W-67", "W-73")
async def test_states_documents_and_broken_streams_end_as_they_should(rig: Rig) -> None:
    image = picture(RAMP, "target")
    state = named(
        "state",
        SOPClassUID=STATE,
        Modality="PR",
        PresentationLUTShape="INVERSE",
        ReferencedSeriesSequence=[
            item(
                SeriesInstanceUID=uid_of("picture series", "p", CT),
                ReferencedImageSequence=[
                    item(
                        ReferencedSOPClassUID=CT,
                        ReferencedSOPInstanceUID=uid_of("picture", "target"),
                    )
                ],
            )
        ],
        SoftcopyVOILUTSequence=[item(WindowCenter="2048", WindowWidth="4096")],
    )
    document = named("pdf", SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", study="pdf")
    document.add_new(0x00420011, "OB", b"%PDF-1.4 ")
    broken = picture(RAMP, "broken", study="broken", Rows=4000)
    made = stored(state), stored(document)
    web = await living(rig, image, *made, broken)
    inverse = await web.ask(path_of(made[0]) + "/rendered", accept=ALONE)
    assert np.abs(pixels_of(inverse.content) - (255 - RAMP * (255 / 4095))).max() <= 1
    pdf = await web.ask(path_of(made[1]) + "/rendered")
    assert (pdf.headers["content-type"], pdf.content) == ("application/pdf", b"%PDF-1.4 " + b"\0")
    wrong = await web.ask(path_of(broken) + "/rendered", accept=JPEGS)
    assert (wrong.status_code, wrong.json()["title"]) == (406, "This cannot be drawn")
    icon = await web.ask(path_of(broken) + "/thumbnail")
    assert icon.status_code == 200
    assert (await web.ask(path_of(image) + "/rendered")).status_code == 200


@pytest.mark.req("W-83", "W-86")
@pytest.mark.parametrize("syntax", ["as it is", RLE])
async def test_one_frame_of_a_big_object_is_drawn_as_it_would_be_in_the_whole(
    rig: Rig, syntax: str
) -> None:
    shades = (np.arange(40) * 6).astype(np.uint8)
    frames = np.repeat(shades, 512 * 256).reshape(40, 512, 256)
    frames[:, 0, 0] = 255
    groups = [
        item(FrameVOILUTSequence=[item(WindowCenter=str(128 + place), WindowWidth="256")])
        for place in range(40)
    ]
    one = picture(frames, "big", PerFrameFunctionalGroupsSequence=groups)
    if syntax == RLE:
        noise = np.random.default_rng(1).integers(0, 256, frames.shape).astype(np.uint8)
        one = compressed(picture(noise, "big"), RLE)
    web = await living(rig, one)
    path = path_of(one)
    assert len(one.data_set) > WHOLE_BYTES
    given: list[int] = []
    render = rig.node.codecs.render

    async def noted(source: bytes, **how: Any) -> Converted:
        given.append(len(source))
        return await render(source, **how)

    rig.node.codecs.render = noted  # type: ignore[assignment, method-assign]
    answer = await web.ask(path + "/frames/31/rendered", accept=ALONE)
    if syntax == RLE:
        assert (pixels_of(answer.content) == noise[30]).mean() > 0.99
    else:
        assert pixels_of(answer.content)[5, 5] == 180 - 30
    stands = await web.ask(path + "/rendered", accept=ALONE)
    assert "frame 21 of 40" in stands.headers["warning"]
    assert (await web.ask(path + "/thumbnail")).status_code == 200
    pair = await web.parts(path + "/frames/3,2/rendered", PNGS)
    assert [part.headers["Content-Location"][-17:] for part in pair] == [
        "frames/3/rendered",
        "frames/2/rendered",
    ]
    assert max(given) < len(one.data_set) / 10
