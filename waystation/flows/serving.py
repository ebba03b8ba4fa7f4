"""Objects of the archive in the transfer syntax that a reader over HTTP takes.

Contract: bytes are compared with their digest before any of them leave (S-13).  What is small is
held whole, the rest is read in pieces; nothing waits for a reader but the reader's own answer.
`Ready.drop` must be called in the end.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from waystation.codecs.pool import CodecPool
from waystation.destinations.base import Cargo, Pieces
from waystation.destinations.recoding import UNFIT, WorkroomError, recode
from waystation.dicom.part10 import file_meta
from waystation.model.delivery import Delivery

__all__ = ["UNFIT", "Objects", "Ready", "WorkroomError", "meta_of"]


def meta_of(delivery: Delivery, transfer_syntax_uid: str) -> bytes:
    """Return what stands before the data set in a file: as it was sealed, where nothing changed."""
    return file_meta(
        delivery.sop_class_uid,
        delivery.sop_instance_uid,
        transfer_syntax_uid,
        source_ae=delivery.calling_ae,
    )


@dataclass(slots=True, kw_only=True)
class Ready:
    """One object that can be sent now.  size_bytes: of its data set, None if nobody knows yet."""

    delivery: Delivery
    transfer_syntax_uid: str
    size_bytes: int | None
    payload: bytes | Pieces
    drop: Callable[[], None] = field(default=lambda: None)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the data set."""
        if isinstance(self.payload, bytes):
            yield self.payload
            return
        async with aclosing(self.payload.pieces) as pieces:
            async for piece in pieces:
                yield piece


class Objects:
    """Reads objects.  cargo: gives their verified bytes.  codecs: None for no conversion.

    version: of what the cargo changes in the objects of a study, "" for nothing.
    """

    def __init__(
        self,
        cargo: Cargo,
        codecs: CodecPool | None,
        version: Callable[[str], str] = lambda _study: "",
    ) -> None:
        self.cargo = cargo
        self.codecs = codecs
        self.version = version

    async def ready(
        self, delivery: Delivery, syntax: str, *, otherwise: str | None = None
    ) -> Ready:
        """Return an object in ``syntax``.

        otherwise: the syntax to fall back to where it turns out that it cannot be converted.
        Raises `StorageError`, `WorkroomError`, and those of `UNFIT`.
        """
        stored = delivery.transfer_syntax_uid
        payload = await self.cargo.load(delivery)
        if syntax == stored:
            return Ready(
                delivery=delivery,
                transfer_syntax_uid=stored,
                size_bytes=_size(delivery, payload),
                payload=payload,
            )
        try:
            made = await recode(delivery, payload, syntax, self.codecs)
        except UNFIT:
            if otherwise is None or otherwise == syntax:
                raise
            return await self.ready(delivery, otherwise)
        return Ready(
            delivery=delivery,
            transfer_syntax_uid=syntax,
            size_bytes=made.size_bytes,
            payload=made.payload,
            drop=made.drop,
        )


def _size(delivery: Delivery, payload: bytes | Pieces) -> int:
    if isinstance(payload, bytes):
        return len(payload)
    return delivery.size_bytes if payload.size_bytes is None else payload.size_bytes
