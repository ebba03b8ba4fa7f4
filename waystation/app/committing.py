"""Asking a peer for storage commitment, without a node: what ``waystation commit`` does (T-49).

Contract: the report is awaited on the association of the request and, with a port, on a listener of
our own under the same AE title; whichever comes first counts.  Raises `UnreachableError`,
`LostError`, `QueryRefusedError` for a request that was refused.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from waystation.app.asking import SYNTAXES, QueryRefusedError
from waystation.app.catching import Catcher, local_address
from waystation.dicom.errors import DatasetError
from waystation.dicom.uids import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from waystation.flows.commitment_data import Report, read_report, write_request
from waystation.journal.commitments import Reference
from waystation.model.errors import LostError
from waystation.model.peer import Remote
from waystation.net.client import Waits
from waystation.net.query_call import QueryCall
from waystation.wire.commands import N_EVENT_REPORT_RQ, Command, reply
from waystation.wire.items import AcceptedContext
from waystation.wire.negotiate import propose
from waystation.wire.status import MISTYPED_ARGUMENT, UNRECOGNISED_OPERATION

LONGEST_REPORT = 16 << 20
OTHER_TRANSACTION = 0x0131


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to ask for.

    wait_s: how long the report may take.  port: of our own listener, 0 for none.
    """

    objects: Sequence[Reference]
    transaction_uid: str
    wait_s: float
    port: int = 0


@dataclass(slots=True)
class Ear:
    """Takes the report of one transaction."""

    transaction_uid: str
    report: "asyncio.Future[Report]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def begun(self, context: AcceptedContext, command: Command) -> "HeardReport":
        """A message of the peer has begun."""
        return HeardReport(self, context, command)

    def hear(self, report: Report) -> int:
        """Take a report; return the status for it."""
        if report.transaction_uid != self.transaction_uid:
            return OTHER_TRANSACTION
        if not self.report.done():
            self.report.set_result(report)
        return 0


class HeardReport:
    """One N-EVENT-REPORT on its way."""

    def __init__(self, ear: Ear, context: AcceptedContext, command: Command) -> None:
        self._ear = ear
        self._context = context
        self._command = command
        self._data = bytearray()

    def write(self, data: memoryview) -> None:
        """Take a piece of its data set."""
        if len(self._data) <= LONGEST_REPORT:
            self._data += data

    async def finish(self) -> Command:
        """Read it; return the response."""
        command = self._command
        if command.field != N_EVENT_REPORT_RQ:
            return reply(command, UNRECOGNISED_OPERATION, "only N-EVENT-REPORT is served here")
        try:
            report = read_report(bytes(self._data), self._context.transfer_syntax)
        except DatasetError:
            return reply(command, MISTYPED_ARGUMENT, "the event information cannot be read")
        return reply(command, self._ear.hear(report))

    def forget(self) -> None:
        """The association ended before the report did."""


async def commit(remote: Remote, wish: Wish, waits: Waits) -> Report | None:
    """Ask, and return the report; None if it did not come in time."""
    ear = Ear(wish.transaction_uid)
    catcher = None
    if wish.port:
        catcher = Catcher(ear, remote.calling_ae, {STORAGE_COMMITMENT: b""})
        await catcher.start(local_address(remote), wish.port)
    try:
        return await _asked(remote, wish, waits, ear)
    finally:
        if catcher is not None:
            await catcher.stop()


async def _asked(remote: Remote, wish: Wish, waits: Waits, ear: Ear) -> Report | None:
    call = await QueryCall.open(remote, propose([(STORAGE_COMMITMENT, SYNTAXES)])[0], waits)
    call.attendant = ear
    accepted = False
    try:
        context = call.context_of(STORAGE_COMMITMENT)
        data = write_request(wish.transaction_uid, wish.objects, context.transfer_syntax)
        answer = await call.action(context, STORAGE_COMMITMENT_INSTANCE, 1, data)
        accepted = not answer.status
        if not accepted:
            raise QueryRefusedError(answer)
        return await _heard(call, ear, wish)
    finally:
        if accepted and call.alive:
            await call.release()
        else:
            call.abort()


async def _heard(call: QueryCall, ear: Ear, wish: Wish) -> Report | None:
    """Wait for the report, however it comes."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wish.wait_s
    while not ear.report.done() and loop.time() < until:
        if not call.alive and not wish.port:
            raise LostError("the peer ended the association before its report; listen with --port")
        await asyncio.wait([ear.report], timeout=min(0.2, until - loop.time()))
    return ear.report.result() if ear.report.done() else None
