"""What a destination accepts and refuses, as the API tells it (R-64)."""

from typing import Literal

from fastapi import APIRouter, HTTPException
from pydantic import Field

from waystation.dicom.uids import name_of
from waystation.web.access import Ability, needs
from waystation.web.shape import Shape
from waystation.web.view import ContextsView, NodeView


class Context(Shape):
    """One SOP class in one transfer syntax."""

    sop_class: str
    sop_class_name: str
    transfer_syntax: str
    transfer_syntax_name: str
    answer: Literal["accepted", "refused"]


class Refused(Shape):
    """Objects of this class, stored so, are held without being tried."""

    sop_class: str
    sop_class_name: str
    transfer_syntax: str
    transfer_syntax_name: str
    why: str


class Contexts(Shape):
    """What associations have shown so far."""

    destination: str
    contexts: list[Context]
    refused: list[Refused] = Field(
        description="What is held without being tried, until it is found accepted"
    )


def contexts_of(name: str, seen: ContextsView) -> Contexts:
    """Return what is known of a destination, as JSON."""
    return Contexts(
        destination=name,
        contexts=[
            Context(**_names(pair), answer="accepted" if accepted else "refused")
            for pair, accepted in sorted(seen.seen.items())
        ],
        refused=[Refused(**_names(pair), why=why) for pair, why in sorted(seen.refused.items())],
    )


def _names(pair: tuple[str, str]) -> dict[str, str]:
    return {
        "sop_class": pair[0],
        "sop_class_name": name_of(pair[0]),
        "transfer_syntax": pair[1],
        "transfer_syntax_name": name_of(pair[1]),
    }


def add_contexts(router: APIRouter, view: NodeView) -> None:
    """Add the route."""

    @router.get("/destinations/{name}/contexts", tags=["queue"], openapi_extra=needs(Ability.SEE))
    async def contexts(name: str) -> Contexts:
        """Show what a destination was seen to accept, and what it refuses."""
        seen = await view.contexts(name)
        if seen is None:
            raise HTTPException(404, "There is no such destination")
        return contexts_of(name, seen)
