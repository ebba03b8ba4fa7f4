"""The API over files and HL7 messages (T-60, T-61, T-64)."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.flows.worklist_rig import WorklistRig, worklist_rig
from tests.hl7.building import order
from tests.web.standin import StandIn
from waystation.flows.hl7_feed import FeedTerms, Sender
from waystation.hl7.mapping import FieldMap
from waystation.web.api_worklist_ways import Ways, worklist_ways_api
from waystation.web.site import site

URL = "/api/v1/worklist"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[WorklistRig]:
    with worklist_rig(tmp_path) as opened:
        yield opened


@pytest.fixture
def client(rig: WorklistRig) -> httpx2.AsyncClient:
    ways = Ways(
        steps=rig.steps,
        feed=lambda: rig.feed,
        database=rig.database,
        has_area=lambda name: name == "ct",
    )
    app = site(StandIn(), parts=[worklist_ways_api(ways)])
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app, client=("127.0.0.1", 5000)),
        base_url="http://127.0.0.1:8080",
    )


async def post(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> httpx2.Response:
    return await client.post(URL + path, json=body)


@pytest.mark.req("T-61")
async def test_entries_are_previewed_imported_and_found_again(
    client: httpx2.AsyncClient, rig: WorklistRig, golden: Path
) -> None:
    raw = (golden / "wlm" / "data" / "OFFIS" / "wklist1.wl").read_bytes()
    entries = [
        {"data": base64.b64encode(raw).decode()},
        {"values": {"PatientID": "P1", "PatientName": "Müller^Jörg"}},
    ]
    body = {"entries": entries, "source": "two.wl", "area": "ct", "user": "anna"}
    seen = (await post(client, "/import", {**body, "preview": True})).json()
    assert (len(seen["made"]), await rig.all()) == (2, [])
    done = (await post(client, "/import", body)).json()
    assert len(done["made"]) == 2
    steps = await rig.all()
    assert [f"{one.id:x}" for one in steps] == done["made"]
    assert {one.area for one in steps} == {"ct"}
    origin = steps[0].origin
    assert (origin.kind, origin.name, origin.detail) == ("api", "anna", "two.wl")
    again = (await post(client, "/import", {**body, "entries": entries[:1]})).json()
    assert (again["made"], again["same"]) == ([], done["made"][:1])


@pytest.mark.req("T-61", "T-64")
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"entries": [{"values": {"PatientBirthDate": "2026-13-01"}}]}, "PatientBirthDate"),
        ({"entries": [{"values": {"PatientNme": "X"}}]}, "PatientNme"),
        ({"entries": [{"data": "!!"}]}, "Base64"),
        ({"entries": [{"data": "AAAA"}]}, "entry 1"),
        ({"entries": [{"values": {"PatientID": "1"}}], "area": "xx"}, "no area xx"),
    ],
)
async def test_what_cannot_be_taken_is_400_and_nothing_is_taken(
    client: httpx2.AsyncClient, rig: WorklistRig, body: dict[str, Any], problem: str
) -> None:
    good = {"values": {"PatientID": "P1"}}
    answer = await post(client, "/import", {**body, "entries": [good, *body["entries"]]})
    wanted = problem.replace("entry 1", "entry 2")
    assert (answer.status_code, wanted in answer.text) == (400, True), answer.text
    assert await rig.all() == []


@pytest.mark.req("T-60")
async def test_messages_are_listed_without_patient_data_and_replayed(
    client: httpx2.AsyncClient, rig: WorklistRig
) -> None:
    await rig.take(order(1, name="Secret^Name"))
    await rig.take(order(2, name="Secret^Name").replace(b"|SPS2", b"|STEP-TOO-LONG-FOR-AN-ID"))
    listed = (await client.get(URL + "/messages")).json()["messages"]
    assert [one["code"] for one in listed] == ["AE", "AA"]
    (refused,) = (await client.get(URL + "/messages?code=AE")).json()["messages"]
    one = await client.get(f"{URL}/messages/{refused['id']}")
    assert "Secret" not in one.text
    assert "OBR|1|PL2|FI2|CTH^CT head" in one.text
    assert "PID|1|" in one.text
    text = await client.get(f"{URL}/messages/{refused['id']}/text")
    assert "Secret^Name" in text.json()["text"]
    assert (await post(client, f"/messages/{refused['id']}/replay", {})).json()["code"] == "AE"
    mended = FieldMap.of({"ScheduledProcedureStepID": ["OBR-3.1"]})
    rig.feed.terms = FeedTerms(default=Sender(field_map=mended))
    assert (await post(client, f"/messages/{refused['id']}/replay", {})).json()["code"] == "AA"
    assert (await client.get(f"{URL}/messages/999")).status_code == 404


@pytest.mark.req("T-61")
async def test_a_pasted_message_tells_its_values_and_where_they_come_from(
    client: httpx2.AsyncClient, rig: WorklistRig
) -> None:
    text = order(1).decode("latin-1").replace("\r", "\n").replace("8859/1", "UNICODE UTF-8")
    tried = (await post(client, "/messages/try", {"text": text})).json()
    assert (tried["kind"], tried["fault"]) == ("ORM^O01", "")
    (part,) = tried["parts"]
    assert part["values"]["PatientName"] == {"value": "Müller^Jörg", "from": "PID-5"}
    wrong = (await post(client, "/messages/try", {"text": "PID|1"})).json()
    assert "does not begin with MSH" in wrong["fault"]
    assert await rig.all() == []
    assert await rig.kept() == []
