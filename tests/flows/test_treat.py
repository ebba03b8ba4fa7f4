"""Steps of rules in a running node: what arrives is what the steps made, or nothing."""

import hashlib
from pathlib import Path

import pytest

from tests.flows.rig import CT, TINY, Rig, destination
from tests.net.sink import Received, Sink, until_async
from tests.objects.files import Stored
from tests.objects.samples import compressed, deflated, reencoded, study
from waystation.app.acting import Acting
from waystation.dicom.head import Head, identity
from waystation.dicom.uids import EXPLICIT_VR_BE, IMPLICIT_VR_LE
from waystation.journal.decisions import Action
from waystation.journal.entries import Chosen
from waystation.web.view import ActionAsked

pytestmark = pytest.mark.req("R-65")

WARD = '[ { set = "InstitutionName", to = "St Mary" }, { replace = "PatientID", prefix = "X-" } ]'


def ruled(steps: str, *, name: str = "all", to: str = "a", more: str = "") -> str:
    return f'[[rule]]\nname = "{name}"\nsend = ["{to}"]\n{steps}\n{more}\n'


def head_of(one: Received | Stored) -> Head:
    return Head.from_bytes(one.data_set, one.transfer_syntax)


def tail(one: Received | Stored) -> str:
    """Return the digest of everything from the pixels on."""
    data = one.data_set[head_of(one).pixel_offset :]
    return hashlib.sha256(data).hexdigest()


@pytest.mark.req("RT-11", "R-63", "R-66")
@pytest.mark.parametrize(
    "stored",
    [
        TINY,
        CT,
        reencoded(IMPLICIT_VR_LE),
        reencoded(EXPLICIT_VR_BE),
        compressed("1.2.840.10008.1.2.4.70"),
    ],
    ids=["tiny", "ct", "implicit", "big endian", "compressed"],
)
async def test_an_edited_object_arrives_edited_with_its_tail_untouched(
    rig: Rig, stored: Stored
) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + ruled(f"edit = {WARD}"))
    await rig.accepted(stored)
    await rig.wait_for({"done": 1})
    (got,) = sink.objects
    before, after = head_of(stored), head_of(got)
    assert after.values("InstitutionName") == ["St Mary"]
    assert after.text(0x00100020) == "X-" + before.text(0x00100020)
    assert tail(got) == tail(stored)
    ((syntax, sent, detail),) = await rig.rows(
        "SELECT d.sent_syntax, d.sent_sha256, a.detail FROM delivery d JOIN attempt a"
        " ON a.delivery = d.id"
    )
    assert bytes(sent).hex() == hashlib.sha256(got.data_set).hexdigest()
    assert (syntax, detail) == (stored.transfer_syntax, "edited InstitutionName, PatientID")
    (kept,) = await rig.rows("SELECT sha256 FROM arrival")
    assert bytes(kept[0]).hex() == stored.digest


async def test_a_deflated_object_is_edited_too(rig: Rig) -> None:
    sink, stored = await rig.sink(), deflated()
    await rig.start(destination("a", sink.port) + ruled(f"edit = {WARD}"))
    await rig.accepted(stored)
    await rig.wait_for({"done": 1})
    (got,) = sink.objects
    assert head_of(got).values("InstitutionName") == ["St Mary"]
    assert head_of(got).total_length > head_of(stored).total_length


async def test_new_uids_are_what_the_receiver_is_told(rig: Rig) -> None:
    sink, objects = await rig.sink(), study(3)
    await rig.start(destination("a", sink.port) + ruled("edit = [ { new_uids = true } ]"))
    await rig.accepted(*objects)
    await rig.wait_for({"done": 3})
    old = {one.sop_instance for one in objects}
    assert not old & set(sink.uids())
    found = [identity(head_of(one)) for one in sink.objects]
    assert [one.sop_instance_uid for one in found] == sink.uids()
    assert len({one.study_uid for one in found}) == 1
    await rig.restart()
    await rig.accepted(objects[0])
    assert len({one.sop_instance for one in sink.objects}) == 3


