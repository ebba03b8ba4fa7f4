"""Storage commitment asked of a node: what is promised, what is not, and that it is heard."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests.flows.asking import open_call
from tests.flows.rig import Rig, destination
from tests.net.sink import until, until_async
from tests.objects.files import Stored
from tests.objects.samples import sample, study
from waystation.app.catching import Catcher
from waystation.db.statement import Transaction
from waystation.dicom.uids import (
    EXPLICIT_VR_LE,
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
)
from waystation.flows import commit
from waystation.flows.commitment_data import Report, read_report, write_request
from waystation.journal.commitments import Reference
from waystation.net.query_call import QueryCall
from waystation.wire.commands import N_EVENT_REPORT_RQ, Command, reply
from waystation.wire.items import AcceptedContext

KEPT = study(3, "kept", "small")
BIG = sample("ct", seed="big")
TRANSACTION = "1.2.3.4"


@dataclass
class Hearing:
    """Takes event reports.  deaf: so many are refused first."""

    reports: list[Report] = field(default_factory=list)
    events: list[int | None] = field(default_factory=list)
    deaf: int = 0

    def begun(self, context: AcceptedContext, command: Command) -> "HeardEvent":
        return HeardEvent(self, context, command)


class HeardEvent:
    """One report on its way."""

    def __init__(self, hearing: Hearing, context: AcceptedContext, command: Command) -> None:
        self._hearing = hearing
        self._context = context
        self._command = command
        self._data = bytearray()

    def write(self, data: memoryview) -> None:
        self._data += data

    async def finish(self) -> Command:
        hearing, command = self._hearing, self._command
        assert command.field == N_EVENT_REPORT_RQ
        if hearing.deaf:
            hearing.deaf -= 1
            return reply(command, 0x0110)
        hearing.events.append(command.event_type_id)
        report = read_report(bytes(self._data), self._context.transfer_syntax)
        hearing.reports.append(report)
        return reply(command)

    def forget(self) -> None:
        pass


async def tried(rig: Rig) -> bool:
    """Return whether a report was tried in vain."""

    def job(transaction: Transaction) -> bool:
        return transaction.one("SELECT 1 FROM commitment WHERE attempts > 0") is not None

    return await rig.node.database.read(job)


def more_than(reports: list[Report], count: int) -> bool:
    return len(reports) > count


async def asks(
    rig: Rig,
    objects: list[Reference],
    hearing: Hearing | None = None,
    transaction: str = TRANSACTION,
) -> tuple[QueryCall, int]:
    """Send N-ACTION; return the open association and the status."""
    call = await open_call(rig.remote("CT1"), STORAGE_COMMITMENT)
    call.attendant = hearing
    context = call.context_of(STORAGE_COMMITMENT)
    data = write_request(transaction, objects, context.transfer_syntax)
    answer = await call.action(context, STORAGE_COMMITMENT_INSTANCE, 1, data)
    return call, answer.status


def of(*stored: Stored) -> list[Reference]:
    return [(one.sop_class, one.sop_instance) for one in stored]


async def listening(rig: Rig, hearing: Hearing) -> Catcher:
    """Start CT1's own listener, and the node that knows it."""
    catcher = Catcher(hearing, "CT1", {STORAGE_COMMITMENT: b""})
    port = await catcher.start("127.0.0.1", 0)
    place = f'store_at = {{ host = "127.0.0.1", port = {port} }}\n'
    await rig.start(f'[peer.ct]\nae_title = "CT1"\n{place}')
    return catcher


@pytest.mark.req("T-48", "S-8")
async def test_a_report_comes_on_the_same_association_while_that_is_open(rig: Rig) -> None:
    hearing, elsewhere = Hearing(), Hearing()
    catcher = await listening(rig, elsewhere)
    await rig.send(*KEPT, BIG)
    call, status = await asks(rig, of(*KEPT, BIG), hearing)
    assert status == 0
    await until(lambda: hearing.reports)
    assert hearing.events == [1]
    assert hearing.reports[0] == Report(TRANSACTION, tuple(of(*KEPT, BIG)), ())
    await call.release()
    assert elsewhere.reports == []
    await catcher.stop()


@pytest.mark.req("R-71", "RT-12")
async def test_a_study_is_complete_once_all_is_here_that_its_sender_wants_promised(
    rig: Rig,
) -> None:
    sink = await rig.sink()
    await rig.start(
        destination("a", sink.port)
        + '[[rule]]\nname = "whole"\ntrigger = "study"\nsend = ["a"]\n'
        + '[completeness]\nquiet = "1h"\nrelease = "1h"\nforce_after = "2h"\n'
        + '[peer.ct]\nae_title = "CT1"\nstore_at = { host = "127.0.0.1", port = 1 }\n'
    )
    await rig.accepted(*KEPT[:2])
    call, status = await asks(rig, of(*KEPT))
    assert status == 0
    await until_async(partial(tried, rig))
    assert rig.node.gathers.open == 1
    await rig.accepted(KEPT[2])
    assert await rig.states() == {}
    other, status = await asks(rig, of(*KEPT), transaction="1.2.3.5")
    assert status == 0
    await rig.wait_for({"done": 3})
    assert await rig.rows("SELECT evidence FROM gather") == [("commitment",)]
    call.abort()
    other.abort()


