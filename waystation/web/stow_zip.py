"""Storing a ZIP archive of DICOM files: an upload, beyond PS3.18 (R-19, L27).

Contract: the body waits in a file without a name.  Its entries are taken in their order; names say
nothing and are not used, folders are passed over, an archive within the archive is no DICOM file.
More entries or bytes than the limits allow end the request: what was stored before is answered for.
"""

import asyncio
import os
import zipfile
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from pathlib import Path
from typing import IO, Final

from waystation.dicomweb.store_answer import UNREADABLE
from waystation.flows.deposit import Deposit

MOST_ENTRIES: Final = 20_000
MOST_BYTES: Final = 16 << 30
PIECE: Final = 512 * 1024
ENCRYPTED: Final = 1
BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class ZipError(Exception):
    """The body cannot be read as an archive; the text says why."""


class ByZip:
    """One body that is an archive; `close` must be called in the end."""

    def __init__(self, deposit: Deposit, study: str, folder: Path, disk: Executor) -> None:
        self._deposit = deposit
        self._study = study
        self._disk = disk
        handle = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._file: IO[bytes] = os.fdopen(handle, "w+b")
        self._bytes = 0

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    async def take(self, body: AsyncIterator[bytes]) -> None:
        """Read the whole body, then store its entries.  Raises `ZipError`, OSError."""
        run = asyncio.get_running_loop().run_in_executor
        async for data in body:
            await run(self._disk, self._file.write, data)
        try:
            archive = await run(self._disk, zipfile.ZipFile, self._file)
        except (zipfile.BadZipFile, ValueError) as error:
            raise ZipError(f"The body is no ZIP archive: {error}") from None
        entries = [one for one in archive.infolist() if not one.is_dir()]
        if not entries:
            raise ZipError("There is no file in the archive")
        if len(entries) > MOST_ENTRIES:
            raise ZipError(f"There are more than {MOST_ENTRIES} files in the archive")
        for number, entry in enumerate(entries, 1):
            if entry.flag_bits & ENCRYPTED:
                self._deposit.fail(UNREADABLE, f"file {number} of the archive is encrypted")
                continue
            await self._entry(archive, entry, number)

    async def _entry(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, number: int) -> None:
        run = asyncio.get_running_loop().run_in_executor
        self._deposit.begin(self._study)
        try:
            with await run(self._disk, archive.open, entry) as file:
                while data := await run(self._disk, file.read, PIECE):
                    self._bytes += len(data)
                    if self._bytes > MOST_BYTES:
                        raise _TooMuchError(f"the archive unpacks to more than {MOST_BYTES} bytes")
                    await self._deposit.take(data)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            await self._deposit.drop()
            self._deposit.fail(UNREADABLE, f"file {number} of the archive: {type(error).__name__}")
        except _TooMuchError as error:
            await self._deposit.drop()
            self._deposit.fail(UNREADABLE, str(error))
        else:
            await self._deposit.end()


class _TooMuchError(Exception):
    """More bytes than anybody should unpack."""
