"""Rendered images of studies, series, instances and frames (PS3.18 section 10.4.1.1.3; W-67, W-86).

Contract: one picture leaves by itself, several as parts.  A caller that takes only a single picture
of many gets the one that stands for the instance, and a warning that says so; for a study or a
series that is 406.  Everything wrong with the request is known before the status is sent, and so is
whether the first object can be drawn; one that cannot be drawn later breaks the connection.
Objects without pixels are left out of a study or series; a document leaves as it is stored, a
structured report as a page of HTML.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar, cast

from starlette.responses import Response

import waystation
from waystation.dicomweb import multipart, paths
from waystation.dicomweb.accept import MULTIPART, Choice, Offer
from waystation.dicomweb.fragments import read_frame_list
from waystation.flows.rendering import (
    UNFIT,
    Drawing,
    Renderings,
    WorkroomError,
    is_state,
    only_picture,
    pictures,
)
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.transforms.render_icon import PREFIX, is_image
from waystation.transforms.render_job import REPRESENTATIVE, Kind, RenderJob
from waystation.web import bodies
from waystation.web.asked import Asked, Refusal, not_acceptable
from waystation.web.bodies import Part, Pieces
from waystation.web.dicomweb import Resource
from waystation.web.rendering_words import PARAMETERS, job_of
from waystation.web.wado import Store, unable, url_of

KINDS: Final = {"image/jpeg": "jpeg", "image/png": "png", "image/gif": "gif"}
SINGLE: Final = tuple(Offer(media) for media in KINDS)
MANY: Final = tuple(Offer(media, MULTIPART) for media in KINDS)
OFFERS: Final = (SINGLE[0], MANY[0], *SINGLE[1:], *MANY[1:])
PDF: Final = Offer("application/pdf")
HTML: Final = Offer("text/html")
PDF_CLASS: Final = PREFIX + "104.1"
REPORTS: Final = PREFIX + "88."
LEVELS: Final = (
    ("study", paths.STUDY, "The images of one study as pictures"),
    ("series", paths.SERIES, "The images of one series as pictures"),
    ("instance", paths.INSTANCE, "One instance as pictures, or its document"),
    ("frames", paths.INSTANCE + "/frames/{frames}", "Frames of one instance as pictures"),
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Target:
    """One object to draw.  state: the presentation state that says how."""

    delivery: Delivery
    state: Delivery | None = None


def rendered_resources(store: Store, renderings: Renderings) -> list[Resource]:
    """Return the resources."""
    sender = _Sender(store, renderings)
    return [
        Resource(
            method="GET",
            template=template + "/rendered",
            handler=sender.frames if name == "frames" else sender.objects,
            summary=summary,
            offers=(*OFFERS, PDF, HTML) if name == "instance" else OFFERS,
            params=PARAMETERS,
            pacs=True,
        )
        for name, template, summary in LEVELS
    ]


def frame_numbers(asked: Asked) -> tuple[int, ...]:
    """Return the frames of a path, from 0."""
    try:
        return tuple(number - 1 for number in read_frame_list(asked.path["frames"]))
    except ValueError as error:
        raise Refusal(400, "The request is not understood", str(error)) from None


class _Sender:
    def __init__(self, store: Store, renderings: Renderings) -> None:
        self._store = store
        self._renderings = renderings

    async def frames(self, asked: Asked) -> Response:
        """Answer with frames of one instance."""
        job, choices = replace(job_of(asked), frames=frame_numbers(asked)), asked.choices(OFFERS)
        found = await self._store.at(asked)
        return await self._answer(asked, [_Target(found[0])], job, choices)

    async def objects(self, asked: Asked) -> Response:
        """Answer with what is in a study, series or instance."""
        job = job_of(asked)
        alone = "instance" in asked.path
        offers = (*OFFERS, PDF, HTML) if alone else OFFERS
        choices = asked.choices(offers)
        found = await self._store.at(asked)
        if alone and found[0].sop_class_uid == PDF_CLASS:
            return await self._document(asked, found[0], choices)
        if alone and found[0].sop_class_uid.startswith(REPORTS):
            return await self._report(asked, found[0], choices)
        choices = [choice for choice in choices if choice.offer not in (PDF, HTML)]
        targets = await self._targets(asked, found) if alone else []
        targets = targets or [_Target(one) for one in found if is_image(one.sop_class_uid)]
        if not targets or not choices:
            raise not_acceptable(offers, "There is nothing in it that can be drawn")
        return await self._answer(asked, targets, job, choices)

    async def _targets(self, asked: Asked, found: Sequence[Delivery]) -> list[_Target]:
        """Return the images of a presentation state, [] if it is none."""
        state = found[0]
        if not is_state(state.sop_class_uid):
            return []
        targets = []
        for series, instance in await self._made(self._renderings.shown_by(state)):
            path = {"study": state.study_uid, "series": series, "instance": instance}
            targets += [_Target(one, state) for one in await self._store.others(asked, path)]
        if not targets:
            raise not_acceptable(
                OFFERS, "The images that this presentation state shows are not here"
            )
        return targets

    async def _document(self, asked: Asked, one: Delivery, choices: Sequence[Choice]) -> Response:
        if all(choice.offer != PDF for choice in choices):
            raise not_acceptable((PDF,), "The instance is a document")
        etag = bodies.etag_of([one.sha256, PDF.media])
        known = bodies.not_modified(asked, etag)
        if known is not None:
            return known
        data = await self._made(self._renderings.document(one))
        return bodies.at_hand(asked, PDF.media, data, etag)

    async def _report(self, asked: Asked, one: Delivery, choices: Sequence[Choice]) -> Response:
        if all(choice.offer != HTML for choice in choices):
            raise not_acceptable((HTML,), "The instance is a report")
        etag = bodies.etag_of([self._store.edition(one), HTML.media, waystation.__version__])
        known = bodies.not_modified(asked, etag)
        if known is not None:
            return known
        text = await self._made(self._renderings.report(one))
        media = f"{HTML.media}; charset=utf-8"
        return bodies.at_hand(asked, media, text.encode(), etag)

    async def _answer(
        self, asked: Asked, targets: list[_Target], job: RenderJob, choices: Sequence[Choice]
    ) -> Response:
        choice, several = _chosen(asked, targets, job, choices)
        job = replace(job, kind=cast(Kind, KINDS[choice.offer.media]))
        if not several and not job.frames and job.kind != "gif":
            job = replace(job, frames=(REPRESENTATIVE,))
        drawn = [one for each in targets for one in (each.delivery, each.state) if one]
        editions = [self._store.edition(one) for one in drawn]
        offer = choice.offer.text
        etag = bodies.etag_of(["rendered", *editions, repr(job), offer, asked.base])
        known = bodies.not_modified(asked, etag)
        if known is not None:
            return known
        media = choice.offer.media
        if asked.is_head:
            return bodies.Streamed(_nothing(), headers=bodies.fields(etag, media))
        first = await self._first(asked, targets, job)
        if len(targets) == 1 and first.drawn.pictures == 1:
            return await self._single(asked, first, (media, etag), job)
        token = bodies.boundary()
        body = bodies.joined(token, self._parts(asked, targets, job, first))
        return bodies.Streamed(body, headers=bodies.fields(etag, multipart.related(media, token)))

    async def _first(self, asked: Asked, targets: list[_Target], job: RenderJob) -> Drawing:
        """Draw the first object that can be drawn; what is before it is left out."""
        why: Exception | None = None
        while targets:
            try:
                first = await self._draw(targets[0], job)
            except UNFIT as error:
                why = why or error
                if len(targets) > 1:
                    asked.warn("Instances that cannot be drawn were left out")
                del targets[0]
                continue
            except (StorageError, WorkroomError) as error:
                raise refused(error) from error
            if not first.drawn.pictures:
                first.drop()
                last = f"The last one is {first.drawn.frames}"
                raise Refusal(404, "There is no such frame", last)
            return first
        assert why is not None
        raise refused(why)

    async def _draw(self, target: _Target, job: RenderJob) -> Drawing:
        return await self._renderings.draw(target.delivery, job, target.state)

    async def _single(
        self, asked: Asked, first: Drawing, what: tuple[str, str], job: RenderJob
    ) -> Response:
        said = first.drawn
        if said.frames > 1 and job.frames == (REPRESENTATIVE,):
            asked.warn(f"This is frame {said.first + 1} of {said.frames}")
        try:
            data = await only_picture(first.made)
        finally:
            first.drop()
        return bodies.at_hand(asked, what[0], data, what[1])

    async def _parts(
        self, asked: Asked, targets: list[_Target], job: RenderJob, first: Drawing
    ) -> AsyncGenerator[Part, None]:
        """Yield all pictures; while one object is sent, the next is drawn."""
        now: Drawing | None = first
        ahead: asyncio.Task[Drawing] | None = None
        media = {kind: media for media, kind in KINDS.items()}[job.kind]
        try:
            for place, target in enumerate(targets):
                if now is None:
                    assert ahead is not None
                    now, ahead = await ahead, None
                if place + 1 < len(targets):
                    ahead = asyncio.create_task(self._draw(targets[place + 1], job))
                url = url_of(asked.base, target.delivery)
                async with aclosing(pictures(now.made)) as each:
                    number = 0
                    async for data in each:
                        frame = job.frames[number] if job.frames else number
                        more = f"/frames/{frame + 1}" if now.drawn.frames > 1 else ""
                        yield part(media, f"{url}{more}/rendered", data)
                        number += 1
                now.drop()
                now = None
        finally:
            if now is not None:
                now.drop()
            if ahead is not None:
                await _forget(ahead)

    async def _made(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except (StorageError, WorkroomError, *UNFIT) as error:
            raise refused(error) from error


async def _forget(ahead: asyncio.Task[Drawing]) -> None:
    ahead.cancel()
    with suppress(asyncio.CancelledError, StorageError, WorkroomError, *UNFIT):
        (await ahead).drop()


async def _nothing() -> Pieces:
    return
    yield b""


def _chosen(
    asked: Asked, targets: Sequence[_Target], job: RenderJob, choices: Sequence[Choice]
) -> tuple[Choice, bool]:
    """Return how it is sent, and whether that may be several pictures."""
    outer = {choice.offer.media for choice in choices if choice.offer.outer}
    many = len(targets) > 1 or len(job.frames) > 1
    for choice in choices:
        media = choice.offer.media
        if choice.offer.outer or media in outer or not many:
            return choice, media in outer
        if media == "image/gif" and len(targets) == 1:
            return choice, False
    raise not_acceptable(
        MANY,
        f"These are several pictures: {len(targets)} instances or more frames than one;"
        f" take them as {MANY[0].text}, or ask for one",
    )


def part(media: str, location: str, data: bytes) -> Part:
    """Return a picture as a body or a part."""

    async def pieces() -> Pieces:
        yield data

    return Part(media=media, syntax="", location=location, size=len(data), pieces=pieces)


def refused(error: Exception) -> Refusal:
    """Return how to say why there is no picture."""
    if isinstance(error, StorageError):
        return Refusal(500, "The object cannot be read", retryable=False)
    if isinstance(error, WorkroomError):
        return unable(error)
    return Refusal(406, "This cannot be drawn", str(error)[:300])
