"""What only the STOW destination does: requests, answers, and who pays for which of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.destinations.making import load_of, outcomes_of
from tests.destinations.making_ways import QUICK, StowWay
from tests.net.http_sink import (
    CUT,
    JSON,
    NOISE,
    SILENT,
    Answer,
    HttpSink,
    Request,
    answer_of,
    serving,
    stores_all,
)
from tests.objects.files import Stored
from tests.objects.samples import study
from waystation.destinations.stow import MOST_KNOWN, StowDestination, StowSettings, remember
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused
from waystation.net.credentials import Basic, Fetched


def uids(objects: Sequence[Stored]) -> list[str]:
    return [one.sop_instance for one in objects]


def fault_of(outcome: Outcome) -> Fault:
    assert isinstance(outcome, Deferred), outcome
    return outcome.fault


async def sent(
    answer: Answer | str | Callable[[Request], Answer | str], count: int = 2, **settings: Any
) -> tuple[dict[int, Outcome], HttpSink]:
    """Send ``count`` objects to a server with this answer."""
    script = answer if callable(answer) else lambda _: answer
    async with serving(script) as sink:
        way = StowWay(sink, **{"max_objects": 100, **settings})
        batch, cargo = load_of(study(count))
        found = dict(await outcomes_of(way, batch, cargo))
        await way.destination.close()
        return found, sink


async def test_a_request_carries_part_10_files_of_known_length() -> None:
    found, sink = await sent(stores_all, 3)
    assert len(found) == 3
    (request,) = sink.requests
    assert (request.method, request.target) == ("POST", "/dicom-web/studies")
    assert request.headers["accept"] == JSON
    assert int(request.headers["content-length"]) == len(request.body)
    assert [head for head, _ in request.parts()] == [{"content-type": "application/dicom"}] * 3
    assert request.stored() == study(3)


@pytest.mark.req("R-54")
async def test_a_request_is_full_at_its_count_or_its_bytes() -> None:
    size = len(study(1)[0].data_set)
    _, sink = await sent(stores_all, 5, max_objects=2)
    assert [len(request.stored()) for request in sink.requests] == [2, 2, 1]
    _, sink = await sent(stores_all, 5, max_bytes=3 * size)
    assert [len(request.stored()) for request in sink.requests] == [3, 2]
    _, sink = await sent(stores_all, 2, max_bytes=1)
    assert [len(request.stored()) for request in sink.requests] == [1, 1]


@pytest.mark.req("RT-9", "O3", "O7")
@pytest.mark.parametrize(
    ("status", "fault"),
    [
        *((status, Fault.TRANSIENT) for status in (408, 425, 429, 500, 502, 503, 504, 507)),
        *((status, Fault.PEER) for status in (401, 403, 404, 301, 405)),
    ],
)
async def test_a_status_about_the_way_is_said_once_and_stops(status: int, fault: Fault) -> None:
    found, sink = await sent(Answer(status=status, body=b"patient^name"), 3)
    assert [fault_of(outcome) for outcome in found.values()] == [fault]
    assert len(sink.requests) == 1
    assert "patient" not in repr(found)


@pytest.mark.req("RT-9", "O5")
@pytest.mark.parametrize("status", [400, 409, 413, 415, 422, 451])
async def test_a_status_about_objects_charges_each_of_them_alone(status: int) -> None:
    found, sink = await sent(Answer(status=status, body=b"patient^name"), 4)
    assert [fault_of(outcome) for outcome in found.values()] == [Fault.OBJECT] * 4
    assert [len(request.stored()) for request in sink.requests] == [4, 2, 1, 1, 2, 1, 1]
    assert "patient" not in repr(found)


@pytest.mark.req("R-54", "O5")
@pytest.mark.parametrize("status", [400, 409, 413, 415])
async def test_one_bad_object_among_many_is_found_and_the_others_are_delivered(
    status: int,
) -> None:
    objects = study(100)
    bad = objects[37].sop_instance

    def script(request: Request) -> Answer:
        refused = bad in uids(request.stored())
        return Answer(status=status) if refused else stores_all(request)

    found, sink = await sent(script, 100)
    assert list(found) == list(range(1, 101))
    assert fault_of(found.pop(38)) is Fault.OBJECT
    assert all(isinstance(outcome, Delivered) for outcome in found.values())
    assert len(sink.requests) < 20


async def test_a_server_that_finds_requests_too_large_gets_smaller_ones_from_then_on() -> None:
    def script(request: Request) -> Answer:
        large = request.method == "POST" and len(request.stored()) > 4
        return Answer(status=413) if large else stores_all(request)

    async with serving(script) as sink:
        way = StowWay(sink, max_objects=100)
        batch, cargo = load_of(study(16))
        for _ in range(2):
            found = await outcomes_of(way, batch, cargo)
            assert all(isinstance(outcome, Delivered) for _, outcome in found)
        sizes = [len(request.stored()) for request in sink.requests]
        assert sizes == [16, 8, 4, 4, 8, 4, 4, *[4, 4, 4, 4]]
        await way.destination.close()


def partly(stored: dict[str, int], failed: dict[str, int], status: int = 202) -> Answer:
    return Answer(status=status, body=answer_of(stored, failed), headers={"Content-Type": JSON})


@pytest.mark.req("RT-9", "O1", "O2", "O3", "O5")
async def test_each_object_has_the_outcome_that_the_answer_gives_it() -> None:
    names = uids(study(9))
    stored = {names[0]: 0, names[1]: 0xB000, names[2]: 0xB006}
    reasons = (0xA900, 0x0110, 0xC000, 0x0122, 0x0111, 0xB007)
    failed = dict(zip(names[3:], reasons, strict=True))
    found, sink = await sent(partly(stored, failed), 9)
    assert found[1] == Delivered()
    assert found[2] == Delivered(status=0xB000)
    assert found[3] == Delivered(status=0xB006)
    for number, reason in enumerate(reasons, 4):
        if reason == 0x0111:
            assert found[number] == Delivered(status=0x0111, comment="already there")
            continue
        outcome = found[number]
        assert fault_of(outcome) is Fault.OBJECT
        assert isinstance(outcome, Deferred)
        assert outcome.status == reason
    assert len(sink.requests) == 1


@pytest.mark.req("RT-9", "O2")
@pytest.mark.parametrize("reason", [0x0111, 45070])
async def test_a_duplicate_is_there_already(reason: int) -> None:
    (name,) = uids(study(1))
    found, _ = await sent(partly({}, {name: reason}, status=409), 1)
    assert found[1] == Delivered(status=0x0111, comment="already there")
    found, _ = await sent(partly({}, {name: reason}, status=409), 1, retry_on_warning=True)
    assert fault_of(found[1]) is Fault.OBJECT


async def test_a_warning_may_count_as_a_failure() -> None:
    names = uids(study(2))
    found, _ = await sent(partly({names[0]: 0xB000, names[1]: 0}, {}), 2, retry_on_warning=True)
    assert fault_of(found[1]) is Fault.OBJECT
    assert found[2] == Delivered()


@pytest.mark.req("O3", "O7")
@pytest.mark.parametrize(("reason", "fault"), [(0xA700, Fault.TRANSIENT), (0x0124, Fault.PEER)])
async def test_a_reason_about_the_way_comes_after_what_was_delivered(
    reason: int, fault: Fault
) -> None:
    names = uids(study(4))
    failed = {names[0]: reason, names[2]: reason}
    found, _ = await sent(partly({names[1]: 0, names[3]: 0}, failed), 4)
    assert list(found) == [2, 4, 1]
    assert fault_of(found[1]) is fault


@pytest.mark.req("S-7")
@pytest.mark.parametrize("status", [200, 202, 204])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"OK",
        b"<html>Welcome</html>",
        # Orthanc with DICOMweb 1.7 said this of a request that it had thrown away.
        b'{"00081198": {"vr": "SQ"}, "00081199": {"vr": "SQ"}}',
        answer_of(["1.2.3"]),
    ],
)
async def test_a_good_status_alone_delivers_nothing(status: int, body: bytes) -> None:
    answer = Answer(status=status, body=b"" if status == 204 else body)
    found, sink = await sent(answer, 3)
    assert [fault_of(outcome) for outcome in found.values()] == [Fault.OBJECT] * 3
    assert len(sink.requests) == 1
    outcome = found[1]
    assert isinstance(outcome, Deferred)
    assert "does not say that it was stored" in outcome.why


async def test_a_good_status_alone_may_be_trusted_if_somebody_says_so() -> None:
    for body in (b"", b"OK", b"{}"):
        found, _ = await sent(Answer(body=body), 2, trust_status=True)
        assert found == {1: Delivered(), 2: Delivered()}
    names = uids(study(2))
    half = Answer(body=answer_of(names[:1]))
    for answer in (half, Answer(status=202), Answer(status=409)):
        found, _ = await sent(answer, 2, trust_status=True)
        assert fault_of(found[2]) is Fault.OBJECT


@pytest.mark.req("R-55")
async def test_the_pause_that_the_server_asks_for_is_passed_on() -> None:
    found, _ = await sent(Answer(status=503, headers={"Retry-After": "1800"}), 1)
    outcome = found[1]
    assert isinstance(outcome, Deferred)
    assert outcome.rest_s == 1800.0


@pytest.mark.req("S-7", "O4", "RT-9")
@pytest.mark.parametrize("how", [CUT, SILENT, NOISE, Answer(status=500), Answer(status=502)])
async def test_objects_without_an_answer_go_again_one_by_one(how: Answer | str) -> None:
    bad = uids(study(4))[2]

    def script(request: Request) -> Answer | str:
        return how if bad in uids(request.stored()) else stores_all(request)

    async with serving(script) as sink:
        way = StowWay(sink, max_objects=100)
        batch, cargo = load_of(study(4))
        found = await outcomes_of(way, batch, cargo)
        expected = Fault.UNKNOWN if isinstance(how, str) else Fault.TRANSIENT
        assert [(number, fault_of(outcome)) for number, outcome in found] == [(1, expected)]
        found = await outcomes_of(way, batch, cargo)
        assert [number for number, _ in found] == [1, 2, 3]
        assert fault_of(found[2][1]) is expected
        found = await outcomes_of(way, batch[3:], cargo)
        assert isinstance(found[0][1], Delivered)
        sink.script = stores_all
        await outcomes_of(way, batch, cargo)
        sizes = [len(request.stored()) for request in sink.requests]
        assert sizes == [4, 1, 1, 1, 1, 2, 1, 1]
        await way.destination.close()


@pytest.mark.req("R-55")
async def test_a_server_that_asks_to_wait_gets_its_objects_together_once_more() -> None:
    async with serving(lambda _: Answer(status=503)) as sink:
        way = StowWay(sink, max_objects=100)
        batch, cargo = load_of(study(3))
        for _ in range(2):
            await outcomes_of(way, batch, cargo)
        sink.script = stores_all
        for _ in range(2):
            await outcomes_of(way, batch, cargo)
        sizes = [len(request.stored()) for request in sink.requests]
        assert sizes == [3, 3, 1, 1, 1, 3]
        await way.destination.close()


def test_the_memory_of_broken_requests_has_an_end() -> None:
    (one,), _ = load_of(study(1))
    book: dict[int, None] = {}
    for start in range(3):
        remember(book, [replace(one, id=start * MOST_KNOWN + n) for n in range(MOST_KNOWN)])
    assert len(book) == MOST_KNOWN
    assert 3 * MOST_KNOWN - 1 in book


@pytest.mark.req("S-13", "O9")
async def test_a_request_with_a_damaged_object_never_ends_and_the_others_go_again() -> None:
    async with serving() as sink:
        way = StowWay(sink, max_objects=100)
        batch, cargo = load_of(study(5))
        cargo.in_pieces = True
        cargo.breaks = {3}
        found = await outcomes_of(way, batch, cargo)
        assert [number for number, _ in found] == [3, 1, 2, 4, 5]
        assert isinstance(found[0][1], Refused)
        assert [len(request.stored()) for request in sink.requests] == [2, 2]
        assert sink.broken_off == 1
        await way.destination.close()


@pytest.mark.req("R-57")
@pytest.mark.parametrize("probe", ["store", "query"])
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(status=200), None),
        (Answer(status=204), None),
        (Answer(status=400), None),
        (Answer(status=409), None),
        (Answer(status=415), None),
        (Answer(status=401), Fault.PEER),
        (Answer(status=403), Fault.PEER),
        (Answer(status=404), Fault.PEER),
        (Answer(status=302), Fault.PEER),
        (Answer(status=500), Fault.TRANSIENT),
        (Answer(status=503), Fault.TRANSIENT),
        (SILENT, Fault.UNKNOWN),
        (CUT, Fault.UNKNOWN),
    ],
)
async def test_a_probe_is_a_real_request_that_brings_nothing(
    probe: str, answer: Answer | str, fault: Fault | None
) -> None:
    async with serving(lambda _: answer) as sink:
        way = StowWay(sink, probe=probe)
        found = await way.destination.probe()
        assert (found and found.fault) == fault
        (request,) = sink.requests
        if probe == "store":
            assert (request.method, request.target) == ("POST", "/dicom-web/studies")
            assert request.parts() == []
        else:
            assert (request.method, request.target) == ("GET", "/dicom-web/studies?limit=1")
        await way.destination.close()


async def test_nobody_there_is_transient_and_one_attempt_only() -> None:
    async with serving() as sink:
        pass
    way = StowWay(sink)
    batch, cargo = load_of(study(3))
    found = await outcomes_of(way, batch, cargo)
    assert [(number, fault_of(outcome)) for number, outcome in found] == [(1, Fault.TRANSIENT)]
    outcome = found[0][1]
    assert isinstance(outcome, Deferred)
    assert not outcome.connected
    await way.destination.close()


async def test_who_we_are_is_shown_with_each_request() -> None:
    identity = Basic(user="gateway", password="sesame")
    found, sink = await sent(stores_all, 4, max_objects=2, identity=identity)
    assert len(found) == 4
    shown = {request.headers["authorization"] for request in sink.requests}
    assert shown == {"Basic Z2F0ZXdheTpzZXNhbWU="}
    found, _ = await sent(Answer(status=401), 1, identity=identity)
    assert fault_of(found[1]) is Fault.PEER
    assert "sesame" not in repr(found)


async def test_a_token_that_ended_early_is_fetched_again_before_anything_is_blamed() -> None:
    good = ["1"]

    def script(request: Request) -> Answer:
        if request.target == "/token":
            return Answer(body=json.dumps({"access_token": good[0], "expires_in": 999}).encode())
        if request.headers["authorization"] != f"Bearer {good[0]}":
            return Answer(status=401)
        return stores_all(request)

    async with serving(script) as sink:
        identity = Fetched(
            token_url=f"{sink.url}/token", client_id="c", client_secret="s", http=QUICK
        )
        way = StowWay(sink, identity=identity)
        batch, cargo = load_of(study(2))
        for _ in range(2):
            assert isinstance((await outcomes_of(way, batch, cargo))[0][1], Delivered)
        good[0] = "2"
        found = await outcomes_of(way, batch, cargo)
        assert [fault_of(outcome) for _, outcome in found] == [Fault.UNKNOWN]
        assert isinstance((await outcomes_of(way, batch, cargo))[0][1], Delivered)
        await way.destination.close()


async def test_a_refused_client_of_a_token_server_blocks() -> None:
    async with serving(lambda _: Answer(status=401)) as sink:
        identity = Fetched(
            token_url=f"{sink.url}/token", client_id="c", client_secret="s", http=QUICK
        )
        settings = StowSettings(url=sink.url, identity=identity, http=QUICK)
        destination = StowDestination("x", settings)
        probed = await destination.probe()
        assert probed is not None
        assert probed.fault is Fault.PEER
        assert len(sink.requests) == 1
        await destination.close()
