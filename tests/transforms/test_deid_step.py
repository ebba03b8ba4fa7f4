"""De-identification behind edits: the pixels leave whole, and nothing behind them does."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.dicom.building import EXPLICIT, el, item, mark, seq
from tests.transforms.deid.treating import encoded, engine, object_of
from waystation.destinations.base import Pieces
from waystation.dicom.head import Head
from waystation.flows.splicing import LEAD, find_tail_end, read
from waystation.transforms import steps
from waystation.transforms.deid.devices import NO_RULE, NOT_CLEANED, UNKNOWN
from waystation.transforms.deid.refusals import FACES
from waystation.transforms.deid_step import REJECTED, TEXT_LEFT, UNSEEN, DeidStep
from waystation.transforms.edit_read import read_edit
from waystation.transforms.held import HeldError
from waystation.transforms.steps import Failed, StepFacts, Tools, Treated

JPEG = "1.2.840.10008.1.2.4.50"
NATIVE = el(0x7FE00010, "OW", bytes(range(256)))
FRAGMENTS = (
    el(0x7FE00010, "OB", size=0xFFFFFFFF)
    + mark(0xFFFEE000)
    + mark(0xFFFEE000, 200)
    + b"\7" * 200
    + mark(0xFFFEE0DD)
)
SIGNATURE = seq(0xFFFAFFFA, item(el(0x04000120, "OB", b"\1\2")))
EDITS: list[dict[str, Any]] = [{"set": "StudyDescription", "to": "a much longer description"}]
CASES = [(EXPLICIT, NATIVE), (JPEG, FRAGMENTS)]


def tools(edits: list[dict[str, Any]]) -> Tools:
    made = tuple(read_edit(one) for one in edits)
    return Tools(digest="x", edits=made, deidentify=DeidStep(engine("retain_uids")))


def applied(head: Head, edits: list[dict[str, Any]], lead: bytes, end: int | None) -> Treated:
    facts = StepFacts(now=0.0, system="n", tail_end=end)
    done = steps.apply(head, tools(edits), facts, lead)
    assert isinstance(done, Treated), done
    return done


@pytest.mark.req("D-3", "D-20", "R-65")
@pytest.mark.parametrize(("syntax", "pixels"), CASES)
@pytest.mark.parametrize("edits", [[], EDITS])
def test_the_tail_is_that_of_the_stored_object_whatever_edits_did(
    syntax: str, pixels: bytes, edits: list[dict[str, Any]]
) -> None:
    data = encoded(object_of()) + pixels + SIGNATURE
    head = Head.from_bytes(data, syntax)
    lead = data[head.pixel_offset : head.pixel_offset + LEAD]
    done = applied(head, edits, lead, None)
    assert data[head.pixel_offset : done.tail_end] == pixels


@pytest.mark.req("D-3", "D-20", "D-39")
@pytest.mark.parametrize(("syntax", "pixels"), CASES)
@pytest.mark.parametrize("edits", [[], EDITS])
async def test_an_object_that_is_read_in_pieces_is_read_to_the_end_of_its_pixels(
    syntax: str, pixels: bytes, edits: list[dict[str, Any]]
) -> None:
    data = encoded(object_of()) + pixels + SIGNATURE
    loads = []

    async def pieces() -> AsyncGenerator[bytes, None]:
        for at in range(0, len(data), 100):
            yield data[at : at + 100]

    async def load() -> Pieces:
        loads.append(1)
        return Pieces(pieces())

    original = await read(await load(), syntax)
    if pixels is FRAGMENTS:
        unread = steps.apply(
            original.head, tools(edits), StepFacts(now=0.0, system="n"), original.lead
        )
        assert isinstance(unread, Failed)
        assert "not read to the end" in unread.why
    await find_tail_end(original, load)
    assert len(loads) == (2 if pixels is FRAGMENTS else 1)
    done = applied(original.head, edits, original.lead, original.tail_end)
    assert data[original.head.pixel_offset : done.tail_end] == pixels
    await original.close()


@pytest.mark.req("D-43", "D-32")
@pytest.mark.parametrize(
    ("why", "asked"),
    [
        (UNSEEN, "sample"),
        (REJECTED, "sample"),
        (UNKNOWN, "pixels"),
        (NO_RULE, "pixels"),
        (NOT_CLEANED, "pixels"),
        (f"{TEXT_LEFT} (frame 3)", "pixels"),
        (FACES, "features"),
        ("it has no Patient ID (missing_id)", ""),
    ],
)
def test_a_person_is_asked_only_what_an_approval_lets_pass(why: str, asked: str) -> None:
    asking = engine("clean_pixel_data", pixels={"unknown": "approve"})
    assert DeidStep(asking).asked_of(why) == asked
    strict = DeidStep(engine("clean_pixel_data"))
    assert strict.asked_of(why) == ("" if asked == "pixels" else asked)


@pytest.mark.req("D-36")
def test_text_is_looked_for_where_there_are_pixels_that_no_person_has_approved() -> None:
    checks, rule = engine(ocr=True), engine()
    pixels = encoded(object_of(), EXPLICIT) + NATIVE
    for who, data, approvals, wanted in (
        (checks, pixels, {}, True),
        (checks, pixels, {"pixels": False, "sample": True}, True),
        (checks, pixels, {"pixels": True}, False),
        (checks, encoded(object_of(), EXPLICIT), {}, False),
        (rule, pixels, {}, False),
    ):
        facts = StepFacts(now=0.0, system="", approvals=approvals)
        done = DeidStep(who)(Head.from_bytes(data, EXPLICIT), facts)
        assert done.unwritten is wanted
        assert ('"ocr":"passed"' in done.report) is wanted
    assert checks.profile.digest != rule.profile.digest


@pytest.mark.req("D-36", "D-32")
def test_the_further_check_takes_the_place_of_no_rule() -> None:
    who = engine("clean_pixel_data", ocr=True)
    unknown = encoded(object_of(modality="US"), EXPLICIT) + NATIVE
    with pytest.raises(HeldError, match=UNKNOWN):
        DeidStep(who)(Head.from_bytes(unknown, EXPLICIT), StepFacts(now=0.0, system=""))
