"""Whoever is shown patients leaves a record, whatever way they are shown; so do decisions."""

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.flows.ward import Ward, ward
from tests.web.house import QuickPasswords, Visitor
from waystation.app.people import People
from waystation.app.view import View
from waystation.app.wiring_console import console_parts
from waystation.journal import audit
from waystation.journal.audit import Record
from waystation.model.errors import StorageError
from waystation.model.step import Author, Step, StepDraft
from waystation.web.administration import Faults
from waystation.web.pages import worklist
from waystation.web.pages.worklist import line_of
from waystation.web.site import site

pytestmark = pytest.mark.asyncio(loop_scope="module")
ASKS = 'PatientID == "H1"'


class Clinic:
    """A whole node with people: ann sees patients, tom does not."""

    def __init__(self, hospital: Ward) -> None:
        self.ward, self.node = hospital, hospital.node
        self.people = self.node.annexes.of(People)
        accounts = self.people.accounts
        accounts.passwords.close()
        accounts.passwords = QuickPasswords()
        self.site = site(View(self.node, _nothing), None, accounts, console_parts(self.node))
        self.seen = 0

    async def open(self) -> None:
        people = self.people.administration
        for name, grants in (("ann", ("phi",)), ("tom", ())):
            await people.add(name, "admin", grants, "correct horse battery", "test")
        self.ann, self.tom = await self.signed_in("ann"), await self.signed_in("tom")

    async def signed_in(self, name: str) -> Visitor:
        visitor = Visitor(self.site, "127.0.0.1", "http")
        assert (await visitor.sign_in(name)).status_code == 303
        return visitor

    async def post(self, path: str, by: Visitor | None = None, /, **body: Any) -> int:
        """Send JSON as the scripts of a page do."""
        who = by or self.ann
        page = (await who.get("/account")).text
        token = page.split('name="form_token" value="')[1][:32]
        answer = await who.http.post(path, json=body, headers={"x-waystation-form": token})
        return answer.status_code

    async def fresh(self, event: str = "looked") -> list[Record]:
        """Return the records of an event since the last time, the oldest first."""
        await self.node.database.write(lambda transaction: None)
        found = await self.node.database.read(audit.records(limit=1000))
        before, self.seen = self.seen, found[0].number
        return [one for one in found[::-1] if one.number > before and one.event == event]


async def _nothing() -> list[str]:
    return []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clinic(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clinic]:
    async with ward(tmp_path_factory.mktemp("clinic")) as made:
        found = Clinic(made)
        await found.open()
        yield found


def pages(records: list[Record]) -> list[str]:
    return [one.what["page"] for one in records]


@pytest.mark.req("S-57", "W-134")
async def test_forms_that_show_an_entry_leave_a_record(clinic: Clinic) -> None:
    (number,) = await clinic.ward.add({})
    await clinic.fresh()
    edit = f"/worklist/{number:x}/edit"
    assert "Haydn" in (await clinic.ann.get(edit)).text
    assert "Haydn" in (await clinic.ann.get(f"/worklist/new?copy={number:x}")).text
    records = await clinic.fresh()
    assert pages(records) == [edit, "/worklist/new"]
    assert [(one.who, one.what.get("keys")) for one in records] == [
        ("ann", None),
        ("ann", ["copy"]),
    ]
    # What is refused shows what there is.
    refused = await clinic.ann.send(edit, edit, sure="1", version="0", PatientName="A^B")
    assert refused.status_code == 409
    state = f"/api/v1/worklist/steps/{number:x}/state"
    assert await clinic.post(state, to="scheduled") in (200, 409)
    assert pages(await clinic.fresh()) == [state]


@pytest.mark.req("S-57", "W-134")
async def test_who_asks_for_a_patient_by_id_is_recorded_with_the_id(clinic: Clinic) -> None:
    await clinic.ward.add({"PatientID": "FIRST"}, {"PatientID": "SECOND"})
    await clinic.ann.get("/worklist/new")
    await clinic.fresh()
    for patient in ("FIRST", "SECOND", "FIRST"):
        fields = {"use": "patient", "PatientID": patient}
        answer = await clinic.ann.send("/worklist/new", "/worklist/new", **fields)
        assert "Haydn" in answer.text
    named = [one.what["patient"] for one in await clinic.fresh() if "patient" in one.what]
    assert named == ["FIRST", "SECOND"]


@pytest.mark.req("S-57", "W-134")
async def test_each_search_leaves_a_record_with_its_keys_and_not_what_was_sought(
    clinic: Clinic,
) -> None:
    await clinic.fresh()
    for name in ("Secret", "Other", "Secret"):
        await clinic.ann.get(f"/worklist?text={name}&day=all")
    records = await clinic.fresh()
    assert [one.what["keys"] for one in records] == [["day", "text"]] * 2
    assert "Secret" not in str(records)
    body: dict[str, Any] = {"keys": {"PatientName": "Secret^*"}, "record": "1.2.3"}
    assert await clinic.post("/api/v1/archive/why", **body) == 200
    told = [one.what for one in await clinic.fresh() if "record" in one.what]
    assert [(one["record"], one["keys"]) for one in told] == [("1.2.3", ["PatientName"])]


