"""``/deid``: studies that de-identification holds, what persons decide about them (D-43).

Contract: to look at the list needs ``see``, at a study ``act``; to decide needs ``act``, and a
reason.  Who may not see patients cannot approve pixels.  What was decided and not sent yet can be
taken back.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from waystation.web.access import Ability, needs, who_of
from waystation.web.api_deid import found, must_see_to_approve
from waystation.web.api_deid_shapes import (
    DeidDecision,
    DeidDesk,
    StudySaid,
    Uid,
    WaitingSaid,
)
from waystation.web.pages.frame import Form, form_of, onward, page
from waystation.web.shape import id_number

LOOK: Final = needs(Ability.SEE)
ACT: Final = needs(Ability.ACT)
MOST: Final = 200
LONGEST: Final = 500
WHATS: Final = ("sample", "pixels", "features")
ASKS: Final = {
    "sample": "A share of studies is shown to a person",
    "pixels": "Nobody knows whether its pixels show text",
    "features": "It may show a face",
}
SHORT: Final = {"sample": "sample", "pixels": "pixels", "features": "features"}
APPROVING: Final = {
    "sample": "I looked at this study; it may leave.",
    "pixels": "I looked at every frame; no pixel shows who it is.",
    "features": "I looked at every object; nobody can be recognized.",
}
GROUPS: Final = (
    ("waiting", "Waiting for a person"),
    ("approved", "Approved, still held"),
    ("rejected", "Rejected"),
    ("other", "Held for a reason that nobody can approve"),
)


def deid_pages(desk: DeidDesk) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    _add_list(router, desk)
    _add_study(router, desk)
    _add_deciding(router, desk)
    return router


def group_of(one: WaitingSaid) -> str:
    """Return in which part of the list a study stands."""
    if not one.asks:
        return "other"
    said = [one.last(what) for what in one.asks]
    if any(each is not None and not each.approved for each in said):
        return "rejected"
    return "approved" if all(said) else "waiting"


def study_path(study: str, profile: str, recipe: str = "") -> str:
    """Return the address of a study, as a profile treats it."""
    query = {"profile": profile, **({"recipe": recipe} if recipe else {})}
    return f"/deid/studies/{study}?{urlencode(query)}"


def _add_list(router: APIRouter, desk: DeidDesk) -> None:
    @router.get("/deid", openapi_extra=LOOK)
    async def held(request: Request) -> Response:
        lines = await desk.waiting()
        grouped = {
            words: [one for one in lines if group_of(one) == group][:MOST]
            for group, words in GROUPS
        }
        return await page(
            request,
            "deid.html",
            groups={words: some for words, some in grouped.items() if some},
            shown=sum(map(len, grouped.values())),
            total=len(lines),
            profiles=desk.profiles(),
            asks=ASKS,
            short=SHORT,
            path=study_path,
        )


def _add_study(router: APIRouter, desk: DeidDesk) -> None:
    @router.get("/deid/studies/{study}", openapi_extra=ACT)
    async def one_study(
        request: Request, study: Uid, profile: str = "", after: str = ""
    ) -> Response:
        said = await desk.study(study, id_number(after), MOST)
        return await page(request, "deid-study.html", **study_values(desk, said, profile))


def study_values(desk: DeidDesk, said: StudySaid, profile: str) -> dict[str, Any]:
    """Return what the page of a study shows.  profile: that it is looked at by."""
    names = [one.name for one in desk.profiles()]
    held = next((one for one in said.waiting if one.profile == profile), None)
    if not said.objects and not said.waiting:
        raise HTTPException(404, "Nothing of this study is here")
    return {
        "study": said,
        "profile": profile if profile in names or held else "",
        "profiles": names,
        "held": held,
        "device": said.device_rules.get(profile, ""),
        "asks": ASKS,
        "approving": APPROVING,
        "query": urlencode({"profile": profile, **({"recipe": held.recipe} if held else {})}),
        "page_size": MOST,
        "back": study_path(said.study, profile),
    }


def _add_deciding(router: APIRouter, desk: DeidDesk) -> None:
    @router.post("/deid/decisions", openapi_extra=ACT)
    async def decide(request: Request) -> Response:
        form = form_of(request)
        verb = form["do"]
        said = _decision(request, form, approved=verb != "reject")
        back = study_path(said.study, said.profile)
        if not said.because:
            return onward(request, back, "Nothing was decided: say why", kind="failed")
        must_see_to_approve(who_of(request), said.what, approved=said.approved)
        done = await found(desk.decide(said, release=verb == "send"))
        if verb == "send":
            words = f"Approved; {_objects(done.released)} of it tried again now"
            return onward(request, back, words)
        words = "Approved; it is held until it is let go" if said.approved else "Rejected"
        fields = _fields(said)
        return onward(request, back, words, undo="/deid/decisions/undo", fields=fields)

    @router.post("/deid/decisions/undo", openapi_extra=ACT)
    async def undo(request: Request) -> Response:
        said = _decision(request, form_of(request), approved=False)
        await found(desk.withdraw(said))
        back = study_path(said.study, said.profile)
        return onward(request, back, "Taken back; the study waits for a person again")


def _objects(number: int) -> str:
    return "one delivery" if number == 1 else f"{number} deliveries"


def _fields(said: DeidDecision) -> Mapping[str, str]:
    return {
        "study": said.study,
        "profile": said.profile,
        "what": said.what,
        "because": f"taken back: {said.because}"[:LONGEST],
    }


def _decision(request: Request, form: Form, *, approved: bool) -> DeidDecision:
    study, what = form["study"], form["what"]
    if what not in WHATS or not study or len(study) > 64 or set(study) - set("0123456789."):
        raise HTTPException(400, "This form is not understood")
    return DeidDecision(
        study=study,
        profile=form["profile"][:32],
        what=what,
        approved=approved,
        because=form["because"][:LONGEST],
        user=who_of(request).author("console"),
    )
