"""``/api/v1``: the queue, what may be done with it, the lanes, reload (contract.md, Web).

Contract: every route answers JSON of `waystation.web.shapes` or a problem.  An action needs a
choice (or ``all``), the name of who decides, and, to discard, a reason.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from waystation.journal.decisions import Action
from waystation.journal.entries import Chosen
from waystation.web import shapes
from waystation.web.access import Ability, Asking, AuthorName, needs
from waystation.web.api_archive import add_archive
from waystation.web.api_explain import Where, add_explaining
from waystation.web.api_retrieves import add_retrieves
from waystation.web.api_steps import IdText, add_steps
from waystation.web.contexts import add_contexts
from waystation.web.looks import Looking
from waystation.web.view import ActionAsked, NodeView

PAGE, LARGEST_PAGE = 100, 10_000
StateName = Literal["", "waiting", "sending", "held", "done", "discarded"]


Words = Annotated[str, Field(max_length=200)]


class Filters(BaseModel):
    """Which deliveries: all that are given must hold."""

    model_config = ConfigDict(extra="forbid")

    to: Words = Field(default="", description="Destination")
    study: Words = Field(default="", description="Study Instance UID")
    state: StateName = ""
    reason: Words = Field(default="", description="Why held")
    where: Where = Field(default="", description="Expression that is true of the object")

    def chosen(self, *, ids: list[str], after: str, limit: int) -> Chosen:
        """Return the choice as the journal knows it."""
        return Chosen(
            destination=self.to,
            study=self.study,
            state=self.state,
            reason=self.reason,
            ids=tuple(int(text, 16) for text in ids),
            after=int(after, 16) if after else 0,
            limit=limit,
        )


class Listing(Filters):
    """Filters and the page."""

    after: IdText | Literal[""] = Field(default="", description="Ids above this one")
    limit: int = Field(default=PAGE, ge=1, le=LARGEST_PAGE)


class Order(Filters):
    """What to act on, who says so, and why."""

    ids: list[IdText] = Field(default=[], max_length=1000)
    all: bool = Field(default=False, description="Needed when nothing else is chosen")
    user: AuthorName = ""
    because: str = Field(default="", max_length=500, description="Needed to discard")
    preview: bool = Field(default=False, description="Only count")


class Author(BaseModel):
    """Who pauses or resumes a lane."""

    model_config = ConfigDict(extra="forbid")

    user: AuthorName = ""


class Done(BaseModel):
    """How an action ended.  matching: what could be acted upon; left: the others, by state."""

    action: str
    preview: bool
    matching: int
    changed: int
    left: dict[str, int]


def api(view: NodeView) -> APIRouter:
    """Return the routes of the API over ``view``."""
    router = APIRouter(prefix="/api/v1")
    _add_queue(router, view)
    add_contexts(router, view)
    _add_actions(router, view)
    _add_node(router, view)
    add_explaining(router, view)
    add_steps(router, view)
    add_retrieves(router, view)
    add_archive(router, view.archive)
    return router


def _add_queue(router: APIRouter, view: NodeView) -> None:
    @router.get("/destinations", tags=["queue"], openapi_extra=needs(Ability.SEE))
    async def destinations() -> shapes.Queue:
        """Show every lane with its counts."""
        return shapes.queue(await view.lanes())

    @router.get("/deliveries", tags=["queue"], openapi_extra=needs(Ability.SEE))
    async def deliveries(listing: Annotated[Listing, Query()], look: Looking) -> shapes.Deliveries:
        """List deliveries, oldest first."""
        await look.by(listing.where)
        chosen = listing.chosen(ids=[], after=listing.after, limit=listing.limit)
        return shapes.deliveries(await view.deliveries(chosen, listing.where), listing.limit)

    @router.get("/deliveries/{delivery_id}", tags=["queue"], openapi_extra=needs(Ability.SEE))
    async def delivery(delivery_id: IdText) -> shapes.Told:
        """Tell the story of the arrival that a delivery belongs to."""
        story = await view.delivery(int(delivery_id, 16))
        if story is None:
            raise HTTPException(404, "There is no such delivery")
        return shapes.told(story)

    @router.get("/arrivals", tags=["queue"], openapi_extra=needs(Ability.SEE))
    async def arrivals(listing: Annotated[Listing, Query()], look: Looking) -> shapes.Arrivals:
        """List arrivals that are held themselves, oldest first."""
        await look.by(listing.where)
        chosen = listing.chosen(ids=[], after=listing.after, limit=listing.limit)
        return shapes.arrivals(await view.arrivals(chosen, listing.where), listing.limit)

    @router.get("/arrivals/{arrival_id}", tags=["queue"], openapi_extra=needs(Ability.SEE))
    async def arrival(arrival_id: IdText) -> shapes.Told:
        """Tell the story of one arrival."""
        story = await view.arrival(int(arrival_id, 16))
        if story is None:
            raise HTTPException(404, "There is no such arrival")
        return shapes.told(story)


def _add_actions(router: APIRouter, view: NodeView) -> None:
    @router.post("/deliveries/{action}", tags=["actions"], openapi_extra=needs(Ability.ACT))
    async def act(
        action: Action, order: Annotated[Order, Body()], who: Asking, look: Looking
    ) -> Done:
        """Retry, hold, release, discard or send again what is chosen."""
        await look.by(order.where)
        chosen = order.chosen(ids=order.ids, after="", limit=PAGE)
        if chosen.everything and not (order.all or order.where):
            raise HTTPException(400, "Choose by a filter or by ids, or say all")
        if action is Action.DISCARD and not order.because and not order.preview:
            raise HTTPException(400, "To discard needs a reason: because")
        done = await view.act(
            ActionAsked(
                action=action,
                chosen=chosen,
                user=who.author(order.user),
                because=order.because,
                preview=order.preview,
                where=order.where,
            )
        )
        return Done(
            action=action.value,
            preview=order.preview,
            matching=done.matching,
            changed=done.changed,
            left=dict(done.left),
        )

    @router.post(
        "/destinations/{name}/{change}", tags=["actions"], openapi_extra=needs(Ability.ACT)
    )
    async def lane(
        name: str,
        change: Literal["pause", "resume"],
        author: Annotated[Author, Body()],
        who: Asking,
    ) -> dict[str, str]:
        """Pause a lane, or let it go on; receiving and planning are not touched."""
        change_lane = view.pause_lane if change == "pause" else view.resume_lane
        if not await change_lane(name, who.author(author.user)):
            raise HTTPException(404, "There is no such destination")
        return {"destination": name, "change": change}


def _add_node(router: APIRouter, view: NodeView) -> None:
    @router.get("/status", tags=["node"], openapi_extra=needs(Ability.SEE))
    async def status() -> shapes.Status:
        """Show the node at a glance."""
        return shapes.status(await view.status())

    @router.post(
        "/reload",
        tags=["node"],
        responses={422: {"description": "It was not taken"}},
        openapi_extra=needs(Ability.CONFIGURE),
    )
    async def reload() -> JSONResponse:
        """Read the configuration again; 422 with its faults if it is not taken."""
        faults = await view.reload()
        body = {"ok": not faults, "faults": faults}
        return JSONResponse(body, status_code=422 if faults else 200)
