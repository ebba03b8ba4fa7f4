"""Files to a peer by C-STORE, without a node: what ``waystation send`` does.

Contract: the bytes of a data set leave as they are stored, in the syntax they are stored in; what
the peer does not take in that form has failed, with the reason.  Every file is offered exactly
once.  A broken association costs the object that was on it; the others go on over a new one.  No
file larger than 4 MiB is held in memory.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from waystation.app.dicom_files import DicomFile
from waystation.model.errors import LostError, UnreachableError
from waystation.model.peer import Remote
from waystation.net.client import Call, Waits
from waystation.wire.items import ProposedContext
from waystation.wire.limits import Limits
from waystation.wire.negotiate import propose
from waystation.wire.status import Category, category, status_text

WHOLE_BYTES = 4 << 20
PIECE_BYTES = 256 * 1024
TAKEN = (Category.SUCCESS, Category.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One file that did not arrive."""

    path: Path
    why: str


@dataclass(slots=True)
class Tally:
    """What became of the files.  sent: taken by the peer, with or without a warning.

    unreachable: why no association could be opened, None as soon as one was.
    """

    sent: int = 0
    warned: int = 0
    sent_bytes: int = 0
    failures: list[Failure] = field(default_factory=list)
    unreachable: UnreachableError | None = None
    reached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Whom to send to, and how."""

    remote: Remote
    waits: Waits = Waits()
    limits: Limits = Limits()
    parallel: int = 1


class Sender:
    """Sends files.  told: called after each file with it."""

    def __init__(self, way: Way, told: Callable[[DicomFile], None] = lambda _file: None) -> None:
        self._way = way
        self._told = told
        self.tally = Tally()

    async def send(self, files: Iterable[DicomFile]) -> Tally:
        """Send all files, group by group of presentation contexts."""
        for contexts, members in grouped(files):
            waiting = deque(members)
            workers = min(self._way.parallel, len(members))
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(contexts, waiting))
        return self.tally

    async def _work(self, contexts: Sequence[ProposedContext], waiting: deque[DicomFile]) -> None:
        """Send from ``waiting`` over one association after the other until nothing is left."""
        while waiting:
            try:
                call = await Call.open(
                    self._way.remote, contexts, self._way.waits, self._way.limits
                )
            except UnreachableError as error:
                self.tally.unreachable = error
                while waiting:
                    self._failed(waiting.popleft(), str(error))
                return
            self.tally.reached = True
            await self._use(call, waiting)

    async def _use(self, call: Call, waiting: deque[DicomFile]) -> None:
        while waiting and call.alive:
            file = waiting.popleft()
            try:
                await self._store(call, file)
            except LostError as error:
                call.abort()
                self._failed(file, str(error))
            except OSError as error:
                # Half of the object may be on the wire: only an abort makes the peer forget it.
                call.abort()
                self._failed(file, f"cannot be read: {error.strerror or error}")
        await call.release()

    async def _store(self, call: Call, file: DicomFile) -> None:
        pair = (file.sop_class_uid, file.transfer_syntax_uid)
        context_id = call.context_for(*pair)
        if context_id is None:
            self._failed(file, f"{pair[0]} in {pair[1]}: {call.refusals(pair)}")
            return
        uids = (file.sop_class_uid, file.sop_instance_uid)
        if file.size_bytes <= WHOLE_BYTES:
            reply = await call.store(context_id, *uids, _whole(file))
        else:
            async with aclosing(_pieces(file)) as pieces:
                reply = await call.store(context_id, *uids, pieces)
        if category(reply.status) not in TAKEN:
            comment = f": {reply.error_comment}" if reply.error_comment else ""
            self._failed(file, status_text(reply.status) + comment)
            return
        self.tally.sent += 1
        self.tally.warned += category(reply.status) is Category.WARNING
        self.tally.sent_bytes += file.size_bytes
        self._told(file)

    def _failed(self, file: DicomFile, why: str) -> None:
        self.tally.failures.append(Failure(path=file.path, why=why))
        self._told(file)


def grouped(
    files: Iterable[DicomFile],
) -> list[tuple[tuple[ProposedContext, ...], list[DicomFile]]]:
    """Return (contexts of one association, the files that it carries), in order of the files."""
    by_pair: dict[tuple[str, str], list[DicomFile]] = {}
    for file in files:
        by_pair.setdefault((file.sop_class_uid, file.transfer_syntax_uid), []).append(file)
    offers = propose([(sop_class, [syntax]) for sop_class, syntax in by_pair])
    return [
        (
            contexts,
            [
                file
                for context in contexts
                for file in by_pair[context.abstract_syntax, context.transfer_syntaxes[0]]
            ],
        )
        for contexts in offers
    ]


def _whole(file: DicomFile) -> bytes:
    with file.path.open("rb") as stream:
        stream.seek(file.offset)
        return stream.read(file.size_bytes)


async def _pieces(file: DicomFile) -> AsyncGenerator[bytes, None]:
    left = file.size_bytes
    with file.path.open("rb") as stream:
        stream.seek(file.offset)
        while left:
            piece = await asyncio.to_thread(stream.read, min(PIECE_BYTES, left))
            if not piece:
                raise OSError("the file became shorter")
            left -= len(piece)
            yield piece
