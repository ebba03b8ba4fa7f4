"""Who we are to an HTTP server: user and password, a token, or a client that fetches tokens.

Contract: `authorization` gives the value of the Authorization header, "" for none.  A fetched
token (OAuth 2, RFC 6749 section 4.4) is kept until a minute before it ends; `rejected` forgets
it.  Whoever refuses to give us one, or gives none, is an `UnreachableError`: permanent where
somebody has to change a setting.  No secret is ever part of a text.
"""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from waystation.model.errors import LostError, UnreachableError
from waystation.net.http import HttpClient, HttpSettings, Reply

EARLY_S = 60.0
# RFC 6749 leaves the life of a token open.
USUAL_LIFE_S = 300.0
LONGEST_LIFE_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """User and password (RFC 7617)."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """A token that somebody gave us (RFC 6750)."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A client of a token server."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""
    http: HttpSettings = HttpSettings()


Identity = Basic | Bearer | Fetched | None


class Credentials:
    """What we show to one server.  clock: seconds, monotonic."""

    def __init__(self, identity: Identity, clock: Callable[[], float]) -> None:
        self._identity = identity
        self._clock = clock
        self._token = ""
        self._until = 0.0
        self._uses = 0
        self._fetching = asyncio.Lock()
        self._client = HttpClient(identity.http) if isinstance(identity, Fetched) else None

    async def authorization(self) -> str:
        """Return the header's value.  Raises `UnreachableError` if no token is to be had."""
        match self._identity:
            case None:
                return ""
            case Basic(user=user, password=password):
                return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
            case Bearer(token=token):
                return f"Bearer {token}"
            case Fetched() as identity:
                async with self._fetching:
                    if self._clock() >= self._until:
                        await self._fetch(identity)
                    self._uses += 1
                    return f"Bearer {self._token}"

    def rejected(self) -> bool:
        """The server did not take what we showed; return whether another try may help.

        It may where a fetched token was good before: it was withdrawn, or ended early.
        """
        self._until = 0.0
        return self._uses > 1

    async def close(self) -> None:
        """End what is open."""
        if self._client is not None:
            await self._client.close()

    async def _fetch(self, identity: Fetched) -> None:
        assert self._client is not None
        form = {"grant_type": "client_credentials"}
        if identity.scope:
            form["scope"] = identity.scope
        shown = f"{quote(identity.client_id, safe='')}:{quote(identity.client_secret, safe='')}"
        try:
            reply = await self._client.request(
                "POST",
                identity.token_url,
                headers={
                    "Authorization": "Basic " + base64.b64encode(shown.encode()).decode(),
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                },
                body=urlencode(form).encode(),
            )
        except LostError as error:
            raise UnreachableError("connect", f"token server {error}") from error
        self._token, life_s = read_token(reply)
        self._uses = 0
        self._until = self._clock() + max(0.0, life_s - EARLY_S)


def read_token(reply: Reply) -> tuple[str, float]:
    """Return token and life in seconds (RFC 6749 section 5.1).  Raises `UnreachableError`."""
    if reply.status != 200:
        # 400 and 401 are its answers to a client that it does not know.
        permanent = reply.status < 500 and reply.status not in (408, 425, 429)
        why = f"the token server answered HTTP {reply.status}"
        raise UnreachableError("rejected", why, permanent=permanent)
    try:
        found: Any = json.loads(reply.body or b"")
        token, life = found["access_token"], found.get("expires_in", USUAL_LIFE_S)
        life_s = min(float(life), LONGEST_LIFE_S)
        good = isinstance(token, str) and token.isascii() and token.isprintable() and life_s > 0
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise UnreachableError("rejected", "the token server's answer has no token") from error
    if not good or not token:
        raise UnreachableError("rejected", "the token server's answer has no token")
    return token, life_s
