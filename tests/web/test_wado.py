"""WADO-RS over a node: which bytes leave, in which syntax, and how they are wrapped."""

from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import dcmread

from tests.flows.conftest import rig
from tests.flows.rig import BIG, CT, Rig
from tests.objects.elements import EXPLICIT_LITTLE
from tests.objects.files import Stored
from tests.objects.samples import DEFLATED, EXPLICIT_BIG, IMPLICIT_LITTLE, in_syntax, study
from tests.objects.study import KINDS
from tests.web.living import DICOM_PARTS, Living, parts_of, path_of

__all__ = ("rig",)

STAR = DICOM_PARTS + "; transfer-syntax=*"
JPEG = "1.2.840.10008.1.2.4.50"


async def living(rig: Rig, *stored: Stored, config: str = "") -> Living:
    await rig.start(config)
    await rig.accepted(*stored)
    return Living(rig)


@pytest.mark.req("W-63", "W-74", "W-75", "W-76", "W-15")
async def test_a_study_comes_as_parts_with_length_place_and_syntax(rig: Rig) -> None:
    sent = study(3, seed="w")
    web = await living(rig, *sent)
    for level, n in (("study", 3), ("series", 3), ("instance", 1)):
        answer = await web.ask(path_of(sent[0], level))
        parts = parts_of(answer)
        assert len(parts) == n
        assert int(answer.headers["content-length"]) == len(answer.content)
        for part in parts:
            assert list(part.headers) == ["Content-Type", "Content-Location", "Content-Length"]
            assert part.headers["Content-Type"] == (
                f"application/dicom; transfer-syntax={EXPLICIT_LITTLE}"
            )
            assert int(part.headers["Content-Length"]) == len(part.body)
    assert {dcmread(BytesIO(part.body)).SOPInstanceUID for part in parts_of(answer)} <= {
        one.sop_instance for one in sent
    }


@pytest.mark.req("W-77")
@pytest.mark.parametrize("one", [BIG, CT], ids=["in the journal", "in a blob"])
async def test_what_is_stored_leaves_byte_for_byte(rig: Rig, one: Stored) -> None:
    web = await living(rig, one)
    answer = await web.ask(path_of(one), accept="application/dicom; transfer-syntax=*")
    assert answer.content.endswith(one.data_set)
    for blob in rig.blobs():
        assert blob.read_bytes().startswith(answer.content)
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT_LITTLE}"


# What is stored, what is asked, what leaves ("": 406).
SYNTAXES = [
    (IMPLICIT_LITTLE, "*", EXPLICIT_LITTLE),
    (EXPLICIT_BIG, "*", EXPLICIT_LITTLE),
    (IMPLICIT_LITTLE, "", EXPLICIT_LITTLE),
    (DEFLATED, "*", DEFLATED),
    (DEFLATED, "", EXPLICIT_LITTLE),
    (JPEG, "", JPEG),
    (JPEG, "*", JPEG),
    (JPEG, '"*"', JPEG),
    (JPEG, JPEG, JPEG),
    (IMPLICIT_LITTLE, IMPLICIT_LITTLE, ""),
    (EXPLICIT_BIG, EXPLICIT_BIG, ""),
    (EXPLICIT_LITTLE, JPEG, ""),
    (EXPLICIT_LITTLE, "1.2.3", ""),
]


@pytest.mark.req("W-19", "W-69", "W-70", "W-71")
async def test_each_stored_syntax_leaves_as_asked_or_not_at_all(rig: Rig) -> None:
    stored = {uid: in_syntax(uid, seed=uid) for uid, _, _ in SYNTAXES}
    web = await living(rig, *stored.values())
    for uid, asked, leaves in SYNTAXES:
        one = stored[uid]
        accept = DICOM_PARTS + (f"; transfer-syntax={asked}" if asked else "")
        answer = await web.ask(path_of(one), accept=accept)
        if not leaves:
            assert answer.status_code == 406
            assert "transfer syntax" in answer.json()["detail"]
            continue
        (part,) = parts_of(answer)
        assert part.headers["Content-Type"] == f"application/dicom; transfer-syntax={leaves}"
        read = dcmread(BytesIO(part.body))
        assert read.file_meta.TransferSyntaxUID == leaves
        assert read.SOPInstanceUID == one.sop_instance
        if uid == leaves:
            assert part.body.endswith(one.data_set)


