"""``/worklist/new`` and ``/worklist/ID``: one entry, made, changed, moved on and taken back.

Contract (T-62, T-63): what cannot be kept is said beside its field, with everything that was
typed.  An edit of what somebody else has changed meanwhile shows both, and is saved only when it
is sent once more.  What can be undone offers it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from waystation.index import mpps
from waystation.index.rows import study_at
from waystation.matching.entry import flat
from waystation.model.step import (
    MOVES,
    Author,
    Change,
    Step,
    StepConflict,
    StepDraft,
    StepFaults,
    StepRefused,
    StepState,
)
from waystation.web.access import Ability, needs, who_of
from waystation.web.api_worklist import Board
from waystation.web.looks import look_of
from waystation.web.pages.frame import form_of, onward, page
from waystation.web.pages.worklist import line_of
from waystation.web.pages.worklist_fields import (
    FIELDS,
    NAME_GROUPS,
    OWN,
    differing,
    filled,
    shown,
    typed,
)
from waystation.web.pages.worklist_form import (
    EXTRA_NAMES,
    NOT_KNOWN,
    doubts_of,
    errors_of,
    form_page,
    fresh,
    known_patient,
    lacking,
    laid_over,
    warnings_of,
)
from waystation.web.pages.worklist_plans import faults_of, moved_end, plan
from waystation.web.pages.worklist_words import STATE_WORDS, day_text, field_words, time_text
from waystation.web.shape import id_number

LOOK: Final = needs(Ability.PHI)
CHANGE: Final = needs(Ability.SCHEDULE)
AS_READ: Final = {"date": day_text, "time": time_text}
BUTTONS: Final = (
    (StepState.ARRIVED, "Patient is here"),
    (StepState.READY, "Ready"),
    (StepState.STARTED, "Being scanned"),
    (StepState.COMPLETED, "Completed"),
    (StepState.SCHEDULED, "Back on the list"),
)


def entry_pages(board: Board) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    _add_new(router, board)
    _add_edit(router, board)
    _add_one(router, board)
    _add_moves(router, board)
    return router


def _author(request: Request) -> Author:
    return Author(kind="person", name=who_of(request).author("console"))


async def _found(board: Board, number: str) -> Step:
    wanted = id_number(number)
    step = await board.steps.get(wanted) if wanted else None
    if step is None:
        raise HTTPException(404, "There is no such entry")
    return step


# the form


def _add_new(router: APIRouter, board: Board) -> None:
    @router.get("/worklist/new", openapi_extra=CHANGE)
    async def new(
        request: Request, copy: str = "", procedure: str = "", station: str = ""
    ) -> Response:
        values, area = fresh(board.clock()), ""
        if copy:
            step = await _found(board, copy)
            own = dict.fromkeys(OWN, "")
            values, area = {**filled(flat(step.data)), **own}, step.area
        texts = await laid_over(board, {**values, "area": area}, procedure, station)
        return await _new_form(
            request, board, texts, procedure=procedure, station=station, copied=bool(copy)
        )

    @router.post("/worklist/new", openapi_extra=CHANGE)
    async def add(request: Request) -> Response:
        form = form_of(request)
        values, extras = typed(form.raw), {name: form.raw(name) for name in EXTRA_NAMES}
        texts = {**shown(form.raw), **extras, "area": form["area"]}
        chosen: dict[str, Any] = {name: form[name] for name in ("procedure", "station")}
        if form["use"] == "patient":
            await look_of(request).at(patient=form["PatientID"][:64])
            patient = await known_patient(board, form["PatientID"], form["IssuerOfPatientID"])
            told = {} if patient else {"PatientID": NOT_KNOWN}
            return await _new_form(
                request, board, {**texts, **patient}, 422 if told else 200, errors=told, **chosen
            )
        if form["use"]:
            texts = await laid_over(board, texts, **chosen)
            return await _new_form(request, board, texts, **chosen)
        errors = {**lacking(values), **faults_of(extras)}
        if errors:
            return await _new_form(request, board, texts, 422, errors=errors, **chosen)
        doubts = await doubts_of(board, values)
        warned = await warnings_of(board, values, form["area"])
        if (doubts or warned) and not form["sure"]:
            unsure = {"doubts": doubts, "unsure": True}
            return await _new_form(request, board, texts, 409, **unsure, **chosen)
        area = form["area"]
        days = [[StepDraft(values=one, area=area) for one in day] for day in plan(values, extras)]
        try:
            return _added(request, await _kept(board, days, _author(request)))
        except StepFaults as error:
            return await _new_form(request, board, texts, 422, errors=errors_of(error), **chosen)


async def _kept(board: Board, days: Sequence[Sequence[StepDraft]], author: Author) -> list[Step]:
    """Keep the entries of all days or none; those of a day share the ids of one order."""
    return await board.steps.write(
        lambda book: [one for day in days for one in book.add_all(day, author, one_order=True)]
    )


def _added(request: Request, made: Sequence[Step]) -> Response:
    place = f"/worklist/{made[0].id:x}"
    if len(made) > 1:
        return onward(request, place, f"{len(made)} entries were added")
    fields = {"version": str(made[0].version)}
    return onward(request, place, "The entry was added", undo=f"{place}/delete", fields=fields)


async def _new_form(
    request: Request, board: Board, texts: Mapping[str, str], status: int = 200, **more: Any
) -> Response:
    return await form_page(
        request,
        board,
        status,
        action="/worklist/new",
        values={name: texts.get(name, "") for name in FIELDS},
        extras={name: texts.get(name, "") for name in EXTRA_NAMES},
        area=texts.get("area", ""),
        **more,
    )


def _add_edit(router: APIRouter, board: Board) -> None:
    @router.get("/worklist/{number}/edit", openapi_extra=CHANGE)
    async def edit(request: Request, number: str) -> Response:
        step = await _found(board, number)
        return await form_page(
            request,
            board,
            action=f"/worklist/{step.id:x}/edit",
            values=filled(flat(step.data)),
            step=line_of(step, board.clock()),
            area=step.area,
        )

    @router.post("/worklist/{number}/edit", openapi_extra=CHANGE)
    async def change(request: Request, number: str) -> Response:
        form, step = form_of(request), await _found(board, number)
        values, before = typed(form.raw), typed(lambda name: form.raw(f"before-{name}"))

        async def again(status: int, newer: Step, **more: Any) -> Response:
            known = {name: form.raw(f"before-{name}") for name in FIELDS}
            shown_now = shown(form.raw)
            if newer is not step:
                now = filled(flat(newer.data))
                left = {name for name, text in shown_now.items() if text == known[name]}
                shown_now, known = {**shown_now, **{name: now[name] for name in left}}, now
            return await form_page(
                request,
                board,
                status,
                action=f"/worklist/{step.id:x}/edit",
                values=shown_now,
                step=line_of(newer, board.clock()),
                known=known,
                area=form["area"],
                **more,
            )

        changed = differing(values, before)
        doubts = await doubts_of(board, values, step.id) if changed else []
        warned = set(await warnings_of(board, values, form["area"]))
        if "ScheduledStationAETitle" not in changed and form["area"] == step.area:
            warned &= {*changed, *(NAME_GROUPS if "PatientName" in changed else ())}
        if (doubts or warned) and not form["sure"]:
            return await again(409, step, doubts=doubts, unsure=True)
        try:
            done = await board.steps.change(
                step.id,
                {**changed, **moved_end(flat(step.data), changed)},
                _version(form["version"]),
                _author(request),
                area=form["area"],
            )
        except StepFaults as error:
            return await again(422, step, errors=errors_of(error))
        except StepConflict as error:
            return await again(409, error.newer, conflict=told(error.since))
        except StepRefused as error:
            return onward(request, f"/worklist/{step.id:x}", str(error), kind="failed")
        return onward(request, f"/worklist/{done.id:x}", "The entry was changed")


def _version(text: str) -> int:
    """Return the version that was looked at, 0 (always an old one) for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


def told(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return changes as pages show them."""
    return [
        {
            "at": one.at,
            "who": one.author.name or one.author.kind,
            "kind": one.author.kind,
            "detail": one.author.detail,
            "what": one.what,
            "why": one.why,
            "values": [
                (field_words(name), one.before.get(name, ""), one.after.get(name, ""))
                for name in sorted({*one.before, *one.after})
            ],
        }
        for one in changes
    ]


# the entry


def _add_one(router: APIRouter, board: Board) -> None:
    @router.get("/worklist/{number}", openapi_extra=LOOK)
    async def one(request: Request, number: str) -> Response:
        step = await _found(board, number)
        said = flat(step.data)
        known = {name: "\\".join(texts) for name, texts in said.items() if any(texts)}
        ours = [
            (field.label, AS_READ.get(field.kind, str)(known.pop(name)))
            for name, field in FIELDS.items()
            if name in known
        ]
        filed = await board.database.read(lambda tx: study_at(tx, step.study_uid))
        performed = await board.database.read(lambda tx: mpps.of_step(tx, step.id))
        return await page(
            request,
            "worklist-step.html",
            step=line_of(step, board.clock()),
            raw=step,
            values=ours,
            others=[(field_words(name), text) for name, text in sorted(known.items())],
            history=told(await board.steps.history(step.id))[::-1],
            performed=performed,
            images=filed.n_instances if filed else 0,
            **_study_links(request, board, step.study_uid),
            moves=[(to.value, words) for to, words in BUTTONS if to in MOVES[step.state]],
            can_cancel=StepState.CANCELLED in MOVES[step.state],
            words={state.value: words for state, words in STATE_WORDS.items()},
        )


def _study_links(request: Request, board: Board, study_uid: str) -> dict[str, Any]:
    """Return where the images of a study are seen: in the viewer if one is served."""
    port = board.viewer()
    shown = request.url.replace(port=port, path="/viewer", query=f"StudyInstanceUIDs={study_uid}")
    address = request.url.replace(path=f"{board.dicomweb}/studies/{study_uid}", query="")
    return {"in_viewer": str(shown) if port else "", "in_dicomweb": str(address)}


def _add_moves(router: APIRouter, board: Board) -> None:
    @router.post("/worklist/{number}/state", openapi_extra=CHANGE)
    async def move(request: Request, number: str) -> Response:
        form, step = form_of(request), await _found(board, number)
        place = f"/worklist/{step.id:x}"
        try:
            to = StepState(form["to"])
            done = await board.steps.move(step.id, to, _author(request), form["why"])
        except ValueError:
            return onward(request, place, "There is no such state", kind="failed")
        except StepRefused as error:
            return onward(request, place, str(error).capitalize(), kind="failed")
        undo = f"{place}/state" if step.state in MOVES[done.state] else ""
        text = f"The entry is now: {STATE_WORDS[done.state].lower()}"
        return onward(request, place, text, undo=undo, fields={"to": step.state.value})

    @router.post("/worklist/{number}/delete", openapi_extra=CHANGE)
    async def delete(request: Request, number: str) -> Response:
        step = await _found(board, number)
        try:
            await board.steps.delete(step.id, _author(request))
        except StepRefused as error:
            text = str(error).capitalize()
            return onward(request, f"/worklist/{step.id:x}", text, kind="failed")
        undo = f"/worklist/{step.id:x}/restore"
        return onward(request, "/worklist", "The entry was deleted", undo=undo)

    @router.post("/worklist/{number}/restore", openapi_extra=CHANGE)
    async def restore(request: Request, number: str) -> Response:
        step = await _found(board, number)
        try:
            await board.steps.restore(step.id, _author(request))
        except StepRefused as error:
            return onward(request, "/worklist", str(error).capitalize(), kind="failed")
        return onward(request, f"/worklist/{step.id:x}", "The entry is back")

    @router.post("/worklist/{number}/fill", openapi_extra=CHANGE)
    async def fill(request: Request, number: str) -> Response:
        step = await _found(board, number)
        place = f"/worklist/{step.id:x}"
        try:
            await board.steps.fill(step.id, _author(request))
        except (StepRefused, StepFaults) as error:
            return onward(request, place, str(error).capitalize(), kind="failed")
        return onward(request, place, "The ids that were missing were made")

    @router.post("/worklist/{number}/split", openapi_extra=CHANGE)
    async def split(request: Request, number: str) -> Response:
        step = await _found(board, number)
        place = f"/worklist/{step.id:x}"
        try:
            made = await board.steps.split(step.id, _author(request))
        except (StepRefused, StepFaults) as error:
            return onward(request, place, str(error).capitalize(), kind="failed")
        return onward(request, "/worklist?day=all", f"There are {len(made)} entries now")
