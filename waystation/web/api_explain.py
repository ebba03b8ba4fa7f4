"""``/api/v1``: why, what is open of whom, and once more (R-76, R-78, R-79).

Contract: as in `waystation.web.api`.  ``explain`` never tells who the patient is: there are no
rights yet that would allow it.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from waystation.web import shapes
from waystation.web.access import Ability, Asking, AuthorName, needs
from waystation.web.looks import Looking
from waystation.web.shapes_explain import Explained
from waystation.web.view import NodeView, ReplayAsked

LONGEST_WHERE = 4096
LONGEST_UID = 64
MOST_SHARES = 10_000
Where = Annotated[str, Field(max_length=LONGEST_WHERE)]


class Replay(BaseModel):
    """What to send again, and who says so."""

    model_config = ConfigDict(extra="forbid")

    where: str = Field(min_length=1, max_length=LONGEST_WHERE, description="Expression, as in if")
    since: float = Field(ge=0, description="Arrived at or after this, Unix seconds")
    until: float | None = Field(default=None, ge=0, description="Arrived before this")
    to: str = Field(default="", max_length=200, description="Only there, whatever the rules say")
    again: bool = Field(default=False, description="Also what was delivered there before")
    priority: Literal["low", "normal", "stat"] = "low"
    preview: bool = Field(default=False, description="Only count")
    user: AuthorName = ""


def add_explaining(router: APIRouter, view: NodeView) -> None:
    """Add the routes to ``router``."""

    @router.get("/explain", tags=["explain"], openapi_extra=needs(Ability.SEE))
    async def explain(
        uid: Annotated[
            str,
            Query(min_length=1, max_length=LONGEST_UID, description="Of a study, series, instance"),
        ],
    ) -> Explained:
        """Tell what every rule said, what became of it, and what comes next."""
        found = await view.explain(uid)
        if found is None:
            raise HTTPException(404, "Nothing is known of it")
        return found

    @router.get("/shares", tags=["queue"], openapi_extra=needs(Ability.SEE))
    async def shares(
        by: Literal["peer", "rule", "study"],
        limit: Annotated[int, Query(ge=1, le=MOST_SHARES)] = 100,
    ) -> shapes.Shares:
        """Count what is open by peer, rule or study."""
        return shapes.shares(by, await view.shares(by, limit), view.now())

    @router.post("/replay", tags=["actions"], openapi_extra=needs(Ability.ACT))
    async def replay(
        order: Annotated[Replay, Body()], who: Asking, look: Looking
    ) -> shapes.Replayed:
        """Make new deliveries from kept files, or say which they would be."""
        await look.by(order.where)
        done = await view.replay(
            ReplayAsked(
                where=order.where,
                since=order.since,
                until=order.until,
                to=order.to,
                again=order.again,
                priority=order.priority,
                preview=order.preview,
                user=who.author(order.user),
            )
        )
        return shapes.replayed(done, preview=order.preview)
