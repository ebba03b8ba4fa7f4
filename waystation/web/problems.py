"""Errors as problem+json (RFC 9457), and the guards that every request passes.

Contract: an error text has an id that also stands in the log, and never a stack trace, a path, SQL
or patient data (S-61).  While the node is open on loopback, a page of another site must not be
able to act through a visitor's browser: names that only DNS gives to us are refused as Host,
foreign origins are refused, and a change must come as JSON or from a form of ours (S-59).
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waystation.model.errors import ConfigError, WaystationError
from waystation.web.json_shape import unfit
from waystation.web.pages.errors import error_page, wants_page

log = structlog.get_logger()

PROBLEM = "application/problem+json"
BODY_LIMIT = 1 << 20
YEAR_S = 365 * 86_400
JSON_ONLY = frozenset({"application/json"})
FORMS = JSON_ONLY | {"application/x-www-form-urlencoded", "multipart/form-data"}
LONGEST_TARGET = 16 * 1024
MOST_FIELDS = 100
LARGEST_HEAD = 64 * 1024
OPEN = {"/health/live", "/health/ready"}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def problem(status: int, title: str, detail: str = "", **more: Any) -> JSONResponse:
    """Return an error answer; ``more``: further members."""
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        **more,
        "id": secrets.token_hex(6),
    }
    return JSONResponse(body, status_code=status, media_type=PROBLEM)


def _known(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    answer = problem(error.status_code, str(error.detail))
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Name the fields and what is wrong, never the values."""
    assert isinstance(error, RequestValidationError)
    faults = [
        ".".join(str(part) for part in fault["loc"]) + ": " + str(fault["msg"])
        for fault in error.errors()
    ]
    return problem(400, "The request is not understood", "; ".join(faults)[:1000])


def _misread(_request: Request, error: Exception) -> JSONResponse:
    """Say what is wrong with an expression or a name that was given."""
    return problem(400, "The request is not understood", str(error)[:1000])


def unable(_request: Request, error: Exception) -> JSONResponse:
    """Return what to answer while journal or disk fail; why stands in the log."""
    answer = problem(503, "The journal or the disk cannot do this now")
    log.error("request failed", id=id_of(answer), error=str(error))
    return answer


def _unforeseen(_request: Request, error: Exception) -> JSONResponse:
    answer = problem(500, "Something went wrong inside")
    log.error("request failed", id=id_of(answer), exc_info=error)
    return answer


def id_of(answer: JSONResponse) -> str:
    """Return the id that a problem was given."""
    return bytes(answer.body).rpartition(b'"id":"')[2][:12].decode()


async def shown(request: Request, answer: JSONResponse) -> Response:
    """Return a problem as the caller reads it: a page for a browser, else as it is."""
    made: Response = answer
    if wants_page(request):
        said = json.loads(bytes(answer.body))
        page = error_page(request, said["status"], said["title"], said["detail"], said["id"])
        if page is not None:
            kept = ("content-type", "content-length")
            page.headers.update({k: v for k, v in answer.headers.items() if k not in kept})
            made = page
    return made


def _answered(
    handler: Callable[[Request, Exception], JSONResponse],
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        made = await shown(request, handler(request, error))
        # What nobody foresaw is answered outside of the guard.
        made.headers.update(HEADERS)
        return made

    return answer


def add_problems(app: FastAPI) -> None:
    """Have ``app`` answer every error as a problem."""
    app.add_exception_handler(HTTPException, _answered(_known))
    app.add_exception_handler(RequestValidationError, _answered(_invalid))
    app.add_exception_handler(ConfigError, _answered(_misread))
    app.add_exception_handler(WaystationError, _answered(unable))
    app.add_exception_handler(Exception, _answered(_unforeseen))


class Watchword(Protocol):
    """What the guard goes by."""

    def is_closed(self, scope: Scope) -> bool:
        """Tell whether nobody may ask from there: without users, from another machine."""

    def knows(self, host: str) -> bool:
        """Tell whether a name in Host is ours."""

    def netlocs(self, scope: Scope) -> set[str]:
        """Return hosts, with their ports, whose pages are ours."""

    def is_secure(self, scope: Scope) -> bool:
        """Tell whether the caller's connection is encrypted."""


class Guard:
    """Pure ASGI: refuses foreign hosts, origins, types and sizes; adds the security headers."""

    def __init__(self, app: ASGIApp, watchword: Watchword) -> None:
        self._app = app
        self._watchword = watchword

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        is_secure = self._watchword.is_secure(scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if is_secure:
                    headers.setdefault("strict-transport-security", f"max-age={YEAR_S}")
            await send(message)

        refusal = self._closed(scope) or _too_long(scope) or self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_safely)
            return
        limited: Receive = Limited(receive, BODY_LIMIT)
        kind = Headers(scope=scope).get("content-type", "")
        if scope["method"] not in SAFE_METHODS and kind.startswith(tuple(JSON_ONLY)):
            limited = Judged(limited)
        await self._app(scope, limited, send_safely)

    def _closed(self, scope: Scope) -> JSONResponse | None:
        if scope["path"] in OPEN or not self._watchword.is_closed(scope):
            return None
        return problem(401, "A login is needed", "No users are configured yet")

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if not self._watchword.knows(headers.get("host", "")):
            return problem(400, "This host name is not ours")
        if scope["method"] in SAFE_METHODS:
            return None
        is_form = not scope["path"].startswith("/api/")
        origin = headers.get("origin")
        if (
            origin is not None
            and not (is_form and _is_unnamed(origin, headers))
            and urlsplit(origin).netloc not in self._watchword.netlocs(scope)
        ):
            return problem(403, "Requests from pages of other sites are refused")
        kind = headers.get("content-type", "").partition(";")[0].strip()
        if kind not in (FORMS if is_form else JSON_ONLY):
            return problem(415, "Send JSON: Content-Type application/json")
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            return problem(415, "Send the body as it is, without Content-Encoding")
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > BODY_LIMIT:
            return problem(413, "The body is too large")
        return None


def _is_unnamed(origin: str, headers: Headers) -> bool:
    """Tell whether a browser kept back which page a form is from, as no-referrer has it do.

    Where it says besides that the page is of another site, it counts as that.  The token of the
    form decides.
    """
    return origin == "null" and headers.get("sec-fetch-site", "same-origin") == "same-origin"


def excess(scope: Scope) -> tuple[int, str] | None:
    """Return status and title for a request whose head is too long (L20), None if it is not."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_TARGET:
        return 414, "The address is too long"
    fields = scope["headers"]
    if len(fields) > MOST_FIELDS:
        return 431, "Too many header fields"
    if sum(len(name) + len(value) + 4 for name, value in fields) > LARGEST_HEAD:
        return 431, "The header is too long"
    return None


def _too_long(scope: Scope) -> JSONResponse | None:
    found = excess(scope)
    return None if found is None else problem(*found)


class Limited:
    """A request body that ends in 413 when it grows beyond ``most`` bytes, announced or not."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._size = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > self._most:
            raise HTTPException(413, "The body is too large")
        return message


class Judged:
    """A JSON body that is handed on once it is all there and neither too deep nor too full."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._over = False

    async def __call__(self) -> Message:
        body = bytearray()
        while not self._over:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            body += message.get("body", b"")
            if not message.get("more_body", False):
                self._over = True
                why = unfit(bytes(body))
                if why:
                    raise HTTPException(400, why)
                return {"type": "http.request", "body": bytes(body), "more_body": False}
        return await self._receive()
