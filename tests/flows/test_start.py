"""The start of a node after a crash: what it believes, what it sets aside, what it holds."""

import asyncio
import os

import pytest

from tests.flows.rig import BIG, CT, TINY, TO_A, Rig, destination, rule
from tests.objects.files import Stored
from tests.objects.samples import study
from tests.objects.study import uid_of
from waystation.app.node import Node
from waystation.db.engine import Database
from waystation.db.statement import Transaction
from waystation.dicom.part10 import file_meta
from waystation.journal.arrivals import meta_of
from waystation.journal.intake import IntakeLog
from waystation.model.arrival import Arrival, Source
from waystation.model.errors import StorageError
from waystation.model.instance import Instance


def arrival_of(stored: Stored, blob: str, number: int = 1 << 40) -> Arrival:
    """Return the arrival that a crash left behind in the intake log."""
    return Arrival(
        id=number,
        received_at=1_790_000_000.0,
        source=Source(peer="", calling_ae="CT1", called_ae="WAYSTATION", address="127.0.0.1"),
        instance=Instance(
            sop_class_uid=stored.sop_class,
            sop_instance_uid=stored.sop_instance,
            study_uid=uid_of("c", "study"),
            series_uid=uid_of("c", "series"),
            transfer_syntax_uid=stored.transfer_syntax,
        ),
        blob=blob,
        size_bytes=len(stored.data_set),
        sha256=stored.digest,
    )


async def crash_with(rig: Rig, *records: tuple[Arrival, bytes]) -> None:
    """Write what a killed node would have left in its intake log."""
    text = await rig.rows("SELECT v FROM meta WHERE k = 'intake_lsn'")
    await rig.stop()
    log = IntakeLog(rig.data / "intake")
    log.open(int(text[0][0]) if text else 0)
    log.start()
    for arrival, data in records:
        await log.append(meta_of(arrival), data)
    log.close()


def blob_of(rig: Rig, stored: Stored, cut: int = 0) -> str:
    """Write a file as a crash may have left it; return its name as a blob."""
    folder = rig.data / "blobs" / "ffff0000-test"
    folder.mkdir(exist_ok=True)
    meta = file_meta(stored.sop_class, stored.sop_instance, stored.transfer_syntax, source_ae="CT1")
    content = meta + stored.data_set
    (folder / "0123.dcm").write_bytes(content[: len(content) - cut])
    return "ffff0000-test/0123.dcm"


@pytest.mark.req("S-11", "R-13")
@pytest.mark.parametrize("cut", [0, 1, 400_000, 524_000])
async def test_a_record_is_believed_only_with_its_whole_file(rig: Rig, cut: int) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    name = blob_of(rig, CT, cut)
    await crash_with(rig, (arrival_of(CT, name), b""))
    await rig.start()
    if cut:
        assert await rig.arrivals() == []
        assert await rig.counter("received") == 0
        assert rig.blobs() == []
        assert len(rig.blobs("orphans")) == 1
    else:
        await rig.wait_for({"done": 1})
        assert sink.objects[0].data_set == CT.data_set


@pytest.mark.req("S-11", "R-13")
async def test_a_record_without_any_file_was_never_acknowledged(rig: Rig) -> None:
    await rig.start(TO_A + destination("a", 1))
    await crash_with(rig, (arrival_of(CT, "ffff0000-test/none.dcm"), b""))
    await rig.start()
    assert await rig.arrivals() == []


