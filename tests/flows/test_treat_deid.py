"""De-identification as a rule really does it: verified, reported, sampled, with given numbers."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.flows.rig import CT, TINY, Rig, destination
from tests.flows.test_treat import head_of, ruled
from tests.objects.files import Stored
from tests.objects.samples import sample
from tests.objects.study import Kind
from waystation.app.deid_desk import NodeDeid
from waystation.app.view import View
from waystation.cli.journal import StoppedJournal
from waystation.dicom.splice import replace as replace_in
from waystation.journal import deid_records
from waystation.journal.decisions import Action
from waystation.journal.entries import Chosen
from waystation.journal.fixing import fix
from waystation.web.api_deid_shapes import DeidDecision, NotHereError
from waystation.web.view import ActionAsked

ID, NAME, STUDY, DESCRIPTION = 0x00100020, 0x00100010, 0x0020000D, 0x0008103E
MODALITY, BURNED_IN = 0x00080060, 0x00280301
KEY = "6" * 64


def profile(more: str = "") -> str:
    return '[deidentify.research]\nproject = { id = "lung", key = { env = "LUNG_KEY" } }\n' + more


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNG_KEY", KEY)


def telling(stored: Stored) -> Stored:
    """Return the object with the patient's ID in its description."""
    head = head_of(stored)
    made = replace_in(head, {DESCRIPTION: b"of " + head.text(ID).encode()})
    return Stored(
        sop_class=stored.sop_class,
        sop_instance=stored.sop_instance,
        transfer_syntax=stored.transfer_syntax,
        data_set=made + stored.data_set[head.pixel_offset :],
    )


