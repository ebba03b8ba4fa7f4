"""One object, or a study, before and after a profile: tried, and nothing is written (D-41, D-43).

Contract: the steps, the verification of the bytes that would leave and the pictures are those of
the belt; no treatment, number or file is kept.  What waits for a person only is shown as if it had
been approved.  Nothing runs in the event loop that takes longer than a moment: steps run in worker
threads, pictures in codec children.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from waystation.app.node import Node
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.tree import parse
from waystation.flows.alike import as_delivery
from waystation.flows.allocating import pseudonym_text
from waystation.flows.cargo import JournalCargo
from waystation.flows.splicing import Original, find_tail_end, plain, read
from waystation.flows.treating import Seen
from waystation.journal import arrivals, deid_records, deid_waiting, treatments
from waystation.model.arrival import Arrival
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import StorageError
from waystation.model.recipe import Recipe
from waystation.transforms import steps
from waystation.transforms.deid.changes import Row, differences, unchanged
from waystation.transforms.deid.device_rules import offered
from waystation.transforms.deid.devices import COLUMNS, ROWS, has_pixels, number, texts
from waystation.transforms.deid.pseudonyms import Patient, Pseudonym
from waystation.transforms.deid.study_report import StudyReport
from waystation.transforms.deid_step import FRAMES, DeidStep
from waystation.transforms.held import HeldError
from waystation.transforms.redact_job import Glimpse, RedactJob
from waystation.transforms.redact_job import Rectangle as Area
from waystation.transforms.steps import Tools, Treated
from waystation.web.api_deid_shapes import (
    Asked,
    ComparisonSaid,
    NotHereError,
    ObjectSaid,
    PixelsSaid,
    ReasonSaid,
    RowSaid,
    TotalsSaid,
)

SIDE: Final = 900
TOTALS_S: Final = 20.0
MOST_TOTALS: Final = 5000
PAGE: Final = 200
MAKER, MODEL = 0x00080070, 0x00081090
NEXT: Final = "next"


@dataclass(slots=True)
class Tried:
    """What came of trying.  waits: (what, why) that a person can approve.  failed: what nobody can.

    treated: None where the steps gave nothing.
    """

    original: Original
    waits: list[tuple[str, str]] = field(default_factory=list)
    failed: str = ""
    treated: Treated | None = None


class Looking:
    """Of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._cargo = JournalCargo(node.database, node.blobs, node.disk, node.recent)
        self._one_at_a_time = asyncio.Lock()

    async def compare(self, step: DeidStep, asked: Asked, *, see: bool) -> ComparisonSaid:
        """Return an object before and after.  see: whether old values are shown."""
        arrival = await self._arrival(asked.arrival)
        tried = await self._try(step, arrival, await self._recipe(asked))
        before, behind = await self._node.database.read(deid_waiting.neighbours(arrival))
        loop = asyncio.get_running_loop()
        changed, kept = await loop.run_in_executor(self._node.disk, _rows, tried)
        # What was found out to be no good is for those who may see the original.
        see_after = see or not tried.failed
        head = tried.original.head
        boxes = tuple(Area(*box) for box in asked.boxes)
        return ComparisonSaid(
            object=object_said(arrival),
            study=arrival.instance.study_uid,
            profile=asked.profile,
            held=_reasons(tried, arrival),
            final=tried.failed,
            hidden=not see,
            changed=[_said(row, before=see, after=see_after) for row in changed],
            kept=[_said(row, before=see, after=see) for row in kept],
            actions=dict(sorted(Counter(row.action for row in changed).items())),
            pixels=_pixels(tried, boxes),
            device_rule=_rule(head, boxes) if has_pixels(head) else "",
            previous=f"{before:x}" if before else "",
            next=f"{behind:x}" if behind else "",
        )

    async def picture(self, step: DeidStep, asked: Asked, frame: int, *, blacked: bool) -> bytes:
        """Return a frame as PNG.  Raises `CodecError` or `WorkroomError`."""
        arrival = await self._arrival(asked.arrival)
        delivery = as_delivery(arrival)
        job = RedactJob(rectangles=tuple(Area(*box) for box in asked.boxes))
        if not asked.boxes:
            tried = await self._try(step, arrival, await self._recipe(asked), verify=False)
            if tried.treated is not None and tried.treated.pixels is not None:
                job = tried.treated.pixels
        payload = await self._cargo.load(delivery)
        glimpse = Glimpse(job=job, frame=frame, side=SIDE, blacked=blacked)
        return await self._node.codecs.preview(
            payload if isinstance(payload, bytes) else payload.pieces,
            digest=delivery.sha256,
            syntax=delivery.transfer_syntax_uid,
            glimpse=glimpse,
        )

    async def device_rule(self, arrival: Arrival) -> str:
        """Return the text of a rule for the device of an object, "" if it cannot be read."""
        try:
            original = await self._original(arrival)
        except NotHereError:
            return ""
        try:
            return _rule(original.head, ())
        finally:
            await original.close()

    async def totals(self, step: DeidStep, study: str, profile: str) -> TotalsSaid:
        """Try a profile on the objects of a study, as many as there is time for."""
        recipe = Recipe(deidentify=profile)
        report = StudyReport(study=step.study_named(study))
        total = await self._node.database.read(deid_waiting.count_of(study))
        looked, until = 0, time.monotonic() + TOTALS_S
        async with self._one_at_a_time, aclosing(self._all(study)) as objects:
            async for arrival in objects:
                await self._add(report, step, arrival, recipe)
                looked += 1
                if time.monotonic() > until or looked >= MOST_TOTALS:
                    break
        actions: Counter[str] = Counter()
        for (action, _, _), count in report.changed.items():
            actions[action] += count
        said = report.as_dict()
        del said["digests"]
        return TotalsSaid(
            study=study,
            profile=profile,
            total=total,
            looked=looked,
            report=said,
            actions=dict(sorted(actions.items())),
        )

    async def _all(self, study: str) -> AsyncGenerator[Arrival, None]:
        after = 0
        while page := await self._node.database.read(deid_waiting.objects_of(study, after, PAGE)):
            for arrival in page:
                yield arrival
            after = page[-1].id

    async def _add(
        self, report: StudyReport, step: DeidStep, arrival: Arrival, recipe: Recipe
    ) -> None:
        try:
            tried = await self._try(step, arrival, recipe)
        except NotHereError as error:
            report.hold(str(error), arrival.sha256)
            return
        why = tried.waits[0][1] if tried.waits else tried.failed
        if why or tried.treated is None:
            report.hold(why, arrival.sha256)
        else:
            report.add(json.loads(tried.treated.report or "{}"), (arrival.sha256, ""))

    # trying

    async def _arrival(self, number: int) -> Arrival:
        found = await self._node.database.read(arrivals.by_id(number))
        if found is None:
            raise NotHereError("This object is not here")
        return found

    async def _recipe(self, asked: Asked) -> Recipe:
        if asked.recipe:
            found = await self._node.database.read(treatments.recipes([asked.recipe]))
            recipe = found.get(asked.recipe)
            if recipe is not None and recipe.deidentify == asked.profile:
                return recipe
        return Recipe(deidentify=asked.profile)

    async def _try(
        self, step: DeidStep, arrival: Arrival, recipe: Recipe, *, verify: bool = True
    ) -> Tried:
        """Run the steps, and again as if approved while only a person is wanting.

        Raises `NotHereError` if the bytes cannot be had, or make no object.
        """
        original = await self._original(arrival)
        try:
            return await self._tried(step, arrival, original, self._tools(step, recipe), verify)
        except HeldError as held:
            return Tried(original, failed=held.why)
        finally:
            await original.close()

    async def _original(self, arrival: Arrival) -> Original:
        delivery = as_delivery(arrival)
        load = partial(self._cargo.load, delivery)
        original: Original | None = None
        try:
            original = await read(await load(), delivery.transfer_syntax_uid)
            await find_tail_end(original, load)
        except (DatasetError, StorageError) as error:
            if original is not None:
                await original.close()
            raise NotHereError(f"This object cannot be read: {error}") from error
        return original

    def _tools(self, step: DeidStep, recipe: Recipe) -> Tools:
        toolbox = self._node.stepping.treatments.toolbox
        if toolbox is None:
            raise HeldError(HoldReason.RULE_ERROR, "no steps are configured")
        tools = toolbox.tools(recipe)
        if step.deidentifier.profile.source != "allocated":
            return tools
        return replace(tools, deidentify=DeidStep(step.deidentifier, self._numbers(step)))

    def _numbers(self, step: DeidStep) -> Callable[[Patient], Pseudonym]:
        """Return what tells the number of a patient, and gives none to a new one."""
        loop, profile = asyncio.get_running_loop(), step.deidentifier.profile

        def find(patient: Patient) -> Pseudonym:
            digest, _ = step.deidentifier.allocation(patient)
            job = deid_records.number_of(profile.project, digest)
            asked = asyncio.run_coroutine_threadsafe(self._node.database.read(job), loop)
            given = asked.result()
            text = pseudonym_text(profile.prefix, given) if given else f"{profile.prefix}{NEXT}"
            return Pseudonym(text, text)

        return find

    async def _tried(
        self, step: DeidStep, arrival: Arrival, original: Original, tools: Tools, verify: bool
    ) -> Tried:
        tried = Tried(original)
        making, study = self._node.stepping.making, arrival.instance.study_uid
        facts = await making.facts(original.head, arrival, tools, taken=False)
        approvals: dict[str, bool] = {}
        if step.asks:
            job = deid_records.decisions_of(study, step.asks)
            approvals = dict(await self._node.database.read(job))
        loop = asyncio.get_running_loop()
        while True:
            facts = replace(facts, tail_end=original.tail_end, approvals=dict(approvals))
            done = await loop.run_in_executor(
                self._node.disk, steps.apply, original.head, tools, facts, original.lead
            )
            if isinstance(done, Treated):
                break
            what = step.asked_of(done.why)
            if not what or approvals.get(what):
                tried.failed = done.why
                return tried
            tried.waits.append((what, done.why))
            approvals[what] = True
        tried.treated = done
        if verify and done.check is not None:
            tried.failed = await self._verified(original, done, as_delivery(arrival))
        return tried

    async def _verified(self, original: Original, treated: Treated, delivery: Delivery) -> str:
        """Return why the bytes that would leave may not, "" if they may (D-42)."""
        loop = asyncio.get_running_loop()
        seen = Seen(treated, delivery.transfer_syntax_uid)
        whole = partial(original.whole, treated.head, treated.tail_end)
        data = await loop.run_in_executor(self._node.disk, whole)
        try:
            if data is not None:
                await loop.run_in_executor(self._node.disk, seen.feed, data)
            else:
                async for piece in original.pieces(treated.head, treated.tail_end):
                    await loop.run_in_executor(self._node.disk, seen.feed, piece)
            await loop.run_in_executor(self._node.disk, seen.judge)
        except HeldError as held:
            return held.why
        return ""


