"""One small picture for a study, series, instance or frame (PS3.18 section 10.4.1.1.4; W-68, W-88).

Contract: shows no identity.  The object in the middle of the first series with images is drawn;
where nothing can be drawn, or identity may be burned into the pixels, letters that tell the kind of
object stand for it.  A frame that is not there is 404.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast

from starlette.responses import Response

from waystation.dicomweb import paths
from waystation.dicomweb.accept import Offer
from waystation.flows.rendering import UNFIT, Renderings, WorkroomError, only_picture
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.transforms.render_icon import icon, is_image
from waystation.transforms.render_job import REPRESENTATIVE, Kind, RenderJob
from waystation.web import bodies
from waystation.web.asked import Asked, Refusal
from waystation.web.dicomweb import Resource
from waystation.web.rendered import frame_numbers, part, refused
from waystation.web.rendering_words import SMALL_PARAMETERS, small_view_of
from waystation.web.wado import Store

KINDS: Final = {"image/jpeg": "jpeg", "image/png": "png"}
OFFERS: Final = tuple(Offer(media) for media in KINDS)
TRIES: Final = 3
QUALITY: Final = 80
LEVELS: Final = (
    ("study", paths.STUDY),
    ("series", paths.SERIES),
    ("instance", paths.INSTANCE),
    ("frame", paths.INSTANCE + "/frames/{frames}"),
)


def thumbnail_resources(store: Store, renderings: Renderings) -> list[Resource]:
    """Return the resources."""

    async def thumbnail(asked: Asked) -> Response:
        return await _thumbnail(asked, store, renderings)

    return [
        Resource(
            method="GET",
            template=template + "/thumbnail",
            handler=thumbnail,
            summary=f"One small picture of a {name}, without identity",
            offers=OFFERS,
            params=SMALL_PARAMETERS,
            pacs=True,
        )
        for name, template in LEVELS
    ]


async def _thumbnail(asked: Asked, store: Store, renderings: Renderings) -> Response:
    view = small_view_of(asked)
    frames = frame_numbers(asked)[:1] if "frames" in asked.path else (REPRESENTATIVE,)
    media = asked.choices(OFFERS)[0].offer.media
    found = await store.at(asked)
    ordered = _ordered(found)
    etag = bodies.etag_of(
        ["thumbnail", *(one.sha256 for one in ordered), media, repr((view, frames))]
    )
    known = bodies.not_modified(asked, etag)
    if known is not None:
        return known
    kind = cast(Kind, KINDS[media])
    job = RenderJob(frames=frames, kind=kind, quality=QUALITY, view=view, enlarge=False, small=True)
    data = await _drawn(renderings, ordered, job) if not asked.is_head else b""
    if data is None:
        sop_class = ordered[0].sop_class_uid if ordered else found[0].sop_class_uid
        data = await asyncio.to_thread(icon, sop_class, view.width, view.height, kind.upper())
    made = part(media, asked.url, data)
    return bodies.single(asked, replace(made, size=None) if asked.is_head else made, etag)


def _ordered(found: Sequence[Delivery]) -> list[Delivery]:
    """Return the objects that may stand for all, the best first."""
    able = [one for one in found if is_image(one.sop_class_uid)]
    series = [one for one in able if one.series_uid == able[0].series_uid]
    middle = len(series) // 2
    return (series[middle:] + series[:middle] + able[len(series) :])[:TRIES]


async def _drawn(
    renderings: Renderings, ordered: Sequence[Delivery], job: RenderJob
) -> bytes | None:
    """Return the picture of the first object that gives one, None if none does."""
    for one in ordered:
        try:
            drawing = await renderings.draw(one, job)
        except UNFIT:
            continue
        except (StorageError, WorkroomError) as error:
            raise refused(error) from error
        try:
            if not drawing.drawn.pictures:
                last = f"The last one is {drawing.drawn.frames}"
                raise Refusal(404, "There is no such frame", last)
            return await only_picture(drawing.made)
        finally:
            drawing.drop()
    return None
