"""Files as pictures: `waystation render` (toolkit `render`; the drawing is that of ``/rendered``).

Contract: originals are only read.  A picture is whole under its name, or it is not there; nothing
that exists is written over unless that is asked for.  What cannot be drawn is told with its reason,
and the others go on.  No codec runs in this process.
"""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from waystation.app.dicom_files import DicomFile, NoDicomFile, look, search
from waystation.codecs.errors import CodecError, WorkroomError
from waystation.codecs.pictures import drawn, pictures
from waystation.codecs.pool import CodecLimits, CodecPool
from waystation.transforms.render_job import RenderJob

PIECE: Final = 1 << 20
MOST_CHILDREN: Final = 8
WORKROOM: Final = ".waystation-render"
SUFFIXES: Final = {"jpeg": ".jpg", "png": ".png", "png16": ".png", "gif": ".gif", "webp": ".webp"}
KINDS: Final = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".gif": "gif", ".webp": "webp"}


@dataclass(frozen=True, slots=True)
class Order:
    """What is drawn, and where to.

    output: a folder, or with ``single`` the file of the one picture.  force: write over files.
    """

    paths: Sequence[Path]
    output: Path
    job: RenderJob
    single: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one file.  why: "" if all went well; ignored: it is no DICOM file."""

    path: Path
    pictures: tuple[Path, ...] = ()
    why: str = ""
    ignored: bool = False


async def render_files(order: Order) -> AsyncIterator[Made]:
    """Draw files; yield what became of each as it is done."""
    children = min(MOST_CHILDREN, os.cpu_count() or 1)
    home = order.output.parent if order.single else order.output
    pool = CodecPool(home / f"{WORKROOM}-{os.getpid()}", CodecLimits(children=children))
    waiting: set[asyncio.Task[Made]] = set()
    try:
        for found, place in _found(order):
            if isinstance(found, NoDicomFile):
                yield Made(found.path, why=found.why, ignored=not found.named)
                continue
            waiting.add(asyncio.create_task(_drawn(pool, found, place, order)))
            if len(waiting) > 2 * children:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        for each in asyncio.as_completed(waiting):
            yield await each
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await pool.close()


def _found(order: Order) -> Iterable[tuple[DicomFile | NoDicomFile, Path]]:
    """Yield every file, and where its pictures go: a path without a suffix."""
    for top in order.paths:
        for path, named in search([top]):
            inner = path.relative_to(top) if top.is_dir() else Path(path.name)
            yield look(path, named=named), order.output / inner.with_suffix("")


async def _drawn(pool: CodecPool, one: DicomFile, place: Path, order: Order) -> Made:
    digest = hashlib.sha256(str(one.path).encode("utf-8", "surrogateescape")).hexdigest()
    written: list[Path] = []
    try:
        made = await pool.render(
            _pieces(one), digest=digest, syntax=one.transfer_syntax_uid, job=order.job
        )
        try:
            said = drawn(made)
            if not said.pictures:
                return Made(one.path, why=f"the last frame is {said.frames}")
            if order.single and said.pictures > 1:
                return Made(one.path, why=f"it gives {said.pictures} pictures; name a folder")
            numbers = order.job.frames or range(said.frames)
            alone = said.frames == 1 or order.job.kind == "gif"
            async with aclosing(pictures(made)) as each:
                async for data in each:
                    frame = numbers[len(written)]
                    frame = said.first if frame < 0 else frame
                    suffix = SUFFIXES[order.job.kind]
                    more = "" if alone else f"_{frame + 1:0{len(str(said.frames))}}"
                    path = order.output if order.single else Path(f"{place}{more}{suffix}")
                    await asyncio.to_thread(_write, path, data, order.force)
                    written.append(path)
        finally:
            made.drop()
    except (CodecError, WorkroomError) as error:
        return Made(one.path, tuple(written), str(error))
    except FileExistsError as error:
        return Made(one.path, tuple(written), f"{error.filename} is there already; use --force")
    except OSError as error:
        return Made(one.path, tuple(written), error.strerror or "cannot be written")
    return Made(one.path, tuple(written))


async def _pieces(one: DicomFile) -> AsyncGenerator[bytes, None]:
    with one.path.open("rb") as file:
        file.seek(one.offset)
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


def _write(path: Path, data: bytes, force: bool) -> None:
    """Write a picture under its name at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not force and path.exists():
        raise FileExistsError(0, "exists", str(path))
    draft = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
