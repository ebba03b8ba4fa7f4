"""The frame of DICOMweb: roots, resources, and what holds for every one of them.

Contract (W-1 to W-5, W-9 to W-18, W-136, W-137, W-139): every root, aliases included, serves the
whole tree, plain and below ``/sources/{name}``.  An unknown source or path is 404, a known path
with a wrong method 405 with ``Allow``, both as problems.  HEAD is answered by the handler of GET,
without its body.  Every answer carries the headers of security and, for origins that are listed,
of CORS.  A failure after the status line breaks the connection.

Parts hang their resources in with `Resource`; see `waystation.web.qido` for how a handler looks.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from waystation.dicomweb.accept import Offer
from waystation.dicomweb.paths import Routes, bad_uid, segments
from waystation.flows.fetch import FetchFailed
from waystation.model.errors import WaystationError
from waystation.timing.attempts import Bucket
from waystation.web import cors
from waystation.web.admission import Admission
from waystation.web.asked import Answered, Asked, Refusal
from waystation.web.entrance import NoAccounts
from waystation.web.inflating import receiver
from waystation.web.problems import (
    BODY_LIMIT,
    LONGEST_TARGET,
    Limited,
    excess,
    id_of,
    problem,
)
from waystation.web.public_url import (
    Forwarded,
    caller_of,
    forwarded,
    is_local,
    is_our_name,
    is_trusted,
    origin_of,
)
from waystation.web.sending import reply
from waystation.web.surroundings import Surroundings
from waystation.web.tally import Tally
from waystation.web.terms import Terms

log = structlog.get_logger()

ARCHIVE: Final = "archive"
MOST_PARAMETERS: Final = 256
IN_FLIGHT: Final = 256
METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS", "DELETE"})
Handler = Callable[[Asked], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One method of one path below a root.

    template: as `waystation.dicomweb.paths` knows it.  right: what the caller needs: search,
    retrieve, store, delete.  offers: what it can be sent as, the default first.
    takes: media types of a body.  body: most bytes of it, announced or not.
    pacs: whether it is there for a PACS too; else only for our archive and the plain root.
    """

    method: str
    template: str
    handler: Handler
    summary: str
    right: str = "retrieve"
    offers: tuple[Offer, ...] = ()
    params: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    body: int = BODY_LIMIT
    pacs: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a path leads: the root as it was written, the source, and what follows."""

    root: str
    source: str
    parts: list[str]

    @property
    def prefix(self) -> str:
        return f"{self.root}/sources/{self.source}" if self.source else self.root


class DicomWeb:
    """The DICOMweb resources of a node as an ASGI application for its roots.

    terms: those in force now.  resources: of all parts.  pacs: names of the PACS.
    clock: seconds that only grow.
    """

    def __init__(
        self,
        terms: Callable[[], Terms],
        resources: Iterable[Resource],
        pacs: Callable[[], Container[str]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terms = terms
        self._pacs = pacs
        self._routes: Routes[dict[str, Resource]] = Routes()
        self._in_flight: Counter[str] = Counter()
        self._clock = clock
        self._rate = (0, Bucket())
        self.resources: list[Resource] = []
        self.tally = Tally()
        self._around = Surroundings(terms)
        self.admission = Admission(NoAccounts(lambda scope: is_local(self._caller(scope))))
        self.add(resources)

    def add(self, resources: Iterable[Resource]) -> None:
        """Hang resources in; the last one of a method and template counts."""
        for one in resources:
            methods = self._routes.at(one.template)
            if methods is None:
                methods = {}
                self._routes.add(one.template, methods)
            methods[one.method] = one
            self.resources.append(one)

    def terms(self) -> Terms:
        """Return what is in force now."""
        return self._terms()

    @property
    def root(self) -> str:
        """The proper root."""
        return self._terms().roots[0]

    def owns(self, path: str) -> bool:
        """Tell whether a path lies below one of the roots."""
        return self._place(path, self._terms()) is not None

    def _place(self, path: str, terms: Terms) -> _Place | None:
        parts = segments(path)
        for root in terms.roots:
            own = segments(root)
            if parts[: len(own)] == own:
                rest = parts[len(own) :]
                if len(rest) >= 2 and rest[0] == "sources":
                    return _Place(root, rest[1], rest[2:])
                return _Place(root, "", rest)
        return None

    def _caller(self, scope: Scope) -> str:
        return caller_of(_peer(scope), Headers(scope=scope), self._terms().proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        terms, request = self._terms(), Request(scope, receive)
        caller = self._caller(scope)
        shown = cors.headers_for(request.headers.get("origin"), terms.origins)
        if cors.is_preflight(request):
            await reply(cors.preflight(shown), [], shown, scope, receive, send)
            return
        self._in_flight[caller] += 1
        self.tally.in_flight += 1
        began = asyncio.get_running_loop().time()
        asked: Asked | None = None
        try:
            response, asked = await self._answer(request, caller, terms)
            if asked is not None:
                asked.besides.dress(response)
            self._note(request, asked, response, caller, began)
            warnings = [f"299 {asked.base}: {text}" for text in asked.warnings] if asked else []
            place = (asked.template, asked.source) if asked else ("", "")
            counted = self.tally.counted(place, send)
            await reply(response, warnings, shown, scope, receive, counted)
        except FetchFailed as error:
            # Without its end the server breaks the connection: nothing else may be said by now.
            log.warning("answer broken off", source=error.source, fetch=error.fetch, why=error.text)
        finally:
            self.tally.in_flight -= 1
            self._in_flight[caller] -= 1
            if not self._in_flight[caller]:
                del self._in_flight[caller]
            if asked is not None:
                await asked.besides.end()

    def _note(
        self, request: Request, asked: Asked | None, response: Response, caller: str, began: float
    ) -> None:
        """Count an answer, and write down who asked for what; no query, no UIDs."""
        template = asked.template if asked else ""
        took = asyncio.get_running_loop().time() - began
        method = request.method if request.method in METHODS else "other"
        place = template, asked.source if asked else ""
        self.tally.note(method, place, response.status_code, took)
        log.info(
            "dicomweb",
            method=method,
            resource=template,
            source=asked.source if asked else "",
            status=response.status_code,
            address=caller,
            ms=round(took * 1000, 1),
        )

    async def _answer(
        self, request: Request, caller: str, terms: Terms
    ) -> tuple[Response, Asked | None]:
        """Return what to answer, and the request as far as it was understood."""
        asked: Asked | None = None
        right = ""
        try:
            self._admit(request, caller, terms)
            place = self._place(request.scope["path"], terms)
            assert place is not None
            resource, values = self._find(place, request.method)
            right = resource.right
            await self.admission.admit(request, right, terms)
            body = receiver(request.headers, request.receive, gzip=resource.right == "store")
            limited = Request(request.scope, Limited(body, resource.body))
            asked = _asked(limited, terms, place, resource, values, caller)
            answer = await resource.handler(asked)
        except Exception as error:  # noqa: BLE001 - the top of a request
            answer = _failure(error)
        if asked is not None:
            self.admission.note(asked, right, answer.status_code)
        return answer, asked

    def _admit(self, request: Request, caller: str, terms: Terms) -> None:
        """Raise `Refusal` for what no resource should see."""
        scope, headers = request.scope, request.headers
        too_long = excess(scope)
        if too_long is not None:
            raise Refusal(*too_long)
        if self._in_flight[caller] > IN_FLIGHT:
            said = f"At most {IN_FLIGHT} of one caller are answered at a time"
            raise _too_many("Too many requests at once", said)
        if terms.rate and (wait_s := self._wait_s(caller, terms.rate)) > 0:
            said = f"At most {terms.rate} of one caller are answered in a second"
            raise _too_many("Too many requests", said, wait_s)
        proxied = is_trusted(_peer(scope), terms.proxies)
        if (
            self.admission.keeper.is_open
            and is_local(caller)
            and not proxied
            and not is_our_name(headers.get("host", ""), terms.public_url)
        ):
            raise Refusal(400, "This host name is not ours")
        if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            self._check_origin(scope, headers, terms)

    def _check_origin(self, scope: Scope, headers: Headers, terms: Terms) -> None:
        """Refuse changes that a page of another site asks for through a visitor's browser."""
        origin = headers.get("origin")
        if origin is None or cors.headers_for(origin, terms.origins):
            return
        if cors.netloc(origin) not in self._around.netlocs(scope):
            raise Refusal(403, "Requests from pages of other sites are refused")

    def _wait_s(self, caller: str, rate: int) -> float:
        """Count a request; return how long its caller has to wait, 0 for not at all."""
        if self._rate[0] != rate:
            self._rate = rate, Bucket(rate, 2 * rate)
        return self._rate[1].take(caller, self._clock())

    def _find(self, place: _Place, method: str) -> tuple[Resource, dict[str, str]]:
        of_pacs = place.source not in ("", ARCHIVE)
        if of_pacs and place.source not in self._pacs():
            raise Refusal(404, "There is no such source")
        found = self._routes.find(place.parts)
        if found is None:
            raise Refusal(404, "There is no such resource")
        methods, values = found
        if of_pacs:
            methods = {name: one for name, one in methods.items() if one.pacs}
            if not methods:
                raise Refusal(404, "There is no such resource of a PACS")
        resource = methods.get("GET" if method == "HEAD" else method)
        if resource is None:
            known = set(methods) | ({"HEAD"} if "GET" in methods else set())
            allow = ", ".join(sorted(known | {"OPTIONS"}))
            if method == "OPTIONS":
                raise Allowed(allow)
            raise Refusal(405, "This cannot be done here", headers={"Allow": allow})
        name = bad_uid(values)
        if name:
            raise Refusal(400, "The request is not understood", f"The {name} of the path is no UID")
        return resource, dict(values)


