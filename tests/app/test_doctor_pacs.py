"""The doctor for a PACS: what it proposes where a PACS does not do as the Standard says (W-7)."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.flows.inquiring import tree
from tests.flows.scripted_pacs import LEVEL, STUDY, ScriptedPacs, running
from tests.net.sink import HOST
from tests.web.sources import studies, study
from waystation.app.doctor import Rung
from waystation.app.doctor_pacs import PacsDoctor
from waystation.dicom.head import Head
from waystation.dicom.uids import (
    PATIENT_ROOT_FIND,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
)

ID = 0x00100020
PATIENTS = studies(study("1.1", "P100", "20200101"), study("1.2", "P200", "20200102"))


async def rungs(pacs: ScriptedPacs, port: int = 0, **more: Any) -> dict[str, Rung]:
    terms = pacs.terms("main", **more)
    return {rung.name: rung async for rung in PacsDoctor(terms, port or pacs.port).climb()}


def awkward(head: Head) -> Iterable[dict[int, Any] | int]:
    """Knows no list of UIDs, no leading wild card and no instances."""
    if head.text(LEVEL) == "IMAGE":
        yield 0xA900
        return
    asked = (head.raw(STUDY) or b"").decode().strip("\0 ")
    if "\\" in asked or head.text(ID).startswith("*"):
        return
    yield from ({**row, 0x00080005: b"ISO_IR 192"} for row in PATIENTS(head))


@pytest.mark.req("W-7")
async def test_quirks_are_proposed_and_what_is_to_be_registered_is_said() -> None:
    services = {STUDY_ROOT_FIND: b"", STUDY_ROOT_MOVE: b"", VERIFICATION: b""}
    async with running(ScriptedPacs(awkward, services=services, moves=0xA801)) as pacs:
        found = await rungs(pacs)
    verdicts = {name: rung.verdict for name, rung in found.items()}
    assert verdicts["services"] == "ok"
    assert "which has to be registered there" in found["services"].text
    assert (verdicts["list"], verdicts["wildcard"], verdicts["images"]) == ("warn", "warn", "warn")
    assert 'charset = "ISO_IR 192" in [pacs.main]' in found["charset"].advice
    assert verdicts["destination"] == "bad"
    assert f"AE title WAYSTATION, host {HOST}, port {pacs.port}" in found["destination"].advice
    assert "let BROKER query and retrieve" in found["register"].text
    proposed = '["no_uid_list", "no_leading_wildcard", "no_image_find"]'
    assert f"quirks = {proposed} in [pacs.main]" in found["quirks"].advice
    assert not any("Doe" in str(rung) for rung in found.values())


@pytest.mark.req("W-7")
async def test_a_c_move_that_fails_in_another_way_is_told_as_it_is() -> None:
    services = {STUDY_ROOT_FIND: b"", STUDY_ROOT_MOVE: b""}
    async with running(ScriptedPacs(PATIENTS, services=services, moves=0xA702)) as pacs:
        found = await rungs(pacs)
    assert found["destination"].verdict == "warn"
    assert "A702" in found["destination"].text
    assert "AE title WAYSTATION" in found["destination"].advice


@pytest.mark.req("W-7")
async def test_a_pacs_that_takes_c_get_of_the_patient_root_model_alone_can_retrieve() -> None:
    services = {PATIENT_ROOT_FIND: b"", PATIENT_ROOT_GET: b""}
    async with running(ScriptedPacs(tree, services=services)) as pacs:
        found = await rungs(pacs)
    assert found["services"].verdict == "ok"
    assert "C-GET is taken" in found["services"].text
    assert (found["destination"].verdict, found["originator"].verdict) == ("skipped", "skipped")


@pytest.mark.req("W-7")
async def test_a_pacs_that_does_everything_needs_nothing() -> None:
    services = {STUDY_ROOT_FIND: b"\1", STUDY_ROOT_MOVE: b"", STUDY_ROOT_GET: b""}
    async with running(ScriptedPacs(PATIENTS, services=services)) as pacs:
        found = await rungs(pacs)
    assert "C-GET is taken" in found["services"].text
    assert "relational queries are accepted" in found["relational"].text
    assert found["originator"].verdict == "skipped", "its own port is in use"
    assert found["quirks"].text == "no further quirks are needed"
    assert all(rung.verdict in ("ok", "skipped", "warn") for rung in found.values())


@pytest.mark.req("W-7")
async def test_a_pacs_of_the_patient_root_model_only_is_seen() -> None:
    services = {PATIENT_ROOT_FIND: b"", PATIENT_ROOT_MOVE: b""}
    async with running(ScriptedPacs(tree, services=services)) as pacs:
        found = await rungs(pacs)
        assert set(pacs.models) == {PATIENT_ROOT_FIND}
    assert found["find"].verdict == "ok"
    assert '"patient_root"' in found["quirks"].advice


@pytest.mark.req("W-7")
async def test_nobody_there_ends_the_ladder_early() -> None:
    async with running() as pacs:
        pass
    found = await rungs(pacs)
    assert list(found) == ["name", "port"]
    assert found["port"].verdict == "bad"
