"""``/api/v1``: corrected versions of what is held (R-59).

Contract: as in `waystation.web.api`; new values are taken, never given back.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from waystation.transforms.edit_read import read_edit
from waystation.web.access import Ability, Asking, AuthorName, needs
from waystation.web.shape import LARGEST_ID, LONGEST_ID
from waystation.web.view import NodeView

MOST_EDITS = 100
LONGEST_VALUE = 10_240


def _hexadecimal(text: str) -> str:
    if not 0 < len(text) <= LONGEST_ID or set(text.lower()) - set("0123456789abcdef"):
        raise ValueError("an id is up to 16 hexadecimal digits")
    if int(text, 16) > LARGEST_ID:
        raise ValueError("no id is so large")
    return text


IdText = Annotated[str, AfterValidator(_hexadecimal)]
Value = Annotated[str, Field(max_length=LONGEST_VALUE)]


class Fix(BaseModel):
    """New values, and who says so."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    set_: dict[str, Value] = Field(
        alias="set", min_length=1, max_length=MOST_EDITS, description="Element → new value"
    )
    utf8: bool = Field(default=False, description="Convert the object to UTF-8 where it must be")
    user: AuthorName = ""

    def edits(self) -> list[dict[str, Any]]:
        """Return the edits.  Raises ValueError for one that cannot be."""
        found = [_edit(path, value, self.utf8) for path, value in self.set_.items()]
        for one in found:
            read_edit(one)
        return found


def _edit(path: str, value: str, utf8: bool) -> dict[str, Any]:
    """Return one edit; braces in the value are braces."""
    plain = value.replace("{", "{{").replace("}", "}}")
    said: dict[str, Any] = {"set": path, "to": plain.split("\\"), "reason": "correct"}
    return said | ({"charset": "utf-8"} if utf8 else {})


def add_steps(router: APIRouter, view: NodeView) -> None:
    """Add the routes to ``router``."""

    @router.post(
        "/deliveries/{delivery_id}/fix", tags=["actions"], openapi_extra=needs(Ability.ACT)
    )
    async def fix(
        delivery_id: IdText, order: Annotated[Fix, Body()], who: Asking
    ) -> dict[str, str]:
        """Send a corrected version of what waits or is held; the original stays."""
        try:
            edits = order.edits()
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        problem = await view.fix(int(delivery_id, 16), edits, who.author(order.user))
        if problem:
            raise HTTPException(409, problem)
        return {"delivery": delivery_id, "action": "fix"}
