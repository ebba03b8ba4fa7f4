"""TT-29: the HL7 port dies by SIGKILL between and inside frames while orders flow (T-60)."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.hl7.building import order
from tests.torture.books import Row
from waystation.db.engine import Database
from waystation.db.migrate import migrate
from waystation.db.statement import Transaction
from waystation.hl7.frames import Frames, framed
from waystation.matching.entry import flat

CONNECTIONS = 4
PATIENCE_S = 20.0
# Every fifth order is taken back.
EVERY = 5


class Port:
    """The port, as often as it is started."""

    def __init__(self, folder: Path) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.hl7_child", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.number = 0
        self._pid = 0

    def start(self) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write("\n")
        self._parent.stdin.flush()
        port, pid = self._parent.stdout.readline().split()
        self.number, self._pid = int(port), int(pid)

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self.kill()
        self._parent.communicate(timeout=PATIENCE_S)


def said(n: int) -> list[bytes]:
    """Return the messages about one order."""
    found = [order(n), order(n, verb="XO", at="20260101120100", text="CT neck")]
    if n % EVERY == 0:
        found.append(order(n, verb="CA", at="20260101120200", text="CT neck"))
    return found


class Sender(threading.Thread):
    """One connection that sends each message until it hears an answer; in part byte by byte."""

    def __init__(self, port: Port, messages: Sequence[bytes], seed: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._messages = messages
        self._random = random.Random(seed)
        self.acked: list[bytes] = []
        self.refused: list[bytes] = []
        self.sent = 0

    def run(self) -> None:
        for message in self._messages:
            answer = b""
            until = time.monotonic() + PATIENCE_S
            while not answer and time.monotonic() < until:
                with suppress(OSError):
                    answer = self._ask(message)
                if not answer:
                    self._hang_up()
                    time.sleep(0.003)
            (self.acked if b"\rMSA|AA|" in answer else self.refused).append(message)
        self._hang_up()

    _socket: socket.socket | None = None

    def _ask(self, message: bytes) -> bytes:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port.number), 5)
            self._frames = Frames()
        self.sent += 1
        frame = framed(message)
        cut = self._random.randrange(len(frame))
        self._socket.sendall(frame[:cut])
        self._socket.sendall(frame[cut:])
        while (answer := self._frames.next()) is None:
            data = self._socket.recv(1 << 16)
            if not data:
                return b""
            self._frames.feed(data)
        return answer

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def killed_between_frames(folder: Path, *, seed: int, kills: int = 1000, orders: int = 4600) -> Row:
    """Kill the port ``kills`` times while the messages about ``orders`` orders flow."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "journal.db"
    migrate(path)
    shares = [
        [raw for n in range(1 + first, 1 + orders, CONNECTIONS) for raw in said(n)]
        for first in range(CONNECTIONS)
    ]
    port = Port(folder)
    chance = random.Random(seed)
    killed = 0
    try:
        port.start()
        senders = [Sender(port, share, seed + at) for at, share in enumerate(shares)]
        for sender in senders:
            sender.start()
        while any(sender.is_alive() for sender in senders):
            if killed == kills:
                for sender in senders:
                    sender.join()
                break
            time.sleep(chance.uniform(0.0, 0.04))
            port.kill()
            port.start()
            killed += 1
    finally:
        port.close()
    row = Row(row="TT-29", runs=killed)
    row.attempted = sum(sender.sent for sender in senders)
    row.acked = sum(len(sender.acked) for sender in senders)
    refused = sum(len(sender.refused) for sender in senders)
    if refused:
        row.faults.append(f"{refused} messages were refused or never answered")
    if killed < kills // 2:
        row.notes.append(f"only {killed} kills: the messages were through before")
    _judge(row, path, orders)
    return row


def _judge(row: Row, path: Path, orders: int) -> None:
    """Look into the worklist for the effect of every message that was acknowledged."""
    database = Database(path)
    database.open()
    try:
        found = asyncio.run(_read(database))
    finally:
        database.close()
    steps, twice, kept, moves = found
    for n in range(1, 1 + orders):
        state, text = steps.get(f"PL{n}", ("", ""))
        wanted = "cancelled" if n % EVERY == 0 else "scheduled"
        row.lost += (state, text) != (wanted, "CT neck")
    row.delivered = kept
    row.repeats = twice + max(moves - (2 * orders + orders // EVERY), 0)
    if row.lost:
        row.faults.append(f"{row.lost} orders without the effect of an acknowledged message")
    if row.repeats:
        row.faults.append(f"{row.repeats} effects more than messages")
    if kept != row.acked:
        row.faults.append(f"{kept} messages kept, {row.acked} acknowledged")


async def _read(database: Database) -> tuple[dict[str, tuple[str, str]], int, int, int]:
    return await database.read(_effects)


def _effects(transaction: Transaction) -> tuple[dict[str, tuple[str, str]], int, int, int]:
    """Return state and text by order, steps beyond one per order, messages, changes of steps."""
    steps: dict[str, tuple[str, str]] = {}
    twice = 0
    for placer, state, data in transaction.rows("SELECT placer, state, data FROM step"):
        twice += placer in steps
        steps[placer] = (state, flat(bytes(data))["RequestedProcedureDescription"][0])
    kept = transaction.one("SELECT count(*) FROM hl7_message WHERE code = 'AA'")
    moves = transaction.one("SELECT count(*) FROM step_history")
    return steps, twice, int(kept[0]) if kept else 0, int(moves[0]) if moves else 0
