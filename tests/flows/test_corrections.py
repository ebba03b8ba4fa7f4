"""Corrected studies as they are found, moved, fetched over HTTP, and given as received."""

import json
import threading

import pytest

from tests.flows.asking import IMAGE, STUDY, ask, heads, study_of
from tests.flows.rig import Rig
from tests.net.sink import Sink
from tests.objects.samples import study
from tests.web.living import Living, parts_of, path_of
from tests.web.scripted_origin import PACS, Script, Scripted
from waystation.app.people import People
from waystation.app.view_archive import NodeArchive
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.index.corrections import Correction
from waystation.journal import audit, shelved
from waystation.journal.audit import Event
from waystation.net.gate import GateSettings
from waystation.web.api_archive import CorrectionAsked, WhyAsked
from waystation.web.brokered import Broker
from waystation.wire.commands import C_FIND_RQ, C_MOVE_RQ

PAIR = study(2, "corrected", "ct")
UID = study_of(PAIR[0])
ID, NAME = 0x00100020, 0x00100010
ORIGINAL = 0x04000561


def wanted(**values: str) -> CorrectionAsked:
    return CorrectionAsked(studies=[UID], values=values, because="mixed up", user="ann")


def said(data_set: bytes, tag: int) -> str:
    return Head.from_bytes(data_set, EXPLICIT_VR_LE).text(tag)


@pytest.mark.req("T-32", "T-42")
async def test_a_corrected_study_leaves_corrected_and_untouched_for_who_wants_it_as_received(
    rig: Rig,
) -> None:
    sink = await rig.sink()
    plain = await rig.sink(Sink(gate=GateSettings(titles=("PLAIN",), anybody=True)))
    config = "".join(
        f'[peer.{name}]\nae_title = "{name.upper()}"\nstore_at = '
        f'{{ host = "127.0.0.1", port = {port} }}\n{more}\n'
        for name, port, more in (
            ("sink", sink.port, ""),
            ("plain", plain.port, "as_received = true"),
        )
    )
    await rig.start(config)
    await rig.send(*PAIR)
    await rig.node.router.settled()
    archive = NodeArchive(rig.node)
    assert await archive.correct(wanted(PatientID="NEW 1", PatientName="Böhm^Ä"), "ann") == {
        UID: ""
    }
    await rig.restart()
    for level, key in (("STUDY", {}), ("IMAGE", {IMAGE: PAIR[0].sop_instance})):
        keys = {STUDY: UID, ID: "", NAME: "", **key}
        if level == "IMAGE":
            keys[0x0020000E] = said(PAIR[0].data_set, 0x0020000E)
        (found,) = heads(await ask(rig, C_FIND_RQ, level, keys, options=b"\1"))
        assert (found.text(ID), str((found.values("PatientName") or [""])[0])) == (
            "NEW 1",
            "Böhm^Ä",
        )
    for to in ("SINK", "PLAIN"):
        assert (await ask(rig, C_MOVE_RQ, "STUDY", {STUDY: UID}, to=to))[-1].status == 0
    stored = {one.sop_instance: one.data_set for one in PAIR}
    assert {one.sop_instance: one.data_set for one in plain.objects} == stored
    for one in sink.objects:
        head, old = (
            Head.from_bytes(d, EXPLICIT_VR_LE) for d in (one.data_set, stored[one.sop_instance])
        )
        assert head.text(ID) == "NEW 1"
        assert one.data_set[head.pixel_offset :] == stored[one.sop_instance][old.pixel_offset :]
        (item,) = head.items(ORIGINAL)
        (before,) = item.items(0x04000550)
        assert before.text(ID) == old.text(ID)
    assert await NodeArchive(rig.node).correct(wanted(), "ann") == {UID: ""}
    sink.objects.clear()
    await ask(rig, C_MOVE_RQ, "STUDY", {STUDY: UID}, to="SINK")
    assert {one.sop_instance: one.data_set for one in sink.objects} == stored


