"""One codec child as its parent sees it: a process, a line in, lines out.

Contract: `work` raises `CodecError` when the child crashed, was silent too long or took too long
in all; then, and when `work` is cancelled, the child is of no more use and must be killed.
"""

import asyncio
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from waystation.codecs.errors import CodecError, WorkroomError

# Nothing else of our environment: secrets may stand there.
HANDED_ON = ("PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONHOME", "TZ")
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    # Each thread of a numeric library reserves address space, of which there is little.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
LONGEST_LINE = 1 << 20
START_S = 60.0


class Child:
    """A running codec child."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, command: Sequence[str], home: str) -> "Child":
        """Start an interpreter and wait until it is ready.  Raises OSError, `WorkroomError`."""
        environment = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={**environment, **ENVIRONMENT, "PYTHONPATH": home},
            # A key press that ends the node must not end its children before it has drained.
            start_new_session=True,
            limit=LONGEST_LINE,
        )
        child = cls(process)
        ready = False
        try:
            ready = await child._is_ready()
        finally:
            if not ready:
                child.kill()
                await child.wait()
        if not ready:
            raise WorkroomError("a codec process could not start")
        return child

    async def _is_ready(self) -> bool:
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                return bool(await self._process.stdout.readline())
        except TimeoutError:
            return False

    @property
    def alive(self) -> bool:
        """True as long as it has not ended."""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def work(self, job: dict[str, str], frame_s: float, job_s: float) -> dict[str, Any]:
        """Return the child's last answer to a job; frame_s: longest silence, job_s: in all."""
        assert self._process.stdin is not None
        frame = 0
        try:
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            await self._process.stdin.drain()
            async with asyncio.timeout(job_s):
                while "frame" in (answer := await self._answer(frame, frame_s)):
                    frame = int(answer["frame"])
        except ConnectionError as error:
            raise await self._ended(frame) from error
        except TimeoutError as error:
            raise CodecError(f"took longer than {job_s:g} s") from error
        return answer

    async def _answer(self, frame: int, frame_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(frame_s):
                line = await self._process.stdout.readline()
                if not line:
                    raise await self._ended(frame)
        if not line:
            raise CodecError(
                f"a frame (number {frame + 1} or later) took longer than {frame_s:g} s"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _ended(self, frame: int) -> CodecError:
        code = await self._process.wait()
        how = f"with {code}"
        if code < 0:
            with suppress(ValueError):
                how = f"by {signal.Signals(-code).name}"
        return CodecError(f"the codec crashed on it ({how}, frame {frame + 1} or later)")

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> None:
        """Return when it has ended and its pipes are closed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is not None:
            stdin.close()
        await self._process.wait()
        if stdout is not None:
            with suppress(ConnectionError):
                await stdout.read()
