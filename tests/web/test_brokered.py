"""Objects of a PACS over HTTP: as they land, whole, lacking, failing, and nobody there any more."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from tests.flows.rig import Rig
from tests.net.sink import until_async
from tests.objects.samples import study
from tests.web.living import DICOM_PARTS, Living, parts_of, path_of
from tests.web.scripted_origin import PACS, Script, Scripted, Watcher
from waystation.flows.fetch import FetchFailed
from waystation.flows.together import together
from waystation.index.corrections import Correction
from waystation.journal import shelved
from waystation.model.delivery import Delivery
from waystation.web.asked import Refusal
from waystation.web.brokered import Broker

pytestmark = pytest.mark.asyncio(loop_scope="module")
SENT = study(3, seed="brokered")
STUDY = path_of(SENT[0], "study")
OLD = "/sources/old"
ARCHIVE = '[[rule]]\nname = "all"\nsend = ["archive"]\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """Return one node for all of them, with a study in its archive."""
    made = Rig(tmp_path_factory.mktemp("brokered"))
    await made.start(ARCHIVE + PACS)
    await made.accepted(*SENT)
    yield made
    await made.close()


async def landed(rig: Rig) -> list[Delivery]:
    """Return objects that can be read, as the broker would have them."""
    job = shelved.objects(studies=[STUDY.rpartition("/")[2]])
    found: list[Delivery] = []

    async def there() -> bool:
        found[:] = await rig.node.database.read(job)
        return len(found) == len(SENT)

    await until_async(there)
    return found


def web(rig: Rig, origin: Scripted, *, partial: int = 206) -> Living:
    broker = Broker(
        origin=lambda source: None if source == "archive" else origin,
        partial_status=lambda: partial,
        longest_s=lambda: 60.0,
    )
    return Living(rig, broker)


@pytest.mark.req("W-109", "W-119")
async def test_the_first_part_leaves_when_the_first_object_has_landed(rig: Rig) -> None:
    objects = await landed(rig)
    script = Script(objects[0])
    caller = Watcher(web(rig, Scripted(script)).frame, OLD + STUDY, DICOM_PARTS)
    await caller.has(objects[0].sop_instance_uid.encode())
    assert caller.status == 200
    assert caller.headers["link"] == '</api/v1/fetches/f1>; rel="status"'
    assert "etag" not in caller.headers
    assert objects[1].sop_instance_uid.encode() not in caller.body
    script.land(*objects[1:])
    script.done()
    assert await caller.over()
    assert script.closed.is_set()


@pytest.mark.req("W-109", "W-5")
async def test_all_of_it_comes_in_parts_whose_places_are_below_the_source(rig: Rig) -> None:
    objects = await landed(rig)
    found = web(rig, Scripted(Script(*objects).done()))
    answer = await found.ask(OLD + STUDY, accept=DICOM_PARTS)
    places = [part.headers["Content-Location"] for part in parts_of(answer)]
    assert [place.rpartition("/")[2] for place in places] == [
        one.sop_instance_uid for one in objects
    ]
    assert all(place.startswith("http://127.0.0.1:8080/dicom-web/sources/old/") for place in places)


FAILED = FetchFailed(502, "It failed", "the PACS broke off", source="old", fetch="f1", missing=2)


@pytest.mark.req("W-90", "W-16")
async def test_what_fails_behind_the_first_byte_breaks_the_body(rig: Rig) -> None:
    objects = await landed(rig)
    found = web(rig, Scripted(Script(objects[0]).fail(FAILED)))
    for path in (OLD + STUDY, OLD + STUDY + "/metadata"):
        caller = Watcher(found.frame, path)
        assert not await caller.over()
        assert caller.status == 200
        found = web(rig, Scripted(Script(objects[0]).fail(FAILED)))


async def test_what_is_not_there_behind_what_was_there_is_no_empty_answer(rig: Rig) -> None:
    async def stays() -> None:
        await asyncio.Event().wait()

    first = (await landed(rig))[0]
    asked: Any = SimpleNamespace(
        source="old", besides=SimpleNamespace(endings=[]), request=SimpleNamespace(receive=stays)
    )
    gone = FetchFailed(404, "Not found", "", source="old")
    nothing, broken = Scripted(gone), Scripted(Script(first).fail(gone))
    assert await Broker(origin=lambda _source: nothing).others(asked, {}) == []
    with pytest.raises(Refusal):
        await Broker(origin=lambda _source: broken).others(asked, {})


FAILURES = [
    FetchFailed(404, "Nothing of this kind is here", "", source="old"),
    FetchFailed(502, "It failed", "why", source="old", dimse_status=0xC001),
    FetchFailed(503, "Not now", "why", source="old", retry_after_s=2.4),
    FetchFailed(503, "Not now", "why", source="old", retry_after_s=900.0),
    FetchFailed(504, "Too slow", "why", source="old", fetch="f1", missing=7),
]


@pytest.mark.req("W-89", "W-12", "W-104")
async def test_what_fails_before_it_is_a_status_with_a_problem(rig: Rig) -> None:
    await landed(rig)
    paths = ["", "/metadata", "/rendered", "/thumbnail", "/bulkdata"]
    for error in FAILURES:
        found = web(rig, Scripted(error))
        for path in paths:
            answer = await found.ask(OLD + STUDY + path)
            assert answer.status_code == error.status, path
            assert answer.headers["content-type"] == "application/problem+json"
            said = answer.json()
            assert (said["title"], said["source"]) == (error.title, "old")
            assert said["retryable"] is error.retryable
        if error.retry_after_s is not None:
            assert 2 < int(answer.headers["retry-after"]) <= 60
        assert said.get("missing", 0) == error.missing
    assert said["fetch"] == "f1"
    assert (await web(rig, Scripted(FAILURES[1])).ask(OLD + STUDY)).json()["dimse_status"] == "C001"


@pytest.mark.req("W-90", "W-89")
@pytest.mark.parametrize("status", [206, 200])
async def test_what_lacks_from_the_first_is_told_with_the_status_of_the_settings(
    rig: Rig, status: int
) -> None:
    objects = await landed(rig)
    for path in ("", "/metadata", "/bulkdata"):
        script = Script(*objects[:2]).done()
        script.missing, script.expected = 1, 3
        answer = await web(rig, Scripted(script), partial=status).ask(OLD + STUDY + path)
        assert answer.status_code == status
        assert answer.headers["x-missing-instances"] == "1"
        assert "1 of 3 instances cannot be had" in answer.headers["warning"]
        assert answer.headers["warning"].startswith("299 ")
        assert "etag" not in answer.headers


@pytest.mark.req("W-80")
async def test_metadata_streams_as_objects_land(rig: Rig) -> None:
    objects = await landed(rig)
    script = Script(objects[0])
    origin = Scripted(script)
    caller = Watcher(web(rig, origin).frame, OLD + STUDY + "/metadata")
    await caller.has(objects[0].sop_instance_uid.encode())
    assert objects[1].sop_instance_uid.encode() not in caller.body
    script.land(*objects[1:])
    script.done()
    assert await caller.over()
    uids = [one["00080018"]["Value"][0] for one in json.loads(caller.body)]
    assert uids == [one.sop_instance_uid for one in objects]
    assert origin.wanted[0][2]


@pytest.mark.req("W-80")
async def test_metadata_streams_to_those_who_take_gzip_too(rig: Rig) -> None:
    objects = await landed(rig)
    script = Script(objects[0])
    caller = Watcher(web(rig, Scripted(script)).frame, OLD + STUDY + "/metadata", encoding="gzip")
    unpacked = zlib.decompressobj(wbits=31)
    await caller.has(b"\x1f\x8b")
    first = unpacked.decompress(caller.body)
    assert objects[0].sop_instance_uid.encode() in first
    assert caller.headers["content-encoding"] == "gzip"
    at = len(caller.body)
    script.land(*objects[1:])
    script.done()
    assert await caller.over()
    assert len(json.loads(first + unpacked.decompress(caller.body[at:]))) == 3


@pytest.mark.req("W-80", "W-64")
async def test_metadata_of_nothing_but_the_first_and_as_xml_ends_well(rig: Rig) -> None:
    objects = await landed(rig)
    found = web(rig, Scripted(Script(objects[0]).done()))
    assert len((await found.ask(OLD + STUDY + "/metadata")).json()) == 1
    found = web(rig, Scripted(Script(*objects).done()))
    accept = 'multipart/related; type="application/dicom+xml"'
    assert len(parts_of(await found.ask(OLD + STUDY + "/metadata", accept=accept))) == 3


@pytest.mark.req("W-118")
@pytest.mark.parametrize("ready", [0, 1], ids=["before", "behind"])
async def test_a_reader_that_leaves_is_gone_at_once(rig: Rig, ready: int) -> None:
    objects = await landed(rig)
    for path in ("", "/metadata", "/thumbnail"):
        script = Script(*objects[:ready])
        caller = Watcher(web(rig, Scripted(script)).frame, OLD + STUDY + path)
        await asyncio.sleep(0.02)
        assert not script.closed.is_set()
        caller.leave()
        await caller.over()
        assert script.closed.is_set()


@pytest.mark.req("W-18", "W-123")
async def test_what_the_cache_has_whole_comes_with_length_and_entity_tag(rig: Rig) -> None:
    objects = await landed(rig)
    script = Script()
    origin = Scripted(script, cached=objects)
    found = web(rig, origin)
    for path in ("", "/metadata"):
        answer = await found.ask(OLD + STUDY + path)
        assert answer.headers["etag"]
        again = await found.ask(OLD + STUDY + path, if_none_match=answer.headers["etag"])
        assert again.status_code == 304
    assert int((await found.ask(OLD + STUDY)).headers["content-length"]) > 0
    assert origin.wanted == []
    assert script.closed.is_set()


@pytest.mark.req("W-18", "T-32")
async def test_what_the_cache_has_is_told_anew_once_its_study_is_corrected(rig: Rig) -> None:
    found = web(rig, Scripted(Script(), cached=await landed(rig)))
    book, uid = rig.node.archivist.corrections, STUDY.rpartition("/")[2]
    for path in ("", "/metadata"):
        before = await found.ask(STUDY + path)
        book.put(uid, Correction(values={0x00100020: "NEW 1"}, at=1.0))
        after = await found.ask(STUDY + path, if_none_match=before.headers["etag"])
        assert (after.status_code, b"NEW 1" in after.content) == (200, True)
        book.put(uid, None)


@pytest.mark.req("W-17")
async def test_head_asks_whether_it_is_there_and_starts_nothing(rig: Rig) -> None:
    await landed(rig)
    origin = Scripted(Script())
    found = web(rig, origin)
    for path in ("", "/metadata", path_of(SENT[0])[len(STUDY) :]):
        assert (await found.ask(OLD + STUDY + path, "HEAD")).status_code == 200
    assert origin.wanted == []
    assert (await web(rig, Scripted(FAILURES[0])).ask(OLD + STUDY, "HEAD")).status_code == 404


@pytest.mark.req("W-65", "W-66", "W-67", "W-68", "W-91")
async def test_frames_values_and_pictures_come_from_what_has_landed(rig: Rig) -> None:
    objects = await landed(rig)
    one = path_of(SENT[0])
    here = [each for each in objects if each.sop_instance_uid == SENT[0].sop_instance]
    _, study_uid, _, series_uid, _, uid = one[1:].split("/")
    uri = f"/wado?requestType=WADO&studyUID={study_uid}&seriesUID={series_uid}&objectUID={uid}"
    for path in (
        one,
        one + "/frames/1",
        one + "/bulkdata",
        one + "/bulkdata/7FE00010",
        one + "/rendered",
        one + "/thumbnail",
        uri + "&contentType=application/dicom",
        uri,
    ):
        origin = Scripted(Script(*here).done())
        answer = await web(rig, origin).ask(OLD + path)
        assert answer.status_code == 200, (path, answer.text)
        assert origin.wanted[0][:2] == (
            "old",
            {"study": study_uid, "series": series_uid, "instance": uid},
        )


@pytest.mark.req("W-71")
async def test_a_syntax_that_is_named_waits_until_it_is_known_that_all_can_be_had(rig: Rig) -> None:
    objects = await landed(rig)
    found = web(rig, Scripted(Script(*objects).done()))
    accept = DICOM_PARTS + "; transfer-syntax=1.2.840.10008.1.2.4.50"
    assert (await found.ask(OLD + STUDY, accept=accept)).status_code == 406


@pytest.mark.req("W-92", "W-99", "W-3")
async def test_nothing_is_stored_or_deleted_at_a_pacs_and_unknown_sources_are_unknown(
    rig: Rig,
) -> None:
    await landed(rig)
    found = web(rig, Scripted(Script()))
    assert (await found.ask(OLD + "/studies", "POST", content=b"")).status_code == 405
    assert (await found.ask(OLD + STUDY, "DELETE")).status_code == 405
    assert (await found.ask("/sources/other" + STUDY)).status_code == 404
    assert (await found.ask("/sources/archive" + STUDY)).status_code == 200


async def test_what_came_meanwhile_is_taken_together() -> None:
    gate = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        yield 1
        yield 2
        yield 3
        await gate.wait()
        yield 4

    got = []
    async for some in together(source(), 2):
        got.append(some)
        if 3 in some:
            gate.set()
    assert [one for some in got for one in some] == [1, 2, 3, 4]
    assert max(map(len, got)) == 2
