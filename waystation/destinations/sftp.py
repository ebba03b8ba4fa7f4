"""Delivery over SFTP: write beside, sync where the server can, rename without overwriting.

Contract (R-54, S-39): names and collisions as for a folder.  A file that is there already is read
back and compared.  A wrong host key, a refused login, a missing or forbidden folder block the
destination; a full far side is transient; a connection that breaks after the session was up
leaves the object unknown, and its half-written file is removed by the next attempt.  A session
serves one study at a time and lingers for what arrives meanwhile.
"""

import asyncio
import posixpath
import stat
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from waystation.destinations.base import Cargo, way_failed
from waystation.destinations.naming import DEFAULT_TEMPLATE, read_template
from waystation.destinations.outgoing import OutgoingFile, outgoing
from waystation.destinations.sftp_session import Closed, Session, SftpCall, open_session
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import StorageError
from waystation.model.outcome import Deferred, Fault, Outcome, Refused

if TYPE_CHECKING:
    from asyncssh import SFTPError


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpSettings:
    """Whom to call, the folder there, the names in it (see `naming`)."""

    call: SftpCall
    path: str
    template: str = DEFAULT_TEMPLATE
    linger_s: float = 5.0


class SftpDestination:
    """One ``[destination.NAME]`` of kind sftp."""

    def __init__(self, name: str, settings: SftpSettings) -> None:
        self.name = name
        self._settings = settings
        self._template = read_template(settings.template)
        self._idle: dict[Session, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self.sessions_opened = 0

    async def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """Write a batch over one session; stop when the way itself fails."""
        session: Session | None = None
        try:
            for delivery in batch:
                try:
                    file = await outgoing(delivery, cargo, self._template)
                except StorageError as error:
                    yield delivery, Refused(reason=HoldReason.CORRUPT, why=str(error))
                    continue
                try:
                    session = session or await self._take()
                    outcome = await self._attempt(session, file)
                except Closed as closed:
                    outcome = closed.outcome
                finally:
                    await file.close()
                yield delivery, outcome
                if way_failed(outcome):
                    return
        finally:
            if session is not None:
                self._give_back(session)

    async def _attempt(self, session: Session, file: OutgoingFile) -> Outcome:
        """Put one file there; a session that did not come to an end is thrown away."""
        import asyncssh

        from waystation.destinations.sftp_upload import Upload

        finished = False
        try:
            outcome = await Upload(session, self._settings.path, file).run()
            finished = True
        except StorageError as error:
            # The session goes on: each request that was made had its answer.
            finished = True
            return Refused(reason=HoldReason.CORRUPT, why=str(error))
        except (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost) as error:
            return _unknown(str(error))
        except asyncssh.SFTPError as error:
            outcome = await self._judge(session, error)
            finished = session.alive
        except (asyncssh.Error, OSError) as error:
            return _unknown(str(error))
        finally:
            if not finished:
                session.abort()
        return outcome

    async def _judge(self, session: Session, error: "SFTPError") -> Deferred:
        """Return what a refused request means; asks whether the folder itself is in order."""
        import asyncssh

        folder = self._settings.path
        try:
            wrong = await _folder_problem(session, folder)
            if wrong is None and isinstance(error, _forbidden()):
                wrong = await _writing_problem(session, folder)
        except (asyncssh.Error, OSError) as second:
            session.dead = True
            return _unknown(str(second))
        if wrong is not None:
            return wrong
        why = f"{type(error).__name__.removeprefix('SFTP')}: {error.reason[:120]}"
        fault = Fault.OBJECT if isinstance(error, _of_the_object()) else Fault.TRANSIENT
        return Deferred(fault=fault, why=why, connected=True)

    async def probe(self) -> Deferred | None:
        """Log in and look at the folder."""
        import asyncssh

        try:
            session = await self._open()
        except Closed as closed:
            return closed.outcome
        try:
            wrong = await _folder_problem(session, self._settings.path)
        except (asyncssh.Error, OSError) as error:
            session.dead = True
            why = f"no answer to a question: {error}"
            wrong = Deferred(fault=Fault.TRANSIENT, why=why, connected=True)
        self._retire(session)
        return wrong

    async def _take(self) -> Session:
        while self._idle:
            session, timer = self._idle.popitem()
            timer.cancel()
            if session.alive:
                return session
            session.abort()
        return await self._open()

    async def _open(self) -> Session:
        self.sessions_opened += 1
        return await open_session(self._settings.call)

    def _give_back(self, session: Session) -> None:
        if not session.alive:
            session.abort()
        elif self._settings.linger_s <= 0:
            self._retire(session)
        else:
            loop = asyncio.get_running_loop()
            self._idle[session] = loop.call_later(self._settings.linger_s, self._expire, session)

    def _expire(self, session: Session) -> None:
        if self._idle.pop(session, None) is not None:
            self._retire(session)

    def _retire(self, session: Session) -> None:
        if session.dead:
            session.abort()
            return
        task = asyncio.get_running_loop().create_task(session.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Log out everywhere."""
        for session, timer in list(self._idle.items()):
            timer.cancel()
            self._expire(session)
        if self._ending:
            await asyncio.gather(*self._ending, return_exceptions=True)


async def _folder_problem(session: Session, folder: str) -> Deferred | None:
    """Return what is wrong with the folder itself."""
    import asyncssh

    try:
        there = await session.ask(session.sftp.stat(folder or "."))
    except (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost):
        raise
    except asyncssh.SFTPError as error:
        why = f"{folder}: the folder is missing, or not for us ({error.reason})"
        return Deferred(fault=Fault.PEER, why=why, connected=True)
    if not stat.S_ISDIR(there.permissions or 0):
        return Deferred(fault=Fault.PEER, why=f"{folder} is no folder", connected=True)
    return None


async def _writing_problem(session: Session, folder: str) -> Deferred | None:
    """Return what is wrong if nothing can be written into the folder itself."""
    import asyncssh

    path = posixpath.join(folder, ".waystation.probe")
    try:
        remote = await session.ask(session.sftp.open(path, "wb"))
        await session.ask(remote.close())
        await session.ask(session.sftp.remove(path))
    except _forbidden() as error:
        why = f"{folder}: we may not write there ({error.reason})"
        return Deferred(fault=Fault.PEER, why=why, connected=True)
    except (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost):
        raise
    except asyncssh.SFTPError:
        return None
    return None


def _forbidden() -> "tuple[type[SFTPError], ...]":
    import asyncssh

    return (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect)


def _of_the_object() -> "tuple[type[SFTPError], ...]":
    """What concerns this one file; anything else, such as a full disk, stops the lane."""
    import asyncssh

    return (
        *_forbidden(),
        asyncssh.SFTPInvalidFilename,
        asyncssh.SFTPNotADirectory,
        asyncssh.SFTPFileIsADirectory,
        asyncssh.SFTPLinkLoop,
        asyncssh.SFTPFileCorrupt,
    )


def _unknown(why: str) -> Deferred:
    return Deferred(fault=Fault.UNKNOWN, why=f"the connection was lost: {why}", connected=True)
