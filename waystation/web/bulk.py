"""WADO-RS bulk data: one value, or all of them (PS3.18 sections 10.4.1.1.5, 8.7.3.3.1; W-66, W-84).

Contract: every BulkDataURI of the metadata leads here; the Content-Location of a part is that URI.
Compressed pixels are decoded, or given frame by frame as they are stored (``transfer-syntax=*``).
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.responses import Response

from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.dicomweb import multipart, paths
from waystation.dicomweb.accept import MULTIPART, OCTETS, Choice, Offer
from waystation.dicomweb.leaving import ANY, frame_leaving
from waystation.flows.bulk import BulkValues, NoValueError, Read, read_path
from waystation.flows.frames import Frames, batches
from waystation.flows.serving import UNFIT, WorkroomError
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.transforms.frames import decoded_size
from waystation.web import bodies
from waystation.web.asked import Asked, Refusal, not_acceptable
from waystation.web.bodies import Part, Pieces
from waystation.web.dicomweb import Resource
from waystation.web.wado import Store, unable, url_of

OFFERS: Final = (Offer(OCTETS, MULTIPART), Offer(OCTETS))


@dataclass(frozen=True, slots=True)
class Bulk:
    """What bulk data is served from."""

    store: Store
    values: BulkValues
    frames: Frames

    def resources(self) -> list[Resource]:
        """Return the resources."""
        all_of = [
            Resource(
                method="GET",
                template=template + "/bulkdata",
                handler=self._all_here,
                summary=f"The bulk data of one {name}",
                offers=OFFERS[:1],
                params=("accept",),
                pacs=True,
            )
            for name, template in (
                ("study", paths.STUDY),
                ("series", paths.SERIES),
                ("instance", paths.INSTANCE),
            )
        ]
        one = Resource(
            method="GET",
            template=paths.INSTANCE + "/bulkdata/{bulk*}",
            handler=self._one,
            summary="One value of bulk data",
            offers=OFFERS,
            params=("accept",),
            pacs=True,
        )
        return [*all_of, one]

    async def _all_here(self, asked: Asked) -> Response:
        asked.choices(OFFERS[:1])
        return await self.all(asked, await self.store.at(asked))

    async def all(self, asked: Asked, found: Sequence[Delivery]) -> Response:
        """Answer with the bulk data of objects."""
        choice = asked.choices(OFFERS[:1])[0]
        etag = bodies.etag_of(["bulk", str(choice), *(one.sha256 for one in found)])
        known = bodies.not_modified(asked, etag)
        if known is not None:
            return known
        token = bodies.boundary()
        headers = bodies.fields(etag, multipart.related(OCTETS, token))
        body = bodies.joined(token, self._parts(asked, found, choice))
        return bodies.Streamed(body, headers=headers)

    async def _parts(
        self, asked: Asked, found: Sequence[Delivery], choice: Choice
    ) -> AsyncGenerator[Part, None]:
        for one in found:
            read = await self.values.read(one)
            for path in read.paths():
                for part in await self._made(asked, read, path, choice):
                    yield part

    async def _one(self, asked: Asked) -> Response:
        path = asked.path["bulk"].upper()
        try:
            read_path(path)
        except ValueError as error:
            raise Refusal(400, "The request is not understood", str(error)) from None
        delivery = (await self.store.at(asked))[0]
        try:
            return await self._value(asked, await self.values.read(delivery), path)
        except NoValueError:
            raise Refusal(404, "There is no such value") from None
        except StorageError as error:
            raise Refusal(500, "The object cannot be read", retryable=False) from error
        except WorkroomError as error:
            raise unable(error) from error
        except UNFIT as error:
            raise Refusal(406, "The value cannot be converted", str(error)) from error

    async def _value(self, asked: Asked, read: Read, path: str) -> Response:
        media = read.value(path).media
        typed = (Offer(media), Offer(media, MULTIPART)) if media else ()
        choice = asked.choices((*OFFERS, *typed))[0]
        etag = bodies.etag_of(
            [read.delivery.sha256, path, str(choice)], weak=bool(choice.offer.outer)
        )
        known = bodies.not_modified(asked, etag)
        if known is not None:
            return known
        parts = await self._made(asked, read, path, choice)
        if choice.offer.outer:
            return bodies.several(choice.offer.media, parts, etag)
        if len(parts) > 1:
            raise not_acceptable(OFFERS[:1], "These are several frames: ask for multipart")
        return bodies.single(asked, parts[0], etag)

    async def _made(self, asked: Asked, read: Read, path: str, choice: Choice) -> list[Part]:
        url = url_of(asked.base, read.delivery)
        value = read.value(path)
        if value.encapsulated:
            return await self._pixels(read, url, path, choice)
        media = choice.offer.media
        return [
            Part(
                media=media,
                syntax=EXPLICIT_VR_LE if media == OCTETS else "",
                location=f"{url}/bulkdata/{path}",
                size=value.size,
                pieces=lambda: self.values.pieces(read, value),
            )
        ]

    async def _pixels(self, read: Read, url: str, path: str, choice: Choice) -> list[Part]:
        """Return compressed pixels: decoded as one value, or frame by frame as they are."""
        one = read.delivery
        syntax = frame_leaving(one.transfer_syntax_uid, choice.transfer_syntax, self.store.codecs)
        if not syntax:
            raise not_acceptable(OFFERS, f"Stored in transfer syntax {one.transfer_syntax_uid}")
        opened = await self.frames.open(one)
        location = f"{url}/bulkdata/{path}"
        if syntax == EXPLICIT_VR_LE:
            _, total = decoded_size(opened.pixels, opened.n_frames)

            async def decoded() -> Pieces:
                left = total
                for numbers in batches(opened, range(opened.n_frames)):
                    made = await self.frames.converted(opened, numbers, syntax)
                    try:
                        for place in range(len(numbers)):
                            async for piece in made.pieces(place):
                                left -= len(piece)
                                yield piece
                    finally:
                        made.drop()
                if left:
                    yield bytes(left)

            return [
                Part(media=OCTETS, syntax=syntax, location=location, size=total, pieces=decoded)
            ]
        if choice.transfer_syntax not in (None, ANY) and syntax != one.transfer_syntax_uid:
            raise not_acceptable(OFFERS, f"Stored in transfer syntax {one.transfer_syntax_uid}")
        return [
            Part(
                media=OCTETS,
                syntax=syntax,
                location=location,
                size=opened.size(number),
                pieces=partial(self.frames.pieces, opened, number),
            )
            for number in range(opened.n_frames)
        ]
