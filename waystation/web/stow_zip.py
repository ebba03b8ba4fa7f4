"""Storing a ZIP archive of DICOM files: an upload, beyond PS3.18 (R-19, L27).

Contract: the body waits in a file without a name.  Its entries are taken in their order; names say
nothing and are not used, folders are passed over, an archive within the archive is no DICOM file.
Only what is stored or deflated is unpacked: of other methods nobody knows how much comes out.
More entries or bytes than the limits allow end the request: what was stored before is answered for.
"""

import asyncio
import errno
import io
import os
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from waystation.dicomweb.store_answer import UNREADABLE
from waystation.flows.deposit import Deposit

MOST_ENTRIES: Final = 20_000
MOST_BYTES: Final = 16 << 30
# Of the list at the end of an archive, which is held in memory: some 400 bytes for each entry.
LARGEST_LIST: Final = 8 << 20
LISTED: Final = b"PK\x01\x02"
PIECE: Final = 512 * 1024
# So much of a body is written until it is asked again whether anything is taken.
ASK_BYTES: Final = 8 << 20
ENCRYPTED: Final = 1
METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)


class ZipError(Exception):
    """The body cannot be read as an archive; the text says why.  status: of the answer."""

    def __init__(self, problem: str, status: int = 400) -> None:
        super().__init__(problem)
        self.status = status


class NotNowError(Exception):
    """Nothing is taken any more; the text says why."""


class _Body(io.BufferedRandom):
    """The file of a body.  room: bytes that may still be read, None for any number."""

    room: int | None = None
    listed = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return bytes; raise `ZipError` where a list of entries is longer than any may be."""
        if self.room is None:
            return super().read(size)
        most = self.room + 1
        data = super().read(most if size is None or size < 0 else min(size, most))
        self.room -= len(data)
        self.listed += data.count(LISTED)
        if self.room < 0 or self.listed > 2 * MOST_ENTRIES:
            raise ZipError("The list of files in the archive is too long", 413)
        return data


class ByZip:
    """One body that is an archive; `close` must be called in the end.

    hindered: why nothing is taken now, or "".
    """

    def __init__(
        self,
        deposit: Deposit,
        study: str,
        folder: Path,
        disk: Executor,
        hindered: Callable[[], str],
    ) -> None:
        self._deposit = deposit
        self._study = study
        self._disk = disk
        self._hindered = hindered
        handle = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._file = _Body(io.FileIO(handle, "r+"))
        self._bytes = 0

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    async def take(self, body: AsyncIterator[bytes]) -> None:
        """Read the whole body, then store its entries.

        Raises `ZipError`, `NotNowError`, and OSError where the disk does not take the body.
        """
        run = asyncio.get_running_loop().run_in_executor
        unasked = 0
        async for data in body:
            await run(self._disk, self._file.write, data)
            unasked += len(data)
            if unasked >= ASK_BYTES:
                unasked = 0
                if word := self._hindered():
                    raise NotNowError(word)
        archive = await run(self._disk, self._opened)
        entries = [one for one in archive.infolist() if not one.is_dir()]
        if not entries:
            raise ZipError("There is no file in the archive")
        if len(entries) > MOST_ENTRIES:
            raise ZipError(f"There are more than {MOST_ENTRIES} files in the archive", 413)
        for number, entry in enumerate(entries, 1):
            if not await self._taken(archive, entry, number):
                return

    def _opened(self) -> zipfile.ZipFile:
        """Read the list of entries; runs in a disk thread."""
        self._file.room = LARGEST_LIST
        try:
            return zipfile.ZipFile(self._file)
        except BROKEN as error:
            raise ZipError(f"The body is no ZIP archive: {error}") from None
        except OSError as error:
            # A list that is said to begin before the file.
            if error.errno != errno.EINVAL:
                raise
            raise ZipError("The body is no ZIP archive") from None
        finally:
            self._file.room = None

    async def _taken(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, number: int) -> bool:
        """Store an entry; return whether the next one may come."""
        if entry.flag_bits & ENCRYPTED:
            self._deposit.fail(UNREADABLE, f"file {number} of the archive is encrypted")
            return True
        if entry.compress_type not in METHODS:
            word = f"file {number} of the archive is packed in a way that is not taken"
            self._deposit.fail(UNREADABLE, word)
            return True
        self._deposit.begin(self._study)
        try:
            await self._unpacked(archive, entry)
        except _BrokenError as error:
            await self._deposit.drop()
            self._deposit.fail(UNREADABLE, f"file {number} of the archive: {error}")
        except _TooMuchError as error:
            await self._deposit.drop()
            self._deposit.fail(UNREADABLE, str(error))
            return False
        else:
            await self._deposit.end()
        return True

    async def _unpacked(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        run = asyncio.get_running_loop().run_in_executor
        with await run(self._disk, _begun, archive, entry) as file:
            while data := await run(self._disk, _piece, file):
                self._bytes += len(data)
                if self._bytes > MOST_BYTES:
                    raise _TooMuchError(f"the archive unpacks to more than {MOST_BYTES} bytes")
                await self._deposit.take(data)


def _begun(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> zipfile.ZipExtFile:
    try:
        found = archive.open(entry)
    except (*BROKEN, OSError) as error:
        raise _BrokenError(type(error).__name__) from error
    assert isinstance(found, zipfile.ZipExtFile)
    return found


def _piece(file: zipfile.ZipExtFile) -> bytes:
    try:
        return file.read(PIECE)
    except (*BROKEN, OSError) as error:
        raise _BrokenError(type(error).__name__) from error


class _BrokenError(Exception):
    """An entry that cannot be unpacked."""


class _TooMuchError(Exception):
    """More bytes than anybody should unpack."""
