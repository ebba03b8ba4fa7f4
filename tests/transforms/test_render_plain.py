"""Which pictures are drawn in the node itself, and that they are the child's (W-86, S-41)."""

import base64
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from tests.objects.files import Stored
from tests.objects.pictures import picture, rendered
from tests.objects.public import public
from waystation.dicom.errors import DatasetError
from waystation.transforms.errors import UnfitError
from waystation.transforms.render_job import REPRESENTATIVE, RenderJob, View, Window
from waystation.transforms.render_plain import MOST_SAMPLES, drawn

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
ONE = RenderJob(frames=(REPRESENTATIVE,))
FILM = np.stack([np.full((8, 8), shade, np.uint16) for shade in (0, 100, 255)])
COLOURS = np.arange(768, dtype=np.uint8).reshape(16, 16, 3)


def here(one: Stored, job: RenderJob) -> tuple[Any, bytes] | None:
    return drawn(one.data_set, one.transfer_syntax, job)


@pytest.mark.req("W-86")
@pytest.mark.parametrize(
    ("one", "job"),
    [
        (picture(RAMP), ONE),
        (picture(RAMP), RenderJob()),
        (picture(RAMP), RenderJob(kind="png", window=Window(40, 400), view=View(32, 16))),
        (picture(RAMP.astype(np.int16), PixelPaddingValue=0, SmallestImagePixelValue=0), ONE),
        (picture(RAMP, PhotometricInterpretation="MONOCHROME1"), ONE),
        (picture(FILM), RenderJob(frames=(2,))),
        (picture(FILM), RenderJob(frames=(7,))),
        (picture(COLOURS), ONE),
        (picture(COLOURS, PhotometricInterpretation="YBR_FULL"), ONE),
        (public()["MR_small_implicit.dcm"], ONE),
        (public()["CT_small.dcm"], RenderJob(small=True, view=View(64, 64), enlarge=False)),
    ],
)
def test_a_plain_frame_is_drawn_as_a_child_draws_it(one: Stored, job: RenderJob) -> None:
    found = here(one, job)
    assert found is not None
    said, pictures = rendered(one, job)
    assert found == (said, b"".join(len(data).to_bytes(8, "big") + data for data in pictures))


@pytest.mark.req("S-41")
@pytest.mark.parametrize(
    ("one", "job"),
    [
        (public()["MR_small_RLE.dcm"], ONE),
        (public()["JPEG2000.dcm"], ONE),
        (public()["MR_small_bigendian.dcm"], ONE),
        (public()["image_dfl.dcm"], ONE),
        (picture(FILM), RenderJob()),
        (picture(FILM), RenderJob(frames=(0, 1))),
        (picture(RAMP), RenderJob(kind="gif")),
        (picture(RAMP), RenderJob(annotation=("patient",))),
        (picture(RAMP), RenderJob(overlays=True)),
        (
            picture(RAMP),
            RenderJob(presentation=("1.2.840.10008.1.2", base64.b64encode(b"").decode())),
        ),
        (picture(RAMP), RenderJob(view=View(4096, 1025))),
        (picture(np.zeros((2049, 2048), np.uint8)), ONE),
        (picture(RAMP, PhotometricInterpretation="PALETTE COLOR"), ONE),
        (picture(np.zeros((4, 4), np.uint32)), ONE),
        (picture(RAMP, TextValue="x" * 1_100_000), ONE),
        (public()["rtdose_1frame.dcm"], ONE),
    ],
)
def test_what_is_not_plain_is_left_to_a_child(one: Stored, job: RenderJob) -> None:
    assert here(one, job) is None


@pytest.mark.req("W-88", "S-41")
def test_what_nobody_may_draw_is_refused_here_too() -> None:
    risky = picture(RAMP, BurnedInAnnotation="YES")
    with pytest.raises(UnfitError):
        here(risky, RenderJob(frames=(REPRESENTATIVE,), small=True))
    assert here(risky, ONE) is not None
    cut = picture(RAMP)
    for end in range(0, len(cut.data_set), 997):
        with suppress(UnfitError, DatasetError):
            assert drawn(cut.data_set[:end], cut.transfer_syntax, ONE) is None
    huge = picture(RAMP, Rows=60_000, Columns=30_000)
    assert MOST_SAMPLES < 60_000 * 30_000
    assert here(huge, ONE) is None
