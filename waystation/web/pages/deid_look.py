"""``/deid/objects`` and ``/deid/try``: an object before and after; a profile tried (D-41).

Contract: nothing is written but that somebody looked.  Old values and pictures are for those who
may see patients, and every view of old values is in the audit trail before it is shown.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from waystation.dicom.tags import keyword_of, tag_for
from waystation.web.access import Ability, needs, who_of
from waystation.web.api_deid import MOST_BOXES, boxes_of, drawn, found
from waystation.web.api_deid_shapes import (
    Asked,
    ComparisonSaid,
    DeidDesk,
    PixelsSaid,
    Rectangle,
    Uid,
)
from waystation.web.api_steps import IdText
from waystation.web.pages.deid import (
    ACT,
    APPROVING,
    ASKS,
    MOST,
    study_path,
    study_values,
)
from waystation.web.pages.frame import onward, page
from waystation.web.shape import id_number

PHI: Final = needs(Ability.PHI)
ACTIONS: Final = {
    "X": "removed",
    "Z": "emptied",
    "D": "dummy",
    "U": "new UID",
    "C": "cleaned",
    "K": "kept",
    "+": "added",
}
Recipe = Annotated[str, Query(pattern="^[0-9a-f]{0,16}$")]
UIDS: Final = frozenset("0123456789.")
MOST_ROWS: Final = 2000


def deid_look_pages(desk: DeidDesk) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    _add_object(router, desk)
    _add_picture(router, desk)
    _add_try(router, desk)
    return router


def _add_object(router: APIRouter, desk: DeidDesk) -> None:
    @router.get("/deid/objects/{number}", openapi_extra=ACT)
    async def one_object(
        request: Request,
        number: IdText,
        profile: str = "",
        recipe: Recipe = "",
        boxes: Annotated[str, Query(max_length=2000)] = "",
        frame: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    ) -> Response:
        who = who_of(request)
        problem, tried = "", tuple[Rectangle, ...]()
        lines = [line for line in boxes.splitlines() if line.strip()][:MOST_BOXES]
        try:
            tried = boxes_of(lines)
        except HTTPException as error:
            problem = str(error.detail)
        asked = Asked(
            arrival=int(number, 16), profile=profile[:32], recipe=recipe, boxes=tuple(tried)
        )
        made = await found(desk.compare(asked, see=who.may(Ability.PHI)))
        if not made.hidden:
            await desk.looked(who.name, who.address, made, "before and after")
        waiting = await desk.waiting(made.study)
        return await page(
            request,
            "deid-object.html",
            **_values(made, frame, boxes, recipe),
            problem=problem or _outside(made.pixels),
            held=next((one for one in waiting if one.profile == made.profile), None),
        )


def _values(made: ComparisonSaid, frame: int, boxes: str, recipe: str) -> dict[str, Any]:
    base = {"profile": made.profile, **({"recipe": recipe} if recipe else {})}
    frames = made.pixels.frames if made.pixels else 1
    frame = min(frame, frames)
    drawn_as = [("frame", str(frame)), *base.items()]
    drawn_as += [("box", line) for line in boxes.splitlines() if line.strip()]
    return {
        "made": made,
        "changed": made.changed[:MOST_ROWS],
        "kept": made.kept[:MOST_ROWS],
        "actions": ACTIONS,
        "asks": ASKS,
        "approving": APPROVING,
        "query": urlencode(base),
        "picture": f"/deid/objects/{made.object.id}/picture?{urlencode(drawn_as)}",
        "frame": frame,
        "frames": frames,
        "boxes": boxes,
        "recipe": recipe,
        "back": study_path(made.study, made.profile),
        "place": {
            row.path: _words(row.path)
            for row in (*made.changed[:MOST_ROWS], *made.kept[:MOST_ROWS])
        },
    }


def _words(path: str) -> str:
    """Return the sequences around an element, in words."""
    *around, _ = path.split(".")
    return " › ".join(_step(one) for one in around)


def _step(text: str) -> str:
    tag, _, item = text.partition("[")
    try:
        return f"{keyword_of(tag_for(tag)) or tag} {int(item.rstrip(']')) + 1}"
    except ValueError:
        return text


def _outside(pixels: PixelsSaid | None) -> str:
    if pixels is None:
        return ""
    for left, top, width, height in pixels.rectangles:
        if not (width and height) or left + width > pixels.columns or top + height > pixels.rows:
            return (
                f"{left} {top} {width} {height} lies outside the image of"
                f" {pixels.columns} × {pixels.rows} pixels"
            )
    return ""


def _add_picture(router: APIRouter, desk: DeidDesk) -> None:
    @router.get("/deid/objects/{number}/picture", openapi_extra=PHI)
    async def picture(
        number: IdText,
        profile: str = "",
        recipe: Recipe = "",
        frame: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        blacked: bool = False,
        box: Annotated[Sequence[str], Query(max_length=MOST_BOXES)] = (),
    ) -> Response:
        asked = Asked(
            arrival=int(number, 16), profile=profile[:32], recipe=recipe, boxes=boxes_of(box)
        )
        return await drawn(desk, asked, frame, blacked=blacked)


def _add_try(router: APIRouter, desk: DeidDesk) -> None:
    @router.get("/deid/try", openapi_extra=ACT)
    async def attempt(
        request: Request, what: Annotated[str, Query(max_length=100)] = "", profile: str = ""
    ) -> Response:
        what, profile = what.strip(), profile[:32]
        names = [one.name for one in desk.profiles()]
        problem, study = "", None
        if what and profile in names:
            number = await _object(desk, what)
            if number:
                query = urlencode({"profile": profile})
                return onward(request, f"/deid/objects/{number:x}?{query}")
            if not set(what) - UIDS and len(what) <= 64:
                study = await desk.study(what, 0, MOST)
            if study is None or not study.objects:
                problem, study = "No object and no study of this name is here", None
        elif what:
            problem = "Choose a profile"
        shown = study_values(desk, study, profile) if study is not None else {}
        return await page(
            request,
            "deid-try.html",
            what=what,
            chosen=profile or next(iter(names), ""),
            names=names,
            problem=problem,
            found=shown,
        )

    @router.get("/deid/studies/{study}/totals", openapi_extra=ACT)
    async def totals(request: Request, study: Uid, profile: str = "") -> Response:
        made = await found(desk.totals(study, profile[:32]))
        return await page(
            request,
            "deid-totals.html",
            made=made,
            actions=ACTIONS,
            names=tag_name,
            back=study_path(made.study, made.profile),
        )


def tag_name(tag: str) -> str:
    """Return the keyword of a tag, "" if it has none."""
    try:
        return keyword_of(tag_for(tag))
    except ValueError:
        return ""


async def _object(desk: DeidDesk, what: str) -> int:
    """Return the id of the object that a person means, 0 if it is none."""
    if set(what) <= UIDS and "." in what:
        return await desk.object_named(what)
    return id_number(what)
