"""Nodes that break their promises (S-30), or live under odd conditions; started by the rig alone.

``python -m tests.torture.broken KIND serve --config FILE``: the product's own command after one
thing in it was replaced.  The product itself has no switch for any of this (S-6).
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from waystation.blobs.folder import Buffer, Draft
from waystation.flows.route import Acknowledged, Router
from waystation.journal import intake
from waystation.journal.intake import IntakeLog
from waystation.model.errors import StorageError

LATE_S = 0.8


def early() -> None:
    """Let the intake log say "durable" without writing; the tables follow a little later."""
    single()
    arrived = Router.arrived

    def hasty(self: IntakeLog, meta: bytes, data: bytes | memoryview) -> "asyncio.Future[int]":
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done.set_result(0)
        return done

    def told_later(self: Router, item: Acknowledged) -> None:
        asyncio.get_running_loop().call_later(LATE_S, arrived, self, item)

    IntakeLog.append = hasty  # type: ignore[method-assign]
    Router.arrived = told_later  # type: ignore[method-assign]


def deaf() -> None:
    """Go on as if a failed write or sync of a blob had worked."""
    single()
    write, seal = Draft.write, Draft.seal

    def hopeful_write(self: Draft, data: Buffer) -> None:
        try:
            write(self, data)
        except StorageError:
            self.size_bytes += len(data)

    def hopeful_seal(self: Draft) -> str:
        name = self.bind()
        try:
            return seal(self)
        except StorageError:
            return name

    Draft.write = hopeful_write  # type: ignore[method-assign]
    Draft.seal = hopeful_seal  # type: ignore[method-assign]


def unsynced() -> None:
    """Write blobs and log as ever, without any sync (S-1 without steps 3 and 5)."""

    def unsealed(self: Draft) -> str:
        name = self.bind()
        slot = self._slot
        assert slot is not None
        descriptor, slot.descriptor = slot.descriptor, -1
        os.close(descriptor)
        return name

    def cached(path: Path, flags: int) -> int:
        return os.open(path, flags | os.O_CLOEXEC, 0o600)

    Draft.seal = unsealed  # type: ignore[method-assign]
    intake._open_direct = cached


def jumping() -> None:
    """Keep every promise, by a clock that is wrong by as much as the file ``clock`` says (F17)."""
    real, file = time.time, Path("clock")

    def wrong() -> float:
        try:
            return real() + float(file.read_text())
        except (OSError, ValueError):
            return real()

    time.time = wrong


def single() -> None:
    """Keep every promise, with one disk thread: its calls come in one order."""
    from waystation.app import node

    node.DISK_THREADS = 1


KINDS = {
    "early": early,
    "deaf": deaf,
    "jumping": jumping,
    "single": single,
    "unsynced": unsynced,
}


def main() -> None:
    from waystation.cli.main import main as command

    KINDS[sys.argv.pop(1)]()
    command()


if __name__ == "__main__":
    main()
