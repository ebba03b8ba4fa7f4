"""WADO-URI over a node: what a link with parameters brings, and which parameters contradict."""

from io import BytesIO
from urllib.parse import urlencode

import pytest
from PIL import Image
from pydicom import dcmread

from tests.flows.conftest import rig
from tests.flows.rig import Rig
from tests.objects.elements import EXPLICIT_LITTLE
from tests.objects.samples import IMPLICIT_LITTLE
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