def _too_many(title: str, said: str, wait_s: float = 1.0) -> Refusal:
    headers = {"Retry-After": str(math.ceil(wait_s))}
    return Refusal(429, title, said, headers=headers, retryable=True)


def _peer(scope: Scope) -> str:
    """Return the address that is connected."""
    return str(scope["client"][0]) if scope.get("client") else ""


def _asked(
    request: Request,
    terms: Terms,
    place: _Place,
    resource: Resource,
    values: dict[str, str],
    caller: str,
) -> Asked:
    scope = request.scope
    said: Forwarded | None = None
    if is_trusted(_peer(scope), terms.proxies):
        said = forwarded(request.headers)
    origin = origin_of(
        scope["scheme"], request.headers, terms.public_url, said, scope.get("server")
    )
    params, accept = _params(scope["query_string"])
    return Asked(
        request=request,
        template=resource.template,
        source=place.source,
        base=origin + place.prefix,
        path=values,
        params=params,
        accept=accept,
        caller=caller,
    )


def _params(query: bytes) -> tuple[list[tuple[str, str]], str | None]:
    """Return the parameters without ``accept``, and that one; raises `Refusal`."""
    if query.count(b"&") >= LONGEST_TARGET // 4:
        raise Refusal(400, "The request is not understood", "Too many query parameters")
    try:
        text = query.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        raise Refusal(
            400, "The request is not understood", "The query is not percent-encoded UTF-8"
        ) from None
    if len({name for name, _ in pairs}) > MOST_PARAMETERS:
        raise Refusal(400, "The request is not understood", "Too many query parameters")
    accept = [value for name, value in pairs if name == "accept"]
    rest = [pair for pair in pairs if pair[0] != "accept"]
    return rest, ", ".join(accept) if accept else None


class Allowed(Exception):
    """What may be done with a resource."""

    def __init__(self, methods: str) -> None:
        super().__init__(methods)
        self.methods = methods


def _failure(error: Exception) -> Response:
    """Return a problem for what a handler raised; what is not foreseen is logged with its id."""
    if isinstance(error, Answered):
        return error.response
    if isinstance(error, Allowed):
        return Response(status_code=204, headers={"allow": error.methods})
    if isinstance(error, Refusal):
        answer = problem(error.status_code, error.title, error.text, **error.more)
        answer.headers.update(error.headers or {})
        return answer
    status = getattr(error, "status_code", 0)
    if status:
        answer = problem(status, str(getattr(error, "detail", "")))
        answer.headers.update(getattr(error, "headers", None) or {})
        return answer
    if isinstance(error, WaystationError):
        answer = problem(503, "The journal or the disk cannot do this now", retryable=True)
        answer.headers["Retry-After"] = "10"
        log.error("request failed", id=id_of(answer), error=str(error))
        return answer
    answer = problem(500, "Something went wrong inside")
    log.error("request failed", id=id_of(answer), exc_info=error)
    return answer
