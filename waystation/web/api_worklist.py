"""``/api/v1/worklist``: the steps, what happened to them, and what a modality sees (T-62 to T-64).

Contract: as in `waystation.web.api`.  To look needs ``phi``, to change ``schedule``.  What cannot
be kept is refused with the fields that are wrong; an edit of what somebody else has changed
meanwhile (``If-Match``, or ``version``) is refused with both changes, and nothing is lost.  A POST
with an ``Idempotency-Key`` that came before gives what it gave then.
"""

import hashlib
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Header, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from waystation.db.engine import Database
from waystation.flows.steps import StepFilter, Steps
from waystation.flows.worklist_why import WorklistView, keys_of
from waystation.index import mpps
from waystation.index.step_book import StepBook
from waystation.index.step_keys import remember, remembered
from waystation.model.step import (
    Author,
    Step,
    StepConflict,
    StepDraft,
    StepFaults,
    StepRefused,
    StepState,
)
from waystation.web import shapes_worklist as shapes
from waystation.web.access import Ability, Asking, AuthorName, needs
from waystation.web.api_steps import IdText
from waystation.web.problems import problem

MOST: Final = 1000
MOST_AT_ONCE: Final = 50
Words = Annotated[str, Query(max_length=200)]
Day = Annotated[str, Query(pattern="^([0-9]{8})?$")]


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid")

    user: AuthorName = ""


class Order(_Told):
    """New steps; several of one order share what is made for the order."""

    steps: list[shapes.StepIn] = Field(min_length=1, max_length=MOST_AT_ONCE)


class Edit(_Told):
    """What is to be other than it is; "" or [] removes a value."""

    values: dict[str, Any] = {}
    area: str | None = Field(default=None, max_length=64)
    version: int | None = Field(default=None, description="What was looked at; or If-Match")
    why: str = Field(default="", max_length=500)


