"""C-FIND asked of a node that has PACS behind it: a workstation sees one PACS."""

from dataclasses import replace

import pytest

from tests.flows.asking import SERIES, STUDY, ask, heads, identifier, open_call, study_of
from tests.flows.rig import Rig
from tests.flows.scripted_pacs import HOST, ScriptedPacs, running
from tests.objects.samples import study
from tests.web.sources import studies
from tests.web.sources import study as row
from waystation.app.upstreaming import Upstreaming
from waystation.dicom.uids import PATIENT_ROOT_FIND
from waystation.wire.commands import C_FIND_RQ

OWN = study(2, "own")
NAME, ID, AVAILABILITY = 0x00100010, 0x00100020, 0x00080056


def pacs(port: int, config: str = "[archive]\nfederate = true\n") -> str:
    return (
        f'{config}[pacs.old]\nae_title = "OLDPACS"\nhost = "{HOST}"\nport = {port}\n'
        'timeouts = { find = "600ms" }\n'
    )


async def started(rig: Rig, config: str) -> None:
    rig.makers = (Upstreaming,)
    await rig.start(config)
    await rig.send(*OWN)
    await rig.node.router.settled()


@pytest.mark.req("T-47")
async def test_studies_of_archive_and_pacs_are_one_list(rig: Rig) -> None:
    own = study_of(OWN[0])
    behind = ScriptedPacs(studies(row("1.1", "P1", "20200101"), row(own, "P2", "20200102")))
    async with running(behind) as old:
        await started(rig, pacs(old.port))
        answers = await ask(rig, C_FIND_RQ, "STUDY", {STUDY: "", ID: "", NAME: ""})
        assert [answer.status for answer in answers] == [0xFF00, 0xFF00, 0x0000]
        found = {head.text(STUDY): head for head in heads(answers)}
        assert {uid: head.text(AVAILABILITY) for uid, head in found.items()} == {
            own: "ONLINE",
            "1.1": "NEARLINE",
        }
        assert found["1.1"].text(NAME) == "P1^X"
        answers = await ask(rig, C_FIND_RQ, "SERIES", {STUDY: "1.1", SERIES: ""})
        assert [head.text(SERIES) for head in heads(answers)] == ["1.1.1"]
        await rig.stop()


@pytest.mark.req("T-47")
async def test_a_source_that_does_not_answer_is_no_success(rig: Rig) -> None:
    async with running(ScriptedPacs(lambda head: [0xC001])) as old:
        await started(rig, pacs(old.port))
        answers = await ask(rig, C_FIND_RQ, "STUDY", {STUDY: ""})
        assert [answer.status for answer in answers] == [0xFF00, 0xC000]
        assert "no answer from old" in answers[-1].command.error_comment
        (answer,) = await ask(rig, C_FIND_RQ, "STUDY", {STUDY: "1.9"})
        assert answer.status == 0xC000
        assert answer.command.error_comment.startswith("source old: answered C001")
        await rig.stop()


async def test_without_the_key_and_in_areas_only_the_archive_answers(rig: Rig) -> None:
    area = '[archive.area.part]\nae_title = "PART"\nwhen = { PatientID = "*" }\n'
    async with running(ScriptedPacs(studies(row("1.1", "P1", "20200101")))) as old:
        await started(rig, pacs(old.port, ""))
        assert len(await ask(rig, C_FIND_RQ, "STUDY", {STUDY: ""})) == 2
        await rig.stop()
        await rig.start(pacs(old.port) + area)
        part = replace(rig.remote("ASKER"), ae_title="PART")
        assert len(await ask(rig, C_FIND_RQ, "STUDY", {STUDY: ""}, remote=part)) == 2
        assert not old.asked
        await rig.stop()


@pytest.mark.parametrize("keys", [{ID: ""}, {ID: "P1"}])
async def test_patients_are_those_of_the_studies_of_a_pacs(rig: Rig, keys: dict[int, str]) -> None:
    behind = ScriptedPacs(studies(row("1.1", "P1", "20200101"), row("1.2", "P1", "20200102")))
    async with running(behind) as old:
        await started(rig, pacs(old.port))
        call = await open_call(rig.remote("ASKER"), PATIENT_ROOT_FIND)
        data = identifier("PATIENT", {**keys, NAME: ""})
        asked = call.find(call.context_of(PATIENT_ROOT_FIND), data)
        answers = [answer async for answer in asked]
        await call.release()
        found = [head.text(ID) for head in heads(answers)]
        assert found.count("P1") == 1
        assert answers[-1].status == 0
        await rig.stop()
