"""``/worklist/messages``: HL7 messages with what they did, and a place to try one (T-60, T-61).

Contract: a list shows no patient data; the text of a message needs ``phi``, as every worklist page
does.  To try a message changes nothing.
"""

import asyncio
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from waystation.hl7.mapping import Given
from waystation.hl7.news import EndNews, Item, MergeNews, OrderNews, PatientNews
from waystation.hl7.redacted import redacted
from waystation.journal import hl7_messages
from waystation.journal.hl7_messages import KeptMessage
from waystation.web.access import Ability, needs
from waystation.web.api_worklist_ways import LONGEST_MESSAGE, Ways
from waystation.web.pages.frame import form_of, onward, page
from waystation.web.pages.worklist_words import field_words
from waystation.web.shape import id_number

LOOK: Final = needs(Ability.PHI)
CHANGE: Final = needs(Ability.SCHEDULE)
MOST: Final = 100
REFUSED: Final = ("AE", "AR")


def message_pages(ways: Ways) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/worklist/messages", openapi_extra=LOOK)
    async def messages(request: Request, only: str = "") -> Response:
        codes = REFUSED if only == "refused" else ()
        found = await ways.database.read(hl7_messages.latest(MOST, codes))
        return await page(
            request, "worklist-messages.html", messages=found, only=only, tried=None, text=""
        )

    @router.post("/worklist/messages", openapi_extra=CHANGE)
    async def attempt(request: Request) -> Response:
        text = form_of(request).raw("text")[:LONGEST_MESSAGE]
        raw = text.replace("\r\n", "\r").replace("\n", "\r").strip("\r\x0b\x1c")
        tried = await asyncio.to_thread(ways.feed().attempt, raw.encode(), "")
        found = await ways.database.read(hl7_messages.latest(MOST))
        shown = {
            "kind": tried.kind,
            "fault": tried.fault,
            "parts": [part for one in tried.news for part in _parts(one)],
        }
        return await page(
            request, "worklist-messages.html", messages=found, only="", tried=shown, text=text
        )

    @router.get("/worklist/messages/{number}", openapi_extra=LOOK)
    async def message(request: Request, number: str) -> Response:
        kept = await _kept(ways, number)
        return await page(
            request, "worklist-message.html", message=kept, lines=redacted(kept.message)
        )

    @router.post("/worklist/messages/{number}/replay", openapi_extra=CHANGE)
    async def replay(request: Request, number: str) -> Response:
        done = await ways.feed().replay(await _kept(ways, number))
        good = done.code == "AA"
        text = "The message was taken" if good else f"Refused again: {done.why}"
        kind = "done" if good else "failed"
        return onward(request, f"/worklist/messages/{done.id:x}", text, kind=kind)

    return router


async def _kept(ways: Ways, number: str) -> KeptMessage:
    kept = await ways.database.read(hl7_messages.get(id_number(number)))
    if kept is None:
        raise HTTPException(404, "There is no such message")
    return kept


def _parts(item: Item) -> list[dict[str, Any]]:
    """Return what one part of a message says, as tables of field, value and origin."""
    match item:
        case OrderNews():
            title = f"Order {' / '.join(filter(None, map(str, item.keys)))}: {item.verb}"
            steps = [
                {"title": f"Step {one.id or number}", "rows": _rows(one.values)}
                for number, one in enumerate(item.steps, 1)
            ]
            return [{"title": title, "rows": _rows(item.common)}, *steps]
        case PatientNews():
            return [{"title": "Patient", "rows": _rows(item.values)}]
        case MergeNews():
            return [{"title": f"Patient {item.old} becomes {item.into}", "rows": []}]
        case EndNews():
            return [{"title": f"Visit ended: {item.why}", "rows": []}]


def _rows(values: Any) -> list[tuple[str, str, str, bool]]:
    found: list[tuple[str, str, str, bool]] = []
    for word, one in values.items():
        assert isinstance(one, Given)
        found.append((field_words(word), _text(one.value), one.origin, one.cut))
    return found


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "; ".join(
        one if isinstance(one, str) else ", ".join(f"{k} {v}" for k, v in one.items())
        for one in value
    )
