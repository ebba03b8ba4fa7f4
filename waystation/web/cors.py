"""Requests that pages of other sites make from a browser (W-136).

Contract: pure.  Off unless origins are listed; then preflights are answered, and every answer,
errors and 401 too, tells the page that it may read it.  Credentials in cookies are never invited.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

METHODS: Final = "GET, HEAD, POST, OPTIONS, DELETE"
ALLOWED: Final = "Authorization, Accept, Content-Type, If-None-Match, Range"
EXPOSED: Final = (
    "Warning, ETag, Link, Retry-After, Content-Location, X-Missing-Instances, Content-Range"
)
DAY_S: Final = 86_400


def netloc(url: str) -> str:
    """Return host and port of a URL."""
    return urlsplit(url).netloc


def headers_for(origin: str | None, origins: Sequence[str]) -> dict[str, str]:
    """Return the header fields for a page of ``origin``, {} if it is not listed."""
    if not origins or origin is None:
        return {}
    if "*" not in origins and origin.lower() not in {one.lower().rstrip("/") for one in origins}:
        return {}
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": EXPOSED,
        "vary": "Origin",
    }


def is_preflight(request: Request) -> bool:
    """Tell a preflight from a request for capabilities."""
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def preflight(shown: Mapping[str, str]) -> Response:
    """Return the answer to a preflight; without CORS headers it says no."""
    if not shown:
        return Response(status_code=403)
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": METHODS,
            "access-control-allow-headers": ALLOWED,
            "access-control-max-age": str(DAY_S),
        },
    )
