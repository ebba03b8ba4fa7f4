"""Accepts connections and associations; hands each association to a service.

Contract: who may come in is decided by `Gate` and by ``room`` (a word why not, or ""), never
here.  Sockets without an association have a pool of their own, so that idle ones do not use up
the service: when it is full the oldest is closed, and while it is half full they get less time
(L15, L18).  Refused associations hear the triples of E1, E4, E5, E13, E14.
"""

import asyncio
import ssl
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from waystation.dicom.uids import storage_classes
from waystation.model.peer import Caller
from waystation.net.conversation import Conversation, Patience
from waystation.net.gate import BUSY, Gate, GateSettings
from waystation.wire import status as words
from waystation.wire.association import Association
from waystation.wire.events import Aborted, AssociateAsked, AssociateRejected, Event
from waystation.wire.items import AssociateReject, AssociateRequest, Extended
from waystation.wire.limits import Limits
from waystation.wire.negotiate import AcceptPolicy, answer, listed

log = structlog.get_logger()
# Of how many addresses the pace of new sockets is remembered before old ones are forgotten.
MOST_ADDRESSES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """Limits of one listener (L15 to L18)."""

    patience: Patience = Patience()
    limits: Limits = Limits()
    max_sockets: int = 1000
    max_sockets_per_address: int = 50
    new_per_s: float = 100.0
    new_burst: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """An accepted association, as its service sees it.

    options: what was agreed by extended negotiation, by SOP class.
    """

    conversation: Conversation
    request: AssociateRequest
    caller: Caller
    options: Mapping[str, bytes] = field(default_factory=dict)


class Service(Protocol):
    """What serves one association; called in the event loop, must not block."""

    def came(self, event: Event) -> None:
        """One event after the association was accepted."""

    def gone(self) -> None:
        """The transport is closed.  Called exactly once."""

    def busy(self) -> bool:
        """True while a message is being received or answered."""


class Listener:
    """One bound port."""

    def __init__(
        self,
        gate: Gate,
        settings: ListenerSettings,
        serve: Callable[[Guest], Service],
        room: Callable[[], str],
        refused: Callable[[str, str], None] = lambda _reason, _peer: None,
    ) -> None:
        self.gate = gate
        self.settings = settings
        self._serve = serve
        self._room = room
        self.refused = refused
        self._server: asyncio.Server | None = None
        self._closing = False
        self._waiting: OrderedDict[_Visitor, None] = OrderedDict()
        self._guests: set[_Visitor] = set()
        self._per_address: Counter[str] = Counter()
        self._per_caller: Counter[str] = Counter()
        self._recent: dict[str, deque[float]] = {}

    async def start(
        self, host: str, port: int, tls: ssl.SSLContext | None = None, handshake_s: float = 10.0
    ) -> int:
        """Bind and listen; return the port.  Raises OSError if it cannot be bound."""
        options: dict[str, Any] = {"ssl": tls}
        if tls is not None:
            options["ssl_handshake_timeout"] = handshake_s
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._conversation, host, port, backlog=1024, **options
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    def _conversation(self) -> Conversation:
        return Conversation(
            Association.accepting(self.settings.limits),
            self.settings.patience,
            lambda conversation: _Visitor(self, conversation),
        )

    @property
    def associations(self) -> int:
        """How many associations are established."""
        return len(self._guests)

    def stop_accepting(self) -> None:
        """Take no more connections and no more associations."""
        self._closing = True
        if self._server is not None:
            self._server.close()

    async def drain(self, grace_s: float) -> None:
        """Let running messages finish, at most ``grace_s`` seconds; then abort what is left."""
        self.stop_accepting()
        deadline = asyncio.get_running_loop().time() + grace_s
        while asyncio.get_running_loop().time() < deadline:
            for visitor in [v for v in self._guests if not v.busy()]:
                visitor.conversation.abort(0, 0)
            if not self._guests:
                break
            await asyncio.sleep(0.02)
        for visitor in [*self._guests, *self._waiting]:
            visitor.conversation.abort(0, 0)
        await asyncio.sleep(0)

    # what visitors ask

    def enter(self, visitor: "_Visitor") -> bool:
        """Let a new socket in, or say no before a byte is read."""
        address = visitor.conversation.peername
        if self._closing or not self.gate.socket_allowed(address):
            self.refused("address", "")
            return False
        if self._per_address[address] >= self.settings.max_sockets_per_address or self._too_fast(
            address
        ):
            self.refused("sockets", "")
            return False
        self._per_address[address] += 1
        self._waiting[visitor] = None
        if len(self._waiting) > self.settings.max_sockets:
            oldest = next(iter(self._waiting))
            self.refused("idle-socket", "")
            # Its end is heard of later; until then it must not be the oldest again.
            self._forget_socket(oldest)
            oldest.conversation.sever()
        elif len(self._waiting) > self.settings.max_sockets // 2:
            visitor.hurry(self.settings.patience.request_s / 2)
        return True

    def _too_fast(self, address: str) -> bool:
        now = asyncio.get_running_loop().time()
        span = self.settings.new_burst / self.settings.new_per_s
        if len(self._recent) > MOST_ADDRESSES:
            self._recent = {a: seen for a, seen in self._recent.items() if now - seen[-1] < span}
        recent = self._recent.setdefault(address, deque(maxlen=self.settings.new_burst))
        if len(recent) == self.settings.new_burst and now - recent[0] < span:
            return True
        recent.append(now)
        return False

    def ask(self, visitor: "_Visitor", request: AssociateRequest) -> Caller | AssociateReject:
        """Decide about an association request."""
        decision = self.gate.decide(request, visitor.conversation.peername)
        if isinstance(decision, AssociateReject):
            return decision
        gate = self.gate.settings
        limit = (
            min(decision.max_associations, gate.max_per_peer)
            if decision.name
            else (gate.max_associations)
        )
        if (
            self._closing
            or len(self._guests) >= gate.max_associations
            or self._per_caller[decision.name] >= limit
            or self._room()
        ):
            return BUSY
        return decision

    def peer(self, visitor: "_Visitor", request: AssociateRequest) -> str:
        """Return the name of the configured peer that calls, "" if it is none."""
        caller = self.gate.caller(request.calling_ae, visitor.conversation.peername)
        return "" if caller is None else caller.name

    def serve(self, visitor: "_Visitor", guest: Guest) -> Service:
        """Count the association and make its service."""
        self._forget_socket(visitor)
        self._guests.add(visitor)
        self._per_caller[guest.caller.name] += 1
        return self._serve(guest)

    def leave(self, visitor: "_Visitor", caller: Caller | None) -> None:
        """Forget a connection."""
        self._forget_socket(visitor)
        self._guests.discard(visitor)
        if caller is not None:
            self._per_caller[caller.name] -= 1

    def _forget_socket(self, visitor: "_Visitor") -> None:
        """A socket became an association, or went away."""
        if visitor not in self._waiting:
            return
        del self._waiting[visitor]
        address = visitor.conversation.peername
        self._per_address[address] -= 1
        if self._per_address[address] <= 0:
            del self._per_address[address]


