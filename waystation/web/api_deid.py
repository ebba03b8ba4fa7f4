"""``/api/v1/deid``: what de-identification holds, before and after, decisions, pseudonyms, reports.

Contract: as in `waystation.web.api`.  Old values and pictures need ``phi`` and each look at old
values is recorded (D-41); who is behind a pseudonym needs ``reidentify``, and is written down with
the reason before it is told (D-30).  Nothing but a decision and a look-up changes anything.
"""

import csv
import io
from collections.abc import Awaitable, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import APIRouter, Body, HTTPException, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from waystation.codecs.errors import CodecError, WorkroomError
from waystation.web.access import Ability, Asking, AuthorName, Who, needs
from waystation.web.api_deid_shapes import (
    Asked,
    Because,
    ComparisonSaid,
    DecisionDone,
    DeidDecision,
    DeidDesk,
    DeidLookup,
    EntrySaid,
    NotHereError,
    ProfileName,
    ProfileSaid,
    Rectangle,
    ReportLineSaid,
    StudySaid,
    TotalsSaid,
    Uid,
    WaitingSaid,
    What,
)
from waystation.web.api_steps import IdText
from waystation.web.shape import id_number

T = TypeVar("T")
API: Final = "/api/v1/deid"
PICTURE: Final = "image/png"
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
MOST_BOXES: Final = 50
Recipe = Annotated[
    str, Query(pattern="^[0-9a-f]{0,16}$", description="Steps of a rule; else only the profile")
]
Boxes = Annotated[
    list[str],
    Query(
        alias="box",
        max_length=MOST_BOXES,
        description="Rectangle to try: left,top,width,height in pixels",
    ),
]


class Decision(BaseModel):
    """What a person decided about a study."""

    model_config = ConfigDict(extra="forbid")

    study: Uid = Field(description="Its UID as it came in")
    profile: ProfileName
    what: What = Field(description="What was looked at")
    approved: bool = Field(description="Whether it may leave")
    release: bool = Field(default=False, description="Try again what it held")
    because: Because
    user: AuthorName = ""


class Withdrawal(BaseModel):
    """A decision that is taken back."""

    model_config = ConfigDict(extra="forbid")

    study: Uid = Field(description="Its UID as it came in")
    profile: ProfileName
    what: What
    because: Because
    user: AuthorName = ""


class Lookup(BaseModel):
    """Somebody is about to ask who is behind pseudonyms, elsewhere."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["lookup", "export"] = Field(description="One pseudonym, or the whole table")
    profile: ProfileName
    pseudonym: str = Field(default="", max_length=64, description="Which one")
    because: Because
    user: AuthorName = ""


class Question(BaseModel):
    """Who is behind a pseudonym?"""

    model_config = ConfigDict(extra="forbid")

    profile: ProfileName
    pseudonym: str = Field(min_length=1, max_length=64, description="Patient ID as outputs have it")
    because: Because
    user: AuthorName = ""


class TableAsked(BaseModel):
    """The whole table of pseudonyms of a profile."""

    model_config = ConfigDict(extra="forbid")

    profile: ProfileName
    because: Because
    user: AuthorName = ""


def deid_api(desk: DeidDesk) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix=API, tags=["de-identification"])
    _add_looking(router, desk)
    _add_objects(router, desk)
    _add_deciding(router, desk)
    _add_pseudonyms(router, desk)
    _add_reports(router, desk)
    return router


async def found(answer: Awaitable[T]) -> T:
    """Return what there is; HTTPException 404 for what is not here."""
    try:
        return await answer
    except NotHereError as error:
        raise HTTPException(404, str(error)) from None


def boxes_of(texts: Sequence[str]) -> tuple[Rectangle, ...]:
    """Return rectangles as they are typed; HTTPException 400 for what is none."""
    made = []
    for text in texts[:MOST_BOXES]:
        parts = text.replace(",", " ").split()
        if len(parts) != 4 or not all(one.isascii() and one.isdigit() for one in parts):
            raise HTTPException(400, "A rectangle is four numbers: left, top, width, height")
        left, top, width, height = (int(one[:6]) for one in parts)
        made.append(Rectangle(left, top, width, height))
    return tuple(made)


def must_see_to_approve(who: Who, what: str, *, approved: bool) -> None:
    """Raise HTTPException 403 for somebody who approves pictures that they may not see."""
    if approved and what != "sample" and not who.may(Ability.PHI):
        raise HTTPException(403, "Who approves pixels must be granted to see patient data")


def _add_looking(router: APIRouter, desk: DeidDesk) -> None:
    @router.get("/profiles", openapi_extra=needs(Ability.READ))
    async def profiles() -> list[ProfileSaid]:
        """List the profiles that can be used now."""
        return list(desk.profiles())

    @router.get("/waiting", openapi_extra=needs(Ability.SEE))
    async def waiting(study: Annotated[str, Query(max_length=64)] = "") -> list[WaitingSaid]:
        """List the studies that de-identification holds, the oldest first."""
        return list(await desk.waiting(study))

    @router.get("/studies/{study}", openapi_extra=needs(Ability.ACT))
    async def one_study(
        study: Uid,
        after: Annotated[str, Query(pattern="^[0-9a-f]{0,16}$")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> StudySaid:
        """Show the objects of a study that are here, and what holds them."""
        return await desk.study(study, id_number(after), limit)

    @router.get("/studies/{study}/totals", openapi_extra=needs(Ability.ACT))
    async def totals(study: Uid, profile: Annotated[ProfileName, Query()]) -> TotalsSaid:
        """Try a profile on a whole study: what would be done how often; nothing is written."""
        return await found(desk.totals(study, profile))


def _add_objects(router: APIRouter, desk: DeidDesk) -> None:
    @router.get("/objects/{number}", openapi_extra=needs(Ability.ACT))
    async def compare(
        number: IdText,
        profile: Annotated[ProfileName, Query()],
        who: Asking,
        recipe: Recipe = "",
        box: Boxes = [],  # noqa: B006
    ) -> ComparisonSaid:
        """Show an object before and after a profile; nothing is written."""
        asked = Asked(arrival=int(number, 16), profile=profile, recipe=recipe, boxes=boxes_of(box))
        made = await found(desk.compare(asked, see=who.may(Ability.PHI)))
        if not made.hidden:
            await desk.looked(who.name, who.address, made, f"{API}/objects")
        return made

    @router.get(
        "/objects/{number}/picture",
        openapi_extra=needs(Ability.PHI),
        response_class=Response,
        responses={200: {"content": {PICTURE: {}}, "description": "One frame"}},
    )
    async def picture(
        number: IdText,
        profile: Annotated[ProfileName, Query()],
        frame: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        blacked: bool = False,
        recipe: Recipe = "",
        box: Boxes = [],  # noqa: B006
    ) -> Response:
        """Draw a frame: rectangles outlined, or (``blacked``) as it would leave."""
        asked = Asked(arrival=int(number, 16), profile=profile, recipe=recipe, boxes=boxes_of(box))
        return await drawn(desk, asked, frame, blacked=blacked)


async def drawn(desk: DeidDesk, asked: Asked, frame: int, *, blacked: bool) -> Response:
    """Return a picture; frame: from 1."""
    try:
        data = await found(desk.picture(asked, frame - 1, blacked=blacked))
    except CodecError as error:
        raise HTTPException(422, f"It cannot be drawn: {error}") from None
    except WorkroomError:
        raise HTTPException(503, "It cannot be drawn now") from None
    return Response(data, media_type=PICTURE)


def _add_deciding(router: APIRouter, desk: DeidDesk) -> None:
    @router.post("/decisions", openapi_extra=needs(Ability.ACT))
    async def decide(order: Annotated[Decision, Body()], who: Asking) -> DecisionDone:
        """Write down an approval or rejection; tell which deliveries wait for it."""
        must_see_to_approve(who, order.what, approved=order.approved)
        said = DeidDecision(
            study=order.study,
            profile=order.profile,
            what=order.what,
            approved=order.approved,
            because=order.because,
            user=who.author(order.user),
        )
        return await found(desk.decide(said, release=order.release))

    @router.post("/decisions/withdrawals", openapi_extra=needs(Ability.ACT))
    async def withdraw(order: Annotated[Withdrawal, Body()], who: Asking) -> DecisionDone:
        """Take a decision back: what is held of the study waits for a person again."""
        said = DeidDecision(
            study=order.study,
            profile=order.profile,
            what=order.what,
            approved=False,
            because=order.because,
            user=who.author(order.user),
        )
        return await found(desk.withdraw(said))


def _add_pseudonyms(router: APIRouter, desk: DeidDesk) -> None:
    @router.post("/lookups", openapi_extra=needs(Ability.REIDENTIFY))
    async def note(order: Annotated[Lookup, Body()], who: Asking) -> dict[str, str]:
        """Write down that somebody asks who is behind a pseudonym, where the key lies."""
        await desk.note_lookup(DeidLookup(**order.model_dump() | {"user": who.author(order.user)}))
        return {"noted": order.kind}

    @router.post("/pseudonyms/lookup", openapi_extra=needs(Ability.REIDENTIFY))
    async def look_up(order: Annotated[Question, Body()], who: Asking) -> EntrySaid:
        """Tell who is behind a pseudonym; that you asked, and why, is kept."""
        entry = await found(
            desk.look_up(
                DeidLookup(kind="lookup", **order.model_dump() | {"user": who.author(order.user)})
            )
        )
        if entry is None:
            raise HTTPException(404, "Nobody has this pseudonym")
        return entry

    @router.post("/pseudonyms/export", openapi_extra=needs(Ability.REIDENTIFY))
    async def export(order: Annotated[TableAsked, Body()], who: Asking) -> list[EntrySaid]:
        """Return the whole table of pseudonyms; that you did, and why, is kept."""
        said = DeidLookup(kind="export", **order.model_dump() | {"user": who.author(order.user)})
        return list(await found(desk.export(said)))


def csv_of(entries: Sequence[EntrySaid]) -> str:
    """Return a table as CSV; a cell that a spreadsheet would calculate gets an apostrophe."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(("pseudonym_id", "issuer", "patient_id"))
    for one in entries:
        cells = (one.pseudonym_id, one.issuer, one.patient_id)
        rows.writerow([f"'{text}" if text.startswith(FORMULA) else text for text in cells])
    return out.getvalue()


def _add_reports(router: APIRouter, desk: DeidDesk) -> None:
    @router.get("/reports", openapi_extra=needs(Ability.SEE))
    async def reports(
        before: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> list[ReportLineSaid]:
        """List studies that were de-identified, the newest first."""
        return list(await desk.reports(before, limit))

    @router.get("/reports/{study}", openapi_extra=needs(Ability.SEE))
    async def report(study: Uid, who: Asking) -> dict[str, Any]:
        """Show what was done to a study; no original value is in it."""
        return await report_for(desk, who, study)


async def report_for(desk: DeidDesk, who: Who, study: str) -> dict[str, Any]:
    """Return the reports of a study; HTTPException 404 if there are none.

    By its original UID only for those who may see patients: the answer tells its new one.
    """
    made = await desk.report(study)
    if made is None or (
        not who.may(Ability.PHI) and study not in {one["study"] for one in made["reports"]}
    ):
        raise HTTPException(404, "Nothing of this study was de-identified here")
    return made