@pytest.mark.req("W-69")
async def test_a_node_may_be_told_to_convert_nothing_unasked(rig: Rig) -> None:
    one = in_syntax(DEFLATED)
    web = await living(rig, one)
    settings = rig.node.settings
    table = settings.web.model_copy(update={"default_transfer_syntax": "as-stored"})
    rig.node.settings = settings.model_copy(update={"web": table})
    (part,) = await web.parts(path_of(one))
    assert part.headers["Content-Type"].endswith(DEFLATED)


@pytest.mark.req("W-89")
async def test_what_cannot_be_had_is_counted_and_makes_it_partial(rig: Rig) -> None:
    kind = replace(KINDS["tiny"], transfer_syntax=JPEG, compressed_bytes=2000)
    first, second = study(2, seed="p")[0], study(2, seed="p", kind=kind)[1]
    assert path_of(first, "study") == path_of(second, "study")
    web = await living(rig, first, second)
    accept = f"{DICOM_PARTS}; transfer-syntax={JPEG}"
    answer = await web.ask(path_of(first, "study"), accept=accept)
    assert answer.status_code == 206
    assert answer.headers["x-missing-instances"] == "1"
    assert "1 of 2 instances" in answer.headers["warning"]
    (part,) = parts_of(answer)
    assert dcmread(BytesIO(part.body)).SOPInstanceUID == second.sop_instance


@pytest.mark.req("W-63")
async def test_a_single_part_is_for_one_instance_only(rig: Rig) -> None:
    web = await living(rig, CT)
    assert (await web.ask(path_of(CT, "study"), accept="application/dicom")).status_code == 406
    alone = await web.ask(path_of(CT), accept="application/dicom")
    assert dcmread(BytesIO(alone.content)).SOPInstanceUID == CT.sop_instance


@pytest.mark.req("W-18", "W-17")
async def test_known_bytes_are_not_sent_again_and_head_sends_none(rig: Rig) -> None:
    web = await living(rig, CT)
    for accept in (STAR, "application/dicom; transfer-syntax=*"):
        answer = await web.ask(path_of(CT), accept=accept)
        assert answer.headers["cache-control"] == "private, no-cache"
        again = await web.ask(path_of(CT), accept=accept, if_none_match=answer.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
        only = await web.ask(path_of(CT), "HEAD", accept=accept)
        assert only.content == b""
        assert only.headers["content-length"] == str(len(answer.content))
        assert only.headers["etag"] == answer.headers["etag"]


@pytest.mark.req("W-85")
async def test_ranges_of_a_single_instance(rig: Rig) -> None:
    web = await living(rig, CT)
    accept = "application/dicom; transfer-syntax=*"
    whole = (await web.ask(path_of(CT), accept=accept)).content
    for text, first, last in (
        ("bytes=0-9", 0, 9),
        ("bytes=600-", 600, len(whole) - 1),
        ("bytes=-5", len(whole) - 5, len(whole) - 1),
        (f"bytes=7-{10 * len(whole)}", 7, len(whole) - 1),
    ):
        part = await web.ask(path_of(CT), accept=accept, range=text)
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
        assert part.content == whole[first : last + 1]
    beyond = await web.ask(path_of(CT), accept=accept, range=f"bytes={len(whole)}-")
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(whole)}"
    many = await web.ask(path_of(CT), accept=STAR, range="bytes=0-9")
    assert many.status_code == 200


@pytest.mark.req("W-89", "W-11")
async def test_unknown_and_malformed_names(rig: Rig) -> None:
    web = await living(rig, CT)
    assert (await web.ask("/studies/1.2.3")).status_code == 404
    assert (await web.ask("/studies/1..3")).status_code == 400
    assert (await web.ask("/studies/..%2f..%2fetc")).status_code in (400, 404)


@pytest.mark.req("W-16", "S-13")
async def test_damage_is_a_status_before_the_first_byte_and_a_broken_body_after_it(
    rig: Rig,
) -> None:
    sent = study(2, seed="d", kind="ct")
    web = await living(rig, *sent)
    rig.node.recent = rig.node.recent.__class__()
    web = Living(rig)
    parts = await web.parts(path_of(sent[0], "study"), STAR)
    place = parts[-1].headers["Content-Location"].partition("/dicom-web")[2]
    uid = place.rpartition("/")[2].encode()
    (blob,) = [one for one in rig.blobs() if uid in one.read_bytes()]
    blob.write_bytes(blob.read_bytes().replace(parts[-1].body[-1000:], bytes(1000)))
    with pytest.raises(Exception, match="damaged"):
        await web.ask(path_of(sent[0], "study"), accept=STAR)
    assert (await web.ask(place, accept=STAR)).status_code == 500
