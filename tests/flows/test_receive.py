"""What Success means, and what every other answer leaves behind: nothing."""

import asyncio
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.flows.rig import BIG, CT, TINY, TO_A, Rig, changed, destination
from tests.net.sink import call_to, store
from tests.objects.elements import element
from tests.objects.files import Stored
from tests.objects.samples import in_syntax, study
from tests.objects.study import KINDS
from waystation.blobs.folder import Draft
from waystation.flows.sweep import Sweep
from waystation.model.errors import LostError, StorageError

HOLD_ALL = ""


async def nothing_is_left(rig: Rig) -> None:
    """Assert that no arrival, no counter and no file tells of what was refused."""
    await rig.node.router.settled()
    assert await rig.rows("SELECT id FROM arrival") == []
    assert await rig.rows("SELECT id FROM delivery") == []
    assert await rig.counter("received") == await rig.counter("purged.never_acknowledged") == 0
    rig.node.disk.submit(int).result()
    await asyncio.sleep(0.02)
    assert rig.blobs() == []


@pytest.mark.req("S-3", "R-6")
@pytest.mark.parametrize("one", [TINY, BIG, CT], ids=["tiny", "small", "ct"])
async def test_what_was_accepted_reads_back_byte_for_byte(rig: Rig, one: Stored) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(one)
    await rig.wait_for({"done": 1})
    assert sink.objects[0].data_set == one.data_set
    assert sink.objects[0].transfer_syntax == one.transfer_syntax
    assert sink.objects[0].sop_instance == one.sop_instance
    rows = await rig.rows("SELECT sha256, size_bytes FROM arrival")
    assert (bytes(rows[0][0]).hex(), rows[0][1]) == (one.digest, len(one.data_set))


async def test_a_pause_for_the_disk_ends_with_the_object_it_was_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start(HOLD_ALL, dicom='max_pdu = "16KiB"')
    write = Draft.write

    def slow(draft: Draft, data: memoryview) -> None:
        time.sleep(0.05)
        write(draft, data)

    monkeypatch.setattr(Draft, "write", slow)
    # A little more than a stage: the pause and the last fragment come with one read.
    sizes = (573, 580, 585, 590, 595, 600)
    kinds = [replace(KINDS["ct"], side=side) for side in sizes]
    objects = [study(1, seed=kind.side, kind=kind)[0] for kind in kinds]
    async with asyncio.timeout(20):
        await rig.accepted(*objects)


