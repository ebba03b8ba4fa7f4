"""The entrance to pages and API: who asks, whether they may, and whether it is they who ask.

Contract: pure ASGI.  Each route names its ability; who lacks it is refused before the route sees
anything (S-57).  Where a cookie speaks for a visitor, a change needs what only our own pages know
(S-59): a form its token, a script the same in ``X-Waystation-Form``.  What an administrator
changes needs a password that was given lately (S-58).
"""

import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, Protocol
from urllib.parse import quote

from fastapi import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waystation.model.errors import WaystationError
from waystation.web.access import NOBODY, OPEN, Ability, Rule, Who
from waystation.web.looks import NO_TRAIL, Look, Recorder
from waystation.web.pages.errors import wants_page
from waystation.web.pages.frame import TOKEN
from waystation.web.problems import SAFE_METHODS, problem, shown, unable

FORM_HEADER: Final = "x-waystation-form"
API: Final = "/api/"
SIGN_IN: Final = "/sign-in"
PROVED_S: Final = 600.0
MOST_FIELDS: Final = 1000
MOST_FILES: Final = 10
MOST_KEYS: Final = 20
PATIENTS: Final = frozenset({Ability.PHI, Ability.SCHEDULE, Ability.AUDIT, Ability.REIDENTIFY})
# Who looks at these is recorded here; at the others, by what shows them.
SHOWN: Final = frozenset({Ability.PHI, Ability.SCHEDULE})
COOKIE_SPEAKS: Final = frozenset({"session", "open", "nobody", "wrong"})


class Keeper(Recorder, Protocol):
    """Knows people and tokens, and keeps the record of who looks at patients."""

    @property
    def is_open(self) -> bool:
        """Whether nobody has to log in on this machine."""

    async def who(self, scope: Scope, *, basic: bool = False) -> Who:
        """Return who asks.  basic: whether name and password may come with the request.

        Raises HTTPException 429 for too many attempts.
        """

    def refused(self, who: Who, method: str, path: str) -> None:
        """Record that somebody who is known was refused."""


class NoAccounts:
    """Nobody is known.  is_local: tells whether a request comes from this machine."""

    is_open = True

    def __init__(self, is_local: Callable[[Scope], bool]) -> None:
        self._is_local = is_local
        self._form = secrets.token_hex(16)

    async def who(self, scope: Scope, *, basic: bool = False) -> Who:
        """Return the open visitor for everybody on this machine."""
        return replace(OPEN if self._is_local(scope) else NOBODY, form=self._form)

    async def fit(self) -> bool:
        """Nothing is recorded of nobody."""
        return True

    def looked(self, who: Who, path: str, private: str = "", /, **what: Any) -> None:
        """Nothing is recorded of nobody."""

    def refused(self, who: Who, method: str, path: str) -> None:
        """Nothing is recorded of nobody."""


