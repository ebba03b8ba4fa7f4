"""One negotiated conversation: bytes in, events out; replies in, bytes out (PS3.8, PS3.7).

Contract: the shell feeds `receive` whatever came, writes what `take_output` gives, in order, runs
a timer while `wants_artim`, and closes the transport when `wants_close` and all is written.
`receive`, `receive_eof` and `timer_expired` never raise for anything a peer can do: a fault queues
A-ABORT with the pair of rows E15 and L1 to L8, and ends in an `Aborted` event.  What comes after
the end is ignored.  Calling a sending method out of order raises `MisuseError`.

Each step is a cell of `states.TABLE_9_10`.  One difference from the Standard's text: AA-1 in Sta2
(fault before any association) says why, with source 2 and a reason, instead of 0/0 (E15).
A release that the peer asks for is answered at once.
"""

from collections.abc import Sequence

from waystation.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from waystation.model.errors import MisuseError, PeerError
from waystation.wire import pdus
from waystation.wire.command_codec import encode
from waystation.wire.commands import Command
from waystation.wire.events import (
    Aborted,
    AssociateAccepted,
    AssociateAsked,
    AssociateRejected,
    Event,
    ReleaseAsked,
    Released,
)
from waystation.wire.items import (
    AcceptedContext,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    ContextResult,
    Extended,
    Role,
)
from waystation.wire.limits import DEFAULT_LIMITS, Limits
from waystation.wire.messages import MessageReader, fragments
from waystation.wire.negotiate import agreed, refusal
from waystation.wire.states import CELLS, Evt, State, step
from waystation.wire.status import abort_text
from waystation.wire.stream import Handling, PduStream

_EVENTS = {
    pdus.ASSOCIATE_RQ: Evt.RQ_CAME,
    pdus.ASSOCIATE_AC: Evt.AC_CAME,
    pdus.ASSOCIATE_RJ: Evt.RJ_CAME,
    pdus.P_DATA_TF: Evt.DATA_CAME,
    pdus.RELEASE_RQ: Evt.RELEASE_RQ_CAME,
    pdus.RELEASE_RP: Evt.RELEASE_RP_CAME,
    pdus.ABORT: Evt.ABORT_CAME,
}
# The shortcut for P-DATA: in these states its cell only passes the data on and stays.
_STREAMING = {s for s in State if CELLS.get((Evt.DATA_CAME, s)) in ("DT-2", "AR-6")}
_SENDING = {s for s in State if (Evt.DATA_REQUEST, s) in CELLS}
_TIMED = (State.STA2, State.STA13)
_ENDED = (State.STA1, State.STA13)
_ABORTING = ("AA-1", "AA-7", "AA-8")
_BODILESS = (*_ABORTING, "AA-6")
_LEAST_PDU = 128


class Association:
    """Made by `accepting` or `requesting`.

    request: what was asked.  accepted: what was answered.  contexts: those in force, by id.
    peer_max_pdu: as the peer announced it (0 = any); ``room`` is what we really use.
    """

    def __init__(
        self, limits: Limits, state: State, request: AssociateRequest | None, requestor: bool
    ) -> None:
        self.request = request
        self.accepted: AssociateAccept | None = None
        self.rejected: AssociateReject | None = None
        self.contexts: dict[int, AcceptedContext] = {}
        self.peer_max_pdu = 0
        self.wants_close = False
        self.limits = limits
        self._state = state
        self._requestor = requestor
        self._offered = min(request.max_pdu, 1 << 30) if request else limits.max_pdu
        self._room = 0
        self._data_due = 0
        self._output: list[bytes | memoryview] = []
        self._messages = MessageReader(limits)
        self._stream = PduStream(self, self._messages, limits)

    @classmethod
    def accepting(cls, limits: Limits = DEFAULT_LIMITS) -> "Association":
        """A peer has opened a transport to us (Evt5)."""
        _action, state = step(Evt.TRANSPORT_INDICATION, State.STA1, requestor=False)
        return cls(limits, state, None, False)

    @classmethod
    def requesting(
        cls, request: AssociateRequest, limits: Limits = DEFAULT_LIMITS
    ) -> "Association":
        """We are about to open a transport (Evt1); `begin` when it is open."""
        if request.max_pdu < _LEAST_PDU:
            raise MisuseError(f"max_pdu of {request.max_pdu}: we always announce a real limit")
        _action, state = step(Evt.ASSOCIATE_REQUEST, State.STA1, requestor=True)
        return cls(limits, state, request, True)

    # What the shell must know.

    @property
    def state(self) -> State:
        return self._state

    @property
    def established(self) -> bool:
        """Messages can be sent."""
        return self._state in _SENDING

    @property
    def ended(self) -> bool:
        """Nothing more will be said; perhaps the transport still has to end."""
        return self._state in _ENDED

    @property
    def wants_artim(self) -> bool:
        """The ARTIM timer must run now."""
        return self._state in _TIMED

    def take_output(self) -> list[bytes | memoryview]:
        """Return what is to be written, in order, once."""
        output = self._output
        if output:
            self._output = []
        return output

    # What the transport says.

    def receive(self, data: bytes | memoryview) -> list[Event]:
        """Take any bytes in any pieces; views in the events live until the next call."""
        if self._state is State.STA4:
            raise MisuseError("bytes came before begin()")
        events: list[Event] = []
        if not self._stream.stopped:
            self._stream.feed(data, events)
        return events

    def receive_eof(self) -> list[Event]:
        """The transport was closed by the peer, or is lost (Evt17)."""
        if self._state is State.STA1:
            return []
        action = self._step(Evt.TRANSPORT_CLOSED)
        self._close()
        if action == "AA-4":
            return [Aborted("transport", 2, 0, "connection closed by the peer or lost")]
        return []

    def timer_expired(self) -> list[Event]:
        """ARTIM ran out (Evt18).  A timer that comes too late does nothing."""
        if self.wants_artim:
            self._step(Evt.ARTIM_EXPIRED)
            self._close()
        return []

    def begin(self) -> None:
        """Requestor: the transport is open (Evt2)."""
        self._step(Evt.TRANSPORT_CONFIRM)
        if self.request is not None:
            self._output.append(pdus.encode_request(self.request))

    # What we say.

    def accept(
        self,
        results: Sequence[ContextResult],
        *,
        max_pdu: int | None = None,
        roles: Sequence[Role] = (),
        async_ops: tuple[int, int] | None = None,
        extended: Sequence[Extended] = (),
        user_identity_response: bytes | None = None,
        implementation_class_uid: str = IMPLEMENTATION_CLASS_UID,
        implementation_version: str = IMPLEMENTATION_VERSION_NAME,
    ) -> None:
        """Answer `AssociateAsked` with A-ASSOCIATE-AC (Evt7).  max_pdu: None = the limit's."""
        request = self.request
        offer = self.limits.max_pdu if max_pdu is None else max_pdu
        if request is None or {r.id for r in results} != {c.id for c in request.contexts}:
            raise MisuseError("each offered context needs one result")
        if offer < _LEAST_PDU:
            raise MisuseError(f"max_pdu of {offer}: we always announce a real limit")
        self._step(Evt.ACCEPT)
        accepted = AssociateAccept(
            called_ae=request.called_ae,
            calling_ae=request.calling_ae,
            contexts=tuple(results),
            max_pdu=offer,
            implementation_class_uid=implementation_class_uid,
            implementation_version=implementation_version,
            roles=tuple(roles),
            async_ops=async_ops,
            extended=tuple(extended),
            user_identity_response=user_identity_response,
        )
        self._offered = offer
        self._establish(request, accepted)
        self._output.append(pdus.encode_accept(accepted))

    def reject(self, result: int, source: int, reason: int) -> None:
        """Answer `AssociateAsked` with A-ASSOCIATE-RJ (Evt8)."""
        self._step(Evt.REJECT)
        self.rejected = AssociateReject(result, source, reason)
        self._output.append(pdus.encode_reject(self.rejected))

    def send(
        self, context_id: int, command: Command, data: bytes | memoryview | None = None
    ) -> None:
        """Queue a whole message.  Empty ``data`` is a message without data set."""
        self._send_command(context_id, command, has_data=bool(data))
        if data:
            self._output += fragments(context_id, data, command=False, last=True, room=self._room)

    def begin_data(self, context_id: int, command: Command) -> None:
        """Queue a command whose data set follows through `send_data`."""
        self._send_command(context_id, command, has_data=True)
        self._data_due = context_id

    def send_data(self, data: bytes | memoryview, last: bool) -> None:
        """Queue the next bytes of the data set, uncopied: they must live until written.

        Every piece but the last has an even length, since peers refuse odd fragments.
        """
        context_id = self._data_due
        if not context_id or self._state not in _SENDING:
            raise MisuseError("no data set is under way")
        if last:
            self._data_due = 0
        elif not data:
            return
        elif len(data) & 1:
            raise MisuseError("a piece of odd length that is not the last")
        self._output += fragments(context_id, data, command=False, last=last, room=self._room)

    def _send_command(self, context_id: int, command: Command, *, has_data: bool) -> None:
        if self._state not in _SENDING:
            raise MisuseError(f"cannot send in Sta{self._state.value}")
        if self._data_due:
            raise MisuseError("the data set before is not complete")
        if context_id not in self.contexts:
            raise MisuseError(f"context {context_id} is not in force")
        data = encode(command, has_data=has_data)
        self._output += fragments(context_id, data, command=True, last=True, room=self._room)

    def release(self) -> None:
        """Ask for the end (Evt11); `Released` comes when the peer agrees."""
        if self._data_due:
            raise MisuseError("the data set before is not complete")
        self._step(Evt.RELEASE_REQUEST)
        self._output.append(pdus.RELEASE_RQ_PDU)

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """End at once (Evt15).  Always allowed; after the end it does nothing."""
        if self.ended:
            return
        if self._state is State.STA2:
            # No association exists that could be aborted; as if ARTIM had run out.
            self.timer_expired()
            return
        if self._step(Evt.ABORT_REQUEST) == "AA-2":
            self._close()
        else:
            self._stream.skip_pdu()
            self._output.append(pdus.encode_abort(source, reason))

    # What the stream says (stream.Owner).

    def pdu_opened(self, kind: int, length: int, events: list[Event]) -> Handling:
        """Judge a PDU by its header; raises `PeerError` for one that breaks L1 to L3."""
        if kind == pdus.P_DATA_TF and length <= self._offered and self._state in _STREAMING:
            return Handling.STREAM
        try:
            pdus.check_header(kind, length, self._offered, self.limits)
        except PeerError:
            self._stream.stop()
            raise
        return Handling.COLLECT if self._expected(kind, events) else Handling.SKIP

    def _expected(self, kind: int, events: list[Event]) -> bool:
        """Does the body matter?  If not, the cell is carried out here and now."""
        event = _EVENTS[kind]
        action = CELLS[event, self._state]
        if action in _ABORTING:
            problem = f"{event.name} in Sta{self._state.value}"
            self._abort(self._step(event), 2, 2, problem, events)
        return action not in _BODILESS

    def pdu_came(self, kind: int, body: bytes, events: list[Event]) -> None:
        """Carry out the cell of a whole PDU other than P-DATA-TF."""
        if not self._expected(kind, events):
            return  # we have aborted since its header came
        if kind == pdus.ASSOCIATE_RQ:
            self._asked(pdus.decode_request(body, self.limits), events)
        elif kind == pdus.ASSOCIATE_AC:
            self._answered(pdus.decode_accept(body, self.limits), events)
        elif kind == pdus.ASSOCIATE_RJ:
            self.rejected = pdus.decode_reject(body)
            self._step(Evt.RJ_CAME)
            self._close()
            events.append(AssociateRejected(self.rejected))
        elif kind == pdus.ABORT:
            action = self._step(Evt.ABORT_CAME)
            self._close()
            if action == "AA-3":
                source, reason = pdus.decode_abort(body)
                events.append(Aborted("peer", source, reason, abort_text(source, reason)))
        elif kind == pdus.RELEASE_RQ:
            self._release_asked(events)
        else:
            self._release_answered(events)

    def fault(self, error: PeerError, events: list[Event]) -> None:
        """The peer broke a rule: Evt19, or our own abort where the pair says source 0."""
        by_us = error.abort_source == 0
        action = self._step(Evt.ABORT_REQUEST if by_us else Evt.INVALID_PDU)
        self._abort(action, error.abort_source, error.abort_reason, str(error), events)

    # The actions of the table.

    def _step(self, event: Evt, *, acceptable: bool = True) -> str:
        action, self._state = step(
            event, self._state, requestor=self._requestor, acceptable=acceptable
        )
        return action

    def _close(self) -> None:
        self.wants_close = True
        self._stream.stop()

    def _abort(
        self, action: str, source: int, reason: int, problem: str, events: list[Event]
    ) -> None:
        self._output.append(pdus.encode_abort(source, reason))
        if action != "AA-7":
            events.append(Aborted("us", source, reason, problem))

    def _asked(self, request: AssociateRequest, events: list[Event]) -> None:
        if 0 < request.max_pdu < self.limits.least_peer_pdu:
            raise PeerError(f"maximum PDU length of {request.max_pdu}", abort_reason=6)
        refused = refusal(request, self.limits)
        self._step(Evt.RQ_CAME, acceptable=refused is None)
        self.request = request
        if refused is None:
            events.append(AssociateAsked(request))
        else:
            self.rejected = refused
            self._output.append(pdus.encode_reject(refused))
            events.append(AssociateRejected(refused))

    def _answered(self, accepted: AssociateAccept, events: list[Event]) -> None:
        if 0 < accepted.max_pdu < self.limits.least_peer_pdu:
            raise PeerError(f"maximum PDU length of {accepted.max_pdu}", abort_reason=6)
        self._step(Evt.AC_CAME)
        if self.request is not None:
            self._establish(self.request, accepted)
        events.append(AssociateAccepted(accepted))

    def _establish(self, request: AssociateRequest, accepted: AssociateAccept) -> None:
        self.accepted = accepted
        self.contexts = agreed(request, accepted.contexts, accepted.roles)
        self._messages.contexts = self.contexts
        announced = accepted.max_pdu if self._requestor else request.max_pdu
        self.peer_max_pdu = announced
        largest = min(announced or self.limits.send_pdu, self.limits.send_pdu)
        self._room = (largest - 6) & ~1

    def _release_asked(self, events: list[Event]) -> None:
        action = self._step(Evt.RELEASE_RQ_CAME)
        events.append(ReleaseAsked())
        if action == "AR-2" or self._requestor:
            self._reply_to_release()
        if action == "AR-2":
            events.append(Released())

    def _release_answered(self, events: list[Event]) -> None:
        if self._step(Evt.RELEASE_RP_CAME) == "AR-3":
            self._close()
        else:
            self._reply_to_release()
        events.append(Released())

    def _reply_to_release(self) -> None:
        self._step(Evt.RELEASE_RESPONSE)
        self._output.append(pdus.RELEASE_RP_PDU)
