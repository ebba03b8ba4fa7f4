"""Does the destination have what it acknowledged?  The belt that asks, and takes reports (R-60).

Contract: a delivery of a destination with ``verify`` is asked for once it is done and counts as
verified when the destination confirmed the object.  What is not confirmed ``after_s`` after the
first answer to our asking is sent again, once; then it is held.  A destination that cannot be
reached, or does not answer, confirms nothing and is charged with nothing.  A report finds its
transaction for thirty days, whichever association it comes on; one that comes late ends the hold.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from waystation.db.engine import Database
from waystation.dicom.errors import DatasetError
from waystation.dicom.uids import make_uid
from waystation.flows.commitment_data import read_report
from waystation.flows.desk import Asked
from waystation.flows.rounds import keep_going
from waystation.flows.verifying import Looked, Verifier, looked_at
from waystation.journal import verifications
from waystation.journal.verifications import Later, Owed
from waystation.model.errors import StorageError, WaystationError
from waystation.wire.status import MISTYPED_ARGUMENT, PROCESSING_FAILURE, SUCCESS

log = structlog.get_logger()
# How often the journal is looked at while some destination has to confirm.
LOOK_S = 5.0
# Objects of a study come one after the other: asked together, once they have been there so long.
QUIET_S = 5.0
MOST = 1000
AGAIN_S = 60.0
# Between two questions about the same object: this part of the time that it has.
PARTS = 4
SILENT = "it has not reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How one destination is asked.  after_s: how long it has to confirm."""

    verifier: Verifier
    after_s: float


class Verification:
    """The belt.

    terms: of the destinations that have to confirm, by name.  wake: called with the name of a
    destination when something is to be sent again.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        terms: Callable[[], Mapping[str, Terms]],
        wake: Callable[[str], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._terms = terms
        self._wake_lane = wake
        self._wake = asyncio.Event()
        self._asked: tuple[str, ...] | None = None

    async def run(self) -> None:
        """Ask until cancelled."""
        await keep_going("verify", self._round, self._wake, self._clock, AGAIN_S)

    async def _round(self) -> float:
        terms = self._terms()
        names = tuple(sorted(terms))
        if names != self._asked:
            await self._database.write(verifications.ask_no_more(names, self._clock()))
            self._asked = names
        await asyncio.gather(*(self._serve(name, one) for name, one in terms.items()))
        return LOOK_S

    async def _serve(self, name: str, terms: Terms) -> None:
        try:
            while await self._batch(name, terms) == MOST:
                continue
        except StorageError as error:
            log.error("verification waits for the journal", to=name, error=str(error))
        except Exception:
            log.exception("verification failed", to=name)

    async def _batch(self, name: str, terms: Terms) -> int:
        """Look at what is due; return how many deliveries that were."""
        now = self._clock()
        owed = await self._database.read(verifications.due(name, now, now - QUIET_S, MOST))
        late = [one for one in owed if terms.verifier.by_report and _over(one, terms, now)]
        if late:
            await self._give_up(name, [replace(one, why=one.why or SILENT) for one in late])
        known = {one.delivery for one in late}
        rest = [one for one in owed if one.delivery not in known]
        if rest:
            await self._ask(name, terms, rest)
        return len(owed)

    async def _ask(self, name: str, terms: Terms, owed: Sequence[Owed]) -> None:
        transaction_uid = ""
        if terms.verifier.by_report:
            transaction_uid = make_uid(uuid.uuid4().bytes)
            await self._database.write(verifications.asking(owed, transaction_uid, self._clock()))
        try:
            looked = await terms.verifier.look(owed, transaction_uid)
        except WaystationError as error:
            log.info("not verified yet", to=name, n=len(owed), why=str(error))
            at = self._clock() + AGAIN_S
            found = [Later(one.delivery, at, str(error)) for one in owed]
            await self._database.write(verifications.later(found, None))
            return
        await self._take(name, terms, owed, looked)

    async def _take(self, name: str, terms: Terms, owed: Sequence[Owed], looked: Looked) -> None:
        """Write down what the destination said."""
        now = self._clock()
        safe = [one.delivery for one in owed if one.sop_instance in looked.safe]
        if safe:
            n = await self._database.write(verifications.confirmed(safe, now))
            log.info("verified", to=name, n=n)
        open_ = [one for one in owed if one.sop_instance not in looked.safe]
        told = [replace(one, why=looked.failed.get(one.sop_instance, one.why)) for one in open_]
        late = [one for one in told if _over(one, terms, now)]
        if late:
            await self._give_up(name, late)
        rest = [
            Later(one.delivery, _next(one, terms, looked, now), one.why)
            for one in told
            if not _over(one, terms, now)
        ]
        if rest:
            await self._database.write(verifications.later(rest, now))

    async def _give_up(self, name: str, owed: Sequence[Owed]) -> None:
        """Send again what was not confirmed in time, or hold it."""
        found = await self._database.write(verifications.unconfirmed(owed, self._clock()))
        log.warning("not confirmed by the destination", to=name, **found)
        if found["again"]:
            self._wake_lane(name)

    async def hear(self, asked: Asked) -> tuple[int, str]:
        """Take a report that a destination sends on an association of its own (T-49)."""
        try:
            report = read_report(asked.identifier, asked.context.transfer_syntax)
        except DatasetError:
            return MISTYPED_ARGUMENT, "the event information cannot be read"
        looked = looked_at(report)
        n = await self._database.write(
            verifications.reported(
                report.transaction_uid, sorted(looked.safe), looked.failed, self._clock()
            )
        )
        if n is None:
            return PROCESSING_FAILURE, "no such transaction"
        log.info("verified", calling_ae=asked.source.calling_ae, n=n, failed=len(looked.failed))
        return SUCCESS, ""


def _over(one: Owed, terms: Terms, now: float) -> bool:
    """Return whether the time to confirm an object is over."""
    return one.asked_at is not None and now - one.asked_at >= terms.after_s


def _next(one: Owed, terms: Terms, looked: Looked, now: float) -> float:
    """Return when to look again: before the end only where the answer was no."""
    ends = (now if one.asked_at is None else one.asked_at) + terms.after_s
    failed = one.sop_instance in looked.failed
    return min(ends, now + terms.after_s / PARTS) if failed else ends
