"""One socket and one association: the thin shell around `waystation.wire.association`.

Contract: bytes are received into one buffer per conversation and handed to the core as a view, so
nothing is copied here; what the core wants written is written in one call.  Timers: ARTIM while
the core wants it (PS3.8 9.1.5), a pace inside a message and a limit of silence between messages
(L15, L16).  The conversation stops reading while its listener is busy (`pause`), which is all the
backpressure there is.

TCP: ``TCP_NODELAY`` always; ``TCP_QUICKACK`` again after every read because Linux clears it: a
sender with Nagle's algorithm on otherwise waits 40 ms for the acknowledgement of each short
write (R-87).  Receive buffers are left to the kernel's autotuning, which a fixed SO_RCVBUF would
switch off.
"""

import asyncio
import fcntl
import os
import socket
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, cast

from waystation.wire.association import Association
from waystation.wire.events import Aborted, Event, Released

# Small enough to stay in the processor's cache until it is hashed and staged.
RECEIVE_BYTES = 128 * 1024
TICK_S = 1.0
QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a conversation waits, seconds.

    request: for a whole A-ASSOCIATE-RQ and for the end of a dying association (ARTIM).
    idle: between two messages.  pace_s: within it, pace_bytes must come inside a message.
    """

    request_s: float = 10.0
    idle_s: float = 600.0
    pace_s: float = 30.0
    pace_bytes: int = 30 * 1024


class Audience(Protocol):
    """Who hears what happens on a conversation; called in the event loop, must not block."""

    def came(self, event: Event) -> None:
        """One event of the association; data views die when this returns."""

    def gone(self) -> None:
        """The transport is closed; nothing more comes.  Called exactly once."""


class Conversation(asyncio.BufferedProtocol):
    """The protocol object of one connection."""

    def __init__(
        self,
        association: Association,
        patience: Patience,
        audience: Callable[["Conversation"], Audience],
    ) -> None:
        self.association = association
        self.peername = ""
        self.tls = False
        self._patience = patience
        self._make_audience = audience
        self._audience: Audience | None = None
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._memory = bytearray(RECEIVE_BYTES)
        self._view = memoryview(self._memory)
        self._loop = asyncio.get_running_loop()
        self._artim: asyncio.TimerHandle | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._paused = False
        self._received = 0
        self._pace_from = 0.0
        self._pace_received = 0
        self._quiet_since = self._loop.time()
        self.inside_message = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set the socket options and tell the audience."""
        # uvloop's transports do not inherit from asyncio's.
        self._transport = transport = cast(asyncio.Transport, transport)
        self.peername = _address(transport)
        self.tls = transport.get_extra_info("ssl_object") is not None
        self._socket = _own_socket(transport)
        if self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=1 << 20, low=1 << 18)
        self._audience = self._make_audience(self)
        self._settle()
        self._ticker = self._loop.call_later(TICK_S, self._tick)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the one buffer that everything is received into."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Feed what came and pass the events on."""
        if QUICKACK is not None and self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
        self._received += nbytes
        for event in self.association.receive(self._view[:nbytes]):
            self._pass(event)
        self._settle()

    def eof_received(self) -> bool:
        """The peer sends no more: for DICOM the connection is over."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the core and the audience, once."""
        for event in self.association.receive_eof():
            self._pass(event)
        for timer in (self._artim, self._ticker):
            if timer is not None:
                timer.cancel()
        self._can_write.set()
        self._transport = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        audience, self._audience = self._audience, None
        if audience is not None:
            audience.gone()

    def pause_writing(self) -> None:
        """The kernel does not take more for now."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._can_write.set()

    # our side

    def pause(self) -> None:
        """Stop reading until `resume`: the peer has to wait."""
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._pace_from = 0.0
            self._transport.resume_reading()

    def flush(self) -> None:
        """Write what the core has queued; close when the core is done."""
        self._settle()

    @property
    def unsent_bytes(self) -> int:
        """Bytes handed over that the other side has not acknowledged yet, as far as known."""
        if self._transport is None:
            return 0
        queued = self._transport.get_write_buffer_size()
        if self._socket is not None:
            waiting = bytearray(4)
            with suppress(OSError):
                fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, waiting)
            queued += int.from_bytes(waiting, sys.byteorder)
        return queued

    @property
    def writable(self) -> bool:
        """True while the kernel takes more without waiting."""
        return self._can_write.is_set()

    async def drain(self) -> None:
        """Wait until the kernel takes more."""
        await self._can_write.wait()

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """End the association by A-ABORT and close."""
        if not self.association.ended:
            self.association.abort(source, reason)
        self._settle()
        if self._transport is not None:
            self._transport.close()

    def sever(self) -> None:
        """Close the transport at once, without another word."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def received_bytes(self) -> int:
        """Bytes received so far."""
        return self._received

    @property
    def peer_certificate(self) -> dict[str, Any] | None:
        """The verified certificate of the other side, as `ssl` returns it."""
        if self._transport is None:
            return None
        found: dict[str, Any] | None = self._transport.get_extra_info("peercert")
        return found

    @property
    def connected(self) -> bool:
        """True until the transport is closed."""
        return self._transport is not None and not self._transport.is_closing()

    def _pass(self, event: Event) -> None:
        self._quiet_since = self._loop.time()
        if self._audience is not None:
            self._audience.came(event)
        if isinstance(event, Released | Aborted):
            self.inside_message = False

    def _settle(self) -> None:
        """Write the core's output, keep its ARTIM timer, close when it is done."""
        transport = self._transport
        if transport is None:
            return
        output = self.association.take_output()
        if output:
            self._quiet_since = self._loop.time()
            if len(output) == 1:
                transport.write(output[0])
            else:
                transport.writelines(output)
        if self.association.wants_artim:
            if self._artim is None:
                self._artim = self._loop.call_later(self._patience.request_s, self._artim_expired)
        elif self._artim is not None:
            self._artim.cancel()
            self._artim = None
        if self.association.wants_close and not transport.is_closing():
            transport.close()

    def _artim_expired(self) -> None:
        self._artim = None
        for event in self.association.timer_expired():
            self._pass(event)
        self._settle()
        self.sever()

    def _tick(self) -> None:
        """Look at pace and silence once a second; far cheaper than a timer per read."""
        self._ticker = self._loop.call_later(TICK_S, self._tick)
        if self._paused or not self.association.established:
            return
        now = self._loop.time()
        if self.inside_message:
            self._check_pace(now)
        elif now - self._quiet_since > self._patience.idle_s:
            self.abort(2, 0)

    def _check_pace(self, now: float) -> None:
        if self._pace_from == 0.0 or self._received - self._pace_received >= (
            self._patience.pace_bytes
        ):
            self._pace_from = now
            self._pace_received = self._received
        elif now - self._pace_from > self._patience.pace_s:
            self.abort(2, 0)

    def message_begins(self) -> None:
        """A message with a data set is on its way: its pace counts from now."""
        self.inside_message = True
        self._pace_from = 0.0

    def message_ends(self) -> None:
        """The message is whole."""
        self.inside_message = False


def _own_socket(transport: asyncio.Transport) -> socket.socket | None:
    """Return a socket object for options; uvloop's stand-in makes a new one for every call."""
    stand_in = transport.get_extra_info("socket")
    if stand_in is None or stand_in.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    return socket.socket(fileno=os.dup(stand_in.fileno()))


def _address(transport: asyncio.Transport) -> str:
    name = transport.get_extra_info("peername")
    if isinstance(name, tuple):
        text = str(name[0])
        # A dual-stack socket shows IPv4 callers in mapped form.
        return text.removeprefix("::ffff:")
    return ""
