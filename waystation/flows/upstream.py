"""A PACS behind the broker: its associations for queries, and whether it can be reached.

Contract (W-56 to W-62, W-129): no more than ``find_most`` associations for queries are open; who
waits for one is served in turn, for ``find_s`` seconds at most.  An association goes back to the
pool only after its final answer, so that no stale answer meets the next query.  Whatever goes
wrong is an `UpstreamFailed`.  `waystation.flows.inquiry` asks over them.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

import structlog

from waystation.dicom import uids
from waystation.flows.upstream_failures import failure_of
from waystation.model.errors import LostError, UnreachableError
from waystation.model.peer import Remote
from waystation.model.upstream import UNAVAILABLE, UpstreamFailed, UpstreamTerms
from waystation.net.client import Waits
from waystation.net.pool import CallPool
from waystation.net.query_call import QueryCall
from waystation.timing.histogram import Histogram
from waystation.wire.items import Extended
from waystation.wire.negotiate import propose

log = structlog.get_logger()
SYNTAXES = (uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE)
SERVICES = (
    *(uids.STUDY_ROOT_FIND, uids.STUDY_ROOT_MOVE, uids.STUDY_ROOT_GET),
    *(uids.PATIENT_ROOT_FIND, uids.PATIENT_ROOT_MOVE, uids.PATIENT_ROOT_GET),
)
# How long the rest of a cancelled query is read before its association is given up.
DRAIN_S = 10.0
MOST_PATIENTS = 10_000

Key = tuple[str, bytes]


@dataclass(slots=True)
class Loan:
    """An association in use.  new: opened for this loan.  kept: its last answers are drained."""

    key: Key
    call: QueryCall
    new: bool
    kept: bool = False


class Upstream:
    """One PACS.

    down: why it cannot be reached, None while it can.  abilities: the query/retrieve classes that
    it took at the last probe, None before the first.  fell: hears when it cannot be reached.
    """

    def __init__(self, terms: UpstreamTerms, fell: Callable[[], None] = lambda: None) -> None:
        self.terms = terms
        self.down: UpstreamFailed | None = None
        self.abilities: frozenset[str] | None = None
        self._fell = fell
        self._pool = CallPool(terms.find_most)
        self._free = asyncio.Semaphore(terms.find_most)
        self._turn = asyncio.Semaphore(1) if terms.has("sequential") else None
        self.in_use = 0
        # How searches ended, "ok" or the status that a failure has, and how long they took.
        self.ended: Counter[str] = Counter()
        self.search_s = Histogram()
        self._patients: dict[str, str] = {}
        self._draining: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """Name of its table, which is the name of the source."""
        return self.terms.name

    @property
    def takes_get(self) -> bool:
        """Whether the last probe saw that it takes C-GET."""
        root = self.terms.has("patient_root")
        sop_class = uids.PATIENT_ROOT_GET if root else uids.STUDY_ROOT_GET
        return sop_class in (self.abilities or ())

    @property
    def idle(self) -> int:
        """How many associations for queries are open and unused."""
        return self._pool.idle

    @property
    def waits(self) -> Waits:
        """How long its queries wait."""
        terms = self.terms
        return Waits(
            connect_s=terms.connect_s, associate_s=terms.associate_s, response_s=terms.find_s
        )

    # associations for queries

    @asynccontextmanager
    async def association(self, sop_class: str, options: bytes) -> AsyncIterator[Loan]:
        """Lend an association for one query class and extended negotiation.

        At its end the last query has had its final answer, or was given to `drain`; otherwise it
        has ended itself.  Raises `UpstreamFailed`, also for what the body raises of the network.
        """
        loan = await self._lend((sop_class, options))
        try:
            yield loan
        except (UnreachableError, LostError) as error:
            raise self.failed(error) from error
        finally:
            if not loan.kept:
                self._take_back(loan)

    async def renew(self, loan: Loan) -> None:
        """Replace a pooled association that had ended before it could be used."""
        loan.call.abort()
        loan.call, loan.new = await self._open(loan.key), True

    def drain(self, loan: Loan, rest: asyncio.Task[None]) -> None:
        """Take the association back as soon as ``rest`` has read its cancelled query to the end."""
        loan.kept = True
        task = asyncio.get_running_loop().create_task(self._drain(loan, rest))
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)

    async def _drain(self, loan: Loan, rest: asyncio.Task[None]) -> None:
        try:
            _, unread = await asyncio.wait([rest], timeout=DRAIN_S)
            if unread:
                loan.call.abort()
        finally:
            rest.cancel()
            await asyncio.gather(rest, return_exceptions=True)
            self._take_back(loan)

    async def _lend(self, key: Key) -> Loan:
        try:
            async with asyncio.timeout(self.terms.find_s):
                await self._free.acquire()
                await self._my_turn()
        except TimeoutError:
            text = f"no association for queries was free within {self.terms.find_s:g} s"
            raise UpstreamFailed(self.name, UNAVAILABLE, text) from None
        self.in_use += 1
        lent = False
        try:
            idle = self._pool.take(key)
            assert idle is None or isinstance(idle, QueryCall)
            loan = Loan(key, idle or await self._open(key), idle is None)
            lent = True
        except (UnreachableError, LostError) as error:
            raise self.failed(error) from error
        finally:
            if not lent:
                self._leave()
        return loan

    async def _my_turn(self) -> None:
        """Wait for our turn; gives the place in the queue back if that takes too long."""
        if self._turn is None:
            return
        came = False
        try:
            await self._turn.acquire()
            came = True
        finally:
            if not came:
                self._free.release()

    async def _open(self, key: Key) -> QueryCall:
        """Open an association.  Raises `UnreachableError`."""
        sop_class, options = key
        while self._pool.idle and self._pool.idle + self.in_use > self.terms.find_most:
            await self._pool.end_oldest()
        contexts = propose([(sop_class, SYNTAXES)])[0]
        extended = (Extended(sop_class, options),) if options else ()
        call = await QueryCall.open(self.terms.find, contexts, self.waits, extended=extended)
        self._is_up()
        try:
            call.context_of(sop_class)
        except UnreachableError:
            self._pool.retire(call)
            raise
        return call

    def _take_back(self, loan: Loan) -> None:
        self._pool.give_back(loan.key, loan.call, self.terms.idle_s)
        self._leave()

    def _leave(self) -> None:
        self.in_use -= 1
        self._free.release()
        if self._turn is not None:
            self._turn.release()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a retrieval may begin: at once, but for a PACS that does one thing at a time.

        Such a PACS answers no query until this ends.
        """
        async with self._turn or nullcontext():
            yield

    # health

    def failed(self, error: UnreachableError | LostError) -> UpstreamFailed:
        """Return what an error means; what no connection reaches is down."""
        found = failure_of(self.name, self.terms.find, error)
        if isinstance(error, UnreachableError) and error.layer in ("name", "connect", "tls"):
            before, self.down = self.down, found
            if before is None:
                log.warning("pacs down", pacs=self.name, why=found.text)
                self._fell()
        return found

    def _is_up(self) -> None:
        if self.down is not None:
            log.info("pacs up again", pacs=self.name)
        self.down = None

    async def probe(self) -> frozenset[str]:
        """Return the query/retrieve classes that it takes; raises `UpstreamFailed`."""
        found: set[str] = set()
        for remote in dict.fromkeys((self.terms.find, self.terms.move, self.terms.get)):
            found |= await self._probe(remote)
        self.abilities = frozenset(found)
        self._is_up()
        return self.abilities

    async def _probe(self, remote: Remote) -> set[str]:
        contexts = propose([(one, SYNTAXES) for one in (uids.VERIFICATION, *SERVICES)])[0]
        try:
            call = await QueryCall.open(remote, contexts, self.waits)
        except (UnreachableError, LostError) as error:
            raise self.failed(error) from error
        found = {one.abstract_syntax for one in call.contexts.values()}
        await call.release()
        return found - {uids.VERIFICATION}

    # the Patient Root model

    def patient_of(self, study_uid: str) -> str:
        """Return the PatientID of a study as far as an answer told it, else ""."""
        return self._patients.get(study_uid, "")

    def remember(self, study_uid: str, patient_id: str) -> None:
        """Keep whose study it is: where a PACS knows the Patient Root model only, keys need it."""
        self._patients.pop(study_uid, None)
        self._patients[study_uid] = patient_id
        while len(self._patients) > MOST_PATIENTS:
            del self._patients[next(iter(self._patients))]

    async def close(self) -> None:
        """End what is open."""
        for task in list(self._draining):
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        await self._pool.close()
