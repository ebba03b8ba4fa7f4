"""``/``: how the node is, what is not well, and what to do about it.

Contract: every number is the journal's or the lanes' own; nothing names a patient.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from waystation.model.advice import help_for
from waystation.web import shapes
from waystation.web.access import Ability, needs, who_of
from waystation.web.pages.frame import console_of, onward, page
from waystation.web.view import StatusView, TroubleView

TONES: Final = {
    "flowing": "good",
    "resting": "clock",
    "choosing": "clock",
    "down": "bad",
    "blocked": "bad",
    "paused": "rest",
    "gone": "warn",
}
SEVERE: Final = {
    *("down", "blocked", "full", "rejected", "unaccounted", "unrecorded", "not-ready"),
}
HELP: Final = {
    "down": "See that it is switched on and can be reached. Nothing is lost; sending goes on by"
    " itself as soon as it answers.",
    "blocked": "It answers and refuses. Mend what the reason names; sending goes on by itself.",
    "waiting": "See whether the destination takes objects as fast as they come, or its hours are"
    " too short.",
    "held": "Look at each reason, then retry, release or discard.",
    "conflict": "Other bytes came under a UID that is known: compare both, then release or"
    " discard.",
    "full": "Free some space or raise spool.max_used. What is here is safe; senders keep theirs.",
    "rejected": "Correct the file: it is read again by itself. Until then the last good one holds.",
    "unaccounted": "Run waystation doctor and keep the data folder as it is.",
    "unrecorded": "Free some space, and see the log. Receiving and sending go on; it is tried anew"
    " each minute.",
    "silent": "See whether the device works and whether its address or AE title has changed.",
    "shut-by-error": "Correct the schedule. Until then nothing leaves through it, so that nothing"
    " leaves too early.",
    "stale": "Correct the table. Until then the last good one holds.",
    "switched": "Studies go to another member of the group; see why this one does not answer.",
    "incomplete": "Fill in what these steps lack: until then no modality sees them.",
    "folder": "See that the folder is there and that its files can be read and moved; the API and"
    " the log name them.",
    "not-ready": "The node refuses work until this is over.",
}


def overview_pages() -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/", openapi_extra=needs(Ability.SEE))
    async def overview(request: Request) -> Response:
        console = console_of(request)
        view = console.view
        status = await view.status()
        queue = shapes.queue(await view.lanes())
        seen = await view.troubles()
        troubles = [*_of_node(await console.health(), status, seen), *seen]
        return await page(request, "overview.html", **_values(status, queue, troubles))

    @router.post("/lanes/{name}/{change}", openapi_extra=needs(Ability.ACT))
    async def lane(request: Request, name: str, change: Literal["pause", "resume"]) -> Response:
        view, author = console_of(request).view, who_of(request).author("console")
        act = view.pause_lane if change == "pause" else view.resume_lane
        if not await act(name, author):
            raise HTTPException(404, "There is no such destination")
        other = "resume" if change == "pause" else "pause"
        words = "is paused; what arrives for it waits" if change == "pause" else "goes on"
        return onward(request, "/", f"{name} {words}", undo=f"/lanes/{name}/{other}")

    return router


def _values(
    status: StatusView, queue: shapes.Queue, troubles: Iterable[TroubleView]
) -> dict[str, Any]:
    oldest = [lane.oldest_s for lane in queue.lanes if lane.oldest_s is not None]
    shown = [
        {
            "subject": one.subject,
            "why": one.why,
            "since": one.since,
            "look": one.look,
            "help": HELP.get(one.kind, ""),
            "tone": "bad" if one.kind in SEVERE else "warn",
        }
        for one in troubles
    ]
    return {
        "node_status": status,
        "lanes": queue.lanes,
        "held": [(reason, n, help_for(reason)) for reason, n in sorted(queue.held.items())],
        "tones": TONES,
        "troubles": sorted(shown, key=lambda one: one["tone"] != "bad"),
        "calm": not queue.held and all(lane.state not in SEVERE for lane in queue.lanes),
        "total": {
            "waiting": sum(lane.waiting for lane in queue.lanes),
            "sending": sum(lane.sending for lane in queue.lanes),
            "held": sum(queue.held.values()),
            "today": queue.today.get("done", 0),
            "oldest_s": max(oldest, default=None),
            "bytes_per_s": sum(lane.bytes_per_s for lane in queue.lanes),
        },
    }


def _of_node(
    reasons: Iterable[str], status: StatusView, seen: Iterable[TroubleView]
) -> Iterator[TroubleView]:
    """Yield what the watch has not seen yet, and why the node takes no work."""
    known = {one.subject for one in seen}
    if status.config_problem and "configuration" not in known:
        why = f"rejected, the last good one stays in force: {status.config_problem}"
        yield TroubleView(
            subject="configuration", kind="rejected", why=why, look="waystation check"
        )
    if status.intake_stopped and "spool" not in known:
        why = f"new associations are refused: {status.intake_stopped}"
        yield TroubleView(subject="spool", kind="full", why=why)
    for reason in reasons:
        if not (status.intake_stopped and reason == "volume full"):
            yield TroubleView(subject="This node", kind="not-ready", why=f"is not ready: {reason}")
