"""``/static``: the files that pages are shown with.

Contract: only files that were there at the start, by their names then; what they are is in their
address, so that a browser keeps them for ever.
"""

from typing import Final

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from waystation.web.access import Ability, needs
from waystation.web.pages.frame import Console

TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
FOR_EVER: Final = "public, max-age=31536000, immutable"


def static_files(console: Console) -> APIRouter:
    """Return the route."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{edition}/{name}", openapi_extra=needs(Ability.NOTHING))
    async def static(edition: str, name: str) -> Response:
        found = console.static.get(name)
        if found is None:
            raise HTTPException(404, "There is no such file")
        age = FOR_EVER if edition == console.edition else "no-store"
        kind = TYPES[name.rpartition(".")[2]]
        return Response(found, media_type=kind, headers={"cache-control": age})

    return router
