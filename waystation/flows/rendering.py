"""Pictures of archived objects: who draws them, and what comes back (W-86 to W-88).

Contract: an object is compared with its digest before it is drawn (S-13).  A plain uncompressed
frame is drawn here, everything else by a codec child.  Words about the patient, in a picture or a
report, are those that leave with the object (T-32).  Video and what the child cannot draw are
those of `UNFIT`, with a sentence that says why; besides them `StorageError` and `WorkroomError`
are raised.  `Drawing.drop` must be called in the end.
"""

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from waystation.codecs.errors import CodecError
from waystation.codecs.inside import Inside
from waystation.codecs.pictures import Made, drawn, only_picture, pictures
from waystation.destinations.base import Pieces
from waystation.dicom.head import Head
from waystation.dicomweb.json_model import Composer, placed
from waystation.dicomweb.report_html import page
from waystation.flows.excerpts import Excerpts
from waystation.flows.serving import UNFIT, Objects, WorkroomError
from waystation.model.delivery import Delivery
from waystation.transforms.render_job import Drawn, RenderJob
from waystation.transforms.render_target import images, is_state

__all__ = [
    "UNFIT",
    "Drawing",
    "Renderings",
    "WorkroomError",
    "is_state",
    "only_picture",
    "pictures",
]

LARGEST_STATE: Final = 4 << 20
LARGEST_REPORT: Final = 16 << 20
VIDEO: Final = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))
DOCUMENT: Final = 0x00420011
AS_STORED: Final = "it is a video, which is not drawn here; take it as it is stored"


@dataclass(frozen=True, slots=True)
class Drawing:
    """The pictures of one object.  made: `pictures` takes them out of it."""

    drawn: Drawn
    made: Made

    def drop(self) -> None:
        """Let go of the pictures."""
        self.made.drop()


class Renderings:
    """Draws objects.

    excerpts: None to always read whole objects.  leaving: the objects as they leave, corrected.
    """

    def __init__(
        self,
        objects: Objects,
        excerpts: Excerpts | None = None,
        leaving: Objects | None = None,
    ) -> None:
        self._objects = objects
        self._leaving = leaving or objects
        self._excerpts = excerpts
        self._inside = Inside()

    async def draw(
        self, delivery: Delivery, job: RenderJob, state: Delivery | None = None
    ) -> Drawing:
        """Return pictures of an object; state: the presentation state that says how."""
        if delivery.transfer_syntax_uid.startswith(VIDEO):
            raise CodecError(AS_STORED)
        if self._objects.codecs is None:
            raise CodecError("pictures are not made here")
        digest = delivery.sha256
        if state is not None:
            text = base64.b64encode(await self._whole(state)).decode("ascii")
            job = replace(job, presentation=(state.transfer_syntax_uid, text))
        payload, job = await self._payload(delivery, job)
        if isinstance(payload, bytes):
            here = await self._inside.draw(payload, delivery.transfer_syntax_uid, job)
            if here is not None:
                return Drawing(*here)
        made = await self._objects.codecs.render(
            payload if isinstance(payload, bytes) else payload.pieces,
            digest=digest,
            syntax=delivery.transfer_syntax_uid,
            job=job,
        )
        return Drawing(drawn(made), made)

    async def _payload(
        self, delivery: Delivery, job: RenderJob
    ) -> tuple[bytes | Pieces, RenderJob]:
        if job.annotation and self._leaving.version(delivery.study_uid):
            return await self._leaving.cargo.load(delivery), job
        if self._excerpts is not None:
            cut = await self._excerpts.of(delivery, job)
            if cut is not None:
                return cut
        return await self._objects.cargo.load(delivery), job

    async def shown_by(self, state: Delivery) -> Sequence[tuple[str, str]]:
        """Return the images that a presentation state is for: (series, SOP instance)."""
        return images(await self._whole(state), state.transfer_syntax_uid)

    async def document(self, delivery: Delivery) -> bytes:
        """Return the document that an object encapsulates."""
        data = await self._whole(delivery, 256 << 20)
        head = Head.from_bytes(data, delivery.transfer_syntax_uid)
        if DOCUMENT not in head.elements:
            raise CodecError("it holds no document")
        _, start, length = head.elements[DOCUMENT]
        if start + length > len(data):
            raise CodecError("its document can only be had as bulk data")
        return data[start : start + length]

    async def report(self, delivery: Delivery) -> str:
        """Return a structured report as a page of HTML."""
        data = await self._whole(delivery, LARGEST_REPORT, self._leaving)
        return await asyncio.to_thread(_page, data, delivery.transfer_syntax_uid)

    async def _whole(
        self, delivery: Delivery, most: int = LARGEST_STATE, objects: Objects | None = None
    ) -> bytes:
        payload = await (objects or self._objects).cargo.load(delivery)
        if isinstance(payload, bytes) and len(payload) <= most:
            return payload
        if not isinstance(payload, bytes):
            await payload.pieces.aclose()
        raise CodecError(f"it is larger than the {most >> 20} MiB that are looked at")


def _page(data: bytes, syntax: str) -> str:
    text = Composer().text(Head.from_bytes(data, syntax), syntax)
    return page(json.loads(placed(text, "")))
