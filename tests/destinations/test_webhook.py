"""Events: what they say, how they are signed, and who pays when nobody takes them."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.destinations.making import Hold, delivery, load_of
from tests.destinations.making_ways import QUICK
from tests.net.http_sink import CUT, SILENT, Answer, HttpSink, serving
from tests.objects.samples import study
from waystation.destinations.fields import EVENT_FIELDS, VALUES
from waystation.destinations.webhook import WebhookDestination, WebhookSettings, key_of
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome

NOW = 1_800_000_000.0
KEY = b"sesame"


def hook(sink: HttpSink, **settings: Any) -> WebhookDestination:
    values = {"url": f"{sink.url}/hook?token=1", "http": QUICK, **settings}
    return WebhookDestination("notify", WebhookSettings(**values), clock=lambda: NOW)


async def told(way: WebhookDestination, count: int) -> list[tuple[int, Outcome]]:
    batch, cargo = load_of(study(count))
    found = [(done.id, outcome) async for done, outcome in way.send(batch, cargo)]
    assert cargo.loaded == []
    await way.close()
    return found


async def test_an_event_tells_of_an_object_and_holds_nothing_of_it() -> None:
    async with serving(lambda _: Answer(status=202)) as sink:
        assert await told(hook(sink), 2) == [(1, Delivered()), (2, Delivered())]
        first, second = sink.requests
        assert (first.method, first.target) == ("POST", "/hook?token=1")
        one = delivery(1, study(1)[0])
        assert json.loads(first.body) == {
            "type": "waystation.objects",
            "timestamp": "2027-01-15T08:00:00+00:00",
            "destination": "notify",
            "objects": [
                {
                    "SOPInstanceUID": one.sop_instance_uid,
                    "SOPClassUID": one.sop_class_uid,
                    "SeriesInstanceUID": one.series_uid,
                    "StudyInstanceUID": one.study_uid,
                    "TransferSyntaxUID": one.transfer_syntax_uid,
                    "calling_ae": "CT1",
                    "arrival": "1",
                    "received_at": 1_800_000_000.0,
                    "size_bytes": one.size_bytes,
                    "sha256": one.sha256,
                }
            ],
        }
        assert first.headers["webhook-id"] == "1-1"
        assert second.headers["webhook-id"] == "2-2"
        assert first.headers["content-type"] == "application/json"
        assert "webhook-signature" not in first.headers


async def test_fields_may_be_chosen_and_objects_gathered() -> None:
    async with serving(lambda _: Answer()) as sink:
        way = hook(sink, fields=("StudyInstanceUID",), max_objects=3)
        assert len(await told(way, 5)) == 5
        events = [json.loads(request.body)["objects"] for request in sink.requests]
        assert [len(objects) for objects in events] == [3, 2]
        assert {key for objects in events for one in objects for key in one} == {"StudyInstanceUID"}


def test_every_field_has_a_value() -> None:
    assert set(EVENT_FIELDS) == set(VALUES)


@pytest.mark.parametrize(
    ("secret", "key"),
    [("sesame", KEY), ("whsec_" + base64.b64encode(KEY).decode(), KEY), ("", b"")],
)
def test_a_key_is_text_or_base64(secret: str, key: bytes) -> None:
    assert key_of(secret) == key


def test_a_key_that_is_no_base64_is_a_fault() -> None:
    with pytest.raises(ValueError, match=r"."):
        key_of("whsec_???")


async def test_an_event_is_signed_over_its_id_its_time_and_its_body() -> None:
    async with serving(lambda _: Answer()) as sink:
        await told(hook(sink, key=KEY), 1)
        (request,) = sink.requests
        signed = b"1-1.1800000000." + request.body
        expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert request.headers["webhook-timestamp"] == "1800000000"
        assert request.headers["webhook-signature"] == f"v1,{expected}"


async def test_a_repeated_event_has_the_same_id() -> None:
    async with serving(lambda _: Answer(status=503)) as sink:
        for _ in range(2):
            await told(hook(sink, max_objects=2), 2)
        first, second = sink.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"]


@pytest.mark.req("O3", "O4", "O7")
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(status=503), Fault.TRANSIENT),
        (Answer(status=429), Fault.TRANSIENT),
        (Answer(status=401), Fault.PEER),
        (Answer(status=404), Fault.PEER),
        (Answer(status=307), Fault.PEER),
        (CUT, Fault.UNKNOWN),
        (SILENT, Fault.UNKNOWN),
    ],
)
async def test_a_receiver_that_is_away_stops_the_lane(answer: Answer | str, fault: Fault) -> None:
    async with serving(lambda _: answer) as sink:
        ((number, outcome),) = await told(hook(sink), 3)
        assert number == 1
        assert isinstance(outcome, Deferred)
        assert outcome.fault is fault
        assert len(sink.requests) == 1


@pytest.mark.req("O5")
async def test_a_receiver_that_refuses_an_event_charges_its_objects() -> None:
    async with serving(lambda _: Answer(status=422, body=b"patient^name")) as sink:
        found = await told(hook(sink, max_objects=2), 3)
        assert [number for number, _ in found] == [1, 2, 3]
        for _, outcome in found:
            assert isinstance(outcome, Deferred)
            assert outcome.fault is Fault.OBJECT
            assert "patient" not in outcome.why


@pytest.mark.req("R-57")
@pytest.mark.parametrize(
    ("status", "open_again"), [(200, True), (400, True), (401, False), (502, False)]
)
async def test_a_probe_is_an_event_about_nothing(status: int, open_again: bool) -> None:
    async with serving(lambda _: Answer(status=status)) as sink:
        way = hook(sink, key=KEY)
        assert (await way.probe() is None) is open_again
        event = json.loads(sink.requests[0].body)
        assert (event["type"], event["objects"]) == ("waystation.ping", [])
        await way.close()


async def test_an_empty_batch_tells_nothing() -> None:
    async with serving() as sink:
        way = hook(sink)
        assert [one async for one in way.send([], Hold({}))] == []
        assert sink.requests == []
        await way.close()


def test_no_secret_shows_in_a_repr() -> None:
    assert "sesame" not in repr(WebhookSettings(url="http://x", key=KEY))
