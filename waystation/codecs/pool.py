"""Children that convert objects, and what happens when one of them dies.

Contract (S-41, F27): no codec runs in this process.  A child is a fresh interpreter, started when
it is first needed, confined (`codecs.confine`), and ended after a while without work.  It serves
one object at a time, through files in a folder of ours that are gone when the `Converted` is
dropped.  A child that crashes, is silent for ``frame_s`` within one frame or exceeds ``job_s`` is
killed and replaced; that object has failed (`CodecError`) and the others notice nothing.  An
object that did so ``strikes`` times is not tried again as long as this process lives.
"""

import asyncio
import os
import secrets
import shutil
import sys
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

import waystation
from waystation.codecs.child_process import Child
from waystation.codecs.errors import CodecError, WorkroomError
from waystation.transforms.redact_job import Glimpse, RedactJob
from waystation.transforms.render_job import RenderJob

log = structlog.get_logger()
PIECE = 1 << 20
REMEMBERED = 10_000
CHILD = "waystation.codecs.child"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecLimits:
    """children: at work side by side.  strikes: failures of one object until it is marked."""

    children: int = 2
    address_bytes: int = 2 << 30
    cpu_s: int = 60
    frame_s: float = 30.0
    job_s: float = 900.0
    idle_s: float = 60.0
    strikes: int = 3


