"""An old PACS in this process: answers C-FIND from objects, moves them by script.

Contract: every query is in ``finds``, every C-MOVE in ``moves`` (level and UIDs).  ``find`` may
answer instead: a status, rows, or one of `ABORT` and `SILENT`; None lets it answer truthfully.
``move`` is a coroutine that does what it likes with a `Move`; what it returns is the final answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.net.sink import ABORT, HOST, PATIENT, SILENT, until
from tests.objects.files import Stored
from tests.objects.study import KINDS, head, pixels_of, uid_of
from waystation.dicom import tags
from waystation.dicom.compose import compose
from waystation.dicom.head import Head
from waystation.dicom.uids import (
    EXPLICIT_VR_LE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from waystation.model.errors import WaystationError
from waystation.model.peer import Remote
from waystation.net.client import Call
from waystation.net.gate import Gate, GateSettings
from waystation.net.listener import Guest, Listener, ListenerSettings
from waystation.wire.commands import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_FIND_RQ,
    C_GET_RQ,
    C_MOVE_RQ,
    Command,
    reply,
)
from waystation.wire.events import DataCame, Event, MessageBegun
from waystation.wire.items import AssociateReject
from waystation.wire.negotiate import propose

LEVEL, FAILED = 0x00080052, 0x00080058
STUDY, SERIES, IMAGE = tags.STUDY_INSTANCE_UID, tags.SERIES_INSTANCE_UID, tags.SOP_INSTANCE_UID
UNIQUE = {"STUDY": STUDY, "SERIES": SERIES, "IMAGE": IMAGE}
TITLE = "OLDPACS"
ALL_OF_IT = {STUDY_ROOT_FIND: b"", STUDY_ROOT_MOVE: b""}


@dataclass(frozen=True, slots=True)
class Held:
    """One object that it has."""

    stored: Stored
    study: str
    series: str


def held(stored: Stored) -> Held:
    found = Head.from_bytes(stored.data_set, stored.transfer_syntax, tail_missing=True)
    return Held(stored, found.text(STUDY), found.text(SERIES))


@dataclass(frozen=True, slots=True)
class Asked:
    """One C-FIND or C-MOVE.  uids: by level."""

    level: str
    study: str
    series: tuple[str, ...]
    instances: tuple[str, ...]


def asked_of(identifier: Head) -> Asked:
    def uids(tag: int) -> tuple[str, ...]:
        raw = (identifier.raw(tag) or b"").decode().strip("\0 ")
        return tuple(filter(None, raw.split("\\")))

    return Asked(identifier.text(LEVEL), identifier.text(STUDY), uids(SERIES), uids(IMAGE))


@dataclass
class Ending:
    """The final answer of a C-MOVE."""

    status: int = 0
    completed: int | None = 0
    failed: int | None = 0
    warning: int | None = 0
    failed_uids: Sequence[str] = ()


class Move:
    """One C-MOVE under way."""

    def __init__(self, pacs: "OldPacs", service: "_Service", asked: Asked, command: Command):
        self.pacs = pacs
        self.asked = asked
        self.command = command
        self.wanted = [one for one in pacs.held if pacs.matches(one, asked)]
        self.cancelled = asyncio.Event()
        self._service = service
        self._call: Call | None = None
        self.statuses: list[int] = []

    async def store(self, one: Held, **changes: Any) -> int:
        """Send one object to where the C-MOVE says; return the status."""
        pacs = self.pacs
        if self._call is None:
            remote = Remote(
                name="broker",
                ae_title=self.command.move_destination,
                host=HOST,
                port=pacs.destinations[self.command.move_destination],
                calling_ae=changes.pop("calling_ae", TITLE),
            )
            wanted = [(each.stored.sop_class, [each.stored.transfer_syntax]) for each in pacs.held]
            self._call = await Call.open(remote, propose(wanted)[0], PATIENT)
        originator = changes.pop("originator", (self._service.calling_ae, self.command.message_id))
        stored = replace(one.stored, **changes)
        context = self._call.context_for(stored.sop_class, stored.transfer_syntax)
        assert context is not None
        answer = await self._call.store(
            context,
            stored.sop_class,
            stored.sop_instance,
            stored.data_set,
            originator if pacs.names_originator else None,
        )
        self.statuses.append(answer.status)
        return answer.status

    def pending(self, **counts: Any) -> None:
        """Send a pending answer."""
        self._service.send(replace(reply(self.command, 0xFF00), **counts))

    async def close(self) -> None:
        if self._call is not None:
            await self._call.release()


async def truthful(move: Move) -> Ending:
    """Send everything, unless it is cancelled."""
    ending = Ending()
    for one in move.wanted:
        if move.cancelled.is_set():
            return replace(ending, status=0xFE00)
        await asyncio.sleep(move.pacs.pace_s)
        status = await move.store(one)
        if status:
            ending.failed = (ending.failed or 0) + 1
        else:
            ending.completed = (ending.completed or 0) + 1
        move.pending(
            remaining=len(move.wanted) - len(move.statuses),
            completed=ending.completed or 0,
            failed=ending.failed or 0,
            warning=0,
        )
    if ending.failed:
        ending.status = 0xB000
    return ending


Find = Callable[[Asked], "Iterable[dict[int, Any]] | int | str | None"]


@dataclass
class OldPacs:
    """One bound port."""

    held: list[Held] = field(default_factory=list)
    destinations: dict[str, int] = field(default_factory=dict)
    find: Find = lambda _asked: None
    move: Callable[[Move], Awaitable[Ending | str]] = truthful
    services: dict[str, bytes] = field(default_factory=lambda: dict(ALL_OF_IT))
    reject: AssociateReject | None = None
    counts: bool = True
    hidden: set[str] = field(default_factory=set)
    names_originator: bool = True
    pace_s: float = 0.0
    find_s: float = 0.0
    finds: list[Asked] = field(default_factory=list)
    moves: list[Asked] = field(default_factory=list)
    gets: list[Asked] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    cancels: int = 0
    port: int = 0
    open_now: int = 0

    def load(self, *stored: Stored) -> None:
        """Have objects."""
        self.held += map(held, stored)

    def matches(self, one: Held, asked: Asked) -> bool:
        uid = one.stored.sop_instance
        return (
            one.study == asked.study
            and (not asked.series or one.series in asked.series)
            and (not asked.instances or uid in asked.instances)
        )

    async def start(self) -> None:
        settings = ListenerSettings()
        self.listener = Listener(_Gate(self), settings, self._serve, lambda: "")
        self.port = await self.listener.start(HOST, self.port, None)

    def _serve(self, guest: Guest) -> "_Service":
        self.open_now += 1
        return _Service(self, guest)

    async def stop(self) -> None:
        await self.listener.drain(0.0)
        await until(lambda: self.open_now == 0)

    def rows(self, asked: Asked) -> list[dict[int, Any]]:
        """Return what it truthfully answers."""
        found = [one for one in self.held if self.matches(one, asked)]
        if asked.level == "IMAGE":
            return [
                {
                    tags.SOP_CLASS_UID: ("UI", one.stored.sop_class),
                    IMAGE: ("UI", one.stored.sop_instance),
                }
                for one in found
                if one.stored.sop_instance not in self.hidden
            ]
        if asked.level == "SERIES":
            counts: dict[str, int] = {}
            for one in found:
                counts[one.series] = counts.get(one.series, 0) + 1
            return [
                {SERIES: ("UI", uid), **self._count(tags.NUMBER_OF_SERIES_RELATED_INSTANCES, n)}
                for uid, n in counts.items()
            ]
        n = len(found)
        count = self._count(tags.NUMBER_OF_STUDY_RELATED_INSTANCES, n)
        return [{STUDY: ("UI", asked.study), **count}] if found else []

    def _count(self, tag: int, n: int) -> dict[int, Any]:
        return {tag: ("IS", str(n))} if self.counts else {}


class _Gate(Gate):
    def __init__(self, pacs: OldPacs) -> None:
        super().__init__(
            GateSettings(titles=(TITLE,), anybody=True, services=pacs.services, any_called=True)
        )
        self._pacs = pacs

    def decide(self, request: Any, address: str) -> Any:
        return self._pacs.reject or super().decide(request, address)


class _Service:
    """One association."""

    def __init__(self, pacs: OldPacs, guest: Guest) -> None:
        self._pacs = pacs
        self._guest = guest
        self.calling_ae = guest.request.calling_ae
        self._command: Command | None = None
        self._context = 0
        self._data = bytearray()
        self._move: Move | None = None
        self._task: asyncio.Task[None] | None = None

    def came(self, event: Event) -> None:
        match event:
            case MessageBegun(context_id=context_id, command=command):
                if command.field == C_CANCEL_RQ:
                    self._pacs.cancels += 1
                    if self._move is not None:
                        self._move.cancelled.set()
                    return
                self._command, self._context = command, context_id
                self._data = bytearray()
                if command.field == C_ECHO_RQ:
                    self.send(reply(command))
            case DataCame(data=data, last=last):
                self._data += data
                if last:
                    self._task = asyncio.create_task(self._answer())

    async def _answer(self) -> None:
        command = self._command
        assert command is not None
        asked = asked_of(Head.from_bytes(bytes(self._data), self._syntax))
        if command.field == C_FIND_RQ:
            self._pacs.finds.append(asked)
            await asyncio.sleep(self._pacs.find_s)
            self._found(command, asked)
        elif command.field == C_MOVE_RQ:
            self._pacs.moves.append(asked)
            self._pacs.numbers.append(command.message_id)
            await self._moved(command, asked)
        elif command.field == C_GET_RQ:
            self._pacs.gets.append(asked)
            self.send(reply(command, 0xA702))

    def _found(self, command: Command, asked: Asked) -> None:
        told = self._pacs.find(asked)
        if told == SILENT:
            return
        if told == ABORT:
            self._guest.conversation.abort()
            return
        if isinstance(told, int):
            self.send(reply(command, told))
            return
        assert not isinstance(told, str)
        for row in self._pacs.rows(asked) if told is None else told:
            full = {LEVEL: ("CS", asked.level), **row}
            self.send(reply(command, 0xFF00), compose(full, self._syntax))
        self.send(reply(command))

    async def _moved(self, command: Command, asked: Asked) -> None:
        if command.move_destination not in self._pacs.destinations:
            self.send(reply(command, 0xA801))
            return
        self._move = Move(self._pacs, self, asked, command)
        try:
            ending = await self._pacs.move(self._move)
        except WaystationError:
            ending = Ending(status=0xC001)
        finally:
            await self._move.close()
        if ending == ABORT:
            self._guest.conversation.abort()
        elif isinstance(ending, Ending):
            final = replace(
                reply(command, ending.status),
                completed=ending.completed,
                failed=ending.failed,
                warning=ending.warning,
            )
            uids = "\\".join(ending.failed_uids)
            self.send(final, compose({FAILED: ("UI", uids)}, self._syntax) if uids else b"")

    @property
    def _syntax(self) -> str:
        contexts = self._guest.conversation.association.contexts
        return contexts[self._context].transfer_syntax if contexts else EXPLICIT_VR_LE

    def send(self, command: Command, data: bytes = b"") -> None:
        conversation = self._guest.conversation
        if conversation.association.established:
            conversation.association.send(self._context, command, data)
            conversation.flush()

    def gone(self) -> None:
        self._pacs.open_now -= 1
        if self._task is not None:
            self._task.cancel()

    def busy(self) -> bool:
        return False


GETS = {**ALL_OF_IT, STUDY_ROOT_GET: b""}


def series_of(series: int, each: int, seed: object = "series") -> list[Held]:
    """Return the objects of one study of several series."""
    kind = KINDS["tiny"]
    study_uid = uid_of("study of series", seed)
    found: list[Held] = []
    for number in range(series):
        series_uid = uid_of("series", seed, number)
        for place in range(each):
            uid = uid_of("object", seed, number, place)
            data = head(kind, study_uid, series_uid, uid, place + 1) + pixels_of(kind, uid)(place)
            found.append(
                Held(
                    Stored(
                        sop_class=kind.sop_class,
                        sop_instance=uid,
                        transfer_syntax=kind.transfer_syntax,
                        data_set=data,
                    ),
                    study_uid,
                    series_uid,
                )
            )
    return found
