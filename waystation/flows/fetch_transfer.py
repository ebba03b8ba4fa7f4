"""One request of retrieval at a PACS: C-MOVE to ourselves, or C-GET (W-107, W-115, W-118).

Contract: how it ended is an `Ended`, never an exception; its failure is None only when the PACS
said success, a warning, or that it heard our cancelling.  The time-out runs only while neither
answers nor objects come.  Statuses and counts are taken as they are; whether anything is complete
is not decided here.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from waystation.dicom import tags, uids
from waystation.dicom.compose import Elements, compose
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.flows.fetch_find import LEVEL
from waystation.flows.fetch_get import GetTaker
from waystation.flows.fetch_manifest import Job
from waystation.flows.get_contexts import NATIVE, contexts_of
from waystation.flows.upstream import Upstream
from waystation.flows.upstream_failures import failure_of, failure_of_status
from waystation.model.errors import LostError, UnreachableError
from waystation.model.peer import Remote
from waystation.model.upstream import TIMED_OUT, UpstreamFailed
from waystation.net.client import Waits
from waystation.net.query_call import Answer, QueryCall
from waystation.wire.commands import C_GET_RQ, C_MOVE_RQ, MEDIUM, Command
from waystation.wire.items import AcceptedContext, ProposedContext, Role
from waystation.wire.negotiate import propose
from waystation.wire.status import Category, category

FAILED_UIDS = 0x00080058
GET, MOVE = "get", "move"
# An operation may take as long as it likes while something comes.
NO_LIMIT_S = 1e9
# How long a cancelled operation may take to end before its association is aborted.
CANCEL_S = 5.0


@dataclass(slots=True)
class Ended:
    """How a request ended.

    failure: None if the PACS said success, warning or cancelled.  Counts are those of the final
    answer, None where it has none (absent is not 0: `Ended.told`).
    permanent: asking again is of no use.  refused: the association, or the service, was.
    """

    way: str
    failure: UpstreamFailed | None = None
    status: int | None = None
    completed: int | None = None
    failed: int | None = None
    warned: int | None = None
    failed_uids: frozenset[str] = frozenset()
    permanent: bool = False
    cancelled: bool = False
    refused: bool = False

    @property
    def clean(self) -> bool:
        """Whether it ended with Success and without a failed sub-operation (W-113)."""
        return self.failure is None and self.status == 0 and not self.failed

    @property
    def told(self) -> int | None:
        """How many objects the PACS says that it sent, None if it does not say."""
        if self.completed is None and self.warned is None:
            return None
        return (self.completed or 0) + (self.warned or 0)


@dataclass(slots=True)
class Transfer:
    """One request under way.

    message_id: of a C-MOVE; unique among those that are open (W-110).
    taker: makes what takes the objects of a C-GET.  classes: what may come over a C-GET.
    answered: called with each answer.  retire: ends an association in order.
    """

    upstream: Upstream
    study: str
    job: Job
    message_id: int
    taker: Callable[[QueryCall], GetTaker]
    classes: Sequence[str] = ()
    answered: Callable[[Command], None] = lambda _command: None
    retire: Callable[[QueryCall], None] = lambda call: call.abort()
    cancel_s: float = CANCEL_S
    _limit: asyncio.Timeout | None = field(default=None, init=False)
    _call: QueryCall | None = field(default=None, init=False)
    _cancelled: bool = field(default=False, init=False)

    def touched(self) -> None:
        """Something came: the time-out begins anew."""
        self._wait(self.upstream.terms.retrieve_s)

    def cancel(self) -> None:
        """Say C-CANCEL; what does not end by that is aborted (W-118)."""
        if self._cancelled:
            return
        self._wait(self.cancel_s)
        self._cancelled = True
        if self._call is None:
            return
        if self.upstream.terms.has("no_cancel"):
            self._call.abort()
        else:
            self._call.cancel()

    def _wait(self, seconds: float) -> None:
        if self._limit is not None and not self._limit.expired() and not self._cancelled:
            self._limit.reschedule(asyncio.get_running_loop().time() + seconds)

    async def run(self, way: str) -> Ended:
        """Do it."""
        terms = self.upstream.terms
        remote = terms.get if way == GET else terms.move
        ended = Ended(way)
        taken: list[GetTaker] = []
        try:
            call = await self._open(remote, way)
        except (UnreachableError, LostError) as error:
            return _unreached(ended, terms.name, remote, error)
        try:
            if way == GET:
                taken.append(self.taker(call))
                call.attendant = taken[0]
            await self._ask(call, way, ended)
        except LostError as error:
            ended.failure = failure_of(terms.name, remote, error)
        except TimeoutError:
            call.abort()
            text = f"sent neither an answer nor an object for {terms.retrieve_s:g} s"
            ended.failure = UpstreamFailed(terms.name, TIMED_OUT, text)
        finally:
            # Pieces of objects may still come over another association.
            self._call = self._limit = None
            if call.alive and ended.status is not None:
                self.retire(call)
            else:
                call.abort()
            for one in taken:
                one.ended()
        ended.cancelled = self._cancelled
        return ended

    async def _open(self, remote: Remote, way: str) -> QueryCall:
        """Open the association; raises `UnreachableError`, permanent without its context."""
        terms = self.upstream.terms
        sop_class = self._sop_class(way)
        contexts: Sequence[ProposedContext] = propose([(sop_class, NATIVE)])[0]
        roles: list[Role] = []
        if way == GET:
            more = () if terms.has("uncompressed") else None
            contexts = (
                contexts_of(sop_class, self.classes)
                if more is None
                else contexts_of(sop_class, self.classes, more)
            )
            names = dict.fromkeys(one.abstract_syntax for one in contexts[1:])
            roles = [Role(name, scu=False, scp=True) for name in names]
        waits = Waits(
            connect_s=terms.connect_s, associate_s=terms.associate_s, response_s=NO_LIMIT_S
        )
        call = await QueryCall.open(remote, contexts, waits, roles=roles)
        try:
            call.context_of(sop_class)
            if way == GET and len(call.contexts) < 2:
                raise UnreachableError("associate", "no storage class accepted", permanent=True)
        except UnreachableError:
            self.retire(call)
            raise
        return call

    def _sop_class(self, way: str) -> str:
        if self.upstream.terms.has("patient_root"):
            return uids.PATIENT_ROOT_GET if way == GET else uids.PATIENT_ROOT_MOVE
        return uids.STUDY_ROOT_GET if way == GET else uids.STUDY_ROOT_MOVE

    async def _ask(self, call: QueryCall, way: str, ended: Ended) -> None:
        context = call.context_of(self._sop_class(way))
        async with asyncio.timeout(self.upstream.terms.retrieve_s) as self._limit:
            self._call = call
            if self._cancelled:
                call.abort()
            async with aclosing(self._answers(call, context, way)) as answers:
                async for answer in answers:
                    self.touched()
                    self.answered(answer.command)
                    if category(answer.status) is not Category.PENDING:
                        self._take(ended, answer, context)

    def _answers(
        self, call: QueryCall, context: AcceptedContext, way: str
    ) -> AsyncGenerator[Answer, None]:
        command = Command(
            field=C_GET_RQ if way == GET else C_MOVE_RQ,
            message_id=self.message_id,
            sop_class_uid=context.abstract_syntax,
            priority=MEDIUM,
        )
        if way == MOVE:
            command = replace(command, move_destination=self.upstream.terms.tells_to)
        return call.ask(context, command, self._identifier(context.transfer_syntax))

    def _identifier(self, syntax: str) -> bytes:
        keys: dict[int, str] = {tags.STUDY_INSTANCE_UID: self.study}
        if self.upstream.terms.has("patient_root"):
            keys[tags.PATIENT_ID] = self.upstream.patient_of(self.study)
        if self.job.series:
            keys[tags.SERIES_INSTANCE_UID] = "\\".join(self.job.series)
        if self.job.instances:
            keys[tags.SOP_INSTANCE_UID] = "\\".join(self.job.instances)
        elements: Elements = {tag: (tags.vr_of(tag), text) for tag, text in keys.items()}
        return compose({**elements, LEVEL: ("CS", self.job.level)}, syntax)

    def _take(self, ended: Ended, answer: Answer, context: AcceptedContext) -> None:
        """Take the final answer."""
        command = answer.command
        ended.status = command.status
        ended.completed, ended.failed = command.completed, command.failed
        ended.warned = command.warning
        if answer.data:
            try:
                head = Head.from_bytes(answer.data, context.transfer_syntax)
                told = head.values(tags.format_tag(FAILED_UIDS)) or []
                ended.failed_uids = frozenset(str(uid) for uid in told)
            except DatasetError:
                # The counts say it too; which ones, the manifest tells.
                ended.failed_uids = frozenset()
        kind = category(command.status)
        if kind is Category.FAILURE or (kind is Category.CANCEL and not self._cancelled):
            ended.failure = failure_of_status(self.upstream.name, command)
            ended.permanent = command.status in PERMANENT


MOVE_DESTINATION_UNKNOWN = 0xA801
# Asking again is of no use (W-115).
PERMANENT = (MOVE_DESTINATION_UNKNOWN, 0x0122)


def _unreached(
    ended: Ended, source: str, remote: Remote, error: UnreachableError | LostError
) -> Ended:
    ended.failure = failure_of(source, remote, error)
    ended.permanent = isinstance(error, UnreachableError) and error.permanent
    ended.refused = ended.permanent
    return ended
