"""Delivery into a folder: write beside, sync, rename, sync the folder.

Contract (R-54, S-39): the name is made from a template by one function: an allow-list of
characters, a length cap with a digest when something was cut, and a check that the result lies
beneath the root.  An equal file that is there already counts as delivered; another one under the
same name is never overwritten.  Delivered means durable: file and every folder down to it.
"""

import asyncio
import errno
import hashlib
import os
import re
import secrets
import unicodedata
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from waystation.destinations.base import Cargo, Pieces
from waystation.dicom.part10 import file_meta
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import StorageError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused

FIELDS = (
    "SOPInstanceUID",
    "SOPClassUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "calling_ae",
    "arrival",
)
_PLACE = re.compile(r"\{([A-Za-z_]+)\}")
_LONGEST = 80
# File systems without hard links, such as shares of other systems.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings:
    """Where to and under which name; ``template`` uses the words of `FIELDS` in braces."""

    path: Path
    template: str = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"


def component(text: str) -> str:
    """Return ``text`` as one safe path component (T-66): never empty, hidden or too long."""
    plain = unicodedata.normalize("NFC", text)
    safe = "".join(c if c.isalnum() or c in "-_.,+=@ " else "_" for c in plain).strip(" ")
    if safe.startswith(".") or not safe or _RESERVED.fullmatch(safe):
        safe = "_" + safe.lstrip(".")
    data = safe.encode()
    if len(data) > _LONGEST:
        mark = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        cut = data[: _LONGEST - 9].decode(errors="ignore")
        safe = f"{cut}-{mark}"
    return safe


def name_for(template: str, values: Mapping[str, str]) -> str:
    """Return the relative path for one object; every value becomes part of one component."""
    parts = []
    for part in template.split("/"):
        filled = _PLACE.sub(lambda found: values.get(found.group(1), "") or "_", part)
        if filled:
            parts.append(component(filled))
    return "/".join(parts) or "_"


class FolderDestination:
    """One ``[destination.NAME]`` of kind folder."""

    def __init__(self, name: str, settings: FolderSettings) -> None:
        self.name = name
        self._settings = settings

    async def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """Write each object; stop when the folder itself fails."""
        for delivery in batch:
            outcome = await self._one(delivery, cargo)
            yield delivery, outcome
            if isinstance(outcome, Deferred) and outcome.fault is Fault.TRANSIENT:
                return

    async def _one(self, delivery: Delivery, cargo: Cargo) -> Outcome:
        try:
            payload = await cargo.load(delivery)
        except StorageError as error:
            return Refused(reason=HoldReason.CORRUPT, why=str(error))
        meta = file_meta(
            delivery.sop_class_uid,
            delivery.sop_instance_uid,
            delivery.transfer_syntax_uid,
            source_ae=delivery.calling_ae,
        )
        try:
            target = await asyncio.to_thread(self._target, delivery)
            if target is None:
                why = "its name leads out of the folder"
                return Refused(reason=HoldReason.OBJECT_REFUSED, why=why)
            return await self._write(target, meta, payload)
        except StorageError as error:
            return Refused(reason=HoldReason.CORRUPT, why=str(error))
        except OSError as error:
            why = f"{self._settings.path}: {error.strerror}"
            return Deferred(fault=Fault.TRANSIENT, why=why, connected=True)

    def _target(self, delivery: Delivery) -> Path | None:
        """Return where the object goes, or None if a link leads that out of the folder."""
        values = {
            "SOPInstanceUID": delivery.sop_instance_uid,
            "SOPClassUID": delivery.sop_class_uid,
            "SeriesInstanceUID": delivery.series_uid,
            "StudyInstanceUID": delivery.study_uid,
            "calling_ae": delivery.calling_ae,
            "arrival": f"{delivery.arrival_id:x}",
        }
        root = self._settings.path.resolve()
        target = root / name_for(self._settings.template, values)
        return target if target.parent.resolve().is_relative_to(root) else None

    async def _write(self, target: Path, meta: bytes, payload: bytes | Pieces) -> Outcome:
        draft = target.parent / f".{secrets.token_hex(8)}.part"
        try:
            await asyncio.to_thread(_begin, draft, meta)
            if isinstance(payload, bytes):
                await asyncio.to_thread(_append, draft, payload)
            else:
                async with aclosing(payload.pieces) as pieces:
                    async for piece in pieces:
                        await asyncio.to_thread(_append, draft, piece)
            return await asyncio.to_thread(_finish, draft, target, self._settings.path.resolve())
        finally:
            with suppress(FileNotFoundError):
                await asyncio.to_thread(draft.unlink)

    async def probe(self) -> Deferred | None:
        """Write and remove a small file."""
        path = self._settings.path / f".{secrets.token_hex(8)}.probe"
        try:
            await asyncio.to_thread(_begin, path, b"probe")
            await asyncio.to_thread(path.unlink)
        except OSError as error:
            why = f"{self._settings.path}: {error.strerror}"
            return Deferred(fault=Fault.TRANSIENT, why=why, connected=True)
        return None

    async def close(self) -> None:
        """Nothing stays open."""


def _begin(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(data)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def _finish(draft: Path, target: Path, root: Path) -> Outcome:
    """Seal the draft under its name unless a file is there already."""
    _sync(draft)
    comment = ""
    if not _give_name(draft, target):
        if not target.is_file() or not _same(draft, target):
            return Deferred(
                fault=Fault.OBJECT, why="another file has this name already", connected=True
            )
        # Perhaps it came here just before a crash, or before a sync that failed.
        _sync(target)
        comment = "already there"
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


def _same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    return all(a == b for a, b in zip(_chunks(one), _chunks(other), strict=True))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece
