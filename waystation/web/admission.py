"""Who may use a DICOMweb resource, and the trace that it leaves (W-133, W-134).

Contract: a login may come as name and password with each request, as a token, or as the session
of the console.  Without one, `Terms.open` lets strangers search and retrieve.  Who looks at
patient data leaves a record; while none can be written nobody looks (S-67).
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from starlette.requests import Request

from waystation.flows.auditing import Trail
from waystation.journal.audit import Event
from waystation.web.access import Who
from waystation.web.asked import Asked, Refusal
from waystation.web.entrance import FORM_HEADER, Keeper
from waystation.web.problems import SAFE_METHODS
from waystation.web.terms import Terms

OPEN_RIGHTS: Final = frozenset({"search", "retrieve"})
ASK: Final = {"WWW-Authenticate": 'Basic realm="Waystation", charset="UTF-8"'}
EVENTS: Final[Mapping[str, str]] = {
    "search": Event.QUERIED,
    "retrieve": Event.LOOKED,
    "store": Event.STORED,
    "delete": Event.DELETED,
}


class Admission:
    """trail: None where nothing is recorded."""

    def __init__(self, keeper: Keeper, trail: Trail | None = None) -> None:
        self.keeper = keeper
        self._trail = trail

    async def admit(self, request: Request, right: str, terms: Terms) -> Who:
        """Return who asks; raises `Refusal` for who may not."""
        who = await self.keeper.who(request.scope, basic=True)
        request.scope["waystation.who"] = who
        if not who.may(right) and not (
            who.kind == "nobody" and terms.open and right in OPEN_RIGHTS
        ):
            if who.kind in ("nobody", "wrong"):
                raise Refusal(401, "A login is needed", headers=ASK)
            self.keeper.refused(who, request.method, str(request.scope["path"]))
            raise Refusal(403, "You may not do this", "An administrator can change what you may")
        if who.kind == "session" and request.method not in SAFE_METHODS:
            _check_session(request, who)
        if self._trail is not None and not await self._trail.fit():
            raise Refusal(
                503,
                "The audit trail cannot be written",
                "Nobody may look at patient data until it can",
                headers={"Retry-After": "30"},
                retryable=True,
            )
        return who

    def note(self, asked: Asked, right: str, status: int) -> None:
        """Leave the trace of a request that was answered."""
        if self._trail is None:
            return
        who: Who = asked.request.scope["waystation.who"]
        what = {name: value for name, value in asked.path.items() if name != "frames"}
        keys = sorted({name for name, _ in asked.params})
        event = EVENTS.get(right, Event.LOOKED)
        name = who.name or "anonymous"
        if right in ("store", "delete"):
            said = {"address": asked.caller, "source": asked.source, "status": status}
            self._trail.note(event, name, **said | what | asked.told)
            return
        # A viewer asks for each frame: one record for a study, one for each different search.
        query = hashlib.sha256(repr(sorted(asked.params)).encode()).hexdigest()
        subject = what.get("study") or query
        level = asked.template.split("/{")[0] if right == "search" else ""
        self._trail.looked(
            event,
            name,
            (asked.caller, asked.source, subject, level, str(status // 100)),
            address=asked.caller,
            source=asked.source,
            status=status,
            **({"keys": keys, "level": level} if right == "search" else {}),
            **what,
        )


def _check_session(request: Request, who: Who) -> None:
    """A cookie alone changes nothing: the page must be ours, as Origin or the token says (S-59)."""
    if "origin" not in request.headers and request.headers.get(FORM_HEADER) != who.form:
        raise Refusal(403, "Requests from pages of other sites are refused")
