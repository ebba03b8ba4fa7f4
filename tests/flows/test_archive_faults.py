"""An archived object whose bytes were found damaged, and the good copy that follows."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.flows.asking import STUDY, ask, counts, heads, open_call, study_of
from tests.flows.rig import Rig
from tests.net.sink import store
from tests.objects.files import Stored
from tests.objects.samples import sample, study
from waystation.app.acting import Acting
from waystation.db.statement import Transaction
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE, STUDY_ROOT_FIND
from waystation.index import deletion
from waystation.index.proof import Proof
from waystation.journal.decisions import Action, Decision, decide_arrivals
from waystation.journal.entries import Chosen
from waystation.web.view import ActionAsked
from waystation.wire.commands import C_FIND_RQ, C_MOVE_RQ

BIG = sample("ct", seed="spoilt")
PAIR = study(2, "pair")
COUNT = 0x00201208


async def spoilt(rig: Rig, stored: Stored) -> Path:
    """Flip a bit of the file that holds an object; return the file."""
    await rig.node.router.settled()
    ((name,),) = await rig.rows(
        f"SELECT blob FROM arrival WHERE sop_instance = '{stored.sop_instance}'"
    )
    path: Path = rig.data / "blobs" / name
    flip(path, len(stored.data_set) // 2)
    return path


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


async def fetched(rig: Rig) -> tuple[int, tuple[int | None, ...]]:
    answers = await ask(rig, C_MOVE_RQ, "STUDY", {STUDY: study_of(BIG)}, to="SINK")
    return answers[-1].status, counts(answers[-1])


@pytest.mark.parametrize("damage", ["flipped", "gone", "dismissed"])
@pytest.mark.req("S-13", "S-17", "T-48")
async def test_a_good_copy_that_comes_after_a_damaged_one_was_found_is_kept(
    rig: Rig, damage: str
) -> None:
    sink = await rig.sink()
    place = f'store_at = {{ host = "127.0.0.1", port = {sink.port} }}\n'
    await rig.start(f'[peer.sink]\nae_title = "SINK"\n{place}', keep="0s")
    await rig.send(BIG)
    # What came a moment ago would not be read.
    await rig.restart()
    path = await spoilt(rig, BIG)
    if damage == "gone":
        path.unlink()
    assert await fetched(rig) == (0xA702, (None, 0, 1, 0))
    if damage == "dismissed":
        decision = Decision(action=Action.DISCARD, by="ann", now=time.time())
        await rig.node.database.write(decide_arrivals(Chosen(reason="corrupt"), decision))
    await rig.send(BIG)
    await rig.node.router.settled()
    await rig.node.sweep.once()
    assert await fetched(rig) == (0, (None, 1, 0, 0))
    assert [one.data_set for one in sink.objects] == [BIG.data_set]


@pytest.mark.req("T-40", "T-48", "S-13")
async def test_what_is_damaged_and_given_up_is_found_no_more(rig: Rig) -> None:
    sink, two = await rig.sink(), study(2, "two", "ct")
    place = f'store_at = {{ host = "127.0.0.1", port = {sink.port} }}\n'
    await rig.start(f'[peer.sink]\nae_title = "SINK"\n{place}', keep="0s")
    await rig.send(*two, BIG)
    await rig.restart()
    await spoilt(rig, BIG)
    await spoilt(rig, two[0])
    for one in (BIG, two[0]):
        await ask(rig, C_MOVE_RQ, "STUDY", {STUDY: study_of(one)}, to="SINK")
    acting = Acting(rig.node)
    chosen = Chosen(reason="corrupt")
    order = ActionAsked(action=Action.DISCARD, chosen=chosen, user="ann", because="worn out")
    assert (await acting.act(order)).changed == 2
    assert await rig.rows("SELECT count(*) FROM archived") == [(1,)]
    assert await rig.rows("SELECT count(*) FROM arrival WHERE hold_reason IS NOT NULL") == [(0,)]
    assert len(await ask(rig, C_FIND_RQ, "STUDY", {STUDY: study_of(BIG)})) == 1
    shown = await ask(rig, C_FIND_RQ, "STUDY", {STUDY: study_of(two[0]), COUNT: ""})
    assert Head.from_bytes(shown[0].data, EXPLICIT_VR_LE).text(COUNT) == "1"
    answers = await ask(rig, C_MOVE_RQ, "STUDY", {STUDY: study_of(two[0])}, to="SINK")
    assert (answers[-1].status, counts(answers[-1])) == (0, (None, 1, 0, 0))


@pytest.mark.req("T-40", "T-48", "S-13")
async def test_two_damaged_objects_of_one_study_are_given_up_one_by_one(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, three = await rig.sink(), study(3, "three", "ct")
    place = f'store_at = {{ host = "127.0.0.1", port = {sink.port} }}\n'
    await rig.start(f'[peer.sink]\nae_title = "SINK"\n{place}', keep="0s")
    await rig.send(*three)
    await rig.restart()
    for one in three[:2]:
        (await spoilt(rig, one)).unlink()
    keys = {STUDY: study_of(three[0])}
    await ask(rig, C_MOVE_RQ, "STUDY", keys, to="SINK")
    held = await rig.rows("SELECT id FROM arrival WHERE hold_reason = 'corrupt' ORDER BY id")
    assert len(held) == 2
    acting = Acting(rig.node)

    async def given_up(number: int) -> int:
        chosen = Chosen(ids=(number,))
        done = await acting.act(
            ActionAsked(action=Action.DISCARD, chosen=chosen, user="ann", because="worn out")
        )
        return done.changed

    async def listed() -> str:
        (found,) = heads(await ask(rig, C_FIND_RQ, "STUDY", {**keys, COUNT: ""}))
        return found.text(COUNT)

    def gathering(transaction: Transaction) -> None:
        transaction.run(
            "INSERT INTO gather (id, rule, level, uid, study, generation, state, opened_at,"
            " last_at, n, targets, terms)"
            " VALUES (1, 'whole', 'study', '', '', 1, 'open', 0, 0, 2, '[]', '')"
        )
        for (number,) in held:
            transaction.run(f"INSERT INTO gathered (gather, arrival) VALUES (1, {number})")

    await rig.node.database.write(gathering)
    monkeypatch.setattr(deletion, "TRIES", 0)
    assert (await given_up(held[0][0]), await listed()) == (0, "3")
    monkeypatch.undo()
    for (number,), left in zip(held, ("2", "1"), strict=True):
        assert (await given_up(number), await listed()) == (1, left)
        assert await rig.rows("SELECT n FROM gather") == [(int(left) - 1,)]
    answers = await ask(rig, C_MOVE_RQ, "STUDY", keys, to="SINK")
    assert (answers[-1].status, counts(answers[-1])) == (0, (None, 1, 0, 0))
    proof = Proof(rig.node.database, rig.node.archivist.heads)
    assert [finding async for finding in proof.run()] == []


@pytest.mark.req("T-36")
async def test_an_area_gives_only_the_series_and_objects_that_it_shows(rig: Rig) -> None:
    sink = await rig.sink()
    place = f'store_at = {{ host = "127.0.0.1", port = {sink.port} }}\n'
    when = f'when = {{ SOPInstanceUID = "{PAIR[0].sop_instance}" }}\n'
    area = f'[archive.area.some]\nae_title = "SOME"\n{when}'
    none = '[archive.area.none]\nae_title = "NONE"\nwhen = { Modality = "XA" }\n'
    await rig.start(f'[peer.sink]\nae_title = "SINK"\n{place}{area}{none}')
    await rig.send(*PAIR)
    keys = {STUDY: study_of(PAIR[0])}
    for called, shown in (("SOME", [PAIR[0]]), ("NONE", []), ("WAYSTATION", PAIR)):
        remote = replace(rig.remote("ASKER"), ae_title=called)
        await ask(rig, C_MOVE_RQ, "STUDY", keys, to="SINK", remote=remote)
        assert sorted(one.sop_instance for one in sink.objects) == uids(shown)
        sink.objects.clear()


@pytest.mark.req("T-29")
async def test_what_was_acknowledged_is_found_and_moved_at_once(rig: Rig) -> None:
    sink = await rig.sink()
    place = f'store_at = {{ host = "127.0.0.1", port = {sink.port} }}\n'
    await rig.start(f'[peer.sink]\nae_title = "SINK"\n{place}')
    for n, one in enumerate(study(6, "at once"), 1):
        await rig.send(one)
        answers = await ask(rig, C_FIND_RQ, "STUDY", {STUDY: study_of(one), COUNT: ""})
        assert Head.from_bytes(answers[0].data, EXPLICIT_VR_LE).text(COUNT) == str(n)
    await rig.send(PAIR[0])
    await ask(rig, C_MOVE_RQ, "STUDY", {STUDY: study_of(PAIR[0])}, to="SINK")
    assert len(sink.objects) == 1


def uids(stored: Sequence[Stored]) -> list[str]:
    return sorted(one.sop_instance for one in stored)


@pytest.mark.req("T-36", "T-69", "S-45")
async def test_an_area_without_the_right_takes_nothing(rig: Rig) -> None:
    area = '[archive.area.teaching]\nae_title = "TEACH"\nrights = ["find"]\n'
    await rig.start(area)
    call = await open_call(
        replace(rig.remote("ASKER"), ae_title="TEACH"), STUDY_ROOT_FIND, storage=[sent(PAIR[0])]
    )
    assert (await store(call, PAIR[0])).status == 0x0124
    await call.release()


def sent(stored: Stored) -> tuple[str, list[str]]:
    return stored.sop_class, [stored.transfer_syntax]
