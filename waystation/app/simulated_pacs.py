"""A PACS that keeps nothing unless asked to, counts everything, and misbehaves by script.

Contract: answers C-ECHO and C-STORE with the product's own protocol stack, never decodes a data
set, and never makes a file name from what came over the wire.  What it acknowledges is written to
the ledger before the answer leaves, one JSON object a line.  A test peer: it syncs nothing.
"""

import asyncio
import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from waystation.dicom.part10 import file_meta
from waystation.dicom.uids import storage_classes
from waystation.net.conversation import Conversation, Patience
from waystation.wire.association import Association
from waystation.wire.commands import C_ECHO_RQ, C_STORE_RQ, Command, reply
from waystation.wire.events import AssociateAsked, DataCame, Event, MessageBegun
from waystation.wire.items import AcceptedContext, AssociateRequest, ProposedContext
from waystation.wire.limits import Limits
from waystation.wire.negotiate import AcceptPolicy, answer
from waystation.wire.status import UNRECOGNISED_OPERATION, Category, category

REJECTIONS = {"transient": (2, 3, 1), "permanent": (1, 1, 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How to misbehave.  Every default is good behaviour.

    status: what every ``status_every``-th C-STORE is answered with.
    delay_s: before each answer.  hang_after: objects answered before falling silent for good.
    abort_after: objects answered per association before A-ABORT.
    drop_every: every n-th object, once whole, the connection is cut instead of an answer.
    reject: ``transient`` or ``permanent``: refuse every association.
    accept_syntax, accept_class: nothing else is accepted; empty means all.
    bytes_per_s: how fast data is read.
    """

    status: int = 0
    status_every: int = 1
    delay_s: float = 0.0
    hang_after: int | None = None
    abort_after: int | None = None
    drop_every: int = 0
    reject: str = ""
    accept_syntax: tuple[str, ...] = ()
    accept_class: tuple[str, ...] = ()
    bytes_per_s: float = 0.0
    max_pdu: int = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PacsSettings:
    """ae_title: which called title we answer to, "" for any.  output, ledger: None for none."""

    ae_title: str = ""
    output: Path | None = None
    ledger: Path | None = None
    script: Script = Script()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Narrow(AcceptPolicy):
    """A policy with a list of transfer syntaxes besides that of classes."""

    syntaxes: tuple[str, ...] = ()

    def choose(self, context: ProposedContext) -> str:
        wanted = tuple(uid for uid in context.transfer_syntaxes if uid in self.syntaxes)
        return wanted[0] if wanted else ""


class SimulatedPacs:
    """One bound port and what came to it.

    received: acknowledged objects; digests: SOP Instance UID → SHA-256 of the last one.
    """

    def __init__(self, settings: PacsSettings) -> None:
        self.settings = settings
        self.received = 0
        self.received_bytes = 0
        self.seen = 0
        self.digests: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()
        self._server: asyncio.Server | None = None
        self._ledger: IO[str] | None = None
        self._visitors: set[_Visitor] = set()

    async def start(self, host: str, port: int) -> int:
        """Bind and listen; return the port.  Raises OSError."""
        if self.settings.output is not None:
            self.settings.output.mkdir(parents=True, exist_ok=True)
        if self.settings.ledger is not None:
            self._ledger = self.settings.ledger.open("a", encoding="utf-8")
        limits = Limits(max_pdu=self.settings.script.max_pdu)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Conversation(
                Association.accepting(limits),
                Patience(idle_s=1e9, pace_bytes=0),
                lambda conversation: _Visitor(self, conversation, limits),
            ),
            host,
            port,
            backlog=1024,
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Close the port and every association."""
        if self._server is not None:
            self._server.close()
        for visitor in list(self._visitors):
            visitor.conversation.abort()
        await asyncio.sleep(0)
        if self._ledger is not None:
            self._ledger.close()

    @property
    def summary(self) -> dict[str, Any]:
        return {
            "received": self.received,
            "bytes": self.received_bytes,
            "distinct": len(self.digests),
            "statuses": {f"{status:04X}": n for status, n in sorted(self.statuses.items())},
        }

    def came(self, visitor: "_Visitor") -> None:
        self._visitors.add(visitor)

    def left(self, visitor: "_Visitor") -> None:
        self._visitors.discard(visitor)

    def status_now(self) -> int:
        """Return what the object at hand is to be answered with."""
        script = self.settings.script
        return script.status if script.status and self.seen % script.status_every == 0 else 0

    def kept(self, incoming: "_Incoming", calling_ae: str) -> None:
        """Note an object that is about to be acknowledged."""
        command, sha256 = incoming.command, incoming.digest.hexdigest()
        self.received += 1
        self.received_bytes += incoming.size_bytes
        self.digests[command.sop_instance_uid] = sha256
        if self.settings.output is not None:
            self._write(self.settings.output, incoming, calling_ae)
        if self._ledger is not None:
            line = {
                "sop_instance": command.sop_instance_uid,
                "sha256": sha256,
                "bytes": incoming.size_bytes,
                "at": time.time(),
            }
            self._ledger.write(json.dumps(line) + "\n")
            self._ledger.flush()

    def _write(self, folder: Path, incoming: "_Incoming", calling_ae: str) -> None:
        command = incoming.command
        meta = file_meta(
            command.sop_class_uid,
            command.sop_instance_uid,
            incoming.context.transfer_syntax,
            source_ae=calling_ae,
        )
        (folder / f"{self.received:08}.dcm").write_bytes(meta + incoming.data)


class _Incoming:
    """The object that is being received."""

    def __init__(self, command: Command, context: AcceptedContext, *, keep: bool) -> None:
        self.command = command
        self.context = context
        self.digest = hashlib.sha256()
        self.size_bytes = 0
        self.data = bytearray()
        self._keep = keep

    def take(self, data: memoryview) -> None:
        self.digest.update(data)
        self.size_bytes += len(data)
        if self._keep:
            self.data += data


class _Visitor:
    """One connection."""

    def __init__(self, pacs: SimulatedPacs, conversation: Conversation, limits: Limits) -> None:
        self._pacs = pacs
        self._script = pacs.settings.script
        self._limits = limits
        self.conversation = conversation
        self._association = conversation.association
        self._calling_ae = ""
        self._incoming: _Incoming | None = None
        self._answered = 0
        pacs.came(self)

    def came(self, event: Event) -> None:
        match event:
            case AssociateAsked(request=request):
                self._asked(request)
            case MessageBegun(context_id=context_id, command=command, has_data=has_data):
                self._begun(context_id, command, has_data)
            case DataCame(data=data, last=last):
                self._data(data, last)
            case _:
                pass

    def gone(self) -> None:
        self._pacs.left(self)

    def _asked(self, request: AssociateRequest) -> None:
        title = self._pacs.settings.ae_title
        if self._script.reject:
            self._association.reject(*REJECTIONS[self._script.reject])
        elif title and request.called_ae != title:
            self._association.reject(1, 1, 7)
        else:
            self._calling_ae = request.calling_ae
            agreed = answer(self._policy(), request, self._limits)
            self._association.accept(agreed.results, max_pdu=self._script.max_pdu)

    def _policy(self) -> AcceptPolicy:
        accept, known = self._script.accept_class, storage_classes()
        if not self._script.accept_syntax:
            return AcceptPolicy(accept=accept, known_storage=known)
        return _Narrow(accept=accept, known_storage=known, syntaxes=self._script.accept_syntax)

    def _begun(self, context_id: int, command: Command, has_data: bool) -> None:
        if command.field == C_ECHO_RQ:
            self._answer(context_id, reply(command))
        elif command.field == C_STORE_RQ and has_data:
            context = self._association.contexts[context_id]
            keep = self._pacs.settings.output is not None
            self._incoming = _Incoming(command, context, keep=keep)
        elif not command.is_response:
            self._answer(context_id, reply(command, UNRECOGNISED_OPERATION, "not served"))

    def _data(self, data: memoryview, last: bool) -> None:
        incoming = self._incoming
        if incoming is None:
            return
        incoming.take(data)
        if self._script.bytes_per_s:
            self._rest(len(data) / self._script.bytes_per_s)
        if last:
            self._incoming = None
            self._whole(incoming)

    def _rest(self, seconds: float) -> None:
        """Read nothing for a while."""
        self.conversation.pause()
        asyncio.get_running_loop().call_later(seconds, self.conversation.resume)

    def _whole(self, incoming: _Incoming) -> None:
        """Decide the fate of a whole object."""
        pacs, script = self._pacs, self._script
        if script.hang_after is not None and pacs.seen >= script.hang_after:
            return
        if script.abort_after is not None and self._answered >= script.abort_after:
            self.conversation.abort()
            return
        pacs.seen += 1
        if script.drop_every and pacs.seen % script.drop_every == 0:
            self.conversation.sever()
            return
        self._answered += 1
        if script.delay_s:
            loop = asyncio.get_running_loop()
            loop.call_later(script.delay_s, self._finish, incoming, pacs.status_now())
        else:
            self._finish(incoming, pacs.status_now())

    def _finish(self, incoming: _Incoming, status: int) -> None:
        """Answer, and keep what is answered with success or a warning."""
        self._pacs.statuses[status] += 1
        if category(status) in (Category.SUCCESS, Category.WARNING):
            self._pacs.kept(incoming, self._calling_ae)
        comment = "as the script says" if status else ""
        self._answer(incoming.context.id, reply(incoming.command, status, comment))

    def _answer(self, context_id: int, command: Command) -> None:
        if self._association.established:
            self._association.send(context_id, command)
            self.conversation.flush()