@pytest.mark.req("S-11", "R-14")
async def test_what_the_log_has_and_the_tables_have_not_is_routed_and_sent_once(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    await crash_with(rig, (arrival_of(BIG, ""), BIG.data_set))
    await rig.start()
    await rig.wait_for({"done": 2})
    await rig.restart()
    await asyncio.sleep(0.1)
    assert sink.uids() == [TINY.sop_instance, BIG.sop_instance]
    assert await rig.counter("received") == 2


@pytest.mark.req("S-11", "R-13")
async def test_files_without_a_row_are_set_aside_never_sent(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.stop()
    blob_of(rig, CT)
    (rig.data / "blobs" / "ffff0000-test" / "empty.dcm").touch()
    await rig.start()
    assert rig.blobs() == []
    assert [file.name for file in rig.blobs("orphans")] == ["ffff0000-test-0123.dcm"]
    assert not (rig.data / "blobs" / "ffff0000-test").exists()
    assert await rig.states() == {}


@pytest.mark.req("S-11", "R-13")
@pytest.mark.parametrize("damage", ["missing", "cut"])
async def test_rows_without_a_readable_file_are_held_corrupt(rig: Rig, damage: str) -> None:
    await rig.start(destination("a", 1) + TO_A)
    await rig.accepted(CT)
    await rig.stop()
    (file,) = rig.blobs()
    if damage == "missing":
        file.unlink()
    else:
        os.truncate(file, 1000)
    await rig.start()
    assert await rig.states() == {"held:corrupt": 1}
    assert (await rig.arrivals())[0][0] == "corrupt"


@pytest.mark.req("S-11", "R-13", "N-14")
async def test_leases_of_an_earlier_life_are_returned(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", 1) + TO_A)
    await rig.accepted(*study(3))
    await rig.stop()
    database = Database(rig.data / "journal.db")
    database.open()

    def lease(transaction: Transaction) -> None:
        transaction.run("UPDATE delivery SET state = 'sending', lease_until = 9e9")
        transaction.run("DELETE FROM tally")
        transaction.run("INSERT INTO tally VALUES ('a', 'sending', 3)")

    await database.write(lease)
    database.close()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.wait_for({"done": 3})
    tallies = await rig.rows("SELECT state, n FROM tally WHERE n <> 0")
    assert [tuple(row) for row in tallies] == [("done", 3)]


@pytest.mark.req("S-13", "F6")
@pytest.mark.parametrize("place", [300, 1000, 300_000, -5000])
async def test_a_flipped_byte_is_found_before_it_leaves(rig: Rig, place: int) -> None:
    sink, other = await rig.sink(), await rig.sink()
    await rig.start(destination("a", sink.port) + destination("b", other.port) + rule("a", "b"))
    for name in ("a", "b"):
        await rig.node.pause_lane(name, "test")
    await rig.accepted(CT)
    rig.node.recent._held.clear()
    (file,) = rig.blobs()
    content = bytearray(file.read_bytes())
    content[place] ^= 0x10
    file.write_bytes(content)
    for name in ("a", "b"):
        await rig.node.resume_lane(name)
    if place == 300:
        # Our own file meta: not the sender's bytes.
        await rig.wait_for({"done": 2})
        return
    await rig.wait_for({"held:corrupt": 2})
    assert sink.objects == other.objects == []
    # Out of the way, and kept for a person.
    assert rig.blobs() == []
    assert [found.read_bytes() for found in rig.blobs("corrupt")] == [bytes(content)]


@pytest.mark.req("S-13")
async def test_a_flipped_byte_in_the_tables_is_found_before_it_leaves(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.node.pause_lane("a", "test")
    await rig.accepted(TINY)
    rig.node.recent._held.clear()
    wrong = TINY.data_set[:-1] + b"\xff"

    await rig.node.database.write(
        lambda t: t.run("UPDATE parcel SET data = :data", {"data": wrong})
    )
    await rig.node.resume_lane("a")
    await rig.wait_for({"held:corrupt": 1})
    assert sink.objects == []


@pytest.mark.req("S-13")
async def test_a_short_lack_of_descriptors_does_not_make_an_object_look_damaged(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.flows.cargo.AGAIN_S", 0.05)
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.node.pause_lane("a", "test")
    await rig.accepted(CT, TINY)
    rig.node.recent._held.clear()
    opened = rig.node.blobs.open
    fails = [OSError(24, "Too many open files")] * 2

    def scarce(name: str) -> int:
        if fails:
            raise StorageError("blob cannot be opened") from fails.pop()
        return opened(name)

    monkeypatch.setattr(rig.node.blobs, "open", scarce)
    await rig.node.resume_lane("a")
    await rig.wait_for({"done": 2})


@pytest.mark.req("F19", "R-13", "S-11")
async def test_a_second_node_on_the_folder_is_refused_and_told_who_holds_it(rig: Rig) -> None:
    await rig.start("")
    second = Node(rig.settings(""))
    with pytest.raises(StorageError, match=f"in use by process {os.getpid()}"):
        await second.start()
    await rig.accepted(TINY)


@pytest.mark.req("F21", "S-11")
async def test_a_journal_that_is_gone_is_missed_and_never_replaced_by_an_empty_one(
    rig: Rig,
) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'window = "never"') + TO_A)
    await rig.accepted(TINY, BIG)
    await rig.stop()
    journal, aside = rig.data / "journal.db", rig.folder / "journal.db"
    journal.rename(aside)
    with pytest.raises(StorageError, match=r"journal\.db is missing"):
        await rig.start()
    rig.node.lock.release()
    assert not journal.exists()
    aside.rename(journal)
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.wait_for({"done": 2})


@pytest.mark.req("S-11")
async def test_a_start_notes_how_far_the_tables_have_the_log(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    # As if the note had been lost: the rows may be swept before anything else is received.
    await rig.node.database.write(
        lambda transaction: transaction.run("UPDATE meta SET v = '0' WHERE k = 'intake_lsn'")
    )
    await rig.restart()
    ((noted,),) = await rig.rows("SELECT v FROM meta WHERE k = 'intake_lsn'")
    assert int(noted) == 2
