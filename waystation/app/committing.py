"""Asking a peer for storage commitment, without a node: what ``waystation commit`` does (T-49).

Contract: the report is awaited on the association of the request and, with a port, on a listener of
our own under the same AE title; whichever comes first counts.  Raises `UnreachableError`,
`LostError`, `QueryRefusedError` for a request that was refused.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from waystation.app.asking import SYNTAXES, QueryRefusedError
from waystation.app.catching import Catcher, local_address
from waystation.dicom.uids import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from waystation.flows.commitment_data import Report, write_request
from waystation.flows.hearing import Ear
from waystation.journal.commitments import Reference
from waystation.model.errors import LostError
from waystation.model.peer import Remote
from waystation.net.client import Waits
from waystation.net.query_call import QueryCall
from waystation.wire.negotiate import propose


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to ask for.

    wait_s: how long the report may take.  port: of our own listener, 0 for none.
    """

    objects: Sequence[Reference]
    transaction_uid: str
    wait_s: float
    port: int = 0


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
