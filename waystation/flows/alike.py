"""Whether an object that came again under its UID is the same image, only coded otherwise (R-75).

Contract: two objects are alike if their heads are equal by value and their pixels are equal after
lossless decoding.  What cannot be decoded without loss, or not at all, is not alike: then it is
for a person to say.  Only asked for where ``[duplicates] compare = "content"``.
"""

import hashlib
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing

import structlog

from waystation.codecs.pool import CodecPool
from waystation.db.engine import Database
from waystation.destinations.base import Cargo, Pieces
from waystation.destinations.recoding import UNFIT, WorkroomError, recode
from waystation.dicom.elements import Elem, Tree
from waystation.dicom.tree import parse
from waystation.dicom.uids import (
    DEFLATED,
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_VR_LE,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    JPEG_2000_LOSSLESS,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
    UNCOMPRESSED,
)
from waystation.dicom.walk import Walker
from waystation.journal import arrivals
from waystation.model.arrival import Arrival
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError

log = structlog.get_logger()
PIXEL_HEADER = 12
# Anything else may be padded (PS3.5 6.2).
BINARY = frozenset(
    ("AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "UN", "US", "UV")
)
# Nothing is lost in them; all others are compared byte by byte only.
LOSSLESS = UNCOMPRESSED | {
    *(DEFLATED, ENCAPSULATED_UNCOMPRESSED, RLE_LOSSLESS, JPEG_LOSSLESS, JPEG_LOSSLESS_SV1),
    *(JPEG_LS_LOSSLESS, JPEG_2000_LOSSLESS, HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL),
}
# What is compared one by one; an object of more versions is for a person.
MOST = 10


class Likeness:
    """Compares arrivals with what came before under the same UID."""

    def __init__(self, database: Database, cargo: Cargo, codecs: CodecPool) -> None:
        self._database = database
        self._cargo = cargo
        self._codecs = codecs

    async def of(self, arrival: Arrival, data: bytes | None) -> Collection[int]:
        """Return the ids of earlier arrivals that are the same image in other bytes.

        data: the data set if it rides in the journal, where it may not be yet.
        """
        uid = arrival.instance.sop_instance_uid
        earlier = await self._database.read(arrivals.versions(uid, arrival.id, MOST))
        others = [one for one in earlier if one.sha256 != arrival.sha256]
        if not others:
            return ()
        mine = await self._content(arrival, data)
        if not mine:
            return ()
        return [one.id for one in others if await self._content(one, None) == mine]

    async def _content(self, arrival: Arrival, data: bytes | None) -> str:
        """Return the digest of what an object says and shows, "" if that is not to be had."""
        has = arrival.instance.transfer_syntax_uid
        if has not in LOSSLESS:
            return ""
        delivery = as_delivery(arrival)
        try:
            payload = await self._cargo.load(delivery) if data is None else data
            made = await recode(delivery, payload, EXPLICIT_VR_LE, self._codecs)
            try:
                return await _digest(made.payload)
            finally:
                made.drop()
        except (*UNFIT, StorageError, WorkroomError) as error:
            log.warning("versions not compared", arrival=f"{arrival.id:x}", error=str(error))
            return ""


async def _digest(payload: bytes | Pieces) -> str:
    """Return the digest of an object in Explicit VR Little Endian: values, not their coding."""
    walker = Walker(EXPLICIT_VR_LE)
    tail = hashlib.sha256()
    seen = 0
    begun: list[bytes] = []
    async for piece in _pieces(payload):
        walker.feed(piece)
        if walker.tail < 0:
            begun.append(piece)
        else:
            # The header of the pixels may say OB or OW; their bytes are the same.
            begins = walker.tail + PIXEL_HEADER
            rest = b"".join([*begun, piece])
            start = max(0, begins - seen)
            tail.update(rest[start:])
            seen += len(rest)
            begun = []
    head = walker.finish()
    whole = hashlib.sha256(repr(_told(parse(head))).encode())
    whole.update(tail.digest())
    return whole.hexdigest()


async def _pieces(payload: bytes | Pieces) -> AsyncIterator[bytes]:
    if isinstance(payload, bytes):
        yield payload
        return
    async with aclosing(payload.pieces) as pieces:
        async for piece in pieces:
            yield piece


def _told(tree: Tree) -> list[object]:
    """Return the elements of a data set as values, without what only lays them out."""
    return [(elem.tag, _value(elem)) for elem in tree.elements if elem.tag & 0xFFFF]


def _value(elem: Elem) -> object:
    if elem.items is not None:
        return [_told(item) for item in elem.items]
    value = elem.value or b""
    return value if elem.vr in BINARY else value.rstrip(b"\0 ")


def as_delivery(arrival: Arrival) -> Delivery:
    """Return the stored object as what loads bytes takes it; it is no delivery of the journal."""
    found = arrival.instance
    return Delivery(
        id=0,
        arrival_id=arrival.id,
        destination="",
        study_uid=found.study_uid,
        series_uid=found.series_uid,
        sop_class_uid=found.sop_class_uid,
        sop_instance_uid=found.sop_instance_uid,
        transfer_syntax_uid=found.transfer_syntax_uid,
        calling_ae=arrival.source.calling_ae,
        blob=arrival.blob,
        size_bytes=arrival.size_bytes,
        sha256=arrival.sha256,
        received_at=arrival.received_at,
    )
