"""Delivery into a folder: write beside, sync, rename, sync the folder.

Contract (R-54, S-39): the name comes from `naming`.  An equal object that is there already counts
as delivered; another file under the same name is never overwritten: the object is then stored
under a second name that ends with its digest.  Delivered means durable: file and every folder
down to it.  The folder itself is never made while sending: where a share is not mounted the lane
waits ("the folder is missing") instead of filling the disk below it.
"""

import asyncio
import errno
import os
import secrets
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from waystation.destinations.base import Cargo, singly
from waystation.destinations.naming import DEFAULT_TEMPLATE, marked, read_template
from waystation.destinations.outgoing import OutgoingFile, outgoing
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import StorageError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused

# What is wrong with the name of this one object, not with the folder.
_OF_THE_OBJECT = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}
# File systems without hard links, such as shares of other systems.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
# There, a free name is looked up and taken by one of our threads at a time.
_NAMING = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings:
    """Where to and under which name (see `naming`)."""

    path: Path
    template: str = DEFAULT_TEMPLATE


class FolderDestination:
    """One ``[destination.NAME]`` of kind folder."""

    def __init__(self, name: str, settings: FolderSettings) -> None:
        self.name = name
        self._path = settings.path
        self._template = read_template(settings.template)

    def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """Write each object; stop when the folder itself fails."""
        return singly(batch, lambda delivery: self._one(delivery, cargo))

    async def _one(self, delivery: Delivery, cargo: Cargo) -> Outcome:
        try:
            file = await outgoing(delivery, cargo, self._template)
        except StorageError as error:
            return Refused(reason=HoldReason.CORRUPT, why=str(error))
        try:
            place = await asyncio.to_thread(self._place, file.name)
            if place is None:
                why = "its name leads out of the folder"
                return Refused(reason=HoldReason.OBJECT_REFUSED, why=why)
            return await self._write(*place, file)
        except StorageError as error:
            return Refused(reason=HoldReason.CORRUPT, why=str(error))
        except OSError as error:
            return self._failed(error)
        finally:
            await file.close()

    def _place(self, name: str) -> tuple[Path, Path] | None:
        """Return folder and file, with what lies between made; None if a link leads outside.

        Raises FileNotFoundError if there is no folder.
        """
        root = self._path.resolve(strict=True)
        target = root / name
        if not target.parent.resolve().is_relative_to(root):
            return None
        between = target.parent.relative_to(root)
        for part in (*reversed(between.parents), between):
            if part != Path():
                (root / part).mkdir(exist_ok=True)
        return root, target

    def _failed(self, error: OSError) -> Deferred:
        if isinstance(error, FileNotFoundError) and not self._path.is_dir():
            return Deferred(fault=Fault.TRANSIENT, why=f"{self._path}: the folder is missing")
        why = f"{self._path}: {error.strerror}"
        objects = error.errno in _OF_THE_OBJECT and self._path.is_dir()
        fault = Fault.OBJECT if objects else Fault.TRANSIENT
        return Deferred(fault=fault, why=why, connected=True)

    async def _write(self, root: Path, target: Path, file: OutgoingFile) -> Outcome:
        draft = target.parent / file.draft_name
        try:
            await asyncio.to_thread(draft.unlink, missing_ok=True)
            async with aclosing(file.pieces()) as pieces:
                async for piece in pieces:
                    await asyncio.to_thread(_append, draft, piece)
            return await asyncio.to_thread(_finish, draft, target, root, file)
        finally:
            with suppress(OSError):
                await asyncio.to_thread(draft.unlink)

    async def probe(self) -> Deferred | None:
        """Write and remove a small file."""
        try:
            await asyncio.to_thread(self._try_out)
        except OSError as error:
            return self._failed(error)
        return None

    def _try_out(self) -> None:
        path = self._path.resolve(strict=True) / f".{secrets.token_hex(8)}.probe"
        try:
            _append(path, b"probe")
        finally:
            path.unlink(missing_ok=True)

    async def close(self) -> None:
        """Nothing stays open."""


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def _finish(draft: Path, target: Path, root: Path, file: OutgoingFile) -> Outcome:
    """Seal the draft under its name, or under its second name if another file has that."""
    _sync(draft)
    comment = ""
    other = target.parent / marked(target.name, file.sha256)
    for place in (target, other):
        if place is other:
            comment = "another file has its name: stored with its digest behind it"
        if _give_name(draft, place):
            break
        if _holds(place, file):
            # Perhaps it came here just before a crash, or before a sync that failed.
            _sync(place)
            comment = "already there"
            break
    else:
        why = "other files have its names already"
        return Deferred(fault=Fault.OBJECT, why=why, connected=True)
    folder = target.parent
    _sync(folder)
    while folder != root:
        folder = folder.parent
        _sync(folder)
    return Delivered(comment=comment)


def _give_name(draft: Path, target: Path) -> bool:
    """Let the draft appear under its name; return False if something is there already."""
    try:
        os.link(draft, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with _NAMING:
            if os.path.lexists(target):
                return False
            os.rename(draft, target)
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds(path: Path, file: OutgoingFile) -> bool:
    if not path.is_file():
        return False
    likeness = file.likeness()
    for piece in _chunks(path):
        likeness.feed(piece)
    return likeness.equal()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece
