"""``/api/v1/fetches``: what comes from a PACS, how far it is, stopping it, fetching ahead (W-119).

``/api/v1/cache``: dropping what came.

Contract: as in `waystation.web.api`; names no patient.  An answer of DICOMweb that needs a
PACS links to its fetch here.  The events of one are its shapes, whenever something has changed, at
most five each second; the last one tells how it ended, and then the stream ends.
"""

import time
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Final

from fastapi import APIRouter, Body, HTTPException
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from waystation.dicom.uids import is_uid
from waystation.flows.fetch import LINK, RUNNING, Fetches, FetchFailed, Progress
from waystation.web.access import Ability, Asking, AuthorName, needs

EVERY_S: Final = 0.2
# By whom, what, and what of it.
Decided = Callable[..., None]


def _unheard(by: str, what: str, /, **more: object) -> None:
    """Where nothing is recorded."""


def _uid(text: str) -> str:
    if not is_uid(text):
        raise ValueError("a UID is digits and points, up to 64 of them")
    return text


Uid = Annotated[str, AfterValidator(_uid)]


class Stop(BaseModel):
    """Who says so."""

    model_config = ConfigDict(extra="forbid")

    user: AuthorName = ""


class Ahead(Stop):
    """What to fetch before somebody asks for it."""

    source: str = Field(min_length=1, max_length=16, description="Name of the PACS")
    study: Uid = Field(description="Study Instance UID")
    series: Uid | None = Field(default=None, description="One series of it alone")


class Fetch(BaseModel):
    """One retrieval from a PACS."""

    id: str
    source: str = Field(description="Name of the PACS")
    study: str = Field(description="Study Instance UID")
    level: str = Field(description="study, series or instance")
    state: str = Field(description="running, complete, incomplete, failed or cancelled")
    expected: int | None = Field(description="Instances that the PACS lists, null if not known yet")
    received: int
    bytes: int
    bytes_per_s: float = Field(description="Since its first object")
    missing: int = Field(description="Instances that are lacking still")
    missing_uids: list[str] = Field(description="Some of them")
    verified: str = Field(description="What completeness is judged by: uids, counts or none")
    error: str = Field(description="Why it ended, empty if it ended well")
    status: int = Field(description="What that means over HTTP, 0 if it ended well")
    readers: int = Field(description="Who waits for it now")
    way: str = Field(description="get or move, empty before that is known")
    began_at: float = Field(description="Unix seconds")
    ended_at: float | None


class Listed(BaseModel):
    """Those under way and those that ended lately."""

    fetches: list[Fetch]


def fetches_api(fetches: Callable[[], Fetches], decided: Decided = _unheard) -> APIRouter:
    """Return the routes.

    fetches: of the configuration in force.  decided: told who decided what.
    """
    router = APIRouter(prefix="/api/v1", tags=["broker"])
    _add_looking(router, fetches)
    _add_deciding(router, fetches, decided)
    return router


def _add_looking(router: APIRouter, fetches: Callable[[], Fetches]) -> None:
    see = needs(Ability.SEE)

    @router.get("/fetches", openapi_extra=see)
    async def listed() -> Listed:
        """Show what is being fetched from PACS, and what ended lately."""
        return Listed(fetches=[shape(one) for one in fetches().progress()])

    @router.get("/fetches/{fetch}", openapi_extra=see)
    async def one(fetch: str) -> Fetch:
        """Show how far one is."""
        return shape(_found(fetches(), fetch))

    @router.get(
        "/fetches/{fetch}/events",
        openapi_extra=see,
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def events(fetch: str) -> StreamingResponse:
        """Follow one to its end, as server-sent events."""
        _found(fetches(), fetch)
        return StreamingResponse(_events(fetches(), fetch), media_type="text/event-stream")


def _add_deciding(router: APIRouter, fetches: Callable[[], Fetches], decided: Decided) -> None:
    act = needs(Ability.ACT)

    @router.delete("/fetches/{fetch}", openapi_extra=act)
    async def stop(fetch: str, order: Annotated[Stop, Body()], who: Asking) -> dict[str, str]:
        """Stop one; its readers hear that it failed, what has come stays in the cache."""
        by, found = who.author(order.user), _found(fetches(), fetch)
        if not await fetches().cancel(fetch):
            raise HTTPException(409, "It has ended already")
        decided(by, "stop", source=found.source, study=found.study_uid)
        return {"fetch": fetch, "action": "stop", "user": by}

    @router.post("/fetches", openapi_extra=act, status_code=202)
    async def ahead(order: Annotated[Ahead, Body()], who: Asking) -> JSONResponse:
        """Fetch a study, or a series of it, into the cache before somebody asks for it."""
        by = who.author(order.user)
        path = {"study": order.study} | ({"series": order.series} if order.series else {})
        try:
            made = await fetches().prefetch(order.source, path)
        except FetchFailed as error:
            raise HTTPException(error.status, f"{error.title}: {error.text}") from error
        decided(by, "fetch", source=order.source, **path)
        place = {"Location": LINK + made.id} if made.id else {}
        return JSONResponse(shape(made).model_dump(), status_code=202, headers=place)

    @router.delete("/cache/{source}/{study}", openapi_extra=act)
    async def forget(
        source: str, study: Uid, order: Annotated[Stop, Body()], who: Asking
    ) -> dict[str, str]:
        """Drop what the cache holds of a study; the next request fetches it again (W-99)."""
        by = who.author(order.user)
        try:
            n = await fetches().forget(source, {"study": study})
        except FetchFailed as error:
            raise HTTPException(error.status, f"{error.title}: {error.text}") from error
        if not n:
            raise HTTPException(409, "The cache has nothing of it, or somebody reads it now")
        decided(by, "forget", source=source, study=study, n=n)
        return {"source": source, "study": study, "objects": str(n), "user": by}


def shape(one: Progress) -> Fetch:
    """Return a fetch as it is shown."""
    return Fetch(
        id=one.id,
        source=one.source,
        study=one.study_uid,
        level=one.level,
        state=one.state,
        expected=one.expected,
        received=one.received,
        bytes=one.size_bytes,
        bytes_per_s=round(one.rate, 1),
        missing=one.n_missing,
        missing_uids=list(one.missing),
        verified=one.verified,
        error=one.error,
        status=one.status,
        readers=one.readers,
        way=one.way,
        began_at=one.began_at,
        ended_at=one.ended_at,
    )


def _found(fetches: Fetches, fetch: str) -> Progress:
    found = fetches.progress(fetch)
    if not found:
        raise HTTPException(404, "There is no such fetch any more")
    return found[0]


async def _events(fetches: Fetches, fetch: str) -> AsyncGenerator[bytes, None]:
    last = float("-inf")
    async for one in fetches.follow(fetch):
        now = time.monotonic()
        if one.state == RUNNING and now - last < EVERY_S:
            continue
        last = now
        yield f"event: {one.state}\ndata: {shape(one).model_dump_json()}\n\n".encode()
