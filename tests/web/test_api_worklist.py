"""The worklist in the API: made, changed, refused in words, looked at as a modality does (T-64)."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.flows.ward import COMPLETE, Ward, ward
from tests.web.living import BASE
from tests.web.standin import StandIn
from waystation.app.wiring_board import board
from waystation.web.api_worklist import worklist_api
from waystation.web.site import site

pytestmark = pytest.mark.asyncio(loop_scope="module")
AT = "/api/v1/worklist"


class Desk:
    """The API over a node with a worklist."""

    def __init__(self, hospital: Ward) -> None:
        self.ward = hospital
        app = site(StandIn(), parts=[worklist_api(board(hospital.node))])
        transport = httpx2.ASGITransport(app, client=("127.0.0.1", 5000))
        self.client = httpx2.AsyncClient(transport=transport, base_url=BASE)

    async def ask(self, method: str, path: str, *, headers: Any = None, **body: Any) -> Any:
        sent: Any = {"json": {"user": "ann", **body}} if method != "GET" else {"params": body}
        return await self.client.request(method, AT + path, headers=headers, **sent)

    async def made(self, **values: Any) -> dict[str, Any]:
        answer = await self.ask("POST", "/steps", steps=[{"values": {**COMPLETE, **values}}])
        assert answer.status_code == 201, answer.text
        (one,) = answer.json()["steps"]
        found: dict[str, Any] = one
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    config = '[worklist.area.ct]\nae_title = "WL_CT"\n[worklist]\nunknown_area = "default"\n'
    async with ward(tmp_path_factory.mktemp("desk"), config) as made:
        yield Desk(made)


@pytest.mark.req("T-64", "T-54")
async def test_steps_are_made_shown_changed_and_found(desk: Desk) -> None:
    made = await desk.made(PatientName="M\u00fcller^J\u00f6rg")
    answer = await desk.ask("GET", f"/steps/{made['id']}")
    assert answer.headers["etag"] == '"1"'
    shown = answer.json()
    assert shown["values"]["PatientName"] == "M\u00fcller^J\u00f6rg"
    assert (shown["state"], shown["listed"], shown["missing"]) == ("scheduled", True, [])
    changed = await desk.ask(
        "PATCH",
        f"/steps/{made['id']}",
        headers={"If-Match": '"1"'},
        values={"PatientWeight": "71.5", "PatientSex": ""},
    )
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    found = (await desk.ask("GET", "/steps", text="muller", state="scheduled")).json()
    assert [one["id"] for one in found["steps"]] == [made["id"]]
    history = (await desk.ask("GET", f"/steps/{made['id']}/history")).json()["changes"]
    assert [(one["what"], one["author"]["name"]) for one in history] == [
        ("created", "ann"),
        ("changed", "ann"),
    ]


@pytest.mark.req("T-64", "T-62")
async def test_what_cannot_be_kept_is_refused_with_each_field_and_its_fault(desk: Desk) -> None:
    values = {**COMPLETE, "PatientBirthDate": "1.1.1970", "Modality": "ct", "Foo": "x"}
    answer = await desk.ask("POST", "/steps", steps=[{"values": values}])
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    fields = {one["field"]: one["text"] for one in answer.json()["fields"]}
    assert fields["PatientBirthDate"] == "is no date; write it as YYYYMMDD"
    assert set(fields) == {"PatientBirthDate", "Modality", "Foo"}
    assert "1.1.1970" not in answer.text


@pytest.mark.req("T-63")
async def test_the_second_of_two_edits_gets_both_changes(desk: Desk) -> None:
    made = await desk.made()
    path = f"/steps/{made['id']}"
    first = await desk.ask("PATCH", path, values={"PatientName": "One^A"}, version=1)
    assert first.status_code == 200
    second = await desk.ask("PATCH", path, values={"PatientName": "Two^B"}, version=1)
    assert second.status_code == 409
    body = second.json()
    assert body["step"]["values"]["PatientName"] == "One^A"
    assert body["since"][0]["after"] == {"PatientName": "One^A"}


@pytest.mark.req("T-64")
async def test_the_same_key_again_makes_nothing_twice(desk: Desk) -> None:
    order = {"steps": [{"values": {**COMPLETE, "PatientID": "idem"}}]}
    headers = {"Idempotency-Key": "k-1"}
    first = await desk.ask("POST", "/steps", headers=headers, **order)
    again = await desk.ask("POST", "/steps", headers=headers, **order)
    assert first.json()["steps"][0]["id"] == again.json()["steps"][0]["id"]
    other = {"steps": [{"values": {**COMPLETE, "PatientID": "other"}}]}
    assert (await desk.ask("POST", "/steps", headers=headers, **other)).status_code == 409


@pytest.mark.req("T-64", "T-59")
async def test_states_deletion_and_undo(desk: Desk) -> None:
    path = f"/steps/{(await desk.made())['id']}"
    assert (await desk.ask("POST", f"{path}/state", to="arrived")).json()["state"] == "arrived"
    assert (await desk.ask("DELETE", path)).json()["deleted"] is True
    assert (await desk.ask("PATCH", path, values={})).status_code == 409
    assert (await desk.ask("POST", f"{path}/restore")).json()["deleted"] is False
    await desk.ask("POST", f"{path}/state", to="cancelled", why="went home")
    refused = await desk.ask("POST", f"{path}/state", to="ready")
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "a cancelled step cannot become ready",
    )
    assert (await desk.ask("GET", "/steps/ffff")).status_code == 404


@pytest.mark.req("T-64", "T-62", "T-19")
async def test_preview_why_and_the_last_queries_come_over_the_api(desk: Desk) -> None:
    made = await desk.made(ScheduledStationAETitle="US7", PatientName="Pre^View")
    asked = {"PatientName": "Pre^View"}
    await desk.ward.find(asked, calling="US7", ScheduledStationAETitle="US7")
    entries = (await desk.ask("GET", "/preview", station="US7", last="true")).json()["entries"]
    assert [one["step"] for one in entries] == [made["id"]]
    assert ["PatientName", "Pre^View"] in entries[0]["values"]
    why = (await desk.ask("GET", f"/steps/{made['id']}/why", station="US7")).json()
    assert why["seen"] is True
    (query, *_) = (await desk.ask("GET", "/queries", station="US7")).json()["queries"]
    assert (query["answers"], query["status"]) == (1, "0000")
    assert ["PatientName", "Pre^View"] in query["keys"]
    assert (await desk.ask("GET", "/areas")).json() == {"ct": ["WL_CT"]}
    assert (await desk.ask("GET", "/procedures")).json() == {"procedures": []}


@pytest.mark.req("T-64")
async def test_pages_follow_each_other_without_gap_or_overlap(desk: Desk) -> None:
    await desk.ward.add({}, {}, {}, {}, {}, PatientID="paged", Modality="XA")
    ids: list[str] = []
    after = ""
    for _ in range(3):
        page = (await desk.ask("GET", "/steps", modality="XA", limit=2, after=after)).json()
        ids += [one["id"] for one in page["steps"]]
        after = page["after"]
    assert after == ""
    assert len(ids) == len(set(ids)) == 5


@pytest.mark.req("T-63", "S-64")
async def test_every_change_is_in_the_audit_trail_without_values(desk: Desk) -> None:
    made = await desk.made(PatientID="aud-1")
    await desk.ask("PATCH", f"/steps/{made['id']}", values={"PatientName": "Secret^Name"})

    def job(transaction: Any) -> Any:
        text = "SELECT event, who, what FROM audit WHERE what LIKE :step ORDER BY number"
        return transaction.rows(text, {"step": f"%{made['id']}%"})

    records = await desk.ward.node.database.read(job)
    assert [(row[0], row[1]) for row in records] == [("order", "ann"), ("patient", "ann")]
    assert "PatientName" in records[1][2]
    assert "Secret" not in records[1][2]