LARGE = Kind(sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", side=1600)
KEEPS = 'rule = [{ tag = "SeriesDescription", do = "keep", loosen = "reviewed" }]\n'


def config(port: int, more: str = "", extra: str = "only_deidentified = true") -> str:
    return destination("a", port, extra) + profile(more) + ruled('deidentify = "research"')


@pytest.mark.req("D-40", "D-42", "R-69")
async def test_what_leaves_is_verified_and_reported(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(config(sink.port))
    stored = [TINY, CT]
    await rig.accepted(*stored)
    await rig.wait_for({"done": len(stored)})
    study = head_of(TINY).text(STUDY)
    found = StoppedJournal(rig.node.settings.node.data).read(deid_records.report_of(study))
    assert found is not None
    renamed = {head_of(one).text(STUDY) for one in sink.objects}
    digests = {row["in"] for report in found["reports"] for row in report["digests"]}
    assert {report["study"] for report in found["reports"]} <= renamed
    assert TINY.digest in digests
    assert all(one["verification"]["passed"] == one["objects"]["out"] for one in found["reports"])
    ((texts,),) = await rig.rows("SELECT group_concat(text) FROM deid_record")
    for secret in (study, head_of(TINY).text(ID), head_of(TINY).text(NAME)):
        assert secret not in texts
    assert await rig.node.database.read(deid_records.broken_link()) is None


@pytest.mark.req("D-39", "D-42")
@pytest.mark.parametrize("large", [False, True])
async def test_a_hit_holds_and_sends_no_byte(rig: Rig, large: bool) -> None:
    sink = await rig.sink()
    await rig.start(config(sink.port, KEEPS))
    one = telling(sample(LARGE) if large else TINY)
    await rig.accepted(one)
    await rig.wait_for({"held:deid-failed": 1})
    assert sink.objects == []
    ((why,),) = await rig.rows("SELECT why FROM delivery")
    assert why.startswith("verification: an ID of the original stands in (0008,103E)")
    assert head_of(one).text(ID) not in why
    study = head_of(one).text(STUDY)
    found = await rig.node.database.read(deid_records.report_of(study))
    assert found is not None
    assert found["held"] == {why: 1}
    assert await rig.rows("SELECT 1 FROM treatment") == []


@pytest.mark.req("D-43")
async def test_a_sample_waits_for_a_person_and_release_does_not_skip_it(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(config(sink.port, "sample = 1.0\n"))
    await rig.accepted(TINY)
    await rig.wait_for({"held:deid-failed": 1})
    view = View(rig.node, lambda: rig.node.reload(rig.node.settings), Path())
    desk = NodeDeid(rig.node)
    order = ActionAsked(
        action=Action.RELEASE, chosen=Chosen(limit=10), user="anna", because="", where=""
    )
    said = DeidDecision(
        study=head_of(TINY).text(STUDY),
        profile="research",
        what="sample",
        approved=False,
        because="a face",
        user="anna",
    )
    again = ActionAsked(
        action=Action.RESEND, chosen=Chosen(limit=10), user="anna", because="", where=""
    )
    for approved, state in (
        (None, "held:deid-failed"),
        (False, "held:deid-failed"),
        (True, "done"),
        (False, "held:deid-failed"),
    ):
        if approved is not None:
            decided = replace(said, approved=approved)
            done = await desk.decide(decided)
            assert len(done.held) == (0 if sink.objects else 1)
        await view.act(again if sink.objects else order)
        await rig.wait_for({state: 1, **({"done": 1} if sink.objects else {})})
    assert len(sink.objects) == 1
    with pytest.raises(NotHereError):
        await desk.decide(replace(said, profile="x"))


@pytest.mark.req("D-29")
async def test_allocated_numbers_survive_a_restart_and_lie_sealed(rig: Rig) -> None:
    sink = await rig.sink()
    text = config(sink.port, 'pseudonym = { source = "allocated", prefix = "LUNG-" }\n')
    await rig.start(text)
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    await rig.restart(text)
    await rig.accepted(CT)
    await rig.wait_for({"done": 2})
    names = [head_of(one).text(ID) for one in sink.objects]
    same = head_of(TINY).text(ID) == head_of(CT).text(ID)
    assert names == ["LUNG-000001", "LUNG-000001" if same else "LUNG-000002"]
    rows = await rig.rows("SELECT patient, sealed FROM deid_pseudonym")
    for patient, sealed in rows:
        assert head_of(TINY).text(ID).encode() not in bytes(patient) + bytes(sealed)


@pytest.mark.req("D-18")
async def test_nobody_learns_who_sent_what_was_de_identified(rig: Rig, tmp_path: Path) -> None:
    sink, out = await rig.sink(), tmp_path / "out"
    out.mkdir()
    await rig.start(
        destination("a", sink.port, 'calling_ae = "passthrough"')
        + f'[destination.b]\nkind = "folder"\npath = "{out}"\nname = "{{calling_ae}}.dcm"\n'
        + profile()
        + ruled('deidentify = "research"')
        + ruled('deidentify = "research"', name="b", to="b")
    )
    await rig.accepted(TINY, calling_ae="SCANNERINROOM7")
    await rig.wait_for({"done": 2})
    (file,) = [file for file in out.rglob("*") if file.is_file()]
    assert b"SCANNERINROOM7" not in file.read_bytes()
    assert "SCANNERINROOM7" not in file.name
    assert sink.objects[0].calling_ae == "WAYSTATION"


@pytest.mark.req("D-32")
@pytest.mark.parametrize("said", [False, True])
async def test_only_a_peer_that_is_marked_is_believed_about_its_pixels(
    rig: Rig, said: bool
) -> None:
    sink = await rig.sink()
    options = 'options = ["clean_pixel_data"]\n'
    peer = f'[peer.room]\nae_title = "CT1"\nburned_in_is_true = {str(said).lower()}\n'
    await rig.start(config(sink.port, options) + peer)
    head = head_of(TINY)
    made = replace_in(head, {MODALITY: b"US", BURNED_IN: b"NO"})
    data_set = made + TINY.data_set[head.pixel_offset :]
    await rig.accepted(replace(TINY, data_set=data_set))
    await rig.wait_for({"done" if said else "held:deid-failed": 1})
    assert len(sink.objects) == said


@pytest.mark.req("D-39", "R-69")
async def test_what_lost_its_steps_is_neither_released_nor_fixed_into_the_open(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(config(sink.port, "sample = 1.0\n", extra=""))
    await rig.accepted(TINY)
    await rig.wait_for({"held:deid-failed": 1})
    await rig.node.database.write(lambda transaction: transaction.run("DELETE FROM recipe", {}))
    ((number,),) = await rig.rows("SELECT id FROM delivery")
    fixed = await rig.node.database.write(fix(number, [{"remove": "StudyID"}], "anna", 0.0))
    assert fixed.problem == "its steps are not known any more"
    view = View(rig.node, lambda: rig.node.reload(rig.node.settings), Path())
    await view.act(
        ActionAsked(
            action=Action.RELEASE, chosen=Chosen(limit=10), user="anna", because="", where=""
        )
    )
    ((recipe,),) = await rig.rows("SELECT recipe FROM delivery")
    assert recipe
    await rig.wait_for({"held:deid-failed": 1})
    assert sink.objects == []