@pytest.mark.req("T-48", "TT-32", "S-8")
async def test_only_what_was_read_again_and_is_the_same_is_promised(rig: Rig) -> None:
    hearing = Hearing()
    catcher = await listening(rig, hearing)
    big, flipped = sample("ct", seed="gone"), sample("ct", seed="flipped")
    await rig.send(*KEPT, big, flipped)
    await rig.node.router.settled()
    gone_blob, bad_blob = await blobs(rig, big.sop_instance, flipped.sop_instance)
    gone_blob.unlink()
    content = bytearray(bad_blob.read_bytes())
    content[len(flipped.data_set) // 2] ^= 1
    bad_blob.write_bytes(content)
    wrong_class = ("1.2.840.10008.5.1.4.1.1.7", KEPT[0].sop_instance)
    unknown = ("1.2.840.10008.5.1.4.1.1.2", "1.2.3.999")
    wanted = [*of(KEPT[1], KEPT[2], big, flipped), wrong_class, unknown]
    call, status = await asks(rig, wanted)
    call.abort()
    assert status == 0
    await until(lambda: hearing.reports)
    assert hearing.events == [2]
    (report,) = hearing.reports
    assert report.safe == tuple(of(KEPT[1], KEPT[2]))
    assert {(uid, reason) for _, uid, reason in report.failures} == {
        (big.sop_instance, 0x0110),
        (flipped.sop_instance, 0x0110),
        (KEPT[0].sop_instance, 0x0119),
        ("1.2.3.999", 0x0112),
    }
    await catcher.stop()
    await rig.stop()


async def blobs(rig: Rig, *uids: str) -> list[Path]:
    """Return the files that hold these objects."""

    def job(transaction: Transaction) -> dict[str, str]:
        return {
            row[0]: row[1] for row in transaction.rows("SELECT sop_instance, blob FROM arrival")
        }

    names = await rig.node.database.read(job)
    return [rig.data / "blobs" / names[uid] for uid in uids]


@pytest.mark.req("T-48", "S-8", "TT-32")
async def test_a_modality_that_was_off_hears_it_later_also_after_a_restart(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "FIRST_S", 0.05)
    monkeypatch.setattr(commit, "CAP_S", 0.05)
    hearing = Hearing(deaf=2)
    catcher = await listening(rig, hearing)
    await rig.send(*KEPT)
    await catcher.stop()
    call, status = await asks(rig, of(*KEPT))
    assert status == 0
    call.abort()
    await until_async(partial(tried, rig))
    assert hearing.reports == []
    await rig.restart()
    place = rig.node.settings.peer["ct"].store_at
    assert place is not None
    again = Catcher(hearing, "CT1", {STORAGE_COMMITMENT: b""})
    await again.start("127.0.0.1", place.port)
    await until(lambda: hearing.reports)
    assert hearing.reports[0].safe == tuple(of(*KEPT))
    assert hearing.deaf == 0
    await again.stop()


@pytest.mark.req("T-48")
async def test_what_could_not_be_reported_is_not_promised(rig: Rig) -> None:
    await rig.start('[peer.ct]\nae_title = "CT1"\n')
    call, status = await asks(rig, of(*KEPT))
    assert status == 0x0110
    await call.release()


@pytest.mark.req("T-48", "T-69")
async def test_requests_that_make_no_sense_are_refused_with_a_status(rig: Rig) -> None:
    hearing = Hearing()
    catcher = await listening(rig, hearing)
    call = await open_call(rig.remote("CT1"), STORAGE_COMMITMENT)
    context = call.context_of(STORAGE_COMMITMENT)
    good = write_request(TRANSACTION, of(*KEPT), EXPLICIT_VR_LE)
    for instance, action, data, status in (
        ("1.2.3", 1, good, 0x0112),
        (STORAGE_COMMITMENT_INSTANCE, 7, good, 0x0123),
        (STORAGE_COMMITMENT_INSTANCE, 1, b"", 0x0115),
        (STORAGE_COMMITMENT_INSTANCE, 1, write_request("", of(*KEPT), EXPLICIT_VR_LE), 0x0115),
        (STORAGE_COMMITMENT_INSTANCE, 1, write_request(TRANSACTION, [], EXPLICIT_VR_LE), 0x0115),
        (STORAGE_COMMITMENT_INSTANCE, 1, good[:-7], 0x0115),
    ):
        assert (await call.action(context, instance, action, data)).status == status
    await call.release()
    assert hearing.reports == []
    await catcher.stop()


@pytest.mark.req("T-48")
async def test_a_transaction_uid_in_use_fails_all_and_a_repeated_request_is_the_same(
    rig: Rig,
) -> None:
    hearing = Hearing()
    catcher = await listening(rig, hearing)
    await rig.send(*KEPT)
    for objects, event, reasons in (
        (of(*KEPT), 1, set()),
        (of(*KEPT), 1, set()),
        (of(KEPT[0]), 2, {0x0131}),
    ):
        before = len(hearing.reports)
        call, status = await asks(rig, objects)
        assert status == 0
        call.abort()
        await until(partial(more_than, hearing.reports, before))
        assert hearing.events[-1] == event
        assert {reason for _, _, reason in hearing.reports[-1].failures} == reasons
    await catcher.stop()


@pytest.mark.req("S-45")
async def test_commitment_needs_its_right(rig: Rig) -> None:
    place = 'store_at = { host = "127.0.0.1", port = 1 }\n'
    await rig.start(f'[peer.ct]\nae_title = "CT1"\n{place}rights = ["store"]\n')
    call, status = await asks(rig, of(*KEPT))
    assert status == 0x0124
    await call.release()
