"""How a destination is asked whether it has what it got (R-60).

Contract: `look` asks once about some delivered objects and returns what the destination said.  An
object it says nothing of is in neither part.  Raises `UnreachableError` or `LostError` if nobody
answered; a service that is refused is an answer: it has failed for every object.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from waystation.dicom.compose import compose
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.uids import (
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    STUDY_ROOT_FIND,
)
from waystation.flows.commitment_data import Report, write_request
from waystation.flows.hearing import Ear
from waystation.journal.verifications import Owed
from waystation.model.errors import LostError
from waystation.model.peer import Remote
from waystation.net.client import Waits
from waystation.net.query_call import QueryCall
from waystation.wire.items import AcceptedContext
from waystation.wire.negotiate import propose
from waystation.wire.status import Category, category, status_text

SYNTAXES = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
LEVEL, STUDY, SERIES, INSTANCE = 0x00080052, 0x0020000D, 0x0020000E, 0x00080018
REQUEST_COMMITMENT = 1
# How long the report may take on the association of the request; less where it comes otherwise.
LISTEN_S, SHORTLY_S = 5.0, 0.5
NOT_THERE = "the destination does not have it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a destination said, by SOP instance UID.  failed: why it is not safe there."""

    safe: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)


class Verifier(Protocol):
    """One way to ask.  by_report: the answer may come later, as a report."""

    by_report: bool

    async def look(self, owed: Sequence[Owed], transaction_uid: str) -> Looked: ...


def looked_at(report: Report) -> Looked:
    """Return what a report of storage commitment says."""
    return Looked(
        safe=frozenset(uid for _, uid in report.safe),
        failed={uid: f"not committed: {status_text(reason)}" for _, uid, reason in report.failures},
    )


def _all_failed(owed: Sequence[Owed], why: str) -> Looked:
    return Looked(failed={one.sop_instance: why for one in owed})


class CommitmentAsk:
    """By N-ACTION of Storage Commitment; the report may come here or through our listener."""

    by_report = True

    def __init__(self, remote: Remote, waits: Waits) -> None:
        self._remote = remote
        self._waits = waits
        self._listen_s = LISTEN_S

    async def look(self, owed: Sequence[Owed], transaction_uid: str) -> Looked:
        """Ask, and wait for a moment whether the report comes at once."""
        contexts = propose([(STORAGE_COMMITMENT, SYNTAXES)])[0]
        call = await QueryCall.open(self._remote, contexts, self._waits)
        call.attendant = ear = Ear(transaction_uid)
        whole = False
        try:
            looked = await self._asked(call, ear, owed, transaction_uid)
            whole = True
        finally:
            if not whole:
                call.abort()
        if call.alive:
            await call.release()
        return looked

    async def _asked(
        self, call: QueryCall, ear: Ear, owed: Sequence[Owed], transaction_uid: str
    ) -> Looked:
        if call.context_for(STORAGE_COMMITMENT) is None:
            return _all_failed(owed, "the destination does not offer storage commitment")
        context = call.context_of(STORAGE_COMMITMENT)
        objects = [(one.sop_class, one.sop_instance) for one in owed]
        data = write_request(transaction_uid, objects, context.transfer_syntax)
        answer = await call.action(context, STORAGE_COMMITMENT_INSTANCE, REQUEST_COMMITMENT, data)
        if answer.status:
            return _all_failed(owed, f"commitment refused: {status_text(answer.status)}")
        await asyncio.wait([ear.report], timeout=self._listen_s)
        heard = ear.report.done()
        self._listen_s = LISTEN_S if heard else SHORTLY_S
        return looked_at(ear.report.result()) if heard else Looked()


class FindAsk:
    """By C-FIND of the instances of each series."""

    by_report = False

    def __init__(self, remote: Remote, waits: Waits) -> None:
        self._remote = remote
        self._waits = waits

    async def look(self, owed: Sequence[Owed], transaction_uid: str) -> Looked:
        """Ask series by series over one association."""
        contexts = propose([(STUDY_ROOT_FIND, SYNTAXES)])[0]
        call = await QueryCall.open(self._remote, contexts, self._waits)
        whole = False
        try:
            looked = await self._asked(call, owed)
            whole = True
        finally:
            if not whole:
                call.abort()
        await call.release()
        return looked

    async def _asked(self, call: QueryCall, owed: Sequence[Owed]) -> Looked:
        if call.context_for(STUDY_ROOT_FIND) is None:
            return _all_failed(owed, "the destination does not answer C-FIND (Study Root)")
        context = call.context_of(STUDY_ROOT_FIND)
        safe: set[str] = set()
        failed: dict[str, str] = {}
        for (study, series), group in by_series(owed):
            found, problem = await _instances(call, context, study, series)
            for one in group:
                if one.sop_instance in found:
                    safe.add(one.sop_instance)
                else:
                    failed[one.sop_instance] = problem or NOT_THERE
        return Looked(safe=frozenset(safe), failed=failed)


def by_series(owed: Sequence[Owed]) -> list[tuple[tuple[str, str], list[Owed]]]:
    """Return ((study, series), objects) for each series."""

    def key(one: Owed) -> tuple[str, str]:
        return one.study, one.series

    return [(which, list(group)) for which, group in groupby(sorted(owed, key=key), key)]


async def _instances(
    call: QueryCall, context: AcceptedContext, study: str, series: str
) -> tuple[set[str], str]:
    """Return the UIDs in a series, and what was wrong with the query if anything was."""
    identifier = compose(
        {
            LEVEL: ("CS", "IMAGE"),
            INSTANCE: ("UI", ""),
            STUDY: ("UI", study),
            SERIES: ("UI", series),
        },
        context.transfer_syntax,
    )
    found: set[str] = set()
    status = 0
    async with aclosing(call.find(context, identifier)) as answers:
        async for answer in answers:
            if category(answer.status) is Category.PENDING:
                found.add(_uid_of(answer.data, context.transfer_syntax))
            else:
                status = answer.status
    return found, f"query refused: {status_text(status)}" if status else ""


def _uid_of(data: bytes, transfer_syntax_uid: str) -> str:
    try:
        return Head.from_bytes(data, transfer_syntax_uid).text(INSTANCE)
    except DatasetError as error:
        raise LostError(f"it sent an answer that cannot be read: {error}", sent=True) from error
