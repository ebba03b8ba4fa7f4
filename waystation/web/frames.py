"""WADO-RS frames (PS3.18 section 10.4.1.1.6; W-65, W-71, W-72, W-82, W-83).

Contract: one part per frame, in the order asked; decoded unless the caller takes the stored code
streams (``transfer-syntax=*``, or an image type).  Everything that can be wrong with the request is
known before the status is sent, and the first frames are decoded by then.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from starlette.responses import Response

from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.dicomweb import multipart, paths
from waystation.dicomweb.accept import MULTIPART, OCTETS, Choice, Offer
from waystation.dicomweb.fragments import read_frame_list
from waystation.dicomweb.leaving import ANY, FRAME_TYPES, NATIVE, frame_leaving, image_leaving
from waystation.flows.frames import ConvertedFrames, Frames, Opened, batches
from waystation.flows.serving import UNFIT, WorkroomError
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.web import bodies
from waystation.web.asked import Asked, Refusal, not_acceptable
from waystation.web.bodies import Part, Pieces
from waystation.web.dicomweb import Resource
from waystation.web.wado import Store, unable, url_of

MANY: Final = tuple(Offer(media, MULTIPART) for media in (OCTETS, *FRAME_TYPES))
ONE: Final = tuple(Offer(media) for media in (OCTETS, *FRAME_TYPES))
OFFERS: Final = (MANY[0], ONE[0], *MANY[1:], *ONE[1:])


def frame_resources(store: Store, frames: Frames) -> list[Resource]:
    """Return the resource."""

    async def retrieve(asked: Asked) -> Response:
        try:
            numbers = [number - 1 for number in read_frame_list(asked.path["frames"])]
        except ValueError as error:
            raise Refusal(400, "The request is not understood", str(error)) from None
        offers = OFFERS if len(numbers) == 1 else MANY
        choices = asked.choices(offers)
        delivery = (await store.at(asked))[0]
        offer, syntax = _chosen(store, delivery, choices, offers)
        etag = bodies.etag_of(
            [delivery.sha256, syntax, offer.text, asked.path["frames"]], weak=bool(offer.outer)
        )
        known = bodies.not_modified(asked, etag)
        if known is not None:
            return known
        return await _answer(asked, frames, _Want(delivery, numbers, offer, syntax, etag))

    return [
        Resource(
            method="GET",
            template=paths.INSTANCE + "/frames/{frames}",
            handler=retrieve,
            summary="Frames of one instance",
            offers=OFFERS,
            params=("accept",),
            pacs=True,
        )
    ]


class _Want:
    """What is sent.  numbers: of frames, from 0 on."""

    __slots__ = ("delivery", "etag", "numbers", "offer", "syntax")

    def __init__(
        self, delivery: Delivery, numbers: list[int], offer: Offer, syntax: str, etag: str
    ) -> None:
        self.delivery = delivery
        self.numbers = numbers
        self.offer = offer
        self.syntax = syntax
        self.etag = etag


def _chosen(
    store: Store, delivery: Delivery, choices: Sequence[Choice], offers: Sequence[Offer]
) -> tuple[Offer, str]:
    stored = delivery.transfer_syntax_uid
    for choice in choices:
        media, asked = choice.offer.media, choice.transfer_syntax
        if media == OCTETS:
            syntax = frame_leaving(stored, asked, store.codecs)
        else:
            syntax = image_leaving(media, stored, asked, store.codecs)
        if syntax:
            return choice.offer, syntax
    found = frame_leaving(stored, ANY, store.codecs)
    raise not_acceptable(offers, f"The frames are stored in transfer syntax {found}")


async def _answer(asked: Asked, frames: Frames, want: _Want) -> Response:
    try:
        opened = await frames.open(want.delivery)
    except StorageError as error:
        raise Refusal(500, "The object cannot be read", retryable=False) from error
    except UNFIT as error:
        raise Refusal(404, "There are no frames here", str(error)) from error
    if max(want.numbers) >= opened.n_frames:
        raise Refusal(404, "There is no such frame", f"The last one is {opened.n_frames}")
    same = want.syntax == want.delivery.transfer_syntax_uid
    is_native = want.delivery.transfer_syntax_uid in NATIVE and want.syntax == EXPLICIT_VR_LE
    sender = _Sender(asked, frames, opened, want)
    if asked.is_head or same or is_native:
        parts = [sender.stored(number) for number in want.numbers]
        if want.offer.outer:
            return bodies.several(want.offer.media, parts, want.etag)
        return bodies.single(asked, parts[0], want.etag)
    return await _decoded(asked, sender, want)


async def _decoded(asked: Asked, sender: "_Sender", want: _Want) -> Response:
    rows = batches(sender.opened, want.numbers)
    try:
        first = await sender.convert(rows[0])
    except StorageError as error:
        raise Refusal(500, "The object cannot be read", retryable=False) from error
    except WorkroomError as error:
        raise unable(error) from error
    except UNFIT as error:
        raise Refusal(406, "The frames cannot be converted", str(error)) from error
    if not want.offer.outer:
        return bodies.single(
            asked, sender.converted(first, 0, want.numbers[0], last=True), want.etag
        )
    token = bodies.boundary()
    body = bodies.joined(token, sender.all_converted(rows, first))
    headers = bodies.fields(want.etag, multipart.related(want.offer.media, token))
    return bodies.Streamed(body, headers=headers)


class _Sender:
    """Makes parts out of frames."""

    def __init__(self, asked: Asked, frames: Frames, opened: Opened, want: _Want) -> None:
        self.opened = opened
        self._frames = frames
        self._want = want
        self._url = url_of(asked.base, want.delivery)

    def _part(self, number: int, size: int, pieces: Pieces) -> Part:
        return Part(
            media=self._want.offer.media,
            syntax=self._want.syntax,
            location=f"{self._url}/frames/{number + 1}",
            size=size,
            pieces=lambda: pieces,
        )

    def stored(self, number: int) -> Part:
        """Return a frame as it is stored."""
        opened = self.opened
        return self._part(number, opened.size(number), self._frames.pieces(opened, number))

    async def convert(self, numbers: Sequence[int]) -> ConvertedFrames:
        """Convert some frames."""
        return await self._frames.converted(self.opened, numbers, self._want.syntax)

    def converted(self, made: ConvertedFrames, place: int, number: int, *, last: bool) -> Part:
        """Return one that was converted.  last: nothing of the batch is needed after it."""

        async def pieces() -> Pieces:
            try:
                async for piece in made.pieces(place):
                    yield piece
            finally:
                if last:
                    made.drop()

        return self._part(number, made.places[place][1], pieces())

    async def all_converted(
        self, rows: Sequence[Sequence[int]], first: ConvertedFrames
    ) -> AsyncGenerator[Part, None]:
        """Yield the parts of all batches; each is converted when its turn comes."""
        for place, numbers in enumerate(rows):
            made = await self.convert(numbers) if place else first
            try:
                for at, number in enumerate(numbers):
                    yield self.converted(made, at, number, last=False)
            finally:
                made.drop()
