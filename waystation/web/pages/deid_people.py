"""``/deid/pseudonyms``, ``/deid/reports``: who is behind a pseudonym; what was done (D-30, D-40).

Contract: a look-up and an export need ``reidentify`` and a reason, and are written down before
anything is told.  Reports hold no original value.
"""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from waystation.model.errors import ConfigError
from waystation.web.access import Ability, needs, who_of
from waystation.web.api_deid import csv_of, found, report_for
from waystation.web.api_deid_shapes import DeidDesk, DeidLookup, Uid
from waystation.web.pages.deid import LONGEST, LOOK
from waystation.web.pages.deid_look import ACTIONS, tag_name
from waystation.web.pages.frame import Form, form_of, page

REIDENTIFY: Final = needs(Ability.REIDENTIFY)
PAGE: Final = 100


def deid_people_pages(desk: DeidDesk) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    _add_pseudonyms(router, desk)
    _add_reports(router, desk)
    return router


def _add_pseudonyms(router: APIRouter, desk: DeidDesk) -> None:
    async def shown(request: Request, status: int = 200, **more: Any) -> Response:
        values: dict[str, Any] = {"typed": {}, "errors": {}, "entry": None, "asked": ""}
        profiles = [(one.name, one.name) for one in desk.profiles() if one.has_table]
        return await page(
            request, "deid-pseudonyms.html", status=status, profiles=profiles, **values | more
        )

    @router.get("/deid/pseudonyms", openapi_extra=REIDENTIFY)
    async def pseudonyms(request: Request) -> Response:
        return await shown(request)

    @router.post("/deid/pseudonyms", openapi_extra=REIDENTIFY)
    async def look_up(request: Request) -> Response:
        form = form_of(request)
        typed = form.values(("profile", "pseudonym", "because"))
        errors = _faults(form)
        if not typed["pseudonym"]:
            errors["pseudonym"] = "Which pseudonym? It is the Patient ID of the outputs"
        if errors:
            return await shown(request, 422, typed=typed, errors=errors)
        try:
            entry = await found(desk.look_up(_lookup(request, form, "lookup")))
        except ConfigError as error:
            return await shown(request, 422, typed=typed, errors={"profile": str(error)})
        if entry is None:
            errors = {"pseudonym": "Nobody has this pseudonym. That you asked is recorded."}
            return await shown(request, 404, typed=typed, errors=errors)
        return await shown(request, entry=entry, asked=typed["because"])

    @router.post("/deid/pseudonyms/export", openapi_extra=REIDENTIFY)
    async def export(request: Request) -> Response:
        form = form_of(request)
        errors = _faults(form)
        typed = form.values(("profile", "because"))
        if errors:
            return await shown(request, 422, typed=typed, errors=errors)
        try:
            entries = await found(desk.export(_lookup(request, form, "export")))
        except ConfigError as error:
            return await shown(request, 422, typed=typed, errors={"profile": str(error)})
        headers = {"content-disposition": 'attachment; filename="pseudonyms.csv"'}
        return Response(csv_of(entries), media_type="text/csv; charset=utf-8", headers=headers)


def _faults(form: Form) -> dict[str, str]:
    faults = {}
    if not form["profile"]:
        faults["profile"] = "Choose a profile"
    if not form["because"]:
        faults["because"] = "Say why: it is kept with your name"
    return faults


def _lookup(request: Request, form: Form, kind: str) -> DeidLookup:
    return DeidLookup(
        kind=kind,
        profile=form["profile"][:32],
        because=form["because"][:LONGEST],
        user=who_of(request).author("console"),
        pseudonym=form["pseudonym"][:64] if kind == "lookup" else "",
    )


def _add_reports(router: APIRouter, desk: DeidDesk) -> None:
    @router.get("/deid/reports", openapi_extra=LOOK)
    async def reports(request: Request, before: str = "") -> Response:
        start = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else 0
        lines = await desk.reports(start, PAGE + 1)
        return await page(
            request,
            "deid-reports.html",
            lines=lines[:PAGE],
            older=lines[PAGE - 1].number if len(lines) > PAGE else 0,
        )

    @router.get("/deid/reports/{study}", openapi_extra=LOOK)
    async def report(request: Request, study: Uid) -> Response:
        made = await report_for(desk, who_of(request), study)
        return await page(
            request, "deid-report.html", study=study, made=made, actions=ACTIONS, names=tag_name
        )
