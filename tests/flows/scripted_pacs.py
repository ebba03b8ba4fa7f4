"""A PACS in this process that answers queries by script, on the product's own listener.

Contract: every identifier that came is in ``asked``, its requests for extended negotiation in
``offered``, the Message IDs that were cancelled in ``cancelled``.  ``answer`` is asked for each
C-FIND: what it yields is sent as pending answers (a table of tags, or the bytes of one), one per
turn of the event loop so that a cancel can come between; an int ends it with that status, one of
the words `ABORT`, `CUT` and `SILENT` in that way.  Without an int it ends with 0000, or FE00 once
it was cancelled.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.net.sink import ABORT, CUT, HOST, SILENT, until
from waystation.dicom import tags
from waystation.dicom.compose import compose
from waystation.dicom.head import Head
from waystation.dicom.uids import PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from waystation.model.peer import Remote
from waystation.model.upstream import UpstreamTerms
from waystation.net.gate import Gate, GateSettings
from waystation.net.listener import Guest, Listener, ListenerSettings
from waystation.wire.commands import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_FIND_RQ,
    C_MOVE_RQ,
    Command,
    reply,
)
from waystation.wire.events import DataCame, Event, MessageBegun
from waystation.wire.items import AssociateReject

__all__ = ["ABORT", "CUT", "HOST", "SILENT", "until"]

LEVEL = 0x00080052
STUDY, SERIES, IMAGE = tags.STUDY_INSTANCE_UID, tags.SERIES_INSTANCE_UID, tags.SOP_INSTANCE_UID
Row = Mapping[int, Any]
Script = Callable[[Head], Iterable[Row | bytes | int | str]]
TITLE = "OLDPACS"


def nothing(_identifier: Head) -> Iterable[Row | bytes | int | str]:
    return ()


@dataclass
class ScriptedPacs:
    """One bound port; changed by assigning ``answer``.

    services: query classes, each with what it accepts of extended negotiation.
    pending: status of its answers.  moves: of a C-MOVE, which moves nothing.
    reject: the triple that turns every association away.
    """

    answer: Script = nothing
    services: dict[str, bytes] = field(
        default_factory=lambda: {STUDY_ROOT_FIND: b"", PATIENT_ROOT_FIND: b""}
    )
    pending: int = 0xFF00
    reject: AssociateReject | None = None
    hears_cancel: bool = True
    moves: int = 0
    port: int = 0
    calls: int = 0
    associations: int = 0
    open_now: int = 0
    most_open: int = 0
    asked: list[Head] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    offered: list[Mapping[str, bytes]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    said: int = 0

    async def start(self) -> None:
        gate = _Gate(self)
        settings = ListenerSettings()
        self.listener = Listener(gate, settings, self._serve, lambda: "", lambda *_: None)
        self.port = await self.listener.start(HOST, self.port, None, handshake_s=0.3)

    def _serve(self, guest: Guest) -> "_Service":
        self.associations += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        self.offered.append({one.sop_class: one.info for one in guest.request.extended})
        return _Service(self, guest)

    async def stop(self) -> None:
        await self.listener.drain(0.0)
        await until(lambda: self.open_now == 0)

    @property
    def remote(self) -> Remote:
        return Remote(name="old", ae_title=TITLE, host=HOST, port=self.port, calling_ae="BROKER")

    def terms(self, name: str = "old", /, **more: Any) -> UpstreamTerms:
        """Return terms that call it, with short waits."""
        remote = replace(self.remote, name=name)
        waits = {"connect_s": 2.0, "associate_s": 1.0, "find_s": 0.6}
        return UpstreamTerms(name=name, find=remote, move=remote, get=remote, **(waits | more))

    def texts(self, number: int = -1) -> dict[str, str]:
        """Return the keys of an identifier: keyword → text."""
        head = self.asked[number]
        return {
            tags.keyword_of(tag): (head.raw(tag) or b"").decode("latin-1").strip("\0 ")
            for tag in head.elements
        }


class _Gate(Gate):
    def __init__(self, pacs: ScriptedPacs) -> None:
        super().__init__(
            GateSettings(titles=(TITLE,), anybody=True, services=pacs.services, any_called=True)
        )
        self._pacs = pacs

    def decide(self, request: Any, address: str) -> Any:
        self._pacs.calls += 1
        return self._pacs.reject or super().decide(request, address)


class _Service:
    """One association."""

    def __init__(self, pacs: ScriptedPacs, guest: Guest) -> None:
        self._pacs = pacs
        self._guest = guest
        self._command: Command | None = None
        self._data = bytearray()
        self._stop: set[int] = set()
        self._task: asyncio.Task[None] | None = None

    def came(self, event: Event) -> None:
        match event:
            case MessageBegun(context_id=context_id, command=command):
                self._begun(context_id, command)
            case DataCame(context_id=context_id, data=data, last=last):
                self._data += data
                if last:
                    self._guest.conversation.message_ends()
                    self._task = asyncio.create_task(self._answer(context_id))

    def _begun(self, context_id: int, command: Command) -> None:
        if command.field == C_CANCEL_RQ:
            self._pacs.cancelled.append(command.message_id)
            self._stop.add(command.message_id)
        elif command.field == C_ECHO_RQ:
            self._send(context_id, reply(command))
        elif command.field in (C_FIND_RQ, C_MOVE_RQ):
            self._guest.conversation.message_begins()
            self._command, self._data = command, bytearray()

    async def _answer(self, context_id: int) -> None:
        command = self._command
        assert command is not None
        if command.field == C_MOVE_RQ:
            self._send(context_id, reply(command, self._pacs.moves))
            return
        context = self._guest.conversation.association.contexts[context_id]
        head = Head.from_bytes(bytes(self._data), context.transfer_syntax)
        self._pacs.asked.append(head)
        self._pacs.models.append(context.abstract_syntax)
        for item in self._pacs.answer(head):
            if item == ABORT:
                self._guest.conversation.abort()
            elif item == CUT:
                self._guest.conversation.sever()
            elif isinstance(item, int):
                self._send(context_id, reply(command, item))
            if isinstance(item, int | str):
                return
            if command.message_id in self._stop and self._pacs.hears_cancel:
                break
            self._pacs.said += 1
            data = item if isinstance(item, bytes) else data_set(item, context.transfer_syntax)
            self._send(context_id, reply(command, self._pacs.pending), data)
            await asyncio.sleep(0)
        was_cancelled = command.message_id in self._stop and self._pacs.hears_cancel
        self._send(context_id, reply(command, 0xFE00 if was_cancelled else 0))

    def _send(self, context_id: int, command: Command, data: bytes = b"") -> None:
        conversation = self._guest.conversation
        if conversation.association.established:
            conversation.association.send(context_id, command, data)
            conversation.flush()

    def gone(self) -> None:
        self._pacs.open_now -= 1
        if self._task is not None:
            self._task.cancel()

    def busy(self) -> bool:
        return False


def data_set(row: Row, transfer_syntax: str) -> bytes:
    """Return a table of tags as bytes: texts are UTF-8 unless they are bytes already."""
    elements = {
        tag: (
            tags.vr_of(tag),
            value.encode() if isinstance(value, str) else value,
        )
        for tag, value in row.items()
    }
    return compose(elements, transfer_syntax)


@asynccontextmanager
async def running(pacs: ScriptedPacs | None = None) -> AsyncIterator[ScriptedPacs]:
    """Run a PACS for a while."""
    made = pacs or ScriptedPacs()
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
