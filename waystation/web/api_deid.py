"""``/api/v1/deid``: what persons decide about studies that are de-identified (D-32, D-43).

Contract: as in `waystation.web.api`.  Who is behind a pseudonym is never told over HTTP: a look-up
is only written down here, and carried out where the key lies (D-30).
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from waystation.web.access import Ability, Asking, AuthorName, needs
from waystation.web.view import DeidDecision, DeidLookup, NodeView

Uid = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9.]+$")]
Because = Annotated[str, Field(min_length=1, max_length=500, description="Why; kept with it")]
ProfileName = Annotated[str, Field(min_length=1, max_length=32, description="Of the profile")]


class Decision(BaseModel):
    """What a person decided about a study."""

    model_config = ConfigDict(extra="forbid")

    study: Uid = Field(description="Its UID as it came in")
    profile: ProfileName
    what: Literal["sample", "pixels", "features"] = Field(description="What was looked at")
    approved: bool = Field(description="Whether it may leave")
    because: Because
    user: AuthorName = ""


class Lookup(BaseModel):
    """Somebody is about to ask who is behind pseudonyms."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["lookup", "export"] = Field(description="One pseudonym, or the whole table")
    profile: ProfileName
    because: Because
    user: AuthorName = ""


def add_deid(router: APIRouter, view: NodeView) -> None:
    """Add the routes to ``router``."""

    @router.post("/deid/decisions", tags=["actions"], openapi_extra=needs(Ability.ACT))
    async def decide(order: Annotated[Decision, Body()], who: Asking) -> dict[str, list[str]]:
        """Write down an approval or rejection; tell which deliveries wait for it."""
        held = await view.decide_deid(
            DeidDecision(**order.model_dump() | {"user": who.author(order.user)})
        )
        if held is None:
            raise HTTPException(404, f"there is no profile {order.profile}")
        return {"held": held}

    @router.post("/deid/lookups", tags=["actions"], openapi_extra=needs(Ability.ACT))
    async def look_up(order: Annotated[Lookup, Body()], who: Asking) -> dict[str, str]:
        """Write down that somebody asks who is behind a pseudonym."""
        await view.note_lookup(DeidLookup(**order.model_dump() | {"user": who.author(order.user)}))
        return {"noted": order.kind}