class Entrance:
    """rules: of all routes, the first that fits counts."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        rules: Iterable[Rule],
        keeper: Keeper,
        now: Callable[[], float],
    ) -> None:
        self._app = app
        self._rules = tuple(rules)
        self._keeper = keeper
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            refusal, receive = await self._judge(request, receive)
        except HTTPException as error:
            answer = problem(error.status_code, str(error.detail))
            answer.headers.update(error.headers or {})
            refusal = await shown(request, answer)
        except WaystationError as error:
            refusal = await shown(request, unable(request, error))
        await (refusal or self._app)(scope, receive, send)

    async def _judge(self, request: Request, receive: Receive) -> tuple[Response | None, Receive]:
        """Return why a request ends here, None if it does not, and the body to go on with."""
        who = await self._keeper.who(request.scope)
        path = str(request.scope["path"])
        request.scope["waystation.who"] = who
        request.scope["waystation.look"] = Look(who, path, self._keeper)
        needed = self.needed(request.method, path)
        if not who.may(needed):
            return await self._refused(request, who), receive
        if needed in PATIENTS and not await self._keeper.fit():
            why = problem(503, NO_TRAIL, "See the log of the node.")
            return await shown(request, why), receive
        refusal, receive = await self._doubt(request, who, needed, receive)
        if refusal is None and needed in SHOWN:
            # A change shows patients too: what it changes, and why it cannot be.
            self._keeper.looked(who, path, _query(request), **_keys(request))
        return refusal, receive

    async def _doubt(
        self, request: Request, who: Who, needed: Ability, receive: Receive
    ) -> tuple[Response | None, Receive]:
        """Return why it may not be they who ask, None if it is, and the body to go on with."""
        if request.method in SAFE_METHODS or not self._is_taken(request):
            return None, receive
        if who.kind == "session" and needed is Ability.ADMINISTER and not self._proved(who):
            return await self._unproved(request), receive
        if who.kind not in COOKIE_SPEAKS:
            return None, receive
        is_json = request.headers.get("content-type", "").startswith("application/json")
        if not is_json:
            is_they, receive = await _form(request, who, receive)
        elif str(request.scope["path"]).startswith(API) and who.kind != "session":
            # No cookie, and JSON from another site's page needs a leave that is never given.
            is_they = True
        else:
            is_they = _same(request.headers.get(FORM_HEADER, ""), who)
        if is_they:
            return None, receive
        why = problem(403, "This form is too old", "Open the page again and send it once more.")
        return await shown(request, why), receive

    def needed(self, method: str, path: str) -> Ability:
        """Return what a request needs; what no route takes is for those who may see."""
        for rule in self._rules:
            if method in rule.methods and rule.pattern.match(path):
                return rule.ability
        if any(rule.pattern.match(path) for rule in self._rules):
            return Ability.NOTHING
        return Ability.SEE

    def _is_taken(self, request: Request) -> bool:
        """Tell whether a route takes a request at all."""
        path = str(request.scope["path"])
        return any(
            request.method in rule.methods and rule.pattern.match(path) for rule in self._rules
        )

    def _proved(self, who: Who) -> bool:
        return 0 <= self._now() - who.proved_at < PROVED_S

    async def _refused(self, request: Request, who: Who) -> Response:
        if who.kind not in ("nobody", "wrong"):
            self._keeper.refused(who, request.method, str(request.scope["path"]))
            why = problem(403, "You may not do this", "An administrator can change what you may.")
            return await shown(request, why)
        if wants_page(request) and request.method == "GET":
            path = str(request.scope["path"])
            onward = f"?next={quote(path)}" if path != "/" else ""
            return RedirectResponse(SIGN_IN + onward, status_code=303)
        answer = problem(401, "A login is needed")
        answer.headers["www-authenticate"] = "Bearer"
        return await shown(request, answer)

    async def _unproved(self, request: Request) -> Response:
        if str(request.scope["path"]).startswith(API):
            return problem(403, "Give your password again", "Sign in anew before you change this")
        first = "/" + str(request.scope["path"]).split("/")[1]
        return RedirectResponse(f"{SIGN_IN}/again?next={quote(first)}", status_code=303)


def _query(request: Request) -> str:
    return bytes(request.scope["query_string"]).decode("latin-1")


def _keys(request: Request) -> dict[str, list[str]]:
    """Return which filters were given, never their values."""
    given = sorted({name[:64] for name, text in request.query_params.multi_items() if text})
    return {"keys": given[:MOST_KEYS]} if given else {}


def _same(given: str, who: Who) -> bool:
    return bool(who.form) and hmac.compare_digest(given.encode(), who.form.encode())


async def _form(request: Request, who: Who, receive: Receive) -> tuple[bool, Receive]:
    """Read the form of a request and tell whether its token fits; the body can be read again."""
    body = await request.body()
    form = await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS)
    request.scope["waystation.form"] = form
    given = form.get(TOKEN)
    # A page of another site cannot read this one's; where nobody is logged in that is all there is.
    fits = _same(given if isinstance(given, str) else "", who)

    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return fits, again
