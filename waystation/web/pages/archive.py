"""``/archive``: who is fetching what from the archive just now, and stopping it (T-46).

Contract: numbers are those of the API; nothing names a patient.
"""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from waystation.web.access import Ability, needs, who_of
from waystation.web.pages.frame import console_of, onward, page
from waystation.web.view import RetrieveView


def archive_pages() -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/archive", openapi_extra=needs(Ability.SEE))
    async def archive(request: Request) -> Response:
        going = [_row(one) for one in console_of(request).view.retrieves()]
        return await page(request, "archive.html", going=going)

    @router.post("/archive/retrieves/{number}/stop", openapi_extra=needs(Ability.ACT))
    async def stop(request: Request, number: int) -> Response:
        author = who_of(request).author("console")
        if console_of(request).view.stop_retrieve(number, author):
            return onward(request, "/archive", "It ends behind the object that is being sent")
        return onward(request, "/archive", "It had ended already", kind="failed")

    return router


def _row(one: RetrieveView) -> dict[str, Any]:
    done = one.total - one.remaining
    rate = one.sent_bytes / one.sent_s if one.sent_s > 0 else 0.0
    return {
        "one": one,
        "kind": one.kind.removesuffix("-RQ"),
        "done": done,
        "bytes_per_s": rate,
        "left_s": one.remaining * one.sent_s / done if done and one.remaining else None,
    }