@pytest.mark.req("S-1", "R-4")
@pytest.mark.parametrize("one", [TINY, CT], ids=["in the log", "in a file"])
async def test_success_waits_for_the_record_in_the_log(
    rig: Rig, one: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start(HOLD_ALL)
    durable = asyncio.Event()
    append = rig.node.intake.append

    def slow(meta: bytes, data: bytes | memoryview) -> "asyncio.Future[int]":
        async def later() -> int:
            await durable.wait()
            return await append(meta, data)

        return asyncio.ensure_future(later())

    monkeypatch.setattr(rig.node.intake, "append", slow)
    call = await rig.call(one)
    answer = asyncio.create_task(store(call, one))
    await asyncio.sleep(0.15)
    assert not answer.done()
    durable.set()
    assert (await answer).status == 0
    await call.release()


@pytest.mark.req("S-1", "R-4")
async def test_success_waits_for_the_sync_of_the_file(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start(HOLD_ALL)
    go = threading.Event()
    seal = Draft.seal

    def slow(draft: Draft) -> str:
        go.wait(5.0)
        return seal(draft)

    monkeypatch.setattr(Draft, "seal", slow)
    call = await rig.call(CT)
    answer = asyncio.create_task(store(call, CT))
    await asyncio.sleep(0.15)
    assert not answer.done()
    go.set()
    assert (await answer).status == 0
    await call.release()


def _failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def _lost_record(meta: bytes, data: bytes | memoryview) -> "asyncio.Future[int]":
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_exception(StorageError("intake log: no space"))
    return future


@pytest.mark.req("E3", "R-8")
@pytest.mark.parametrize("one", [TINY, CT], ids=["in the log", "in a file"])
async def test_a_record_that_cannot_be_written_is_answered_a700(
    rig: Rig, one: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start(HOLD_ALL)
    with monkeypatch.context() as broken:
        broken.setattr(rig.node.intake, "append", _lost_record)
        assert (await rig.refused(one))[0] == 0xA700
    await nothing_is_left(rig)
    await rig.accepted(one)


@pytest.mark.req("E2", "S-20", "R-8")
@pytest.mark.parametrize("step", ["write", "seal", "bind"])
async def test_a_file_that_cannot_be_sealed_is_answered_a700(
    rig: Rig, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start(HOLD_ALL)
    with monkeypatch.context() as broken:
        broken.setattr(Draft, step, _failing(StorageError("no space")))
        assert (await rig.refused(CT))[0] == 0xA700
    await nothing_is_left(rig)
    await rig.accepted(CT)
    await rig.restart()
    assert len(await rig.arrivals()) == 1


@pytest.mark.req("E2", "S-11")
async def test_a_record_whose_file_failed_is_not_believed_at_the_next_start(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start(HOLD_ALL)
    with monkeypatch.context() as broken:
        broken.setattr(Draft, "seal", _failing(StorageError("no space")))
        assert (await rig.refused(CT))[0] == 0xA700
    await rig.restart()
    await nothing_is_left(rig)


@pytest.mark.req("E3")
async def test_an_unforeseen_failure_is_answered_0110(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start(HOLD_ALL)
    with monkeypatch.context() as broken:
        broken.setattr("waystation.flows.incoming.identity", _failing(RuntimeError("surprise")))
        assert await rig.refused(CT) == (0x0110, "internal failure")
        assert (await rig.refused(TINY))[0] == 0x0110
    await nothing_is_left(rig)
    await rig.accepted(TINY)


def _without(tag: int, stored: Stored) -> Stored:
    """Return ``stored`` without one of its elements (explicit VR, short form)."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    at = stored.data_set.index(head)
    (length,) = struct.unpack_from("<H", stored.data_set, at + 6)
    data_set = stored.data_set[:at] + stored.data_set[at + 8 + length :]
    return replace(stored, data_set=data_set)


def _with(tag: int, vr: str, value: str, stored: Stored) -> Stored:
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    at = stored.data_set.index(head)
    (length,) = struct.unpack_from("<H", stored.data_set, at + 6)
    end = at + 8 + length
    return replace(
        stored, data_set=stored.data_set[:at] + element(tag, vr, value) + stored.data_set[end:]
    )


BROKEN = {
    "cut": (replace(TINY, data_set=TINY.data_set[:-1]), 0xC000),
    "cut in a big one": (replace(CT, data_set=CT.data_set[:-1000]), 0xC000),
    "no bytes": (replace(TINY, data_set=b""), 0xC000),
    "garbage": (replace(TINY, data_set=bytes(range(256)) * 4), 0xC000),
    "no study": (_without(0x0020000D, TINY), 0xC000),
    "no series": (_without(0x0020000E, TINY), 0xC000),
    "no instance": (_without(0x00080018, TINY), 0xC000),
    "no class": (_without(0x00080016, TINY), 0xC000),
    "study is a path": (_with(0x0020000D, "UI", "../../etc", TINY), 0xC000),
    "other instance": (replace(TINY, sop_instance="1.2.3.4"), 0xA900),
    "other class": (_with(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.4", TINY), 0xA900),
}


@pytest.mark.req("E6", "E7", "R-5", "R-8")
@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_object_gets_its_status_and_leaves_nothing(rig: Rig, case: str) -> None:
    stored, expected = BROKEN[case]
    await rig.start(HOLD_ALL)
    status, comment = await rig.refused(stored)
    assert status == expected
    assert comment
    assert "SYN" not in comment
    await nothing_is_left(rig)
    assert rig.node.watching.counters.answered["", f"{expected:04X}"] == 1


@pytest.mark.req("E6")
async def test_a_class_does_not_slip_through_the_context_of_another(rig: Rig) -> None:
    mr = "1.2.840.10008.5.1.4.1.1.4"
    await rig.start(HOLD_ALL)
    call = await call_to(rig.remote(), [replace(TINY, sop_class=mr)])
    answer = await call.store(1, TINY.sop_class, TINY.sop_instance, TINY.data_set)
    assert answer.status == 0xA900
    await call.release()
    await nothing_is_left(rig)


@pytest.mark.req("F24", "R-8")
@pytest.mark.parametrize("cut_at", [0, 1000, 300_000, 500_000])
async def test_a_sender_that_vanishes_leaves_nothing(rig: Rig, cut_at: int) -> None:
    await rig.start(HOLD_ALL)
    call = await rig.call(CT)

    async def pieces() -> Any:
        yield CT.data_set[: cut_at + cut_at % 2]
        yield CT.data_set[cut_at : cut_at + 2]
        await asyncio.sleep(0.05)
        call.abort()
        yield CT.data_set[cut_at:]

    with pytest.raises(LostError):
        await call.store(1, CT.sop_class, CT.sop_instance, pieces())
    await asyncio.sleep(0.05)
    await nothing_is_left(rig)


@pytest.mark.req("E9", "R-34")
async def test_what_no_rule_takes_is_refused_when_the_file_says_so(rig: Rig) -> None:
    sink = await rig.sink()
    config = '[routing]\notherwise = "refuse"\n[[rule]]\nname = "mr"\nsend = ["a"]\n'
    config += 'when = { Modality = "MR" }\n' + destination("a", sink.port)
    await rig.start(config)
    status, comment = await rig.refused(TINY)
    assert (status, comment) == (0x0124, "no rule takes this object")
    await nothing_is_left(rig)
    await rig.accepted(BIG)
    await rig.wait_for({"done": 1})


@pytest.mark.req("E11", "R-74")
async def test_other_bytes_under_a_known_uid_are_refused_when_the_file_says_so(rig: Rig) -> None:
    await rig.start('[duplicates]\ndifferent = "refuse"\n')
    call = await rig.call(TINY)
    assert (await store(call, TINY)).status == 0
    # At once, on the same association: the first may not be in the tables yet.
    answer = await store(call, changed(TINY))
    assert (answer.status, answer.error_comment) == (
        0xA900,
        "other bytes under this SOP Instance UID",
    )
    assert (await store(call, TINY)).status == 0
    await call.release()


@pytest.mark.req("E1", "R-9")
async def test_a_full_volume_refuses_new_associations_then_objects(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real volume has room, and would say so in between.
    monkeypatch.setattr(Sweep, "look", lambda _sweep: None)
    await rig.start(HOLD_ALL)
    call = await rig.call(TINY)
    rig.node.sweep.stopped_why = "volume 95% used, mark 90%"
    with pytest.raises(Exception, match="2/3/2"):
        await rig.call(TINY)
    assert (await store(call, TINY)).status == 0
    rig.node.sweep.nothing_more_why = "volume full"
    answer = await store(call, BIG if call.context_for(BIG.sop_class) else changed(TINY))
    assert (answer.status, answer.error_comment) == (0xA700, "volume full")
    rig.node.sweep.stopped_why = rig.node.sweep.nothing_more_why = ""
    assert (await store(call, TINY)).status == 0
    await call.release()


@pytest.mark.req("R-17", "R-63")
@pytest.mark.parametrize(
    "syntax",
    [
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.5",
    ],
    ids=["implicit", "big endian", "deflated", "jpeg 2000", "rle"],
)
async def test_every_syntax_passes_with_equal_bytes(rig: Rig, syntax: str) -> None:
    one = in_syntax(syntax)
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(one)
    await rig.wait_for({"done": 1})
    assert (sink.objects[0].data_set, sink.objects[0].transfer_syntax) == (one.data_set, syntax)
