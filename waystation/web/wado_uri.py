"""WADO-URI: one object by query parameters alone (PS3.18 section 9; W-91).

Contract: every parameter is read or refused, never passed over in silence; what contradicts
itself is 400.  The object leaves as DICOM or as one picture.  De-identification by parameter is
not offered: ``anonymize=yes`` is 400, so that nobody takes for anonymous what is not.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from starlette.responses import Response

from waystation.dicom.uids import is_uid
from waystation.dicomweb.accept import DICOM, Choice, Offer, choices
from waystation.flows.frames import Frames
from waystation.flows.rendering import UNFIT, Renderings, WorkroomError, pictures
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.transforms.render_icon import is_image
from waystation.transforms.render_job import (
    ANNOTATIONS,
    LONGEST_SIDE,
    QUALITY,
    REPRESENTATIVE,
    Kind,
    RenderJob,
    View,
    Window,
    quality_of,
    view_of,
    window_of,
)
from waystation.web import bodies
from waystation.web.asked import Asked, Refusal, not_acceptable
from waystation.web.dicomweb import Resource
from waystation.web.rendered import KINDS, refused
from waystation.web.wado import Store

NAMES: Final = {"studyUID": "study", "seriesUID": "series", "objectUID": "instance"}
PICTURE: Final = (
    *("frameNumber", "rows", "columns", "region", "windowCenter", "windowWidth"),
    *("imageQuality", "annotation", "presentationSeriesUID", "presentationUID"),
)
PARAMETERS: Final = (
    *("requestType", *NAMES, "contentType", "transferSyntax", "charset", "anonymize"),
    *PICTURE,
)
OFFERS: Final = (*(Offer(media) for media in KINDS), Offer(DICOM))
LONGEST_NUMBER: Final = 9

Send = Callable[[Asked, Delivery, str | None], Awaitable[Response]]


def uri_resources(
    store: Store, renderings: Renderings, frames: Frames, send: Send
) -> list[Resource]:
    """Return the resource.  send: answers with one object as DICOM, in a transfer syntax."""
    sender = _Sender(store, renderings, frames, send)
    return [
        Resource(
            method="GET",
            template="/wado",
            handler=sender.answer,
            summary="One object by query parameters (WADO-URI)",
            offers=OFFERS,
            params=PARAMETERS,
            pacs=True,
        )
    ]


def bad(detail: str) -> Refusal:
    """Return the refusal of a request that contradicts itself or the Standard."""
    return Refusal(400, "The request is not understood", detail)


@dataclass(frozen=True, slots=True)
class _Sender:
    store: Store
    renderings: Renderings
    frames: Frames
    send: Send

    async def answer(self, asked: Asked) -> Response:
        """Answer one request."""
        path = _path(asked)
        found = await self.store.at(replace(asked, path=path))
        one = found[0]
        choice = _choice(asked, one)
        if choice.offer.media == DICOM:
            for name in PICTURE:
                if asked.one(name) is not None:
                    raise bad(f"{name} is for pictures, not for contentType=application/dicom")
            syntax = asked.one("transferSyntax")
            return await self.send(replace(asked, path=path), one, syntax)
        return await self._picture(asked, one, choice)

    async def _picture(self, asked: Asked, one: Delivery, choice: Choice) -> Response:
        state = await self._state(asked, path_study=one.study_uid)
        job = await self._job(asked, one, cast(Kind, KINDS[choice.offer.media]))
        if state is not None and job.window is not None:
            raise bad("a window cannot be given together with a presentation state")
        digest = "" if state is None else state.sha256
        etag = bodies.etag_of([self.store.edition(one), job.text(), digest], weak=False)
        known = bodies.not_modified(asked, etag)
        if known is not None:
            return known
        try:
            drawing = await self.renderings.draw(one, job, state)
        except (StorageError, WorkroomError, *UNFIT) as error:
            raise refused(error) from error
        try:
            if not drawing.drawn.pictures:
                raise Refusal(
                    404, "There is no such frame", f"The last one is {drawing.drawn.frames}"
                )
            data = [picture async for picture in pictures(drawing.made)]
        finally:
            drawing.drop()
        return bodies.at_hand(asked, choice.offer.media, data[0], etag)

    async def _state(self, asked: Asked, *, path_study: str) -> Delivery | None:
        series, instance = asked.one("presentationSeriesUID"), asked.one("presentationUID")
        if series is None and instance is None:
            return None
        if not (series and instance and is_uid(series) and is_uid(instance)):
            raise bad("give both presentationSeriesUID and presentationUID, as UIDs")
        path = {"study": path_study, "series": series, "instance": instance}
        found = await self.store.others(asked, path)
        if not found:
            raise Refusal(404, "The presentation state is not here")
        return found[0]

    async def _job(self, asked: Asked, one: Delivery, kind: Kind) -> RenderJob:
        number = _number(asked, "frameNumber")
        quality = asked.one("imageQuality")
        words = (asked.one("annotation") or "").split(",")
        try:
            return RenderJob(
                kind=kind,
                frames=(REPRESENTATIVE if number is None else number - 1,),
                quality=QUALITY if quality is None else quality_of(quality),
                window=_window(asked),
                view=await self._view(asked, one),
                annotation=tuple(word for word in ANNOTATIONS if word in words),
            )
        except ValueError as error:
            raise bad(str(error)) from None

    async def _view(self, asked: Asked, one: Delivery) -> View | None:
        rows, columns = _number(asked, "rows"), _number(asked, "columns")
        region = asked.one("region")
        if region is None:
            if rows is None and columns is None:
                return None
            return view_of(f"{columns or _along(rows)},{rows or _along(columns)}")
        sides = [float(word) for word in region.split(",")]
        if len(sides) != 4 or not (0 <= sides[0] < sides[2] <= 1 and 0 <= sides[1] < sides[3] <= 1):
            raise ValueError("a region is left,top,right,bottom, each from 0 to 1")
        try:
            image = (await self.frames.open(one)).pixels.image
        except (StorageError, *UNFIT) as error:
            raise refused(error) from error
        left, top = sides[0] * image.columns, sides[1] * image.rows
        across, down = sides[2] * image.columns - left, sides[3] * image.rows - top
        width, height = columns or round(across) or 1, rows or round(down) or 1
        return view_of(f"{width},{height},{left:.6f},{top:.6f},{across:.6f},{down:.6f}")


def _along(other: int | None) -> int:
    """Return a side that does not limit the picture, where only the other one is given."""
    return min(LONGEST_SIDE, 64_000_000 // (other or 1))


def _path(asked: Asked) -> Mapping[str, str]:
    if asked.one("requestType") != "WADO":
        raise bad("requestType must be WADO")
    for name, _ in asked.params:
        if name not in PARAMETERS:
            asked.warn(f"The parameter {name} means nothing here and was left out")
    if asked.one("anonymize") not in (None, "", "no"):
        raise bad("anonymize is not offered: nothing that leaves here is de-identified by it")
    found = {}
    for name, level in NAMES.items():
        value = (asked.one(name) or "").strip()
        if not is_uid(value):
            raise bad(f"{name} must be a UID")
        found[level] = value
    return found


def _choice(asked: Asked, one: Delivery) -> Choice:
    """Return what is sent: what contentType lists, else a picture of what can be drawn."""
    wanted = asked.one("contentType")
    offers = OFFERS if is_image(one.sop_class_uid) else OFFERS[-1:]
    found = choices(offers, None if wanted is not None else asked.headers.get("accept"), wanted)
    if not found:
        raise not_acceptable(offers)
    return found[0]


def _number(asked: Asked, name: str) -> int | None:
    text = asked.one(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER and int(text)):
        raise bad(f"{name} is a number from 1 on")
    return int(text)


def _window(asked: Asked) -> Window | None:
    center, width = asked.one("windowCenter"), asked.one("windowWidth")
    if center is None and width is None:
        return None
    if center is None or width is None:
        raise ValueError("give both windowCenter and windowWidth")
    return window_of(f"{center},{width},linear")
