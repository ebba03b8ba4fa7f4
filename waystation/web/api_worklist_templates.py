"""``/api/v1/worklist/templates``: procedures and stations that new entries are filled from (T-62).

Contract: as in `waystation.web.api`, with the checks of the page.  Templates are taken all or not
at all; a refusal names the fields, as ``templates[1].Modality``.
"""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from waystation.index import step_templates as book
from waystation.web.access import Ability, AuthorName, needs
from waystation.web.api_worklist import Board
from waystation.web.pages.worklist_template_fields import OF_KIND, made, wrong
from waystation.web.problems import problem

MOST: Final = 1000
Kind = Literal["procedure", "station"]


class TemplateShown(BaseModel):
    """One template."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    name: str = Field(min_length=1, max_length=64, description="What it is chosen by")
    values: dict[str, str] = Field(description="Field of the form → text")


class Templates(BaseModel):
    """Procedures first, by name."""

    model_config = ConfigDict(extra="forbid")

    templates: list[TemplateShown] = Field(max_length=MOST)
    user: AuthorName = ""


def worklist_templates_api(board: Board) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1/worklist", tags=["worklist"])

    @router.get("/templates", openapi_extra=needs(Ability.PHI))
    async def templates() -> Templates:
        """List the templates of procedures and stations."""
        return await _every(board)

    @router.post("/templates", openapi_extra=needs(Ability.SCHEDULE), response_model=Templates)
    async def keep(order: Annotated[Templates, Body()]) -> Any:
        """Keep templates, each in place of the one of its kind and name."""
        faults = _faults(order, board)
        if faults:
            text = f"{len(faults)} fields are wrong" if len(faults) > 1 else faults[0]["text"]
            return _refused(faults, text)
        found = [made(one.kind, one.name, one.values) for one in order.templates]
        await board.database.write(lambda tx: book.put_all(tx, found))
        return await _every(board)

    @router.delete("/templates", openapi_extra=needs(Ability.SCHEDULE))
    async def drop(kind: Kind, name: Annotated[str, Query(max_length=64)]) -> Templates:
        """Forget a template."""
        if not await board.database.write(lambda tx: book.drop(tx, kind, name)):
            raise HTTPException(404, "There is no such template")
        return await _every(board)

    return router


async def _every(board: Board) -> Templates:
    known = await board.database.read(book.every)
    shown = [TemplateShown(kind=_kind(one), name=one.name, values=dict(one.said)) for one in known]
    return Templates(templates=shown)


def _kind(one: book.Template) -> Kind:
    return "station" if one.kind == book.STATION else "procedure"


def _faults(order: Templates, board: Board) -> list[dict[str, str]]:
    found = []
    for number, one in enumerate(order.templates):
        strange = set(one.values) - {field.name for field in OF_KIND[one.kind]}
        told = dict.fromkeys(sorted(strange), f"A {one.kind} has no such field")
        told |= wrong(made(one.kind, one.name, one.values), board.areas())
        found += [{"field": f"templates[{number}].{k}", "text": text} for k, text in told.items()]
    return found


def _refused(faults: list[dict[str, str]], text: str) -> JSONResponse:
    return problem(400, "These templates cannot be kept", text, fields=faults)
