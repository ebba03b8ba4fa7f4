"""WADO-RS: studies, series and instances as they were received (PS3.18 section 10.4; W-63).

Contract (W-14 to W-16, W-19, W-69 to W-77, W-89, W-90): objects leave in the order of series and
instances, one in memory and the next on its way.  Before the status is sent it is known that each
of them can be had in a syntax that the caller takes; those that cannot are counted in a warning
and make it 206.  The first object is read before the status, so that its failure still is one.
What a PACS still has to send leaves as it lands (`waystation.web.landing`).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from starlette.responses import Response

from waystation.dicomweb import multipart, paths
from waystation.dicomweb.accept import DICOM, MULTIPART, OCTETS, Choice, Offer
from waystation.dicomweb.leaving import ANY, Codecs, leaving, stored_form
from waystation.flows.serving import UNFIT, Objects, Ready, WorkroomError, meta_of
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.web import bodies
from waystation.web.asked import Asked, Refusal, not_acceptable
from waystation.web.bodies import Part, Pieces
from waystation.web.brokered import Broker, Live
from waystation.web.dicomweb import Handler, Resource
from waystation.web.landing import landing
from waystation.web.study_limit import StudyLimit

WHOLE: Final = Offer(DICOM, MULTIPART)
ALONE: Final = Offer(DICOM)
BULK: Final = Offer(OCTETS, MULTIPART)
# While one object is sent, the next is read if it is no bigger.
AHEAD_BYTES: Final = 2 << 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """What retrieval needs of the node.

    deliveries: the objects that the archive shows at a path.  was_here: tells whether objects of
    that path were deleted.  as_stored: whether nothing is converted unless that is asked for.
    broker: what is not in the archive, None if there is only that.  limit: of whole studies.
    """

    deliveries: Callable[[Mapping[str, str]], Awaitable[Sequence[Delivery]]]
    was_here: Callable[[Mapping[str, str]], Awaitable[bool]]
    objects: Objects
    codecs: Codecs
    as_stored: Callable[[], bool]
    broker: Broker | None = None
    limit: StudyLimit = field(default_factory=StudyLimit)

    async def at(self, asked: Asked) -> Sequence[Delivery]:
        """Return the objects of a request; `Refusal` 404 or 410 if there are none."""
        if self.broker is not None and self.broker.serves(asked):
            return await self.broker.all(asked)
        return await self.own(asked)

    async def opened(self, asked: Asked) -> Sequence[Delivery] | Live:
        """Return the objects of a request, or the first of those that are still coming."""
        if self.broker is not None and self.broker.serves(asked):
            return await self.broker.opened(asked)
        return await self.own(asked)

    async def others(self, asked: Asked, path: Mapping[str, str]) -> Sequence[Delivery]:
        """Return objects at another path of the same source, [] if there are none."""
        if self.broker is not None and self.broker.serves(asked):
            return await self.broker.others(asked, path)
        return await self.deliveries(path)

    async def own(self, asked: Asked) -> Sequence[Delivery]:
        """Return the objects of our archive; `Refusal` 404 or 410 if there are none."""
        found = await self.deliveries(asked.path)
        if found:
            return found
        if await self.was_here(asked.path):
            raise Refusal(410, "This was deleted here")
        raise Refusal(404, "Nothing of this kind is here")

    def edition(self, one: Delivery) -> str:
        """Return what changes with an object and with what is corrected of its study."""
        return one.sha256 + self.objects.version(one.study_uid)

    def syntax_of(self, choice: Choice) -> str | None:
        """Return which syntax a choice asks for."""
        if choice.transfer_syntax is None and self.as_stored():
            return ANY
        return choice.transfer_syntax


def url_of(base: str, one: Delivery) -> str:
    """Return the URL of an object."""
    return (
        f"{base}/studies/{one.study_uid}/series/{one.series_uid}/instances/{one.sop_instance_uid}"
    )


@dataclass(frozen=True, slots=True)
class _Leaving:
    """One object and the syntax that was chosen; free: the caller named none."""

    delivery: Delivery
    syntax: str
    free: bool


def retrieve_resources(
    store: Store, bulk: Callable[[Asked, Sequence[Delivery]], Awaitable[Response]]
) -> list[Resource]:
    """Return the resources.  bulk: answers with the bulk data of objects."""
    return [
        Resource(
            method="GET",
            template=template,
            handler=_handler(store, bulk, alone=name == "instance"),
            summary=f"The instances of one {name}" if name != "instance" else "One instance",
            offers=(WHOLE, ALONE, BULK) if name == "instance" else (WHOLE, BULK),
            params=("accept",),
            pacs=True,
        )
        for name, template in (
            ("study", paths.STUDY),
            ("series", paths.SERIES),
            ("instance", paths.INSTANCE),
        )
    ]


def _handler(
    store: Store,
    bulk: Callable[[Asked, Sequence[Delivery]], Awaitable[Response]],
    *,
    alone: bool,
) -> Handler:
    offers = (WHOLE, ALONE, BULK) if alone else (WHOLE, BULK)

    async def retrieve(asked: Asked) -> Response:
        choices = asked.choices(offers)
        if "series" not in asked.path and not asked.is_head:
            store.limit.take(asked)
        if not alone and _goes_as_it_comes(store, choices):
            opened = await store.opened(asked)
            if isinstance(opened, Live):
                return await _landing(asked, store, opened, choices[0])
            found = opened
        else:
            found = await store.at(asked)
        for offer in dict.fromkeys(choice.offer for choice in choices):
            if offer == BULK:
                return await bulk(asked, found)
            syntaxes = [store.syntax_of(one) for one in choices if one.offer == offer]
            chosen = [one for one in map(_choose(store.codecs, syntaxes), found) if one.syntax]
            if chosen:
                return await _answer(asked, store.objects, chosen, len(found), offer)
        raise not_acceptable(offers, _available(found))

    return retrieve


def _goes_as_it_comes(store: Store, choices: Sequence[Choice]) -> bool:
    """Tell whether every object fits what is taken first, so that none need be seen before."""
    best = choices[0]
    return best.offer == WHOLE and store.syntax_of(best) in (None, "", ANY)


async def _landing(asked: Asked, store: Store, live: Live, choice: Choice) -> Response:
    """Answer with objects as they land."""
    choose = _choose(store.codecs, [store.syntax_of(choice)])

    async def read(one: Delivery) -> Ready:
        return await _ready(store.objects, choose(one))

    first = await readable(read(live.first))
    return landing(first, live.rest, read, partial(_part, asked))


def sender(store: Store) -> Callable[[Asked, Delivery, str | None], Awaitable[Response]]:
    """Return what answers with one object alone, in a transfer syntax that was named or in none."""

    async def send(asked: Asked, one: Delivery, syntax: str | None) -> Response:
        wanted = store.syntax_of(Choice(ALONE, syntax))
        chosen = _choose(store.codecs, [wanted])(one)
        if not chosen.syntax:
            raise not_acceptable((ALONE,), _available([one]))
        return await _answer(asked, store.objects, [chosen], 1, ALONE)

    return send


def _choose(codecs: Codecs, syntaxes: Sequence[str | None]) -> Callable[[Delivery], _Leaving]:
    def choose(one: Delivery) -> _Leaving:
        for asked in syntaxes:
            found = leaving(one.transfer_syntax_uid, asked, codecs)
            if found:
                return _Leaving(one, found, asked is None)
        return _Leaving(one, "", False)

    return choose


def _available(found: Sequence[Delivery]) -> str:
    stored = sorted({stored_form(one.transfer_syntax_uid) for one in found})
    return "Stored here in transfer syntax " + ", ".join(stored[:10])


async def _answer(
    asked: Asked, objects: Objects, chosen: Sequence[_Leaving], n_found: int, offer: Offer
) -> Response:
    missing = n_found - len(chosen)
    if missing:
        asked.warn(f"{missing} of {n_found} instances cannot be had in that transfer syntax")
    etag = bodies.etag_of(
        [*_versions(objects, chosen), offer.text],
        weak=bool(offer.outer),
    )
    known = bodies.not_modified(asked, etag)
    if known is not None:
        return known
    token = bodies.boundary()
    first = None if asked.is_head else await readable(_ready(objects, chosen[0]))
    if not offer.outer:
        part = _expected(asked, objects, chosen[0]) if first is None else _part(asked, first)
        return bodies.single(asked, part, etag)
    length = bodies.length_of(token, [_expected(asked, objects, one) for one in chosen])
    headers = bodies.fields(etag, multipart.related(DICOM, token), length)
    if missing:
        headers["x-missing-instances"] = str(missing)
    body = bodies.joined(token, _parts(asked, objects, chosen, first))
    return bodies.Streamed(body, 206 if missing else 200, headers=headers)


async def readable(work: Awaitable[T]) -> T:
    """Return what is made of the first object; what is wrong with it becomes a status."""
    try:
        return await work
    except StorageError as error:
        raise Refusal(500, "The object cannot be read", retryable=False) from error
    except WorkroomError as error:
        raise unable(error) from error
    except UNFIT as error:
        raise Refusal(406, "The object cannot be converted", str(error)) from error


def unable(error: Exception) -> Refusal:
    """Return how to say that we are short of something."""
    return Refusal(503, str(error)[:200], headers={"Retry-After": "10"}, retryable=True)


async def _ready(objects: Objects, one: _Leaving) -> Ready:
    stored = stored_form(one.delivery.transfer_syntax_uid)
    return await objects.ready(one.delivery, one.syntax, otherwise=stored if one.free else None)


def _versions(objects: Objects, chosen: Sequence[_Leaving]) -> Iterator[str]:
    """Yield what tells one answer from another."""
    for one in chosen:
        yield one.delivery.sha256 + objects.version(one.delivery.study_uid)
        yield one.syntax


def _expected(asked: Asked, objects: Objects, one: _Leaving) -> Part:
    """Return an object that was not read yet as a part; its size is known if nothing changes."""
    delivery = one.delivery
    same = one.syntax == delivery.transfer_syntax_uid and not objects.version(delivery.study_uid)
    size = len(meta_of(delivery, one.syntax)) + delivery.size_bytes if same else None
    return Part(
        media=DICOM,
        syntax=one.syntax,
        location=url_of(asked.base, delivery),
        size=size,
        pieces=_nothing,
    )


async def _nothing() -> Pieces:
    yield b""


def _part(asked: Asked, ready: Ready) -> Part:
    meta = meta_of(ready.delivery, ready.transfer_syntax_uid)
    size = None if ready.size_bytes is None else len(meta) + ready.size_bytes

    async def pieces() -> Pieces:
        try:
            yield meta
            async for piece in ready.pieces():
                yield piece
        finally:
            ready.drop()

    return Part(
        media=DICOM,
        syntax=ready.transfer_syntax_uid,
        location=url_of(asked.base, ready.delivery),
        size=size,
        pieces=pieces,
    )


async def _parts(
    asked: Asked, objects: Objects, chosen: Sequence[_Leaving], first: Ready | None
) -> AsyncGenerator[Part, None]:
    """Yield the parts; the next is read while one is sent."""
    if first is None:
        return
    ready: Ready | None = first
    ahead: asyncio.Task[Ready] | None = None
    try:
        for place, one in enumerate(chosen):
            if ahead is not None:
                ready, ahead = await ahead, None
            elif ready is None:
                ready = await _ready(objects, one)
            following = chosen[place + 1] if place + 1 < len(chosen) else None
            if following is not None and following.delivery.size_bytes <= AHEAD_BYTES:
                ahead = asyncio.create_task(_ready(objects, following))
            now, ready = ready, None
            yield _part(asked, now)
    finally:
        if ahead is not None:
            ahead.cancel()
            ahead.add_done_callback(_let_go)


def _let_go(task: "asyncio.Task[Ready]") -> None:
    """Drop what nobody waits for any more."""
    if not task.cancelled() and task.exception() is None:
        task.result().drop()
