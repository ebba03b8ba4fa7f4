"""What a modality sees, why it does not, and what it asked last (T-19, T-62).

Contract: reads only.  The preview is a real search, with the answers read back from their bytes.
"""

from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from waystation.flows.steps import StepFilter
from waystation.flows.worklist_why import keys_of
from waystation.index import mpps
from waystation.model.step import StepRefused
from waystation.web.access import Ability, needs
from waystation.web.api_worklist import Board
from waystation.web.pages.frame import page
from waystation.web.pages.worklist import line_of
from waystation.web.pages.worklist_words import field_words
from waystation.web.shape import id_number
from waystation.wire.status import status_text

LOOK: Final = needs(Ability.PHI)
MOST: Final = 100
CAUSES: Final = {
    "state": "State",
    "area": "Area",
    "incomplete": "Completeness",
    "key": "What the station asks for",
    "charset": "Characters",
}


def look_pages(board: Board) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    _add_preview(router, board)
    _add_traffic(router, board)
    _add_why(router, board)
    return router


def _add_preview(router: APIRouter, board: Board) -> None:
    @router.get("/worklist/preview", openapi_extra=LOOK)
    async def preview(request: Request, station: str = "", last: str = "") -> Response:
        station = station.strip()[:16]
        entries, refused = None, ""
        if station:
            try:
                found = await board.view.preview(station, last=last == "1", limit=MOST)
            except StepRefused as error:
                found, refused = [], str(error)
            entries = [{"id": f"{one.step:x}", "shown": one, "values": one.values} for one in found]
        return await page(
            request,
            "worklist-preview.html",
            station=station,
            last=last == "1",
            entries=entries,
            refused=refused,
            stations=await _stations(board),
        )


def _add_traffic(router: APIRouter, board: Board) -> None:
    @router.get("/worklist/traffic", openapi_extra=LOOK)
    async def traffic(request: Request, station: str = "") -> Response:
        station = station.strip()[:16]
        asked = await board.view.queries(MOST, station)
        return await page(
            request,
            "worklist-traffic.html",
            station=station,
            queries=[
                {
                    "one": one,
                    "status": status_text(one.status),
                    "keys": [(path, text) for path, text in keys_of(one) if text],
                    "good": one.status == 0,
                }
                for one in asked
            ],
            performed=await board.database.read(mpps.newest(50)),
        )


def _add_why(router: APIRouter, board: Board) -> None:
    @router.get("/worklist/{number}/why", openapi_extra=LOOK)
    async def why(request: Request, number: str, station: str = "") -> Response:
        try:
            found = await board.view.why(id_number(number), station.strip()[:16])
        except StepRefused:
            raise HTTPException(404, "There is no such entry") from None
        return await page(
            request,
            "worklist-why.html",
            found=found,
            step=line_of(found.step, board.clock()),
            causes=CAUSES,
            lacks=[field_words(one) for one in found.step.missing],
            keys=keys_of(found.query) if found.query else [],
            stations=await _stations(board),
        )


async def _stations(board: Board) -> list[str]:
    """Return the stations of the entries, and those that asked."""
    known = set(await board.steps.count(StepFilter()))
    known |= {one.calling_ae for one in await board.view.queries(MOST)}
    return sorted(known - {""})
