"""``/api/v1/retrieves``: who is fetching what from the archive just now, and stopping it (T-46).

Contract: as in `waystation.web.api`; names no patient.
"""

from typing import Annotated

from fastapi import APIRouter, Body, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from waystation.web.access import Ability, Asking, AuthorName, needs
from waystation.web.view import NodeView, RetrieveView


class Stop(BaseModel):
    """Who says so."""

    model_config = ConfigDict(extra="forbid")

    user: AuthorName = ""


class Retrieve(BaseModel):
    """One retrieval."""

    id: int
    kind: str = Field(description="C-MOVE-RQ or C-GET-RQ")
    peer: str = Field(description="Name of the peer that asked, empty for an unknown one")
    calling_ae: str = Field(description="AE title that asked")
    address: str = Field(description="Its address")
    what: str = Field(description="What was asked for, by UIDs; never a patient")
    to: str = Field(description="AE title that the objects go to")
    total: int = Field(description="Objects that were asked for")
    remaining: int
    completed: int
    failed: int
    warning: int
    bytes_per_s: float = Field(description="On average since it began")


class Retrieves(BaseModel):
    """All that are under way, the oldest first."""

    retrieves: list[Retrieve]


def add_retrieves(router: APIRouter, view: NodeView) -> None:
    """Add the routes to ``router``."""

    @router.get("/retrieves", tags=["archive"], openapi_extra=needs(Ability.SEE))
    async def retrieves() -> Retrieves:
        """Show the retrievals that are being answered."""
        return Retrieves(retrieves=[_shape(one) for one in view.retrieves()])

    @router.delete("/retrieves/{number}", tags=["archive"], openapi_extra=needs(Ability.ACT))
    async def stop(number: int, order: Annotated[Stop, Body()], who: Asking) -> dict[str, str]:
        """Stop one behind the object in flight; it ends with status FE00."""
        if not view.stop_retrieve(number, who.author(order.user)):
            raise HTTPException(404, "There is no such retrieval any more")
        return {"retrieve": str(number), "action": "stop"}


def _shape(one: RetrieveView) -> Retrieve:
    rate = one.sent_bytes / one.sent_s if one.sent_s > 0 else 0.0
    return Retrieve(
        id=one.id,
        kind=one.kind,
        peer=one.peer,
        calling_ae=one.calling_ae,
        address=one.address,
        what=one.what,
        to=one.to,
        total=one.total,
        remaining=one.remaining,
        completed=one.completed,
        failed=one.failed,
        warning=one.warning,
        bytes_per_s=rate,
    )
