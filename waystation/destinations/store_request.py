"""One store request: which objects it carries, and its body.

Contract: `cut` makes requests of a batch in its order.  A `StoreRequest` knows the length of its
body before the first byte and holds one object at most while it is written; `pieces` raises
`StorageError` when an object cannot be read or is not the one that was announced, before the body
is complete, so that no server can take it for whole.
"""

import hashlib
from collections.abc import AsyncGenerator, Container, Iterator, Sequence
from contextlib import aclosing

from waystation.destinations.base import Cargo, Pieces
from waystation.dicom.part10 import file_meta
from waystation.dicomweb import multipart
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError

# Small objects share a write; each one costs a turn through the HTTP stack.
WRITE_BYTES = 128 << 10
DAMAGED = "the stored object is damaged: its digest differs"
OTHER_SIZE = "the stored object is damaged: its size differs"


def cut(
    batch: Sequence[Delivery], alone: Container[int], most_objects: int, most_bytes: int
) -> Iterator[list[Delivery]]:
    """Yield the objects of one request after the other.

    alone: ids that share a request with nobody.  An object larger than ``most_bytes`` goes alone.
    """
    group: list[Delivery] = []
    names: set[str] = set()
    size = 0
    for delivery in batch:
        by_itself = delivery.id in alone
        full = len(group) >= most_objects or size + delivery.size_bytes > most_bytes
        # An answer tells of UIDs: with two of a name nobody would know which one was kept.
        if group and (
            by_itself or full or group[-1].id in alone or delivery.sop_instance_uid in names
        ):
            yield group
            group, size = [], 0
            names.clear()
        group.append(delivery)
        names.add(delivery.sop_instance_uid)
        size += delivery.size_bytes
    if group:
        yield group


class StoreRequest:
    """The body of one request.  place: of the object that is being written, in ``group``."""

    def __init__(self, group: Sequence[Delivery], cargo: Cargo, boundary: str) -> None:
        self.place = 0
        self._group = group
        self._cargo = cargo
        self._end = multipart.end(boundary)
        self._heads = [
            multipart.dicom_part(boundary)
            + file_meta(
                delivery.sop_class_uid,
                delivery.sop_instance_uid,
                delivery.transfer_syntax_uid,
                source_ae=delivery.calling_ae,
            )
            for delivery in group
        ]
        self.length = len(self._end) + sum(
            len(head) + delivery.size_bytes + len(multipart.CRLF)
            for head, delivery in zip(self._heads, group, strict=True)
        )

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body in pieces of a useful size, once."""
        gathered = bytearray()
        async with aclosing(self._parts()) as parts:
            async for part in parts:
                if len(part) >= WRITE_BYTES:
                    if gathered:
                        yield bytes(gathered)
                        gathered.clear()
                    yield part
                    continue
                gathered += part
                if len(gathered) >= WRITE_BYTES:
                    yield bytes(gathered)
                    gathered.clear()
        yield bytes(gathered)

    async def _parts(self) -> AsyncGenerator[bytes, None]:
        for place, (delivery, head) in enumerate(zip(self._group, self._heads, strict=True)):
            self.place = place
            payload = await self._cargo.load(delivery)
            yield head
            if isinstance(payload, bytes):
                if len(payload) != delivery.size_bytes:
                    raise StorageError(OTHER_SIZE)
                yield payload
            else:
                async with aclosing(_verified(payload, delivery)) as pieces:
                    async for piece in pieces:
                        yield piece
            yield multipart.CRLF
        yield self._end


async def _verified(payload: Pieces, delivery: Delivery) -> AsyncGenerator[bytes, None]:
    """Yield the pieces of a big object and see that they are still what was announced."""
    digest = hashlib.sha256()
    left = delivery.size_bytes
    async with aclosing(payload.pieces) as pieces:
        async for piece in pieces:
            left -= len(piece)
            if left < 0:
                break
            digest.update(piece)
            yield piece
    if left:
        raise StorageError(OTHER_SIZE)
    if digest.hexdigest() != delivery.sha256:
        raise StorageError(DAMAGED)
