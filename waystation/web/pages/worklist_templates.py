"""``/worklist/templates``: what new entries are filled from, procedures and stations (T-62).

Contract: to look needs ``phi`` as all worklist pages, to change ``schedule``.  A file is taken as
a whole or not at all, with what is wrong in words.  What was deleted comes back by undo.
"""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from waystation.index import step_templates as book
from waystation.index.step_templates import KINDS, PROCEDURE, STATION, Template
from waystation.web.access import Ability, needs
from waystation.web.api_worklist import Board
from waystation.web.pages.frame import form_of, onward, page
from waystation.web.pages.worklist_fields import FormField
from waystation.web.pages.worklist_template_fields import (
    COLUMNS,
    LONGEST_FILE,
    LONGEST_NAME,
    OF_KIND,
    csv_text,
    made,
    read_csv,
    wrong,
)

LOOK: Final = needs(Ability.PHI)
CHANGE: Final = needs(Ability.SCHEDULE)
HERE: Final = "/worklist/templates"
NAME: Final = FormField(
    name="name",
    label="Name",
    required=True,
    longest=LONGEST_NAME,
    hint="What you choose it by; one that is there already is replaced",
)


def template_pages(board: Board) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    _add_list(router, board)
    _add_file(router, board)
    return router


async def _shown(request: Request, board: Board, status: int = 200, **more: Any) -> Response:
    known = await board.database.read(book.every)
    empty: dict[str, Any] = {"errors": {}, "problems": [], "typed": {}, "kind": PROCEDURE}
    return await page(
        request,
        "worklist-templates.html",
        status=status,
        by_kind={kind: [one for one in known if one.kind == kind] for kind in KINDS},
        fields=OF_KIND,
        name_field=NAME,
        columns=COLUMNS,
        **empty | more,
    )


def _add_list(router: APIRouter, board: Board) -> None:
    @router.get(HERE, openapi_extra=LOOK)
    async def templates(request: Request, kind: str = "", name: str = "") -> Response:
        known = await board.database.read(book.every)
        found = next((one for one in known if (one.kind, one.name) == (kind, name)), None)
        kind = kind if kind in KINDS else PROCEDURE
        typed = {"name": found.name, **found.said} if found else {}
        return await _shown(request, board, kind=kind, typed=typed)

    @router.post(HERE, openapi_extra=CHANGE)
    async def add(request: Request) -> Response:
        form = form_of(request)
        kind = form["kind"] if form["kind"] in KINDS else PROCEDURE
        typed = form.values(("name", *COLUMNS))
        name = typed["name"] or (typed["ScheduledStationAETitle"] if kind == STATION else "")
        template = made(kind, name, typed)
        errors = wrong(template, board.areas())
        if errors:
            return await _shown(request, board, 422, kind=kind, typed=typed, errors=errors)
        await board.database.write(lambda tx: book.put_all(tx, [template]))
        return onward(request, f"{HERE}?kind={kind}", f"{template.name} is kept")

    @router.post(f"{HERE}/delete", openapi_extra=CHANGE)
    async def delete(request: Request) -> Response:
        form = form_of(request)
        kind, name = form["kind"], form["name"]
        known = await board.database.read(book.every)
        gone = [one for one in known if (one.kind, one.name) == (kind, name)]
        if not await board.database.write(lambda tx: book.drop(tx, kind, name)):
            return onward(request, HERE, "There is no such template", kind="failed")
        back = {"kind": kind, "name": name, **(gone[0].said if gone else {})}
        return onward(request, f"{HERE}?kind={kind}", f"{name} was deleted", undo=HERE, fields=back)


def _add_file(router: APIRouter, board: Board) -> None:
    @router.get(f"{HERE}.csv", openapi_extra=LOOK)
    async def as_csv(request: Request) -> Response:
        text = csv_text(await board.database.read(book.every))
        headers = {"content-disposition": 'attachment; filename="worklist-templates.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    @router.post(f"{HERE}/import", openapi_extra=CHANGE)
    async def take(request: Request) -> Response:
        file = form_of(request).file("file")
        data = await file.read(LONGEST_FILE + 1) if file else b""
        found: list[Template] = []
        problems = ["Choose a file"] if not data else []
        if len(data) > LONGEST_FILE:
            problems = [f"The file has more than {LONGEST_FILE:,} bytes"]
        if not problems:
            found, problems = read_csv(data, board.areas())
        if problems:
            return await _shown(request, board, 422, problems=problems)
        await board.database.write(lambda tx: book.put_all(tx, found))
        text = "One template was taken" if len(found) == 1 else f"{len(found)} templates were taken"
        return onward(request, HERE, text)
