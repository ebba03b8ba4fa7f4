"""Is the node fit to take work?  Answered from fresh proof, not from hope (S-72).

Contract: `reasons` returns words of `REASONS`, without names or paths; empty means ready.  The
journal and the volume are really written to, at most once in five seconds whoever asks.
"""

import asyncio
import os
from collections.abc import Awaitable
from enum import Enum
from pathlib import Path

from waystation.app.node import Node
from waystation.journal import recovery
from waystation.model.errors import StorageError

FRESH_S = 5.0
PROBE_S = 5.0


class Reason(Enum):
    """Why a node is not ready."""

    DRAINING = "draining"
    JOURNAL = "journal not writable"
    VOLUME = "volume not writable"
    FULL = "volume full"
    LISTENER = "listener not bound"
    BELT = "a belt has stopped"


class Pulse:
    """Watches one node; asks the disk only when the last answer is old."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._found: list[Reason] = []

    async def reasons(self) -> list[str]:
        """Return why the node is not ready."""
        node = self._node
        found: list[Reason] = []
        if node.draining:
            found.append(Reason.DRAINING)
        if not node.dicom_port:
            found.append(Reason.LISTENER)
        if any(task.done() for task in (*node._tasks, *node.lanes.tasks.values())):
            found.append(Reason.BELT)
        if node.sweep.stopped_why:
            found.append(Reason.FULL)
        found += await self._storage()
        return [reason.value for reason in found]

    async def _storage(self) -> list[Reason]:
        async with self._asking:
            loop = asyncio.get_running_loop()
            if loop.time() - self._asked_at > FRESH_S:
                self._found = await self._probe()
                self._asked_at = loop.time()
            return self._found

    async def _probe(self) -> list[Reason]:
        found = []
        if not await self._in_time(self._write_row()):
            found.append(Reason.JOURNAL)
        if not await self._in_time(self._write_file()):
            found.append(Reason.VOLUME)
        return found

    async def _in_time(self, probe: Awaitable[None]) -> bool:
        try:
            async with asyncio.timeout(PROBE_S):
                await probe
        except (TimeoutError, OSError, StorageError):
            return False
        return True

    async def _write_row(self) -> None:
        await self._node.database.write(recovery.set_mark("probed_at", str(self._node.clock())))

    async def _write_file(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._node.disk, write_and_sync, self._node.data / "probe")


def write_and_sync(path: Path) -> None:
    """Write a file, sync it, and read it back.  Raises OSError."""
    text = os.urandom(64)
    with path.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if path.read_bytes() != text:
        raise OSError("read back other bytes than were written")
