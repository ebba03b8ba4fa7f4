"""Objects of odd classes, found and retrieved as they came."""

import pytest

from tests.flows.asking import SERIES, STUDY, Taken, ask, counts, study_of
from tests.flows.rig import Rig
from tests.flows.test_retrieve import PICTURES, UID, filled, get, move, pairs, peer
from tests.objects.files import Stored
from tests.objects.samples import sample
from waystation.dicom.compose import Elements, compose
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.wire.commands import C_FIND_RQ

KEY_OBJECT = "1.2.840.10008.5.1.4.1.1.88.59"


@pytest.mark.req("T-34")
async def test_a_rejection_note_is_kept_as_an_object_and_hides_nothing(rig: Rig) -> None:
    note = rejection_of(PICTURES[0])
    await filled(rig, "", note)
    keys = {STUDY: UID, SERIES: "", 0x00080061: "", 0x00201208: ""}
    answers = await ask(rig, C_FIND_RQ, "STUDY", keys)
    head = Head.from_bytes(answers[0].data, EXPLICIT_VR_LE)
    assert head.text(0x00201208) == str(len(PICTURES) + 1)
    assert "KO" in (head.values("ModalitiesInStudy") or [])
    taken = Taken()
    final = await get(rig, taken, {STUDY: UID}, pairs(PICTURES[0], note))
    assert (final.status, counts(final)) == (0, (None, len(PICTURES) + 1, 0, 0))
    stored = {one.sop_instance: one.data_set for one in [*PICTURES, note]}
    assert {one.sop_instance: one.data_set for one in taken.objects} == stored


def rejection_of(picture: Stored) -> Stored:
    """Return a key object selection that rejects a picture for quality (PS3.16 CID 7011)."""
    said = Head.from_bytes(picture.data_set, picture.transfer_syntax)
    uid = f"{picture.sop_instance[:50]}.1"
    title: Elements = {
        0x00080100: ("SH", "113001"),
        0x00080102: ("SH", "DCM"),
        0x00080104: ("LO", "Rejected for Quality Reasons"),
    }
    elements: Elements = {
        0x00080016: ("UI", KEY_OBJECT),
        0x00080018: ("UI", uid),
        0x00080060: ("CS", "KO"),
        0x00100020: ("LO", said.text(0x00100020)),
        0x0020000D: ("UI", UID),
        0x0020000E: ("UI", f"{uid}.2"),
        0x0040A043: ("SQ", [title]),
    }
    return Stored(
        sop_class=KEY_OBJECT,
        sop_instance=uid,
        transfer_syntax=EXPLICIT_VR_LE,
        data_set=compose(elements, EXPLICIT_VR_LE),
    )


@pytest.mark.req("T-29", "T-43", "T-44", "R-17")
async def test_a_private_class_comes_through_archive_find_move_and_get_unchanged(rig: Rig) -> None:
    one = sample("private", seed="own class")
    sink = await rig.sink()
    await filled(rig, peer("sink", "SINK", sink.port), one)
    keys = {STUDY: study_of(one), 0x00080062: ""}
    answers = await ask(rig, C_FIND_RQ, "STUDY", keys)
    assert Head.from_bytes(answers[0].data, EXPLICIT_VR_LE).text(0x00080062) == one.sop_class
    assert (await move(rig, study=study_of(one)))[-1].status == 0
    taken = Taken()
    assert (await get(rig, taken, {STUDY: study_of(one)}, pairs(one))).status == 0
    assert [each.data_set for each in sink.objects] == [one.data_set]
    assert [each.data_set for each in taken.objects] == [one.data_set]
