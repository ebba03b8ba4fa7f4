"""Validation in a running node: hold, reject, correct, tag, pass; release and fix by a person."""

from pathlib import Path

import pytest

from tests.flows.rig import TINY, Rig, destination
from tests.flows.test_treat import head_of, ruled
from tests.net.sink import until_async
from tests.objects.files import Stored
from tests.objects.samples import study
from waystation.app.acting import Acting
from waystation.journal import queue
from waystation.journal.decisions import Action
from waystation.journal.entries import Chosen
from waystation.web.view import ActionAsked

pytestmark = pytest.mark.req("R-68")

NAME = head_of(TINY).text(0x00100010)
PATIENT = head_of(TINY).text(0x00100020)


def named(stored: Stored, name: str) -> Stored:
    """Return another object of the same patient with another name, as long as the old one."""
    old = NAME.encode()
    assert len(name) == len(NAME)
    changed = stored.data_set.replace(old, name.encode())
    assert changed != stored.data_set
    return Stored(
        sop_class=stored.sop_class,
        sop_instance=stored.sop_instance,
        transfer_syntax=stored.transfer_syntax,
        data_set=changed,
    )


async def release(rig: Rig, action: Action = Action.RELEASE) -> None:
    asked = ActionAsked(action=action, chosen=Chosen(state="held"), user="anna", because="seen")
    await Acting(rig.node).act(asked)


async def held_id(rig: Rig) -> int:
    ((found,),) = await rig.rows("SELECT id FROM delivery WHERE state = 'held'")
    return int(found)


def pattern(more: str = "") -> str:
    return f'[validate.ids]\npatterns = {{ PatientID = "[0-9]{{3}}" }}\n{more}\n'


async def test_a_mismatch_holds_and_a_release_sends_it_as_it_is(rig: Rig) -> None:
    sink = await rig.sink()
    steps = 'validate = ["ids"]\nedit = [ { set = "InstitutionName", to = "St Mary" } ]'
    await rig.start(destination("a", sink.port) + pattern() + ruled(steps))
    await rig.accepted(TINY)
    await rig.wait_for({"held:validation": 1})
    ((why,),) = await rig.rows("SELECT why FROM delivery")
    assert why == "ids: mismatch: PatientID does not match its pattern"
    assert PATIENT not in why
    await release(rig, Action.RETRY)
    await rig.wait_for({"held:validation": 1})
    await release(rig)
    await rig.wait_for({"done": 1})
    (got,) = sink.objects
    assert head_of(got).values("InstitutionName") == ["St Mary"]
    assert head_of(got).text(0x00100020) == PATIENT


@pytest.mark.req("R-8")
async def test_what_is_rejected_is_refused_with_c001_before_it_is_kept(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(
        destination("a", sink.port)
        + pattern('on_mismatch = "reject"')
        + ruled('validate = ["ids"]')
    )
    status, comment = await rig.refused(TINY)
    assert (status, comment) == (0xC001, "ids: mismatch: PatientID does not match its pattern")
    assert await rig.arrivals() == []


async def test_other_rules_decide_nothing_about_a_rejection(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(
        destination("a", sink.port)
        + pattern('on_mismatch = "reject"')
        + ruled("", name="plain")
        + ruled('validate = ["ids"]', name="checked", more='when = { Modality = "US" }')
    )
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})


async def test_a_list_corrects_what_differs_and_says_what_was_there(
    rig: Rig, tmp_path: Path
) -> None:
    sink = await rig.sink()
    table = tmp_path / "patients.csv"
    table.write_text(f"id,name\n{PATIENT},Right^Anna\n")
    await rig.start(
        destination("a", sink.port)
        + f'[lookup.patients]\nfile = "{table}"\n'
        + '[validate.mpi]\nsource = "csv"\ntable = "patients"\n'
        + 'compare = { PatientName = "name" }\non_mismatch = "correct"\n'
        + ruled('validate = ["mpi"]')
    )
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    after = head_of(sink.objects[0])
    assert after.values("PatientName") == ["Right^Anna"]
    record = "OriginalAttributesSequence."
    assert after.values(record + "ModifiedAttributesSequence.PatientName") == [NAME]
    assert after.values(record + "ReasonForTheAttributeModification") == ["CORRECT"]


