"""C-MOVE and C-GET asked of us (PS3.4 C.4.2, C.4.3).

Contract (T-41 to T-46): nothing is sent without a value in each unique key; a destination is one
that the configuration knows and its policy allows, and is decided before any work; what is sent is
read from the archive with its digest checked.  The final status is FE00 when it was cancelled, A702
when nothing came through, B000 when something failed or was warned of, else 0000.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import structlog

from waystation.codecs.pool import CodecPool
from waystation.destinations.base import Cargo
from waystation.destinations.dicom import DicomDestination
from waystation.dicom.compose import compose
from waystation.dicom.uids import PATIENT_ROOT_GET, PATIENT_ROOT_MOVE
from waystation.flows.borrowing import Borrowed, follow
from waystation.flows.desk import Asked
from waystation.flows.suboperations import GetOut, MoveOut, Progress, Way
from waystation.matching.unique import Unfit, Wanted, read_wanted
from waystation.model.arrival import Source
from waystation.model.delivery import Delivery
from waystation.wire.commands import C_MOVE_RQ
from waystation.wire.status import (
    CANCELLED,
    DATA_SET_MISMATCH,
    NOT_AUTHORISED,
    SUCCESS,
)

log = structlog.get_logger()
CANNOT_SEND = 0xA702
UNKNOWN_DESTINATION = 0xA801
SOME_FAILED = 0xB000
FAILED_UIDS = 0x00080058
LONGEST_SHORT = 0xFFFE
PATIENT_ROOT = {PATIENT_ROOT_MOVE, PATIENT_ROOT_GET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """One retrieval under way, for whoever looks on.

    id: unique in this life of the node.  studies: of what is sent, as far as they are known.
    """

    id: int
    source: Source
    wanted: Wanted
    studies: Sequence[str]
    to: str
    progress: Progress

    def stop(self, author: str) -> None:
        """End it behind the object in flight."""
        self.progress.stopped = True
        self.progress.problem = "stopped by an operator"
        log.info("retrieval stopped", calling_ae=self.source.calling_ae, to=self.to, by=author)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """Where C-MOVE sends.  parallel: associations that it takes at once.

    as_received: it gets what was received, without corrections (T-32).
    """

    destination: DicomDestination
    parallel: int = 1
    as_received: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What retrieval needs of the node.

    instances: the objects of what is wanted in an area (its called AE title), in instance order.
    destination: the way to an AE title for this caller and request, or None.
    relational: whether relational retrieval is in force without being negotiated.
    may: whether the caller's rights and those of the area allow an operation.
    cargo: objects as they leave; stored: as they were received; as_received: who gets those.
    policy: how far `GetOut` may convert.
    elsewhere: what is wanted from the archive and PACS together, None for the archive alone.
    ended: hear of each retrieval when it is over.
    """

    instances: Callable[[Wanted, str], Awaitable[Sequence[Delivery]]]
    destination: Callable[[str, Asked], Taker | None]
    relational: Callable[[Source], bool]
    may: Callable[[str, Asked], bool]
    cargo: Cargo
    stored: Cargo
    as_received: Callable[[Source], bool]
    codecs: CodecPool | None
    policy: str = "decompress"
    elsewhere: Callable[[Wanted, str], Borrowed | None] = lambda _wanted, _title: None
    going: list[Going] = field(default_factory=list)
    ended: list[Callable[[Going], None]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))


class Retrieval:
    """Serves C-MOVE and C-GET."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def serve(self, asked: Asked) -> None:
        """Answer one request to its end."""
        shelf, command = self._shelf, asked.command
        is_move = command.field == C_MOVE_RQ
        if not shelf.may("move" if is_move else "get", asked):
            await self._refuse(asked, NOT_AUTHORISED, "not allowed to this peer")
            return
        wanted = read_wanted(
            asked.identifier,
            asked.context.transfer_syntax,
            patient_root=asked.context.abstract_syntax in PATIENT_ROOT,
            relational=asked.options[:1] == b"\1" or shelf.relational(asked.source),
        )
        if isinstance(wanted, Unfit):
            await self._refuse(asked, DATA_SET_MISMATCH, wanted.comment, (wanted.tag,))
            return
        cargo = shelf.stored if shelf.as_received(asked.source) else shelf.cargo
        way: Way = GetOut(cargo, shelf.codecs, shelf.policy)
        if is_move:
            taker = shelf.destination(command.move_destination, asked)
            if taker is None:
                await self._refuse(asked, UNKNOWN_DESTINATION, "move destination unknown")
                return
            cargo = shelf.stored if taker.as_received else shelf.cargo
            way = MoveOut(taker.destination, cargo, taker.parallel)
        await self._send(asked, wanted, way)

    async def _refuse(
        self, asked: Asked, status: int, comment: str, offending: tuple[int, ...] = ()
    ) -> None:
        log.warning(
            "retrieval refused",
            calling_ae=asked.source.calling_ae,
            to=asked.command.move_destination,
            status=f"{status:04X}",
            why=comment,
        )
        await asked.answer(status, comment=comment, offending=offending)

    async def _send(self, asked: Asked, wanted: Wanted, way: Way) -> None:
        title = asked.source.called_ae
        borrowed = self._shelf.elsewhere(wanted, title)
        found = [] if borrowed else await self._shelf.instances(wanted, title)
        progress = Progress(asked, len(found))
        to = asked.command.move_destination or asked.source.calling_ae
        number = next(self._shelf.numbers)
        going = Going(
            id=number,
            source=asked.source,
            wanted=wanted,
            studies=wanted.studies or sorted({one.study_uid for one in found}),
            to=to,
            progress=progress,
        )
        self._shelf.going.append(going)
        try:
            if borrowed is not None:
                await follow(borrowed, way, progress)
            elif found:
                await way.send(found, progress)
        finally:
            await way.close()
            self._shelf.going.remove(going)
            self._tell(going)
        status, comment = _ending(progress, wanted)
        await asked.answer(
            status,
            comment=comment,
            counts=progress.counts,
            data=_failed(progress.failed, asked.context.transfer_syntax),
        )

    def _tell(self, going: Going) -> None:
        """Write down who took what (S-64)."""
        for told in self._shelf.ended:
            told(going)
        progress, counts = going.progress, going.progress.counts
        log.info(
            "retrieved",
            calling_ae=going.source.calling_ae,
            address=going.source.address,
            peer=going.source.peer,
            to=going.to,
            asked=going.wanted.level,
            studies=list(going.wanted.studies),
            objects=progress.total,
            completed=counts.completed,
            warned=counts.warning,
            failed=counts.failed,
            why=progress.problem,
        )


def _ending(progress: Progress, wanted: Wanted) -> tuple[int, str]:
    """Return the final status, and a word on it."""
    if not progress.total:
        return SUCCESS, f"no such {wanted.level.lower()}"
    counts = progress.counts
    if progress.over and counts.remaining:
        return CANCELLED, progress.problem
    if not counts.completed + counts.warning:
        return CANNOT_SEND, progress.problem
    if counts.failed or counts.warning:
        return SOME_FAILED, progress.problem
    # What went wrong on the way was made good.
    return SUCCESS, ""


def _failed(uids: Sequence[str], transfer_syntax_uid: str) -> bytes:
    """Return Failed SOP Instance UID List; as UN where its VR could not hold it (PS3.5 6.2.2)."""
    if not uids:
        return b""
    text = "\\".join(uids)
    vr = "UI" if len(text) < LONGEST_SHORT else "UN"
    value = text.encode("ascii") + b"\0" * (len(text) % 2)
    return compose({FAILED_UIDS: (vr, value)}, transfer_syntax_uid)
