"""Errors as problem+json (RFC 9457), and the guards that every request passes.

Contract: an error text has an id that also stands in the log, and never a stack trace, a path, SQL
or patient data (S-61).  While the node is open on loopback, a page of another site must not be
able to act through a visitor's browser: names that only DNS gives to us are refused as Host,
foreign origins are refused, and a change must come as JSON (S-59).
"""

import ipaddress
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waystation.model.errors import ConfigError, WaystationError

log = structlog.get_logger()

PROBLEM = "application/problem+json"
BODY_LIMIT = 1 << 20
LONGEST_TARGET = 16 * 1024
MOST_FIELDS = 100
OPEN = {"/health/live", "/health/ready", "/metrics"}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
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


def _refused(_request: Request, error: Exception) -> JSONResponse:
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


def add_problems(app: FastAPI) -> None:
    """Have ``app`` answer every error as a problem."""
    app.add_exception_handler(HTTPException, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ConfigError, _misread)
    app.add_exception_handler(WaystationError, _refused)
    app.add_exception_handler(Exception, _unforeseen)


def _is_ours(host: str) -> bool:
    """Return True for names that no foreign DNS record can point at us."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Pure ASGI: refuses foreign hosts, origins, types and sizes; adds the security headers.

    is_local: tells whether a request comes from this machine; without users nobody else may see
    more than `OPEN`.
    """

    def __init__(self, app: ASGIApp, is_local: Callable[[Scope], bool] = lambda _: True) -> None:
        self._app = app
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = (
            self._closed(scope)
            or _too_long(scope)
            or _refusal(scope["method"], Headers(scope=scope))
        )
        if refusal is not None:
            await refusal(scope, receive, send_safely)
            return
        await self._app(scope, Limited(receive, BODY_LIMIT), send_safely)

    def _closed(self, scope: Scope) -> JSONResponse | None:
        if scope["path"] in OPEN or self._is_local(scope):
            return None
        return problem(401, "A login is needed", "No users are configured yet")


def _too_long(scope: Scope) -> JSONResponse | None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_TARGET:
        return problem(414, "The address is too long")
    if len(scope["headers"]) > MOST_FIELDS:
        return problem(431, "Too many header fields")
    return None


def _refusal(method: str, headers: Headers) -> JSONResponse | None:
    host = headers.get("host", "")
    if not _is_ours(host):
        return problem(400, "This host name is not ours")
    if method in SAFE_METHODS:
        return None
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return problem(403, "Requests from pages of other sites are refused")
    kind = headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        return problem(415, "Send JSON: Content-Type application/json")
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length) > BODY_LIMIT:
        return problem(413, "The body is too large")
    return None


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