def _rows(tried: Tried) -> tuple[list[Row], list[Row]]:
    """Return what changes and what stays, both in the order of the tags."""
    treated, head = tried.treated, tried.original.head
    if treated is None:
        return [], []
    before = parse(head)
    after = parse(Head.from_bytes(treated.head, plain(head.transfer_syntax_uid)))
    report = json.loads(treated.report or "{}")
    reported = {row["tag"] for row in report.get("changed", ())}
    edited = {one.path for one in treated.changes}
    changed = [
        replace(row, by="edit")
        if row.path[-11:] not in reported and edited & {row.path, row.name}
        else row
        for row in differences(before, after, report)
    ]
    return changed, list(unchanged(before, after))


def _said(row: Row, *, before: bool, after: bool) -> RowSaid:
    return RowSaid(
        path=row.path,
        name=row.name,
        action=row.action,
        by=row.by,
        before=row.before if before else None,
        after=row.after if after else None,
    )


def _reasons(tried: Tried, arrival: Arrival) -> list[ReasonSaid]:
    found = [*tried.waits, *([("", tried.failed)] if tried.failed else [])]
    return [
        ReasonSaid(why=why, what=what, objects=1, since=arrival.received_at) for what, why in found
    ]


def _pixels(tried: Tried, boxes: tuple[Area, ...]) -> PixelsSaid | None:
    head = tried.original.head
    if not has_pixels(head):
        return None
    job = tried.treated.pixels if tried.treated is not None else None
    rectangles, keep = boxes, None
    if not boxes and isinstance(job, RedactJob):
        rectangles, keep = job.rectangles, job.keep
    report: dict[str, Any] = {}
    if tried.treated is not None:
        report = json.loads(tried.treated.report or "{}")
    frames = head.text(FRAMES)
    return PixelsSaid(
        rows=number(head, ROWS),
        columns=number(head, COLUMNS),
        frames=int(frames) if frames.isascii() and frames.isdigit() and len(frames) < 9 else 1,
        rule=str(report.get("pixel_rule", "")) if not boxes else "",
        rectangles=[tuple(one) for one in rectangles],
        keep=None if keep is None else [tuple(one) for one in keep],
    )


def _rule(head: Head, boxes: tuple[Area, ...]) -> str:
    said = [next(iter(texts(head, tag)), "") for tag in (MAKER, MODEL)]
    return offered(head, " ".join(filter(None, said)) or "a device", boxes)


def object_said(arrival: Arrival) -> ObjectSaid:
    """Return an object without anything of its patient."""
    return ObjectSaid(
        id=f"{arrival.id:x}",
        sop_class=arrival.instance.sop_class_uid,
        sop_instance=arrival.instance.sop_instance_uid,
        modality=arrival.instance.modality,
        received_at=arrival.received_at,
        size_bytes=arrival.size_bytes,
    )
