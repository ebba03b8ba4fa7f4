"""``/audit``: who did and looked at what.

Contract: for those it is granted to; reading it is recorded too (S-57, S-64).
"""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from waystation.journal import audit
from waystation.journal.audit import Event
from waystation.web.access import Ability, needs, who_of
from waystation.web.accounts import Accounts
from waystation.web.pages.frame import page

PAGE = 100


def trail_pages(accounts: Accounts) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/audit", openapi_extra=needs(Ability.AUDIT))
    async def trail(request: Request) -> Response:
        asked = request.query_params
        event, by = asked.get("event", "")[:64], asked.get("who", "")[:100].strip()
        start = asked.get("before", "")
        before = int(start) if start.isascii() and start.isdigit() and len(start) < 16 else 0
        who = who_of(request)
        accounts.trail.looked(Event.AUDIT_READ, who.name, (event, by), event=event, by=by)
        found = await accounts.database.read(
            audit.records(event=event, who=by, before=before, limit=PAGE + 1)
        )
        return await page(
            request,
            "audit.html",
            records=found[:PAGE],
            older=found[PAGE - 1].number if len(found) > PAGE else 0,
            events=[("", "Everything"), *((one.value, one.value) for one in Event)],
            asked={"event": event, "who": by},
        )

    return router