def _policy(gate: GateSettings, caller: Caller) -> AcceptPolicy:
    """Return what this caller may store: a class must be in both lists of `accept` (R-16)."""
    accept = gate.accept or caller.accept
    if gate.accept and caller.accept:
        both = [entry for entry in caller.accept if listed(entry, gate.accept)]
        both += [entry for entry in gate.accept if listed(entry, caller.accept)]
        # Two lists without a common class leave nothing: "*" alone is no UID and matches none.
        accept = tuple(both) or ("-",)
    return AcceptPolicy(
        accept=accept,
        refuse=gate.refuse + caller.refuse,
        unknown_classes=gate.unknown_classes,
        known_storage=storage_classes(),
        services=frozenset(gate.services),
        peer_scp=gate.peer_scp,
    )


def _options(supported: Mapping[str, bytes], request: AssociateRequest) -> dict[str, bytes]:
    """Return what is in force of the offered extended negotiation, byte by byte (T-39)."""
    return {
        asked.sop_class: bytes(
            ours & theirs
            for ours, theirs in zip(supported[asked.sop_class], asked.info, strict=False)
        )
        for asked in request.extended
        if asked.sop_class in supported
    }


class _Visitor:
    """One connection: a socket first, with luck an association."""

    def __init__(self, listener: Listener, conversation: Conversation) -> None:
        self._listener = listener
        self.conversation = conversation
        self._service: Service | None = None
        self._caller: Caller | None = None
        self._hurry: asyncio.TimerHandle | None = None
        self._entered = listener.enter(self)
        if not self._entered:
            conversation.sever()

    def hurry(self, seconds: float) -> None:
        """Allow less time for the association request."""
        loop = asyncio.get_running_loop()
        self._hurry = loop.call_later(seconds, self.conversation.sever)

    def busy(self) -> bool:
        return self._service is not None and self._service.busy()

    def came(self, event: Event) -> None:
        if self._service is not None:
            self._service.came(event)
        elif isinstance(event, AssociateAsked):
            self._asked(event.request)
        elif isinstance(event, AssociateRejected):
            no = event.reject
            self._refused(words.reject_text(no.result, no.source, no.reason))
        elif isinstance(event, Aborted) and event.by == "us":
            self._listener.refused("protocol", "")
            log.warning("protocol fault", address=self.conversation.peername, problem=event.problem)

    def _refused(self, text: str, peer: str = "", **titles: str) -> None:
        self._listener.refused(text, peer)
        address = self.conversation.peername
        log.warning("association refused", address=address, reason=text, **titles)

    def _asked(self, request: AssociateRequest) -> None:
        conversation = self.conversation
        decision = self._listener.ask(self, request)
        if isinstance(decision, AssociateReject):
            self._refused(
                words.reject_text(decision.result, decision.source, decision.reason),
                self._listener.peer(self, request),
                calling_ae=request.calling_ae,
                called_ae=request.called_ae,
            )
            conversation.association.reject(decision.result, decision.source, decision.reason)
            return
        if self._hurry is not None:
            self._hurry.cancel()
        self._caller = decision
        limits = self._listener.settings.limits
        agreed = answer(_policy(self._listener.gate.settings, decision), request, limits)
        options = _options(self._listener.gate.settings.services, request)
        conversation.association.accept(
            agreed.results,
            max_pdu=limits.max_pdu,
            roles=agreed.roles,
            extended=[Extended(sop_class, info) for sop_class, info in options.items()],
        )
        guest = Guest(conversation=conversation, request=request, caller=decision, options=options)
        self._service = self._listener.serve(self, guest)

    def gone(self) -> None:
        if self._hurry is not None:
            self._hurry.cancel()
        if self._entered:
            self._listener.leave(self, self._caller)
        if self._service is not None:
            self._service.gone()
