"""Whether something is written in the pictures of an object: tesseract, in a process of its own.

Contract (D-36, S-41): `TextReader.frame_with_text` gives the first frame in which a word was read,
and never the word.  Text is a word that tesseract is sure enough of (`SURE_PERCENT`), high enough
to be no noise (`LEAST_PIXELS`), and with `FEWEST_CHARACTERS` letters or digits.  The program sees
pictures of our making on its standard input, and no name from anywhere; it is confined
(`codecs.text_child`).  If it fails, takes too long or says what nobody can read, `CodecError`; if
it is not there, `WorkroomError`.
"""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import waystation
from waystation.codecs.errors import CodecError, WorkroomError
from waystation.codecs.pictures import pictures
from waystation.codecs.pool import CodecPool

PROGRAM: Final = "tesseract"
HOW_TO_INSTALL: Final = "apt-get install tesseract-ocr"
# Sparse text in no order; the words with what is known of each, in columns.
ARGUMENTS: Final = ("stdin", "stdout", "--psm", "11", "-l", "eng", "tsv")
COLUMNS, HEIGHT_COLUMN, SURE_COLUMN, WORD_COLUMN = 12, 9, 10, 11
SURE_PERCENT, FEWEST_CHARACTERS, LEAST_PIXELS = 60.0, 3, 10
CHILD: Final = "waystation.codecs.text_child"
# Nothing else of our environment: secrets may stand there.
HANDED_ON = ("PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONHOME", "TESSDATA_PREFIX")
ENVIRONMENT = {"LANG": "C.UTF-8", "OMP_THREAD_LIMIT": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """side_by_side: pictures at a time.  cpu_s, picture_s: for one of them, by either clock."""

    side_by_side: int = 2
    address_bytes: int = 2 << 30
    cpu_s: int = 60
    picture_s: float = 180.0


def program(environ: Mapping[str, str] | None = None) -> str | None:
    """Return where tesseract is, None if it is not installed."""
    path = (os.environ if environ is None else environ).get("PATH")
    return shutil.which(PROGRAM, path=path)


class TextReader:
    """Of one node.  pool: draws the pictures.  named: the program, if not the one of the PATH."""

    def __init__(
        self, pool: CodecPool, limits: ReadingLimits | None = None, *, named: str | None = None
    ) -> None:
        self._pool = pool
        self._limits = limits or ReadingLimits()
        self._named = named
        self._room = asyncio.Semaphore(self._limits.side_by_side)

    async def frame_with_text(
        self, source: bytes | AsyncIterator[bytes], *, digest: str, syntax: str
    ) -> int | None:
        """Return the first frame, from 1, with text in it, None if none was found.

        source: a data set as it is to leave.  digest: SHA-256 of the object as it was received.
        Raises `CodecError`, `WorkroomError`, and whatever ``source`` raises.
        """
        path = self._named or program()
        if path is None:
            raise WorkroomError(f"text in pixels is read by {PROGRAM}, which is not installed")
        made = await self._pool.legible(source, digest=digest, syntax=syntax)
        try:
            frames = iter(made.changes)
            async with aclosing(pictures(made)) as shown:
                async for picture in shown:
                    frame = int(next(frames))
                    if await self._has_text(path, picture, frame):
                        return frame
        finally:
            made.drop()
        return None

    async def _has_text(self, path: str, picture: bytes, frame: int) -> bool:
        async with self._room:
            said, code = await self._said(path, picture)
        lines = said.decode("utf-8", "replace").splitlines()
        if code or not lines or len(lines[0].split("\t")) != COLUMNS:
            raise CodecError(f"the program that reads text failed in frame {frame} (exit {code})")
        return any(map(is_word, lines[1:]))

    async def _said(self, path: str, picture: bytes) -> tuple[bytes, int]:
        """Return what the program writes about a picture, and its exit code."""
        limits = self._limits
        environment = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        home = str(Path(waystation.__file__).parent.parent)
        numbers = map(str, (os.getpid(), limits.address_bytes, limits.cpu_s))
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", CHILD, *numbers, path, *ARGUMENTS),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={**environment, **ENVIRONMENT, "PYTHONPATH": home},
                start_new_session=True,
            )
        except OSError as error:
            raise WorkroomError(f"no process that reads text: {error.strerror}") from error
        try:
            async with asyncio.timeout(limits.picture_s):
                said, _ = await process.communicate(picture)
        except TimeoutError as error:
            problem = f"reading text in its pixels took longer than {limits.picture_s:g} s"
            raise CodecError(problem) from error
        finally:
            await _ended(process)
        return said, process.returncode or 0


def is_word(line: str) -> bool:
    """Tell whether a line of tesseract's table is a word that counts."""
    columns = line.split("\t")
    if len(columns) != COLUMNS:
        return False
    try:
        sure, height = float(columns[SURE_COLUMN]), int(columns[HEIGHT_COLUMN])
    except ValueError:
        return False
    characters = sum(map(str.isalnum, columns[WORD_COLUMN]))
    enough = height >= LEAST_PIXELS and characters >= FEWEST_CHARACTERS
    return enough and sure >= SURE_PERCENT


async def _ended(process: Process) -> None:
    """End a process that has not ended, and let its pipes close."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        with suppress(ConnectionError):
            await process.communicate()
