"""One delivery as the file that the other side is to hold.

Contract: `outgoing` loads a delivery and gives its Part 10 file (PS3.10 section 7) under the name
that the template makes; `pieces` may be read once and in bounded memory, and raises `StorageError`
at its end if the bytes were not those whose digest was promised (S-13).  The digest is that of the
data set: two files whose meta information differs hold the same object.
"""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime

from waystation.destinations.base import Cargo, Pieces
from waystation.destinations.naming import Template
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.part10 import Meta, file_meta, read_meta
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError

# The elements that a name may show lie at the beginning of the data set.
_HEAD_BYTES = 1 << 20
_META_BYTES = 1 << 16


class OutgoingFile:
    """Name, size and bytes of one file.

    sha256: of its data set.  size_bytes: of the whole file.  draft_name: what it is called while
    it is written; each attempt of a delivery uses the same, and so removes what a crash left.
    """

    def __init__(
        self, delivery: Delivery, name: str, begun: bytes, rest: AsyncGenerator[bytes, None] | None
    ) -> None:
        self.name = name
        self.transfer_syntax_uid = delivery.transfer_syntax_uid
        self._meta = file_meta(
            delivery.sop_class_uid,
            delivery.sop_instance_uid,
            delivery.transfer_syntax_uid,
            source_ae=delivery.calling_ae,
        )
        self._begun = begun
        self._rest = rest
        whole = rest is None
        self.sha256 = hashlib.sha256(begun).hexdigest() if whole else delivery.sha256
        own = f"{delivery.destination}/{delivery.id}/{delivery.arrival_id}/{self.sha256}"
        self.draft_name = f".{hashlib.sha256(own.encode()).hexdigest()[:16]}.part"
        self.size_bytes = len(self._meta) + (len(begun) if whole else delivery.size_bytes)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the file, once."""
        yield self._meta + self._begun
        if self._rest is None:
            return
        digest = hashlib.sha256(self._begun)
        self._begun = b""
        async with aclosing(self._rest) as rest:
            async for piece in rest:
                digest.update(piece)
                yield piece
        if digest.hexdigest() != self.sha256:
            raise StorageError("the stored object is damaged: its digest differs")

    async def close(self) -> None:
        """Let go of what was not read."""
        if self._rest is not None:
            await self._rest.aclose()

    def likeness(self) -> "Likeness":
        """Return what compares an existing file with this one."""
        return Likeness(self.transfer_syntax_uid, self.sha256)


class Likeness:
    """Whether a file that is there already holds the same data set; fed piece by piece."""

    def __init__(self, transfer_syntax_uid: str, sha256: str) -> None:
        self._syntax = transfer_syntax_uid
        self._sha256 = sha256
        self._beginning = b""
        self._meta: Meta | None = None
        self._digest = hashlib.sha256()

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the file."""
        if self._meta is not None:
            self._digest.update(data)
            return
        self._beginning += data
        if len(self._beginning) >= _META_BYTES:
            self._begin()

    def equal(self) -> bool:
        """Tell whether what was fed is the same object."""
        if self._meta is None:
            self._begin()
        return (
            self._meta is not None
            and self._meta.transfer_syntax_uid == self._syntax
            and self._digest.hexdigest() == self._sha256
        )

    def _begin(self) -> None:
        """Read the meta information; what has none is nothing of ours."""
        try:
            self._meta = read_meta(self._beginning)
        except DatasetError:
            self._meta = Meta("", "", "", 0)
        self._digest.update(self._beginning[self._meta.data_set_offset :])
        self._beginning = b""


async def outgoing(delivery: Delivery, cargo: Cargo, template: Template) -> OutgoingFile:
    """Load a delivery as a file.  Raises `StorageError` if its bytes are not to be had."""
    payload = await cargo.load(delivery)
    begun, rest = payload, None
    if isinstance(payload, Pieces):
        begun, rest = b"", payload.pieces
        if template.keywords:
            begun = await _beginning(payload.pieces)
    assert isinstance(begun, bytes)
    values = _facts(delivery) | _elements(delivery, begun, template.keywords)
    return OutgoingFile(delivery, template.name(values), begun, rest)


async def _beginning(pieces: AsyncGenerator[bytes, None]) -> bytes:
    begun = bytearray()
    async for piece in pieces:
        begun += piece
        if len(begun) >= _HEAD_BYTES:
            break
    return bytes(begun)


def _facts(delivery: Delivery) -> dict[str, str]:
    received = datetime.fromtimestamp(delivery.received_at).astimezone()
    return {
        "SOPInstanceUID": delivery.sop_instance_uid,
        "SOPClassUID": delivery.sop_class_uid,
        "SeriesInstanceUID": delivery.series_uid,
        "StudyInstanceUID": delivery.study_uid,
        "calling_ae": delivery.calling_ae,
        "arrival": f"{delivery.arrival_id:x}",
        "received_date": received.strftime("%Y-%m-%d"),
    }


def _elements(delivery: Delivery, data: bytes, keywords: Sequence[str]) -> dict[str, str]:
    """Return the first value of each element; what cannot be read is missing."""
    if not keywords:
        return {}
    found: dict[str, str] = {}
    try:
        head = Head.from_bytes(data, delivery.transfer_syntax_uid, tail_missing=True)
        for word in keywords:
            values = head.values(word)
            found[word] = str(values[0]) if values else ""
    except DatasetError:
        return found
    return found
