"""WADO-URI over a node: what a link with parameters brings, and which parameters contradict."""

from io import BytesIO
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from tests.flows.conftest import rig
from tests.flows.rig import Rig
from tests.objects.elements import EXPLICIT_LITTLE
from tests.objects.pictures import CT, STATE, item, named, picture, stored
from tests.objects.samples import IMPLICIT_LITTLE
from tests.objects.study import uid_of
from tests.web.living import path_of
from tests.web.test_frames import a_file
from tests.web.test_wado import living

__all__ = ("rig",)


@pytest.mark.req("W-91", "W-19")
async def test_links_bring_objects_and_pictures(rig: Rig) -> None:
    image, dose = a_file("MR_small_implicit.dcm", 1), a_file("rtdose.dcm", 2)
    web = await living(rig, image, dose)
    _, _, study, _, series, _, instance = path_of(image).split("/")
    own = {"requestType": "WADO", "studyUID": study, "seriesUID": series, "objectUID": instance}

    def link(**more: str) -> str:
        return "/wado?" + urlencode({name: value for name, value in (own | more).items() if value})

    plain = await web.ask(link(contentType="application/dicom"), root="/wado-rs")
    assert plain.headers["content-type"].endswith(f"transfer-syntax={EXPLICIT_LITTLE}")
    assert dcmread(BytesIO(plain.content)).SOPInstanceUID == image.sop_instance
    picture = await web.ask(link())
    assert picture.headers["content-type"] == "image/jpeg"
    assert Image.open(BytesIO(picture.content)).size == (64, 64)
    for more, size in (
        ({"rows": "32", "columns": "32"}, (32, 32)),
        ({"rows": "32"}, (32, 32)),
        ({"region": "0.25,0.5,0.75,1"}, (32, 32)),
    ):
        made = await web.ask(link(contentType="image/png", **more))
        assert made.headers["content-type"] == "image/png"
        assert Image.open(BytesIO(made.content)).size == size, more
    again = await web.ask(link(), if_none_match=picture.headers["etag"])
    assert again.status_code == 304
    dark = await web.ask(link(windowCenter="60000", windowWidth="10", contentType="image/png"))
    assert max(Image.open(BytesIO(dark.content)).tobytes()) == 0
    frame = await web.ask(
        link(
            frameNumber="2", **dict(zip(list(own)[1:], path_of(dose).split("/")[2::2], strict=True))
        )
    )
    assert frame.status_code == 200
    for more, status in (
        ({"requestType": ""}, 400),
        ({"requestType": "other"}, 400),
        ({"objectUID": ""}, 400),
        ({"objectUID": "1..2"}, 400),
        ({"objectUID": "1.2"}, 404),
        ({"anonymize": "yes"}, 400),
        ({"windowCenter": "1"}, 400),
        ({"windowCenter": "1", "windowWidth": "2", "contentType": "application/dicom"}, 400),
        ({"frameNumber": "0"}, 400),
        ({"frameNumber": "99"}, 404),
        ({"imageQuality": "101"}, 400),
        ({"region": "0,0,2,2"}, 400),
        ({"presentationUID": "1.2.3"}, 400),
        ({"presentationUID": "1.2.3", "presentationSeriesUID": "1.2"}, 404),
        ({"contentType": "video/mpeg"}, 406),
        ({"contentType": "application/dicom", "transferSyntax": "1.2.3"}, 406),
        ({"contentType": "application/dicom", "transferSyntax": IMPLICIT_LITTLE}, 406),
    ):
        answer = await web.ask(link(**more))
        assert answer.status_code == status, (more, answer.text)


@pytest.mark.req("W-91", "W-86")
async def test_a_link_may_name_how_it_is_shown_and_what_is_gone_is_gone(rig: Rig) -> None:
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    image = picture(ramp, "target")
    references = item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=image.sop_instance)
    series = uid_of("picture series", "p", CT)
    state = stored(
        named(
            "state",
            SOPClassUID=STATE,
            Modality="PR",
            PresentationLUTShape="INVERSE",
            ReferencedSeriesSequence=[
                item(SeriesInstanceUID=series, ReferencedImageSequence=[references])
            ],
            SoftcopyVOILUTSequence=[item(WindowCenter="2048", WindowWidth="4096")],
        )
    )
    web = await living(rig, image, state)
    settings = rig.node.settings
    table = settings.web.model_copy(update={"delete": True})
    rig.node.settings = settings.model_copy(update={"web": table})
    _, _, study, _, series, _, instance = path_of(image).split("/")
    _, _, _, _, state_series, _, state_instance = path_of(state).split("/")
    own = {"requestType": "WADO", "studyUID": study, "seriesUID": series, "objectUID": instance}
    shown = {"presentationSeriesUID": state_series, "presentationUID": state_instance}
    link = "/wado?" + urlencode({**own, **shown, "contentType": "image/png"})
    inverse = np.asarray(Image.open(BytesIO((await web.ask(link)).content)))
    assert np.abs(inverse - (255 - ramp * (255 / 4095))).max() <= 1
    both = link + "&windowCenter=1&windowWidth=2"
    assert (await web.ask(both)).status_code == 400
    assert (await web.ask(path_of(image), "DELETE")).status_code == 204
    assert (await web.ask("/wado?" + urlencode(own))).status_code == 410
