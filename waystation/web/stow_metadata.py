"""Storing by metadata and bulk data (PS3.18 section 10.5.2; W-92).

Contract: metadata comes first, bulk data after it, joined by Content-Location; nothing is fetched
from anywhere else.  Bulk data waits in a file without a name, metadata in memory, up to its limit.
Each data set then becomes a file that is stored like any other.  Octets are uncompressed little
endian; compressed pixels come as an image type that names its transfer syntax.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from waystation.dicom.part10 import file_meta
from waystation.dicom.uids import EXPLICIT_VR_LE, is_uid
from waystation.dicomweb.accept import DICOM_JSON, DICOM_XML, JSON, ranges
from waystation.dicomweb.from_json import (
    MissingError,
    Outside,
    Where,
    data_sets,
    pieces,
    text_of,
)
from waystation.dicomweb.leaving import FRAME_TYPES
from waystation.dicomweb.multipart_reader import Begun, Data, Event, MultipartError
from waystation.dicomweb.store_answer import SYNTAX_NOT_SUPPORTED, UNREADABLE
from waystation.dicomweb.xml_model import from_xml
from waystation.flows.deposit import Deposit
from waystation.web.spool import Spool

MOST_METADATA: Final = 64 << 20
PIECE: Final = 1 << 20
METADATA: Final = (DICOM_JSON, DICOM_XML, JSON)
PIXELS: Final = "7FE00010"


@dataclass(slots=True)
class _Bulk:
    """One bulk part in the file.  media: its type; syntax: "" where it names none."""

    start: int
    size: int
    media: str
    syntax: str

    @property
    def is_frame(self) -> bool:
        return self.media in FRAME_TYPES


class ByMetadata:
    """One body of metadata and bulk data; `close` must be called in the end."""

    def __init__(self, deposit: Deposit, study: str, folder: Path) -> None:
        self._deposit = deposit
        self._study = study
        self._spool = Spool(folder)
        self._size = 0
        self._bulk: dict[str, _Bulk] = {}
        self._texts: list[tuple[str, bytearray]] = []
        self._into: bytearray | _Bulk | None = None

    def close(self) -> None:
        """Forget the bulk data."""
        self._spool.close()

    async def take(self, event: Event) -> None:
        """Take what the reader of the body has found."""
        if isinstance(event, Begun):
            self._into = self._begin(event.headers)
        elif isinstance(event, Data) and isinstance(self._into, bytearray):
            self._size += len(event.data)
            if self._size > MOST_METADATA:
                raise MultipartError(f"the metadata is longer than {MOST_METADATA >> 20} MiB")
            self._into += event.data
        elif isinstance(event, Data) and isinstance(self._into, _Bulk):
            await asyncio.to_thread(self._spool.write, event.data)
            self._into.size += len(event.data)

    def _begin(self, headers: Mapping[str, str]) -> bytearray | _Bulk | None:
        found = ranges(headers.get("content-type", "application/octet-stream"))
        if len(found) != 1:
            return None
        media = f"{found[0].main}/{found[0].sub}"
        location = headers.get("content-location", "")
        if media in METADATA and not location:
            self._texts.append((media, bytearray()))
            return self._texts[-1][1]
        syntax = found[0].param("transfer-syntax") or ""
        return self._bulk.setdefault(location, _Bulk(self._spool.size, 0, media, syntax))

    async def finish(self) -> None:
        """Store what the metadata describes.  Raises `MultipartError` if it cannot be read."""
        found: list[dict[str, Any]] = []
        try:
            for media, text in self._texts:
                found += [from_xml(bytes(text))] if media == DICOM_XML else data_sets(bytes(text))
        except ValueError as error:
            raise MultipartError(str(error)) from None
        if not found:
            raise MultipartError("there is no metadata in the body")
        for data_set in found:
            await self._store(data_set)

    async def _store(self, data_set: Mapping[str, Any]) -> None:
        names = text_of(data_set, "00080016"), text_of(data_set, "00080018")
        if not all(map(is_uid, names)):
            self._deposit.fail(UNREADABLE, "metadata without SOP Class or Instance UID")
            return
        syntax = self._syntax(data_set)
        if not syntax:
            self._deposit.fail(SYNTAX_NOT_SUPPORTED, "pixels in no named transfer syntax", names)
            return
        self._deposit.begin(self._study)
        try:
            await self._deposit.take(file_meta(*names, syntax))
            async for piece in self._written(data_set):
                await self._deposit.take(piece)
        except MissingError:
            await self._deposit.drop()
            self._deposit.fail(UNREADABLE, "bulk data is not in the request", names)
        except ValueError as error:
            await self._deposit.drop()
            self._deposit.fail(UNREADABLE, str(error), names)
        else:
            await self._deposit.end()

    def _syntax(self, data_set: Mapping[str, Any]) -> str:
        """Return the transfer syntax of the object, "" where its pixels do not say it."""
        pixels = data_set.get(PIXELS)
        uri = pixels.get("BulkDataURI") if isinstance(pixels, Mapping) else None
        bulk = self._bulk.get(str(uri))
        if bulk is None or not bulk.is_frame:
            return EXPLICIT_VR_LE
        return bulk.syntax if bulk.syntax in FRAME_TYPES[bulk.media] else ""

    def _find(self, uri: str) -> Where | None:
        bulk = self._bulk.get(uri)
        return None if bulk is None else Where(bulk.size, bulk.is_frame)

    def _load(self, uri: str) -> bytes:
        """Return a value inside a sequence, which must be whole."""
        bulk = self._bulk[uri]
        if bulk.size > MOST_METADATA:
            raise ValueError("a value inside a sequence is too long")
        return self._spool.part(bulk.start, bulk.size)

    async def _written(self, data_set: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        for piece in pieces(data_set, self._find, self._load):
            if not isinstance(piece, Outside):
                yield piece
                continue
            bulk = self._bulk[piece.uri]
            for at in range(0, bulk.size, PIECE):
                size = min(PIECE, bulk.size - at)
                yield await asyncio.to_thread(self._spool.part, bulk.start + at, size)