@pytest.mark.req("R-21")
async def test_other_steps_make_another_version_which_is_held(rig: Rig) -> None:
    sink = await rig.sink()
    first = ruled("", name="plain") + ruled(f"edit = {WARD}", name="edited")
    await rig.start(destination("a", sink.port) + first)
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1, "held:two-versions": 1})
    assert [one.data_set for one in sink.objects] == [TINY.data_set]


@pytest.mark.req("R-65")
async def test_a_step_that_fails_holds_and_sends_nothing(rig: Rig) -> None:
    sink = await rig.sink()
    edit = '[ { set = "PatientSex", to = "{PatientName}" } ]'
    await rig.start(destination("a", sink.port) + ruled(f"edit = {edit}"))
    await rig.accepted(TINY)
    await rig.wait_for({"held:rule-error": 1})
    assert sink.objects == []
    ((why,),) = await rig.rows("SELECT why FROM delivery")
    assert "PatientSex" in why
    await rig.node.stop()
    rig.running = False


@pytest.mark.req("R-67", "RT-11")
async def test_a_broken_table_changes_nothing_while_objects_come(rig: Rig, tmp_path: Path) -> None:
    table = tmp_path / "wards.csv"
    sink = await rig.sink()
    known = head_of(TINY).text(0x00100020)
    table.write_text(f"id,ward\n{known},Nord\n")
    lookup = '[ { lookup = "wards", key = "PatientID", to = { InstitutionName = "ward" } } ]'
    await rig.start(
        destination("a", sink.port)
        + f'[lookup.wards]\nfile = "{table}"\n'
        + ruled(f"edit = {lookup}")
    )
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    tables = rig.node.stepping.tables
    table.write_text(f"id,ward\n{known},Nord\n{known},Süd\n")
    tables.look()
    ((since, why),) = tables.problems.values()
    assert since
    assert why == "wards.csv:3 the key of line 2 stands here again"
    second, third = study(1, seed="second")[0], study(1, seed="third")[0]
    await rig.accepted(second)
    await rig.wait_for({"done": 2})
    table.write_text(f"id,ward\n{known},West\n")
    tables.look()
    assert not tables.problems
    await rig.accepted(third)
    await rig.wait_for({"done": 3})
    assert [head_of(one).text(0x00080080) for one in sink.objects] == ["Nord", "Nord", "West"]


@pytest.mark.req("R-65")
async def test_a_retry_and_another_life_send_the_same_bytes(rig: Rig) -> None:
    class Flaky(Sink):
        pass

    sink = await rig.sink(Flaky(script=lambda _command: 0xA700))
    await rig.start(destination("a", sink.port) + ruled(f"edit = {WARD}"))
    await rig.accepted(CT)

    async def tried(times: int) -> bool:
        return len(sink.objects) >= times

    await until_async(lambda: tried(2))
    await rig.restart()
    sink.script = lambda _command: 0
    await rig.wait_for({"done": 1})
    assert len(sink.objects) >= 3
    assert len({one.data_set for one in sink.objects}) == 1
    ((rows,),) = await rig.rows("SELECT count(*) FROM treatment")
    assert rows == 1


@pytest.mark.req("R-69", "RT-11", "D-37")
async def test_a_destination_that_wants_marks_gets_nothing_without(rig: Rig) -> None:
    sink = await rig.sink()
    forged = '[ { set = "PatientIdentityRemoved", to = "YES" },'
    forged += ' { set = "DeidentificationMethod", to = "us" } ]'
    await rig.start(
        destination("a", sink.port, "only_deidentified = true")
        + ruled("", name="plain")
        + ruled(f"edit = {forged}", name="forged")
    )
    await rig.accepted(TINY, CT)
    await rig.wait_for({"held:not-deidentified": 2, "held:two-versions": 2})
    asked = ActionAsked(action=Action.RELEASE, chosen=Chosen(state="held"), user="anna")
    await Acting(rig.node).act(asked)
    await rig.wait_for({"held:not-deidentified": 4})
    assert sink.objects == []
