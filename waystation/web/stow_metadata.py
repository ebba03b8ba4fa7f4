"""Storing by metadata and bulk data (PS3.18 section 10.5.2; W-92).

Contract: metadata comes first, bulk data after it, joined by Content-Location; nothing is fetched
from anywhere else.  Bulk data waits in a file without a name, metadata in memory, up to its limit.
Each data set then becomes a file that is stored like any other.  Octets are uncompressed little
endian; compressed pixels come as an image type.  Where it names no transfer syntax, the code stream
tells it, and what the metadata do not say of the pixels; PNG and GIF become uncompressed (W-98).
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from waystation.codecs.errors import CodecError, WorkroomError
from waystation.codecs.pool import CodecPool
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
from waystation.dicomweb.store_answer import (
    OUT_OF_RESOURCES,
    SYNTAX_NOT_SUPPORTED,
    UNREADABLE,
)
from waystation.dicomweb.xml_model import from_xml
from waystation.flows.deposit import Deposit
from waystation.model.errors import StorageError
from waystation.transforms.image_parts import (
    CONVERTED,
    UNCHANGED,
    Pixels,
    completed,
    described,
    pixels_of,
)
from waystation.web.spool import Spool

MOST_METADATA: Final = 64 << 20
PIECE: Final = 1 << 20
METADATA: Final = (DICOM_JSON, DICOM_XML, JSON)
PIXELS: Final = "7FE00010"
OCTETS: Final = "application/octet-stream"


@dataclass(slots=True)
class _Bulk:
    """One bulk part in a file.  media: its type; syntax: "" where it names none.

    is_frame: it is a code stream, and stays one.
    """

    spool: Spool
    start: int
    size: int
    media: str
    syntax: str
    is_frame: bool

    def read(self, at: int, size: int) -> bytes:
        """Return so many bytes at a place of the part, fewer at its end."""
        return self.spool.part(self.start + at, max(0, min(size, self.size - at)))

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the part."""
        for at in range(0, self.size, PIECE):
            yield await asyncio.to_thread(self.read, at, PIECE)


class ByMetadata:
    """One body of metadata and bulk data; `close` must be called in the end."""

    def __init__(
        self, deposit: Deposit, study: str, folder: Path, codecs: CodecPool | None = None
    ) -> None:
        self._deposit = deposit
        self._study = study
        self._folder = folder
        self._codecs = codecs
        self._spool = Spool(folder)
        self._spools = [self._spool]
        self._size = 0
        self._bulk: dict[str, _Bulk] = {}
        self._texts: list[tuple[str, bytearray]] = []
        self._into: bytearray | _Bulk | None = None

    def close(self) -> None:
        """Forget the bulk data."""
        for spool in self._spools:
            spool.close()

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
        found = ranges(headers.get("content-type", OCTETS))
        if len(found) != 1:
            return None
        media = f"{found[0].main}/{found[0].sub}"
        location = headers.get("content-location", "")
        if media in METADATA and not location:
            self._texts.append((media, bytearray()))
            return self._texts[-1][1]
        syntax = found[0].param("transfer-syntax") or ""
        is_frame = media in FRAME_TYPES or media in UNCHANGED
        fresh = _Bulk(self._spool, self._spool.size, 0, media, syntax, is_frame)
        return self._bulk.setdefault(location, fresh)

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
        try:
            data_set, syntax = await self._shown(data_set)
        except (ValueError, CodecError) as error:
            self._deposit.fail(UNREADABLE, str(error)[:64], names)
            return
        except (StorageError, WorkroomError):
            self._deposit.fail(OUT_OF_RESOURCES, "the pixels cannot be converted now", names)
            return
        if not syntax:
            self._deposit.fail(SYNTAX_NOT_SUPPORTED, "pixels in no known transfer syntax", names)
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

    async def _shown(self, data_set: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        """Return a data set that says all of its pixels, and its transfer syntax, "" for none.

        Raises ValueError, `CodecError`, `StorageError`, `WorkroomError`.
        """
        pixels = data_set.get(PIXELS)
        uri = pixels.get("BulkDataURI") if isinstance(pixels, Mapping) else None
        bulk = self._bulk.get(str(uri))
        if bulk is None:
            return data_set, EXPLICIT_VR_LE
        if bulk.media in CONVERTED:
            found = await self._converted(bulk)
            vr = "OB" if found.bits <= 8 else "OW"
            return completed({**data_set, PIXELS: {"vr": vr, "BulkDataURI": uri}}, found), (
                EXPLICIT_VR_LE
            )
        if bulk.syntax and bulk.is_frame:
            return data_set, bulk.syntax if bulk.syntax in FRAME_TYPES.get(bulk.media, ()) else ""
        if bulk.media in UNCHANGED:
            what = await asyncio.to_thread(described, bulk.media, bulk.read, bulk.size)
            bulk.start, bulk.size = bulk.start + what.start, what.size
            return completed(data_set, what.pixels), what.syntax
        is_octets = not bulk.media.startswith(("image/", "video/"))
        return data_set, EXPLICIT_VR_LE if is_octets else ""

    async def _converted(self, bulk: _Bulk) -> Pixels:
        """Put uncompressed pixels in the place of a picture; return what they are."""
        if self._codecs is None:
            raise ValueError("pictures are not converted here")
        digest = await asyncio.to_thread(_digest, bulk)
        made = await self._codecs.pixels(bulk.pieces(), digest=digest, kind=CONVERTED[bulk.media])
        spool = Spool(self._folder)
        self._spools.append(spool)
        try:
            async with aclosing(made.pieces()) as given:
                async for piece in given:
                    await asyncio.to_thread(spool.write, piece)
        finally:
            made.drop()
        bulk.spool, bulk.start, bulk.size, bulk.media = spool, 0, spool.size, OCTETS
        return pixels_of(made.changes)

    def _find(self, uri: str) -> Where | None:
        bulk = self._bulk.get(uri)
        return None if bulk is None else Where(bulk.size, bulk.is_frame)

    def _load(self, uri: str) -> bytes:
        """Return a value inside a sequence, which must be whole."""
        bulk = self._bulk[uri]
        if bulk.size > MOST_METADATA:
            raise ValueError("a value inside a sequence is too long")
        return bulk.read(0, bulk.size)

    async def _written(self, data_set: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        for piece in pieces(data_set, self._find, self._load):
            if not isinstance(piece, Outside):
                yield piece
                continue
            async for data in self._bulk[piece.uri].pieces():
                yield data


def _digest(bulk: _Bulk) -> str:
    digest = hashlib.sha256()
    for at in range(0, bulk.size, PIECE):
        digest.update(bulk.read(at, PIECE))
    return digest.hexdigest()