@pytest.mark.req("S-57", "W-134")
async def test_an_expression_about_patients_leaves_a_record(clinic: Clinic) -> None:
    await clinic.fresh()
    for path in ("deliveries", "arrivals"):
        where = {"where": ASKS}
        answer = await clinic.ann.http.get(f"/api/v1/{path}", params=where)
        assert answer.status_code == 200, answer.text
        assert (await clinic.tom.http.get(f"/api/v1/{path}", params=where)).status_code == 403
    assert await clinic.post("/api/v1/deliveries/retry", where=ASKS, preview=True) == 200
    assert await clinic.post("/api/v1/replay", where=ASKS, since=0, preview=True) == 200
    assert await clinic.post("/api/v1/deliveries/retry", clinic.tom, where=ASKS) == 403
    records = await clinic.fresh()
    assert pages(records) == [
        f"/api/v1/{path}" for path in ("deliveries", "arrivals", "deliveries/retry", "replay")
    ]
    assert {one.who for one in records} == {"ann"}
    assert "H1" not in str([one.what for one in records])


@pytest.mark.req("S-67")
async def test_an_expression_about_patients_waits_until_records_can_be_kept(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> object:
        raise StorageError("disk full")

    await clinic.fresh()
    trail = clinic.people.trail
    with monkeypatch.context() as broken:
        broken.setattr(trail, "_job", lambda *_: full)
        trail.fault = "disk full"
        answer = await clinic.ann.http.get("/api/v1/deliveries", params={"where": ASKS})
        assert answer.status_code == 503
        assert (await clinic.ann.http.get("/api/v1/deliveries")).status_code == 200
    assert await trail.fit()


@pytest.mark.req("S-57")
async def test_a_token_that_may_change_the_worklist_may_see_patients(clinic: Clinic) -> None:
    people = clinic.people.administration
    with pytest.raises(Faults, match="needs phi"):
        await people.add_token("ris", ["schedule"], 30, "ann")
    assert await people.add_token("ris", ["schedule", "phi"], 30, "ann")


async def test_decisions_about_the_queue_are_recorded_with_who_and_why(clinic: Clinic) -> None:
    await clinic.fresh()
    order: dict[str, Any] = {"study": "1.2.3", "because": "sent twice"}
    assert await clinic.post("/api/v1/deliveries/discard", **order, preview=True) == 200
    assert await clinic.post("/api/v1/deliveries/discard", **order) == 200
    assert await clinic.post("/api/v1/deliveries/release", where=ASKS) == 200
    assert await clinic.post("/api/v1/replay", where=ASKS, since=5) == 200
    records = await clinic.fresh("decided")
    assert {one.who for one in records} == {"ann"}
    assert [one.what for one in records] == [
        {"decision": "discard", **order},
        {"decision": "release", "where": True},
        {"decision": "replay", "since": 5},
    ]


async def test_what_somebody_was_refused_is_recorded(clinic: Clinic) -> None:
    await clinic.fresh()
    for _ in range(2):
        assert (await clinic.tom.get("/worklist")).status_code == 403
    assert (await Visitor(clinic.site, "192.0.2.9", "http").get("/")).status_code == 303
    (record,) = await clinic.fresh("refused")
    assert (record.who, record.what["page"], record.what["method"]) == ("tom", "/worklist", "GET")


async def test_a_change_by_a_file_or_a_peer_is_not_recorded_as_a_person_s(clinic: Clinic) -> None:
    await clinic.fresh()
    values = {"PatientID": "IMP", "PatientName": "Import^A"}
    body: dict[str, Any] = {"entries": [{"values": values}], "source": "tom"}
    assert await clinic.post("/api/v1/worklist/import", **body) == 200
    drafts = [StepDraft(values={**values, "PatientID": "FILED"})]
    await clinic.ward.steps.add_all(drafts, Author(kind="file", name="ann"))
    records = await clinic.fresh("order")
    assert [one.who for one in records] == ["ann", "file ann"]
    assert records[0].what["from"] == "tom"


async def test_a_long_list_is_written_beside_the_loop(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clinic.ward.add({})
    seen: set[int] = set()

    def told(step: Step, now: float) -> worklist.Line:
        seen.add(threading.get_ident())
        return line_of(step, now)

    monkeypatch.setattr(worklist, "line_of", told)
    assert "Haydn" in (await clinic.ann.get("/worklist.csv?day=all&state=any")).text
    assert seen
    assert threading.get_ident() not in seen


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((f"/worklist?day={day}", 200) for day in ("00010101", "99991231", "2026-02-30")),
        *((f"/worklist/{number}", 404) for number in ("ffffffffffffffff", "x", "0")),
        ("/worklist/ffffffffffffffff/why", 404),
        ("/worklist/messages/ffffffffffffffff", 404),
        ("/api/v1/worklist/steps/ffffffffffffffff", 400),
        ("/api/v1/deliveries/ffffffffffffffff", 400),
    ],
)
async def test_what_is_no_day_or_id_is_no_fault_of_the_node(
    path: str, status: int, clinic: Clinic
) -> None:
    assert (await clinic.ann.get(path)).status_code == status


async def test_a_version_that_is_no_number_is_an_old_one(clinic: Clinic) -> None:
    (number,) = await clinic.ward.add({})
    edit = f"/worklist/{number:x}/edit"
    fields = {"sure": "1", "version": "\u00b2", "PatientName": "A^B"}
    answer = await clinic.ann.send(edit, edit, **fields)
    assert answer.status_code == 409
