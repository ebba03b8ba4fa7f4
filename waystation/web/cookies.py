"""The cookie that carries a login (S-58).

Contract: over TLS it has the prefix that a browser keeps to this host and to TLS; without
encryption, prefix and flag would lose it.
"""

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from waystation.web.surroundings import Surroundings

SECURE_COOKIE: Final = "__Host-waystation"
PLAIN_COOKIE: Final = "waystation-session"


class Cookies:
    """Of one node."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def key(self, scope: Scope) -> str:
        """Return what the cookie of a login carries, "" without one."""
        jar = cookie_parser(Headers(scope=scope).get("cookie", "")[:8192])
        return jar.get(self._name(scope), "")

    def _name(self, scope: Scope) -> str:
        return SECURE_COOKIE if self._around.is_secure(scope) else PLAIN_COOKIE

    def give(self, response: Response, key: str, scope: Scope) -> None:
        """Have a browser bring the login along."""
        response.set_cookie(
            self._name(scope),
            key,
            path="/",
            secure=self._around.is_secure(scope),
            httponly=True,
            samesite="strict",
        )

    def take(self, response: Response) -> None:
        """Have a browser forget it."""
        response.delete_cookie(SECURE_COOKIE, path="/", secure=True, httponly=True)
        response.delete_cookie(PLAIN_COOKIE, path="/", httponly=True)
