"""A program of this machine, run once for each object.

Contract: the program is started by its path and a list of arguments, never by a shell.  The object
lies in a file of our own name in a private folder that is gone when the program has ended; facts
about it come as environment variables, reduced to safe characters, in an environment that holds
nothing else of ours.  Exit code 0 is delivered, 75 (``EX_TEMPFAIL``) lets the lane wait, every
other one and a signal charge the object.  A program that runs too long is ended with all its
children, and its object's fate is unknown.  One that others may write to, or that is gone, blocks
the destination.
"""

import asyncio
import errno
import hashlib
import os
import secrets
import shutil
import signal
import stat
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waystation.destinations.base import Cargo, singly
from waystation.destinations.naming import component, read_template
from waystation.destinations.outgoing import OutgoingFile, outgoing
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import StorageError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused
from waystation.timing.status import classify_silence

TRY_LATER = 75
END_S = 5.0
FILE = "{file}"
OBJECT = "object.dcm"
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OUTPUT_BYTES = 4096
OUTPUT_SHOWN = 200
_SHORTAGES = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY}
_NAME = read_template("{arrival}.dcm")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings:
    """What to run.  command: program and arguments.

    work: a folder of the node's own, where private folders are made and old ones removed.
    """

    command: tuple[str, ...]
    work: Path
    timeout_s: float = 300.0
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    show_output: bool = False


class CommandDestination:
    """One ``[destination.NAME]`` of kind command."""

    def __init__(self, name: str, settings: CommandSettings) -> None:
        self.name = name
        self._settings = settings
        mark = hashlib.sha256(name.encode()).hexdigest()[:8]
        self._root = settings.work / f"{component(name)}-{mark}"
        self._swept = False

    def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """Run the program for each object; stop when it asks to wait or cannot be run."""
        return singly(batch, lambda delivery: self._one(delivery, cargo))

    async def probe(self) -> Deferred | None:
        """Look whether the program may be run; running it would need an object."""
        return await asyncio.to_thread(unfit, self._settings.command[0])

    async def close(self) -> None:
        """Nothing stays open."""

    async def _one(self, delivery: Delivery, cargo: Cargo) -> Outcome:
        if (problem := await self.probe()) is not None:
            return problem
        folder = self._root / secrets.token_hex(8)
        try:
            await asyncio.to_thread(self._make, folder)
            file = await outgoing(delivery, cargo, _NAME)
            await _write(folder / OBJECT, file)
            return await self._run(folder, delivery)
        except StorageError as error:
            return Refused(reason=HoldReason.CORRUPT, why=str(error))
        except OSError as error:
            why = f"{self._settings.work}: {error.strerror}"
            return Deferred(fault=Fault.TRANSIENT, why=why, connected=True)
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    def _make(self, folder: Path) -> None:
        """Make a private folder; the first time, remove what a crash left behind."""
        if not self._swept:
            shutil.rmtree(self._root, ignore_errors=True)
            self._swept = True
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(mode=0o700)

    async def _run(self, folder: Path, delivery: Delivery) -> Outcome:
        program, *words = self._settings.command
        arguments = [word.replace(FILE, str(folder / OBJECT)) for word in words]
        environment = environment_of(delivery, folder, self._settings.environment)
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                *arguments,
                cwd=folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE
                if self._settings.show_output
                else asyncio.subprocess.DEVNULL,
                # A process group of its own: its children can be ended with it.
                start_new_session=True,
            )
        except OSError as error:
            fault = Fault.TRANSIENT if error.errno in _SHORTAGES else Fault.PEER
            return Deferred(fault=fault, why=f"{program}: {error.strerror}", connected=True)
        said = asyncio.create_task(_tail(process.stderr))
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                code = await process.wait()
        except TimeoutError:
            return classify_silence(f"the program ran longer than {self._settings.timeout_s:g} s")
        finally:
            await asyncio.shield(_end(process))
            await asyncio.wait([said], timeout=END_S)
            said.cancel()
            _let_go(process)
        # Whoever left the process group may hold the output open for as long as it lives.
        return outcome_of(code, said.result() if said.done() else "")


def outcome_of(code: int, said: str = "") -> Outcome:
    """Return what the end of the program means; negative codes are signals."""
    if code == 0:
        return Delivered()
    why = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
    fault = Fault.TRANSIENT if code == TRY_LATER else Fault.OBJECT
    return Deferred(fault=fault, why=f"{why}: {said}" if said else why, connected=True)


def environment_of(
    delivery: Delivery, folder: Path, more: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """Return the whole environment of the program; values from the wire are made harmless."""
    told = {
        "SOP_INSTANCE_UID": delivery.sop_instance_uid,
        "SOP_CLASS_UID": delivery.sop_class_uid,
        "SERIES_UID": delivery.series_uid,
        "STUDY_UID": delivery.study_uid,
        "TRANSFER_SYNTAX_UID": delivery.transfer_syntax_uid,
        "CALLING_AE": delivery.calling_ae,
        "ARRIVAL": f"{delivery.arrival_id:x}",
        "DESTINATION": delivery.destination,
    }
    return {
        "PATH": SEARCH,
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "WAYSTATION_FILE": str(folder / OBJECT),
        **{f"WAYSTATION_{name}": component(value) for name, value in told.items()},
        **dict(more),
    }


def unfit(program: str) -> Deferred | None:
    """Return why a program must not be run: it is gone, or others could have changed it."""
    why = ""
    try:
        found = os.stat(program)
        if not stat.S_ISREG(found.st_mode) or not os.access(program, os.X_OK):
            why = "is no program that we may run"
        elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            why = "could be changed by others; take their right to write"
        elif found.st_uid not in (0, os.geteuid()):
            why = "belongs to another user"
        elif _open_to_all(os.stat(os.path.dirname(program)).st_mode):
            why = "lies in a folder that everyone may write to"
    except OSError as error:
        why = str(error.strerror)
    return Deferred(fault=Fault.PEER, why=f"{program} {why}", connected=True) if why else None


def _open_to_all(mode: int) -> bool:
    return bool(mode & stat.S_IWOTH and not mode & stat.S_ISVTX)


async def _write(path: Path, file: OutgoingFile) -> None:
    descriptor = await asyncio.to_thread(os.open, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        async with aclosing(file.pieces()) as pieces:
            async for piece in pieces:
                await asyncio.to_thread(_write_all, descriptor, piece)
    finally:
        await asyncio.to_thread(os.close, descriptor)
        await file.close()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


async def _tail(output: asyncio.StreamReader | None) -> str:
    """Read the output to its end; return the end of it on one line."""
    end = b""
    while output is not None and (piece := await output.read(OUTPUT_BYTES)):
        end = (end + piece)[-OUTPUT_BYTES:]
    words = " ".join(end.decode(errors="replace").split())
    return "".join(c if c.isprintable() else "?" for c in words)[-OUTPUT_SHOWN:]


async def _end(process: asyncio.subprocess.Process) -> None:
    """End what is left of the process group, politely first."""
    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await process.wait()
    # Children may outlive the program; none may go on with a file that is being removed.
    _signal(process.pid, signal.SIGKILL)
    await process.wait()


def _let_go(process: Any) -> None:
    """Close our end of the output: whoever holds the other may do so for days."""
    # asyncio has no public way to it once the process has ended.
    process._transport.close()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
