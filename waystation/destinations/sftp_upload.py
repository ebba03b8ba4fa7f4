"""One file on its way to an SFTP server: beside, synced, renamed.

Contract: `Upload.run` gives the outcome for the object, or raises what asyncssh raises for a
request that failed.  The bytes are written once, whatever name they get in the end.  The draft is
removed as long as the session answers; else the next attempt of this delivery finds it by name.
Imported late: it needs the extra ``sftp``.
"""

import asyncio
import posixpath
import stat
from contextlib import aclosing, suppress

import asyncssh

from waystation.destinations.naming import marked
from waystation.destinations.outgoing import OutgoingFile
from waystation.destinations.sftp_session import Session
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome

OTHER_NAME = "another file has its name: stored with its digest behind it"
_STEP_BYTES = 1 << 20


class Upload:
    """One file on its way."""

    def __init__(self, session: Session, root: str, file: OutgoingFile) -> None:
        self._session = session
        self._sftp = session.sftp
        self._root = root
        self._file = file

    async def run(self) -> Outcome:
        """Return how it ended; raises what asyncssh raises."""
        folder, _, name = self._file.name.rpartition("/")
        folder = posixpath.join(self._root, folder)
        draft = posixpath.join(folder, self._file.draft_name)
        try:
            outcome = await self._bring(draft, folder, name)
        except asyncio.CancelledError:
            raise
        except BaseException:
            await self._remove(draft)
            raise
        return outcome

    async def _bring(self, draft: str, folder: str, name: str) -> Outcome:
        """Write beside once, and rename to the first name that is free or holds the same."""
        written = False
        outcome: Outcome = Deferred(
            fault=Fault.OBJECT, why="other files have its names already", connected=True
        )
        comment = ""
        for last in (name, marked(name, self._file.sha256)):
            target = posixpath.join(folder, last)
            there = await self._look(target)
            if there is None:
                if not written:
                    await self._write(await self._open(draft, folder))
                    written = True
                there = await self._rename(draft, target)
            if there is None:
                return Delivered(comment=comment)
            if await self._same(target, there):
                outcome = Delivered(comment="already there")
                break
            comment = OTHER_NAME
        if written:
            await self._remove(draft)
        return outcome

    async def _look(self, path: str) -> asyncssh.SFTPAttrs | None:
        try:
            return await self._session.ask(self._sftp.lstat(path))
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            return None

    async def _folders(self, folder: str) -> None:
        """Make what is missing below the root, never the root itself."""
        made = self._root
        for part in posixpath.relpath(folder, self._root or ".").split("/"):
            made = posixpath.join(made, part)
            if part == "." or made in self._session.folders:
                continue
            try:
                await self._session.ask(self._sftp.mkdir(made))
            except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
                there = await self._session.ask(self._sftp.stat(made))
                if not stat.S_ISDIR(there.permissions or 0):
                    raise
            self._session.folders.add(made)

    async def _open(self, draft: str, folder: str) -> asyncssh.SFTPClientFile:
        """Open the draft anew, with the folders down to it."""
        known = folder in self._session.folders
        await self._folders(folder)
        ask = self._session.ask
        try:
            return await ask(self._sftp.open(draft, "xb"))
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
            # A new file, not the old one again: a server may still write what it got before.
            await ask(self._sftp.remove(draft))
        except asyncssh.SFTPNoSuchFile:
            self._session.folders.clear()
            if not known:
                raise
            await self._folders(folder)
        return await ask(self._sftp.open(draft, "xb"))

    async def _write(self, remote: asyncssh.SFTPClientFile) -> None:
        ask = self._session.ask
        try:
            async with aclosing(self._file.pieces()) as pieces:
                async for piece in pieces:
                    for at in range(0, len(piece), _STEP_BYTES):
                        await ask(remote.write(piece[at : at + _STEP_BYTES]))
            await self._sync(remote)
        except asyncio.CancelledError:
            raise
        except BaseException:
            with suppress(OSError, asyncssh.Error):
                await ask(remote.close())
            raise
        await ask(remote.close())

    async def _sync(self, remote: asyncssh.SFTPClientFile) -> None:
        if self._session.can_sync:
            try:
                await self._session.ask(remote.fsync())
            except asyncssh.SFTPOpUnsupported:
                self._session.can_sync = False

    async def _rename(self, draft: str, target: str) -> asyncssh.SFTPAttrs | None:
        """Give the file its name; the plain request must not overwrite, the POSIX one would."""
        ask = self._session.ask
        try:
            await ask(self._sftp.rename(draft, target))
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists, asyncssh.SFTPOpUnsupported):
            there = await self._look(target)
            if there is not None:
                return there
            await ask(self._sftp.posix_rename(draft, target))
        return None

    async def _remove(self, draft: str) -> None:
        """Remove the draft if the session still answers; else the next attempt does it."""
        if self._session.alive:
            with suppress(OSError, asyncssh.Error):
                await self._session.ask(self._sftp.remove(draft))

    async def _same(self, path: str, there: asyncssh.SFTPAttrs) -> bool:
        """Read back what is there and compare it."""
        if not stat.S_ISREG(there.permissions or 0):
            return False
        likeness = self._file.likeness()
        ask = self._session.ask
        remote = await ask(self._sftp.open(path, "rb"))
        try:
            while data := await ask(remote.read(_STEP_BYTES)):
                likeness.feed(data if isinstance(data, bytes) else data.encode())
        finally:
            await ask(remote.close())
        return likeness.equal()