class Move(_Told):
    """Where a step is to go."""

    to: StepState
    why: str = Field(default="", max_length=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What the routes stand on.  areas: of the settings, each with its called AE titles.

    charset: of a station (AE title) in an area, "" if the settings name none for it.
    viewer: the port of the web viewer, 0 if there is none.  dicomweb: its base path.
    """

    steps: Steps
    view: WorklistView
    database: Database
    clock: Callable[[], float]
    areas: Callable[[], dict[str, list[str]]]
    charset: Callable[[str, str], str] = lambda _station, _area: ""
    viewer: Callable[[], int] = lambda: 0
    dicomweb: str = "/dicom-web"


class StepRoute(APIRoute):
    """A route whose refusals name what is wrong."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except (StepFaults, StepConflict, StepRefused) as error:
                return refusal(error)

        return answer


def refusal(error: StepFaults | StepConflict | StepRefused) -> JSONResponse:
    """Return a refusal as a problem."""
    if isinstance(error, StepFaults):
        fields = [{"field": fault.keyword, "text": fault.text} for fault in error.faults]
        return problem(400, "These values cannot be kept", str(error), fields=fields)
    if isinstance(error, StepConflict):
        return problem(
            409,
            "Somebody else changed the step",
            str(error),
            step=shapes.step(error.newer).model_dump(),
            since=[shapes.change(one).model_dump() for one in error.since],
        )
    return problem(409, "This cannot be done", str(error))


def worklist_api(board: Board) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1/worklist", tags=["worklist"], route_class=StepRoute)
    _add_reading(router, board)
    _add_making(router, board)
    _add_changing(router, board)
    _add_mending(router, board)
    _add_looking(router, board)
    return router


def _add_reading(router: APIRouter, board: Board) -> None:
    @router.get("/steps", openapi_extra=needs(Ability.PHI))
    async def steps(
        first: Day = "",
        last: Day = "",
        area: Words = "",
        station: Words = "",
        modality: Words = "",
        state: Annotated[list[StepState], Query()] = [],  # noqa: B006 - FastAPI copies it
        priority: Words = "",
        text: Words = "",
        incomplete: bool | None = None,
        after: Annotated[str, Query(pattern=r"^([0-9.]{1,24},[0-9a-f]{1,16})?$")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    ) -> shapes.Steps:
        """List steps by start time."""
        wanted = StepFilter(
            first=first,
            last=last,
            area=area,
            station=station,
            modality=modality,
            states=tuple(state),
            priority=priority,
            text=text,
            incomplete=incomplete,
            limit=limit,
            after=_place(after),
        )
        found = await board.steps.search(wanted)
        more = f"{found[-1].start},{found[-1].id:x}" if len(found) == limit else ""
        return shapes.Steps(steps=[shapes.step(one) for one in found], after=more)

    @router.get("/steps/{step_id}", openapi_extra=needs(Ability.PHI))
    async def step(step_id: IdText, response: Response) -> shapes.StepShown:
        """Show one step."""
        found = await _present(board, step_id)
        response.headers["ETag"] = f'"{found.version}"'
        return shapes.step(found)

    @router.get("/steps/{step_id}/history", openapi_extra=needs(Ability.PHI))
    async def history(step_id: IdText) -> shapes.History:
        """Show what happened to a step, and by whom."""
        await _present(board, step_id)
        changes = await board.steps.history(int(step_id, 16))
        return shapes.History(changes=[shapes.change(one) for one in changes])

    @router.get("/areas", openapi_extra=needs(Ability.SEE))
    async def areas() -> dict[str, list[str]]:
        """List the areas with the AE titles that open them."""
        return board.areas()


def _add_making(router: APIRouter, board: Board) -> None:
    @router.post("/steps", status_code=201, openapi_extra=needs(Ability.SCHEDULE))
    async def make(
        order: Annotated[Order, Body()],
        who: Asking,
        idempotency_key: Annotated[str, Header(max_length=200)] = "",
    ) -> shapes.Steps:
        """Make steps; ids that are not given are made, those of the order once."""
        author = Author(kind="api", name=who.author(order.user))
        _need_areas(board, [one.area for one in order.steps])
        drafts = [StepDraft(values=one.values, area=one.area) for one in order.steps]
        key = f"{author.name} {idempotency_key}" if idempotency_key else ""
        digest = _digest(order)

        def job(book: StepBook) -> list[Step]:
            before = remembered(book.transaction, key) if key else None
            if before is not None:
                if before[0] != digest:
                    raise StepRefused("this Idempotency-Key came with another request before")
                return [found for one in before[1] if (found := book.get(one)) is not None]
            made = book.add_all(drafts, author, one_order=True)
            if key:
                ids = [one.id for one in made]
                remember(book.transaction, key, digest, ids, board.clock())
            return made

        found = await board.steps.write(job)
        return shapes.Steps(steps=[shapes.step(one) for one in found])


def _add_changing(router: APIRouter, board: Board) -> None:
    @router.patch("/steps/{step_id}", openapi_extra=needs(Ability.SCHEDULE))
    async def edit(
        step_id: IdText,
        order: Annotated[Edit, Body()],
        who: Asking,
        response: Response,
        if_match: Annotated[str, Header(pattern=r'^("?[0-9]{1,18}"?)?$')] = "",
    ) -> shapes.StepShown:
        """Change a step."""
        await _present(board, step_id)
        if order.area:
            _need_areas(board, [order.area])
        version = int(if_match.strip('"')) if if_match else order.version
        author = Author(kind="api", name=who.author(order.user))
        number = int(step_id, 16)
        done = await board.steps.change(
            number, order.values, version, author, order.why, area=order.area
        )
        response.headers["ETag"] = f'"{done.version}"'
        return shapes.step(done)

    @router.post("/steps/{step_id}/state", openapi_extra=needs(Ability.SCHEDULE))
    async def move(
        step_id: IdText, order: Annotated[Move, Body()], who: Asking
    ) -> shapes.StepShown:
        """Bring a step to another state; "cancelled" cancels it."""
        await _present(board, step_id)
        author = Author(kind="api", name=who.author(order.user))
        return shapes.step(await board.steps.move(int(step_id, 16), order.to, author, order.why))

    @router.delete("/steps/{step_id}", openapi_extra=needs(Ability.SCHEDULE))
    async def delete(
        step_id: IdText, order: Annotated[_Told, Body()], who: Asking
    ) -> shapes.StepShown:
        """Delete a step that was never started; for ten minutes it can come back."""
        await _present(board, step_id)
        author = Author(kind="api", name=who.author(order.user))
        return shapes.step(await board.steps.delete(int(step_id, 16), author))

    @router.post("/steps/{step_id}/restore", openapi_extra=needs(Ability.SCHEDULE))
    async def restore(
        step_id: IdText, order: Annotated[_Told, Body()], who: Asking
    ) -> shapes.StepShown:
        """Undo a deletion."""
        author = Author(kind="api", name=who.author(order.user))
        return shapes.step(await board.steps.restore(int(step_id, 16), author))


def _add_mending(router: APIRouter, board: Board) -> None:
    @router.post("/steps/{step_id}/split", openapi_extra=needs(Ability.SCHEDULE))
    async def split(step_id: IdText, order: Annotated[_Told, Body()], who: Asking) -> shapes.Steps:
        """Make one step of each of several that one file holds."""
        author = Author(kind="api", name=who.author(order.user))
        parts = await board.steps.split(int(step_id, 16), author)
        return shapes.Steps(steps=[shapes.step(one) for one in parts])

    @router.post("/steps/{step_id}/fill", openapi_extra=needs(Ability.SCHEDULE))
    async def fill(
        step_id: IdText, order: Annotated[_Told, Body()], who: Asking
    ) -> shapes.StepShown:
        """Make the ids that a step lacks."""
        author = Author(kind="api", name=who.author(order.user))
        return shapes.step(await board.steps.fill(int(step_id, 16), author))


def _add_looking(router: APIRouter, board: Board) -> None:
    @router.get("/steps/{step_id}/why", openapi_extra=needs(Ability.PHI))
    async def why(step_id: IdText, station: Words = "", called: Words = "") -> shapes.WhyShown:
        """Say why a station sees a step, or does not, by its last query."""
        await _present(board, step_id)
        found = await board.view.why(int(step_id, 16), station, called=called)
        return shapes.why(found, keys_of(found.query) if found.query else [])

    @router.get("/preview", openapi_extra=needs(Ability.PHI))
    async def preview(
        station: Annotated[str, Query(max_length=16)],
        called: Words = "",
        last: bool = False,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    ) -> shapes.Preview:
        """Show what a station would be answered: to a usual query of today, or to its last one."""
        found = await board.view.preview(station, called=called, last=last, limit=limit)
        return shapes.Preview(entries=[shapes.entry(one) for one in found])

    @router.get("/queries", openapi_extra=needs(Ability.PHI))
    async def queries(
        station: Words = "", limit: Annotated[int, Query(ge=1, le=MOST)] = 50
    ) -> shapes.Queries:
        """List the last queries of modalities, with what they were answered."""
        found = await board.view.queries(limit, station)
        return shapes.Queries(queries=[shapes.query(one, keys_of(one)) for one in found])

    @router.get("/procedures", openapi_extra=needs(Ability.PHI))
    async def procedures(
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    ) -> shapes.ProceduresShown:
        """List the performed procedure steps (MPPS) that changed last."""
        found = await board.database.read(mpps.newest(limit))
        return shapes.ProceduresShown(procedures=[shapes.procedure(one) for one in found])


async def _present(board: Board, step_id: str) -> Step:
    found = await board.steps.get(int(step_id, 16))
    if found is None:
        raise HTTPException(404, "There is no such step")
    return found


def _need_areas(board: Board, names: list[str]) -> None:
    known = board.areas()
    for name in names:
        if name and name not in known:
            raise HTTPException(400, f"area: there is no area {name}")


def _place(after: str) -> tuple[str, int] | None:
    if not after:
        return None
    start, _, number = after.partition(",")
    return start, int(number, 16)


def _digest(order: Order) -> str:
    text = json.dumps(order.model_dump(), sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