async def test_what_no_list_knows_is_held_and_tagged_or_let_pass_as_wanted(
    rig: Rig, tmp_path: Path
) -> None:
    sink = await rig.sink()
    table = tmp_path / "patients.csv"
    table.write_text("id,name\n1,Other\n")
    text = (
        destination("a", sink.port)
        + f'[lookup.patients]\nfile = "{table}"\n'
        + '[validate.mpi]\nsource = "csv"\ntable = "patients"\nACTION\n'
        + ruled('validate = ["mpi"]')
    )
    first, second, third = study(3)
    await rig.start(text.replace("ACTION", ""))
    await rig.accepted(first)
    await rig.wait_for({"held:validation": 1})
    await rig.restart(
        text.replace("ACTION", 'on_unknown = { tag = "PatientComments", text = "CHECK" }')
    )
    await rig.accepted(second)
    await rig.wait_for({"held:validation": 1, "done": 1})
    assert head_of(sink.objects[0]).values("PatientComments") == ["CHECK"]
    await rig.restart(text.replace("ACTION", 'on_unknown = "pass"'))
    await rig.accepted(third)
    await rig.wait_for({"held:validation": 1, "done": 2})
    assert sink.objects[1].data_set == third.data_set


async def test_one_patient_id_with_two_names_is_held(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(
        destination("a", sink.port)
        + '[validate.same]\nsource = "earlier"\n'
        + ruled('validate = ["same"]')
    )
    other = NAME[:-2] + "Qq"
    first, second = study(1, seed="p1")[0], study(1, seed="p2")[0]
    await rig.accepted(first)
    await rig.wait_for({"done": 1})
    await rig.accepted(named(second, other))
    await rig.wait_for({"done": 1, "held:validation": 1})
    ((why,),) = await rig.rows("SELECT why FROM delivery WHERE state = 'held'")
    assert why == "same: mismatch: PatientName differs"
    story = await rig.node.database.read(queue.story((await arrival_ids(rig))[1]))
    assert story is not None
    (told,) = story.steps.values()
    assert (NAME in told.detail, other in told.detail) == (True, True)


async def arrival_ids(rig: Rig) -> list[int]:
    return [int(row[0]) for row in await rig.rows("SELECT id FROM arrival ORDER BY id")]


@pytest.mark.req("RT-11")
async def test_what_a_missing_source_holds_goes_on_by_itself(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.flows.treat.AGAIN_AFTER_S", 0.05)
    sink = await rig.sink()
    table = tmp_path / "patients.csv"
    await rig.start(
        destination("a", sink.port)
        + f'[lookup.patients]\nfile = "{table}"\n'
        + '[validate.mpi]\nsource = "csv"\ntable = "patients"\n'
        + ruled('validate = ["mpi"]')
    )
    await rig.accepted(TINY)

    async def tried_twice() -> bool:
        ((attempts,),) = await rig.rows("SELECT attempts FROM delivery")
        return int(attempts) >= 2

    await until_async(tried_twice)
    assert sink.objects == []
    ((why,),) = await rig.rows("SELECT why FROM delivery")
    assert why == 'mpi: source-down: table "patients" is not there'
    table.write_text(f"id,name\n{PATIENT},{NAME}\n")
    rig.node.stepping.tables.look()
    await rig.wait_for({"done": 1})


@pytest.mark.req("R-59")
async def test_a_fix_sends_a_corrected_version_and_keeps_the_original(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + pattern() + ruled('validate = ["ids"]'))
    await rig.accepted(TINY)
    await rig.wait_for({"held:validation": 1})
    edit = {"set": "PatientID", "to": "123", "reason": "correct"}
    acting = Acting(rig.node)
    assert await acting.fix(await held_id(rig), [edit], "anna") == ""
    await rig.wait_for({"done": 1})
    after = head_of(sink.objects[0])
    assert after.text(0x00100020) == "123"
    record = "OriginalAttributesSequence.ReasonForTheAttributeModification"
    assert after.values(record) == ["CORRECT"]
    ((done, sha256),) = await rig.rows(
        "SELECT d.id, a.sha256 FROM delivery d JOIN arrival a ON a.id = d.arrival"
    )
    assert bytes(sha256).hex() == TINY.digest
    assert "it is done" in await acting.fix(int(done), [edit], "anna")
    assert await acting.fix(12345, [edit], "anna") == "there is no such delivery"
