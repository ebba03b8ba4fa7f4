"""The site: health, metrics, API and console over one `NodeView`.

Contract: every route names the ability it needs.  Health and metrics need none over patient data
and show none (R-85, S-72); metrics, which tell of counts and of names in the settings, need what
counts need beyond this machine (S-57).  A part hangs its routes in as an `APIRouter`.
"""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

import waystation
from waystation.web.access import Ability, Asking, Rule, needs, rules_of
from waystation.web.api import api
from waystation.web.dicomweb import DicomWeb
from waystation.web.entrance import Entrance, Keeper, NoAccounts
from waystation.web.openapi import Documented
from waystation.web.pages.archive import archive_pages
from waystation.web.pages.frame import Console
from waystation.web.pages.overview import overview_pages
from waystation.web.pages.static import static_files
from waystation.web.problems import Guard, add_problems
from waystation.web.surroundings import Surroundings
from waystation.web.view import NodeView

# Routes that a part hangs in.
Part = APIRouter
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def site(
    view: NodeView,
    dicomweb: DicomWeb | None = None,
    keeper: Keeper | None = None,
    parts: Sequence[Part] = (),
) -> FastAPI:
    """Return the whole site.

    dicomweb: answers what lies below its roots.  keeper: knows people; without one nobody has to
    log in.  parts: routes of other parts, pages or API.
    """
    app = Documented(
        title="Waystation",
        version=waystation.__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    around = Surroundings(dicomweb.terms) if dicomweb is not None else Surroundings()
    keeper = keeper or NoAccounts(around.is_local)
    add_problems(app)
    console = app.state.console = Console(view, view.now)
    pages = [overview_pages(), archive_pages(), static_files(console)]
    routers = [api(view), _plain(view, around), *pages, *parts]
    for router in routers:
        app.include_router(router)
    rules = app.state.rules = [*DESCRIPTION, *rules_of(routers)]
    app.add_middleware(Entrance, rules=rules, keeper=keeper, now=view.now)
    app.add_middleware(Guard, watchword=Watch(around, keeper))
    if dicomweb is not None:
        app.dicomweb = dicomweb
        app.add_middleware(Doorway, dicomweb=dicomweb)
    return app


def _plain(view: NodeView, around: Surroundings) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live", openapi_extra=needs(Ability.NOTHING))
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/health/ready", openapi_extra=needs(Ability.NOTHING))
    async def ready() -> JSONResponse:
        reasons = await view.ready()
        body = {"status": "not ready" if reasons else "ready", "reasons": reasons}
        return JSONResponse(body, status_code=503 if reasons else 200)

    @router.get("/metrics", openapi_extra=needs(Ability.NOTHING))
    async def metrics(request: Request, who: Asking) -> Response:
        # On this machine figures are for everybody; to others they tell of counts and names.
        if not who.may(Ability.SEE) and not around.is_local(request.scope):
            raise HTTPException(401, "A login is needed", {"WWW-Authenticate": "Bearer"})
        return Response(await view.metrics_text(), media_type=METRICS_TYPE)

    return router


def _description() -> list[Rule]:
    router = APIRouter()
    router.get("/api/v1/openapi.json", openapi_extra=needs(Ability.SEE))(lambda: None)
    return list(rules_of([router]))


# The frame's own route cannot say what it needs.
DESCRIPTION = _description()


class Watch:
    """What the guard goes by: the names of this node, and whether people are known."""

    def __init__(self, around: Surroundings, keeper: Keeper) -> None:
        self._around = around
        self._keeper = keeper
        self.netlocs = around.netlocs
        self.is_secure = around.is_secure

    def is_closed(self, scope: Scope) -> bool:
        """Without users nobody else may ask."""
        return self._keeper.is_open and not self._around.is_local(scope)

    def knows(self, host: str) -> bool:
        """Where nobody logs in, only a name that DNS cannot forge is ours."""
        return not self._keeper.is_open or self._around.knows(host)


class Doorway:
    """Pure ASGI: DICOMweb has ways of its own with errors, hosts and bodies."""

    def __init__(self, app: ASGIApp, dicomweb: DicomWeb) -> None:
        self._app = app
        self._dicomweb = dicomweb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through to one of the two."""
        is_ours = scope["type"] == "http" and self._dicomweb.owns(scope["path"])
        await (self._dicomweb if is_ours else self._app)(scope, receive, send)