class Converted:
    """What a child made of a data set, in a file that `drop` removes.

    transfer_syntax_uid: what it has now.  changes: what is different besides the syntax, in words.
    Reading raises `WorkroomError`.
    """

    def __init__(self, path: Path, answer: Mapping[str, Any]) -> None:
        self.size_bytes = int(answer["size"])
        self.sha256 = str(answer["sha256"])
        self.transfer_syntax_uid = str(answer["syntax"])
        self.changes = tuple(map(str, answer["changes"]))
        self._path = path

    async def whole(self) -> bytes:
        """Return all of it."""
        try:
            return await asyncio.to_thread(self._path.read_bytes)
        except OSError as error:
            raise WorkroomError(f"converting: {error.strerror}") from error

    async def part(self, at: int, size: int) -> bytes:
        """Return ``size`` bytes from offset ``at`` on."""

        def read() -> bytes:
            with self._path.open("rb") as stream:
                stream.seek(at)
                return stream.read(size)

        try:
            return await asyncio.to_thread(read)
        except OSError as error:
            raise WorkroomError(f"converting: {error.strerror}") from error

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield it in pieces of 1 MiB."""
        try:
            with await asyncio.to_thread(self._path.open, "rb") as stream:
                while piece := await asyncio.to_thread(stream.read, PIECE):
                    yield piece
        except OSError as error:
            raise WorkroomError(f"converting: {error.strerror}") from error

    def drop(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)


class CodecPool:
    """The codec children of one node.

    folder: for files in work, ours alone; what an earlier process left in it goes at once, as it
    may show patients.  module: what a child runs.
    """

    def __init__(
        self, folder: Path, limits: CodecLimits | None = None, module: str = CHILD
    ) -> None:
        self._module = module
        self.limits = limits or CodecLimits()
        self.started = 0
        self._folder = folder
        self._idle: list[Child] = []
        self._room = asyncio.Semaphore(self.limits.children)
        self._strikes: OrderedDict[str, int] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._at_work: set[Child] = set()
        self._closed = False
        self._made = False
        shutil.rmtree(folder, ignore_errors=True)

    async def convert(
        self, source: bytes | AsyncIterator[bytes], *, digest: str, has: str, wanted: str
    ) -> Converted:
        """Return the data set of ``source`` in the syntax ``wanted``; digest: its SHA-256.

        Raises `CodecError`, `WorkroomError`, and whatever ``source`` raises.
        """
        return await self._converted(source, digest, {"has": has, "wants": wanted})

    async def redact(
        self, source: bytes | AsyncIterator[bytes], *, digest: str, syntax: str, job: RedactJob
    ) -> Converted:
        """Return the data set of ``source`` with the pixels of ``job`` blacked (D-34, D-35).

        digest: SHA-256 of the object as it was received.  The result may have another transfer
        syntax.  Raises `CodecError`, `WorkroomError`, and whatever ``source`` raises.
        """
        return await self._converted(source, digest, {"has": syntax, "redact": job.text()})

    async def preview(
        self, source: bytes | AsyncIterator[bytes], *, digest: str, syntax: str, glimpse: Glimpse
    ) -> bytes:
        """Return one frame of ``source`` as PNG, with the pixels of a job marked (D-41).

        Raises `CodecError`, `WorkroomError`, and whatever ``source`` raises.
        """
        job = {"has": syntax, "preview": glimpse.text()}
        made = await self._converted(source, digest, job)
        try:
            return await made.whole()
        finally:
            made.drop()

    async def render(
        self, source: bytes | AsyncIterator[bytes], *, digest: str, syntax: str, job: RenderJob
    ) -> Converted:
        """Return pictures of ``source``; `codecs.pictures` takes them out of what this gives.

        Raises `CodecError`, `WorkroomError`, and whatever ``source`` raises.
        """
        return await self._converted(source, digest, {"has": syntax, "render": job.text()})

    async def pixels(
        self, source: bytes | AsyncIterator[bytes], *, digest: str, kind: str
    ) -> Converted:
        """Return the pixels of a picture (PNG, GIF); its changes: `Pixels`, field by field.

        Raises `CodecError`, `WorkroomError`, and whatever ``source`` raises.
        """
        return await self._converted(source, digest, {"pixels": kind})

    async def legible(
        self, source: bytes | AsyncIterator[bytes], *, digest: str, syntax: str
    ) -> Converted:
        """Return pictures of ``source`` to be read in (D-36); its changes: the frame of each.

        Raises `CodecError`, `WorkroomError`, and whatever ``source`` raises.
        """
        return await self._converted(source, digest, {"has": syntax, "legible": ""})

    async def _converted(
        self, source: bytes | AsyncIterator[bytes], digest: str, what: dict[str, str]
    ) -> Converted:
        if self._strikes.get(digest, 0) >= self.limits.strikes:
            raise CodecError(f"its pixels have stopped the codec {self.limits.strikes} times")
        self._prepare()
        name = self._folder / secrets.token_hex(8)
        given, scratch, made = (name.with_suffix(end) for end in (".in", ".scratch", ".out"))
        done = False
        try:
            await self._write(given, source)
            job = {**what, "in": str(given), "scratch": str(scratch), "out": str(made)}
            # A source comes as slowly as its lane is granted bytes: no child waits for that.
            async with self._room:
                answer = await self._run(job, digest)
            if "room" in answer:
                raise WorkroomError(f"converting: {answer['room']}")
            if "failed" in answer:
                raise CodecError(str(answer["failed"]))
            done = True
            return Converted(made, answer)
        finally:
            for path in (given, scratch) if done else (given, scratch, made):
                path.unlink(missing_ok=True)

    def _prepare(self) -> None:
        """Make the folder when it is first needed."""
        if self._made:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise WorkroomError(f"folder for conversions: {error.strerror}") from error
        self._made = True

    async def _write(self, path: Path, source: bytes | AsyncIterator[bytes]) -> None:
        try:
            if isinstance(source, bytes):
                await asyncio.to_thread(path.write_bytes, source)
                return
            with await asyncio.to_thread(path.open, "wb") as stream:
                async for piece in source:
                    await asyncio.to_thread(stream.write, piece)
        except OSError as error:
            raise WorkroomError(f"converting: {error.strerror}") from error

    async def _run(self, job: dict[str, str], digest: str) -> dict[str, Any]:
        child = self._idle.pop() if self._idle else None
        if child is None or not child.alive:
            child = await self._start()
        well = False
        self._at_work.add(child)
        try:
            answer = await child.work(job, self.limits.frame_s, self.limits.job_s)
            well = not answer.get("ends")
        except CodecError as error:
            self._strike(digest, str(error))
            raise
        finally:
            self._at_work.discard(child)
            if well and child.alive and not self._closed:
                self._idle.append(child)
                self._expect_work()
            else:
                child.kill()
                self._wait_for(child)
        if answer.get("ends"):
            self._strike(digest, str(answer["failed"]))
        return answer

    async def _start(self) -> Child:
        limits = self.limits
        self.started += 1
        home = str(Path(waystation.__file__).parent.parent)
        try:
            return await Child.start(
                [
                    *(sys.executable, "-P", "-m", self._module),
                    *(str(os.getpid()), str(limits.address_bytes), str(limits.cpu_s)),
                ],
                home,
            )
        except OSError as error:
            raise WorkroomError(f"no codec process: {error.strerror}") from error

    def _strike(self, digest: str, why: str) -> None:
        log.error("codec stopped", why=why, sha256=digest[:16])
        self._strikes[digest] = self._strikes.pop(digest, 0) + 1
        while len(self._strikes) > REMEMBERED:
            self._strikes.popitem(last=False)

    def _expect_work(self) -> None:
        """End idle children after a while."""
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.limits.idle_s, self._end_idle)

    def _end_idle(self) -> None:
        while self._idle:
            child = self._idle.pop()
            child.kill()
            self._wait_for(child)

    def _wait_for(self, child: Child) -> None:
        task = asyncio.get_running_loop().create_task(child.wait())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    @property
    def idle(self) -> tuple[Child, ...]:
        """The children that wait for work."""
        return tuple(self._idle)

    async def close(self) -> None:
        """End all children and remove the files; who is still converting gets `CodecError`."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._end_idle()
        for child in self._at_work:
            child.kill()
        waiting = [child.wait() for child in self._at_work]
        await asyncio.gather(*waiting, *self._ending, return_exceptions=True)
        if self._made:
            with suppress(OSError):
                shutil.rmtree(self._folder)
            self._made = False
