"""The further check of a profile: what still shows text in its pixels is held (D-36)."""

import hashlib
import json

import numpy as np
import pytest

from tests.flows.rig import Rig, destination
from tests.flows.test_treat import head_of, ruled
from tests.objects.files import Stored
from tests.objects.layouts import Picture
from tests.objects.samples import sample
from tests.objects.study import Kind
from tests.objects.written import NAME, drawn, with_pixels
from tests.peers.program import need
from waystation.journal import deid_records
from waystation.transforms.deid_step import TEXT_LEFT

WHY = f"{TEXT_LEFT} (frame 1)"
MR = "1.2.840.10008.5.1.4.1.1.4"
STUDY = 0x0020000D
PROFILE = (
    '[deidentify.research]\nproject = { id = "lung", key = { env = "LUNG_KEY" } }\nocr = true\n'
)
DEVICES = """
[[device]]
name = "corner"
rows = 80
rectangles = [[0, 0, 80, 30]]
"""
CLEANED = 'options = ["clean_pixel_data"]\npixels = { rules = ["devices.toml"] }\n'


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNG_KEY", "6" * 64)


def config(port: int, more: str = "") -> str:
    return destination("a", port) + PROFILE + more + ruled('deidentify = "research"')


def showing(text: str, side: int = 76) -> Stored:
    """Return an object with a text in the corner, if any; a large one is not held in memory."""
    one = sample(Kind(sop_class=MR, modality="MR", side=side), seed=f"{text}{side}")
    picture = Picture(rows=side, columns=side, allocated=16)
    # A large one without noise is read in a moment.
    numbers = drawn(picture, text, place=(4, 4)) if side < 1000 else np.zeros((side, side))
    return with_pixels(one, numbers.astype("<u2").tobytes())


@pytest.mark.peer
@pytest.mark.req("D-36", "D-39")
async def test_text_holds_and_sends_no_byte_and_what_shows_none_leaves(rig: Rig) -> None:
    need("/usr/bin/tesseract")
    (rig.folder / "devices.toml").write_text(DEVICES)
    sink = await rig.sink()
    await rig.start(config(sink.port, CLEANED))
    written, blacked, large = showing("ERIKA"), showing(NAME, 80), showing("", 1460)
    await rig.accepted(written, blacked, large)
    await rig.wait_for({"held:deid-failed": 1, "done": 2})
    tails = {one.data_set[-100:] for one in sink.objects}
    assert tails == {one.data_set[-100:] for one in (blacked, large)}
    digests = {hashlib.sha256(one.data_set).digest() for one in sink.objects}
    assert digests == {text for (text,) in await rig.rows("SELECT sha256 FROM treatment")}
    ((why,),) = await rig.rows("SELECT why FROM delivery WHERE state = 'held'")
    assert why == WHY
    reports = await rig.rows("SELECT report FROM treatment")
    assert [json.loads(text)["ocr"] for (text,) in reports] == ["passed"] * 2
    found = await rig.node.database.read(deid_records.report_of(head_of(written).text(STUDY)))
    assert found is not None
    assert found["held"] == {WHY: 1}


@pytest.mark.req("D-36", "D-39")
async def test_a_program_that_is_gone_holds_until_it_is_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from waystation.codecs import text

    sink = await rig.sink()
    await rig.start(config(sink.port))
    monkeypatch.setattr(text, "PROGRAM", "no-such-program")
    await rig.accepted(showing(""))
    await rig.wait_for({"held:deid-failed": 1})
    ((why,),) = await rig.rows("SELECT why FROM delivery")
    assert "not installed" in why
    assert sink.objects == []
    ((again_at,),) = await rig.rows("SELECT again_at FROM finding")
    assert again_at is not None
