"""The site: health, metrics, API and front page over one `NodeView`.

Contract: `site` returns an ASGI application that holds no state of its own.  Health and metrics
need no rights over patient data and show none (R-85, S-72).
"""

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

import waystation
from waystation.web.api import api
from waystation.web.dicomweb import DicomWeb
from waystation.web.front import CSS, front_page
from waystation.web.openapi import Documented
from waystation.web.problems import Guard, add_problems
from waystation.web.view import NodeView

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def site(view: NodeView, dicomweb: DicomWeb | None = None) -> FastAPI:
    """Return the whole site; ``dicomweb``: answers what lies below its roots."""
    app = Documented(
        title="Waystation",
        version=waystation.__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    add_problems(app)
    if dicomweb is None:
        app.add_middleware(Guard)
    else:
        app.dicomweb = dicomweb
        app.add_middleware(Guard, is_local=dicomweb.is_local)
        app.add_middleware(Doorway, dicomweb=dicomweb)
    app.include_router(api(view))
    app.include_router(_plain(view))
    return app


def _plain(view: NodeView) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        reasons = await view.ready()
        body = {"status": "not ready" if reasons else "ready", "reasons": reasons}
        return JSONResponse(body, status_code=503 if reasons else 200)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(await view.metrics_text(), media_type=METRICS_TYPE)

    @router.get("/")
    async def front() -> HTMLResponse:
        return HTMLResponse(front_page(await view.status(), await view.lanes()))

    @router.get("/site.css")
    async def css() -> Response:
        return Response(CSS, media_type="text/css")

    return router


class Doorway:
    """Pure ASGI: DICOMweb has ways of its own with errors, hosts and bodies."""

    def __init__(self, app: ASGIApp, dicomweb: DicomWeb) -> None:
        self._app = app
        self._dicomweb = dicomweb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through to one of the two."""
        is_ours = scope["type"] == "http" and self._dicomweb.owns(scope["path"])
        await (self._dicomweb if is_ours else self._app)(scope, receive, send)