@pytest.mark.req("T-32", "T-19")
async def test_over_http_it_is_corrected_too_and_each_key_tells_why(rig: Rig) -> None:
    rig.makers = (People,)
    await rig.start()
    await rig.send(*PAIR)
    await rig.node.router.settled()
    living = Living(rig)
    first = await living.ask(path_of(PAIR[0], "study") + "/metadata")
    archive = NodeArchive(rig.node)
    await archive.correct(wanted(PatientID="NEW 1", PatientName="Böhm^Ä"), "ann")
    again = await living.ask(path_of(PAIR[0], "study") + "/metadata")
    assert first.headers["etag"] != again.headers["etag"]
    for one in json.loads(again.content):
        assert one["00100020"]["Value"] == ["NEW 1"]
        assert one["00100010"]["Value"] == [{"Alphabetic": "Böhm^Ä"}]
    whole = await living.ask(path_of(PAIR[0], "study"))
    assert len(parts_of(whole)) == 2
    assert all(b"NEW 1" in part.body for part in parts_of(whole))
    keys = {"PatientID": "OLD", "PatientName": "b?hm*"}
    (record,) = await archive.why(WhyAsked(keys=keys, record=UID))
    assert (record.study, record.matched, record.shown) == (UID, False, True)
    assert [(line.matched, line.text) for line in record.keys] == [
        (True, "PatientName asked b?hm*, study has Böhm^Ä: yes"),
        (False, "PatientID asked OLD, study has NEW 1: no"),
    ]
    assert await archive.why(WhyAsked(keys=keys, record="1.2.3.4")) == []
    (recorded,) = await rig.node.database.read(audit.records(event=Event.PATIENT))
    assert (recorded.who, recorded.what["studies"]) == ("ann", [UID])
    assert "NEW 1" not in str(recorded.what)
    (noted,) = await archive.corrections("", 10)
    assert (noted.author, noted.because, noted.undone_at) == ("ann", "mixed up", None)
    assert noted.values == {"PatientName": "Böhm^Ä", "PatientID": "NEW 1"}
    # What comes once nothing is left of the study speaks for itself.
    assert (await rig.node.archivist.delete({"study": UID}, "ann")).gone
    await rig.send(*PAIR)
    await rig.node.router.settled()
    assert b"NEW 1" not in (await living.ask(path_of(PAIR[0], "study"))).content


@pytest.mark.req("T-32", "W-5")
async def test_a_pacs_by_its_own_root_gives_what_it_has_and_not_what_is_corrected_here(
    rig: Rig,
) -> None:
    await rig.start(PACS)
    await rig.send(*PAIR)
    await rig.node.router.settled()
    await NodeArchive(rig.node).correct(wanted(PatientID="NEW 1"), "ann")
    objects = await rig.node.database.read(shelved.objects(studies=[UID]))
    origin = Scripted(Script(*objects), cached=objects)
    living = Living(rig, Broker(origin=lambda source: None if source == "archive" else origin))
    for root, corrected in (("", True), ("/sources/archive", True), ("/sources/old", False)):
        path = root + path_of(PAIR[0], "study")
        told = (await living.ask(path + "/metadata")).json()
        assert [one["00100020"]["Value"] == ["NEW 1"] for one in told] == [corrected] * 2, root
        whole = parts_of(await living.ask(path))
        assert [b"NEW 1" in part.body for part in whole] == [corrected] * 2, root


@pytest.mark.req("T-32", "T-29")
async def test_heads_are_corrected_in_a_disk_thread(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start()
    await rig.send(*PAIR)
    await rig.node.router.settled()
    archive, book = NodeArchive(rig.node), rig.node.archivist.corrections
    assert await archive.correct(wanted(PatientID="NEW 1"), "ann") == {UID: ""}
    where: set[bool] = set()
    applied = book.applied

    def noted(head: Head, correction: Correction) -> bytes:
        where.add(threading.current_thread() is threading.main_thread())
        return applied(head, correction)

    monkeypatch.setattr(book, "applied", noted)
    keys = {STUDY: UID, 0x0020000E: said(PAIR[0].data_set, 0x0020000E), IMAGE: "", ID: ""}
    keys[0x00080008] = ""
    (found, _) = heads(await ask(rig, C_FIND_RQ, "IMAGE", keys))
    assert (found.text(ID), where) == ("NEW 1", {False})
    where.clear()
    asked = WhyAsked(keys={"ImageType": ""}, record=PAIR[0].sop_instance, level="IMAGE")
    assert len(await archive.why(asked)) == 1
    assert where == {False}
