"""One object and the steps of its rule: facts gathered, steps run, pixels redacted, result kept.

Contract: `Making.treatment` gives a `Treatment` and, where it is small, the bytes that leave; or
`Failed`.  The steps themselves are pure and run in a worker thread.  Where pixels change, the
whole new object is sealed in a blob of ours before anything is told.
"""

import asyncio
import hashlib
import mmap
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Protocol

from waystation.blobs.folder import BlobFolder
from waystation.codecs.errors import CodecError, WorkroomError
from waystation.codecs.pool import CodecPool, Converted
from waystation.codecs.text import TextReader
from waystation.db.engine import Database
from waystation.destinations.base import WHOLE_BYTES
from waystation.dicom import tags
from waystation.dicom.charsets import decode
from waystation.dicom.head import Head
from waystation.dicom.part10 import file_meta
from waystation.dicom.walk import read_head
from waystation.flows.incoming import padding
from waystation.flows.patience import patiently
from waystation.flows.reading import no_text
from waystation.flows.splicing import Original, plain
from waystation.index import step_lookup
from waystation.journal import deid_records, people
from waystation.journal.people import Sight
from waystation.journal.treatments import Treatment
from waystation.model.arrival import Arrival
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.recipe import Recipe
from waystation.transforms import steps
from waystation.transforms.deid_step import DeidStep
from waystation.transforms.held import HeldError
from waystation.transforms.steps import Failed, StepFacts, Tools, Treated
from waystation.transforms.validate import BY, Earlier, Person, Scheduled

IDENTITY_REMOVED, METHOD, METHOD_CODES = "(0012,0062)", "(0012,0063)", "(0012,0064)"
ISSUER, BIRTH, SEX = 0x00100021, 0x00100030, 0x00100040
STAGE = 1 << 20
# Editing so little takes less time than handing it to a worker thread.
SMALL_BYTES = 64 << 10
BLOCK = 4096


class Toolbox(Protocol):
    """What recipes name, resolved by the configuration in force."""

    def tools(self, recipe: Recipe) -> Tools:
        """Return what a recipe needs.  Raises `HeldError` if something is not there."""


class Making:
    """Of one node.  system: our name, for the record of changes.  zone: of the node.

    believed, trusted: names of peers whose Burned In Annotation NO is true (D-32), and whose
    Private Data Element Characteristics are (D-17).
    codecs: the children that change pixels, None where there are none.
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobFolder,
        workers: Executor,
        clock: Callable[[], float],
        *,
        codecs: CodecPool | None = None,
    ) -> None:
        self.system = "waystation"
        self.zone: tzinfo | None = None
        self.believed: frozenset[str] = frozenset()
        self.trusted: frozenset[str] = frozenset()
        self.blobs = blobs
        self._database = database
        self._workers = workers
        self._clock = clock
        self._codecs = codecs
        self._reader = None if codecs is None else TextReader(codecs)

    async def treatment(
        self, delivery: Delivery, arrival: Arrival, original: Original, tools: Tools
    ) -> tuple[Treatment | Failed, bytes | None]:
        """Return what becomes of an object.

        Raises `HeldError`, and `StorageError` if its bytes cannot be read.
        """
        facts = await self.facts(original.head, arrival, tools)
        facts = replace(facts, tail_end=original.tail_end)
        loop = asyncio.get_running_loop()
        if tools.deidentify is None and delivery.size_bytes <= SMALL_BYTES:
            done = _run(original, tools, facts)
        else:
            done = await loop.run_in_executor(self._workers, _run, original, tools, facts)
        if isinstance(done, Failed):
            return done, None
        treated, data, sha256 = done
        made = _treatment(delivery, original.head, tools.digest, treated, facts.now)
        if treated.pixels is not None:
            return await self._redacted(delivery, original, (treated, data, sha256), made), None
        if data is not None:
            if treated.unwritten:
                await self._no_text(data, delivery, delivery.transfer_syntax_uid)
            small = data if len(data) <= WHOLE_BYTES else None
            return replace(made, sha256=sha256, size_bytes=len(data)), small
        digest, size = hashlib.sha256(), 0
        seen = Seen(treated, delivery.transfer_syntax_uid)

        async def watched() -> AsyncGenerator[bytes, None]:
            nonlocal size
            async for piece in original.pieces(treated.head, treated.tail_end):
                digest.update(piece)
                size += len(piece)
                await loop.run_in_executor(self._workers, seen.feed, piece)
                yield piece

        if treated.unwritten:
            await self._no_text(watched(), delivery, delivery.transfer_syntax_uid)
        else:
            async for _ in watched():
                pass
        await loop.run_in_executor(self._workers, seen.judge)
        return replace(made, sha256=digest.hexdigest(), size_bytes=size), None

    async def _no_text(
        self, source: bytes | AsyncIterator[bytes], delivery: Delivery, syntax: str
    ) -> None:
        """Raise `HeldError` unless nothing is written in the pixels that leave (D-36)."""
        await no_text(self._reader, source, digest=delivery.sha256, syntax=syntax)

    async def facts(
        self, head: Head, arrival: Arrival, tools: Tools, *, taken: bool = True
    ) -> StepFacts:
        """Return what steps may ask about an object.

        taken: it is kept; False while it may still be refused, when nothing is remembered of it.
        """
        now = self._clock()
        earlier = await self._earlier(head, arrival, now, taken) if tools.asks_earlier else None
        scheduled = await self._scheduled(head) if tools.asks_worklist else None
        study, step = arrival.instance.study_uid, tools.deidentify
        approvals: Mapping[str, bool] = {}
        if taken and isinstance(step, DeidStep) and step.asks:
            job = deid_records.decisions_of(study, step.asks)
            approvals = await patiently(self._database.read, job)
        source = arrival.source
        received = datetime.fromtimestamp(arrival.received_at, self.zone)
        return StepFacts(
            now=now,
            system=self.system,
            source=source.calling_ae,
            words={
                "calling_ae": source.calling_ae,
                "called_ae": source.called_ae,
                "peer": source.peer,
                "address": source.address,
                "arrival": f"{arrival.id:x}",
                "received_date": received.strftime("%Y%m%d"),
                "received_time": received.strftime("%H%M%S"),
            },
            earlier=earlier,
            scheduled=scheduled,
            study=study,
            approvals=approvals,
            believed=source.peer in self.believed,
            trusted=source.peer in self.trusted,
        )

    async def _scheduled(self, head: Head) -> Scheduled:
        """Ask what the worklist says of this study, order or patient."""
        said = {by: str(next(iter(head.values(by) or ()), "")).strip() for by in BY}
        return await patiently(self._database.read, step_lookup.scheduled(said))

    async def _earlier(self, head: Head, arrival: Arrival, now: float, taken: bool) -> Earlier:
        """Ask who was seen under this Patient ID, and who else in this study."""
        sight = sight_of(head, arrival)
        others = await patiently(self._database.read, people.other_patients(sight))
        if not sight.patient_id:
            return Earlier(others=others)
        if taken:
            seen = await patiently(self._database.write, people.first_seen(sight, now))
        else:
            seen = await patiently(self._database.read, people.seen(sight))
        if seen is None:
            return Earlier(others=others)
        keys = ("PatientName", "PatientBirthDate", "PatientSex")
        said = dict(zip(keys, seen, strict=True))
        return Earlier(person=Person(said=said), others=others)

    async def _redacted(
        self,
        delivery: Delivery,
        original: Original,
        done: tuple[Treated, bytes | None, str],
        made: Treatment,
    ) -> Treatment:
        """Let a child change the pixels, and keep the whole object (D-34, D-35)."""
        if self._codecs is None:
            raise HeldError(HoldReason.DEID_FAILED, "pixels are not changed here")
        treated, data, _ = done
        source = data if data is not None else original.pieces(treated.head, treated.tail_end)
        try:
            converted = await self._codecs.redact(
                source,
                digest=delivery.sha256,
                syntax=delivery.transfer_syntax_uid,
                job=treated.pixels,
            )
        except CodecError as error:
            raise HeldError(HoldReason.DEID_FAILED, f"pixels: {error}") from error
        except WorkroomError as error:
            raise HeldError(HoldReason.DEID_FAILED, str(error), transient=True) from error
        try:
            await self._look(converted, treated)
            if treated.unwritten:
                syntax = converted.transfer_syntax_uid
                await self._no_text(converted.pieces(), delivery, syntax)
            return await self._sealed(converted, made)
        except WorkroomError as error:
            raise HeldError(HoldReason.DEID_FAILED, str(error), transient=True) from error
        finally:
            converted.drop()

    async def _look(self, converted: Converted, treated: Treated) -> None:
        """Verify what a child made (D-42).  Raises `HeldError`."""
        if treated.check is None:
            return
        loop = asyncio.get_running_loop()
        seen = Seen(treated, converted.transfer_syntax_uid)
        async for piece in converted.pieces():
            await loop.run_in_executor(self._workers, seen.feed, piece)
        await loop.run_in_executor(self._workers, seen.judge)

    async def _sealed(self, converted: Converted, made: Treatment) -> Treatment:
        """Copy what a child made into a blob.  Raises `WorkroomError`."""
        meta = file_meta(
            made.sop_class, made.sop_instance, converted.transfer_syntax_uid, source_ae=""
        )
        end = padding(-(len(meta) + converted.size_bytes) % BLOCK, converted.transfer_syntax_uid)
        draft = self.blobs.draft()
        sealed = False
        loop = asyncio.get_running_loop()
        try:
            with mmap.mmap(-1, STAGE) as stage:
                filled = 0
                async for piece in _all(meta, converted.pieces(), end):
                    view = memoryview(piece)
                    while view:
                        take = min(len(view), STAGE - filled)
                        stage[filled : filled + take] = view[:take]
                        filled, view = filled + take, view[take:]
                        if filled == STAGE:
                            await loop.run_in_executor(self._workers, _write, draft, stage, STAGE)
                            filled = 0
                if filled:
                    await loop.run_in_executor(self._workers, _write, draft, stage, filled)
            name = await loop.run_in_executor(self._workers, draft.seal)
            sealed = True
        finally:
            if not sealed:
                await loop.run_in_executor(self._workers, draft.discard)
        return replace(
            made,
            head=b"",
            blob=name,
            sha256=converted.sha256,
            size_bytes=converted.size_bytes,
            transfer_syntax=converted.transfer_syntax_uid,
        )


class Seen:
    """A look over the bytes that are to leave, piece by piece; nothing if none is wanted."""

    def __init__(self, treated: Treated, syntax: str) -> None:
        self._pass = None if treated.check is None else treated.check.over(syntax)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._pass is not None:
            self._pass.feed(piece)

    def judge(self) -> None:
        """Raise `HeldError` if what was seen may not leave (D-42)."""
        why = self._pass.refusal() if self._pass is not None else ""
        if why:
            raise HeldError(HoldReason.DEID_FAILED, why)


def _write(draft: object, stage: mmap.mmap, size: int) -> None:
    from waystation.blobs.folder import Draft

    assert isinstance(draft, Draft)
    with memoryview(stage) as view, view[:size] as filled:
        draft.write(filled)


async def _all(meta: bytes, pieces: AsyncIterator[bytes], end: bytes) -> AsyncIterator[bytes]:
    yield meta
    async for piece in pieces:
        yield piece
    yield end


def _run(
    original: Original, tools: Tools, facts: StepFacts
) -> Failed | tuple[Treated, bytes | None, str]:
    """Run the steps; of what is at hand, return the whole object and its digest, too."""
    done = steps.apply(original.head, tools, facts, original.lead)
    if isinstance(done, Failed):
        return done
    data = original.whole(done.head, done.tail_end)
    if data is not None and done.pixels is None:
        seen = Seen(done, original.head.transfer_syntax_uid)
        seen.feed(data)
        seen.judge()
    return done, data, "" if data is None else hashlib.sha256(data).hexdigest()


def _treatment(
    delivery: Delivery, head: Head, tools: str, treated: Treated, now: float
) -> Treatment:
    found = treated.identity
    return Treatment(
        arrival=delivery.arrival_id,
        recipe=delivery.recipe,
        tools=tools,
        head=treated.head,
        tail_offset=head.pixel_offset,
        tail_end=treated.tail_end,
        sha256="",
        size_bytes=0,
        sop_class=found.sop_class_uid,
        sop_instance=found.sop_instance_uid,
        study=found.study_uid,
        series=found.series_uid,
        transfer_syntax=delivery.transfer_syntax_uid,
        deidentified=treated.mark,
        changes=tuple((one.path, one.before, one.after) for one in treated.changes),
        report=treated.report,
        made_at=now,
    )


def deliverable(delivery: Delivery, made: Treatment | None) -> Delivery:
    """Return a delivery with the identity, size and digest of what leaves.

    Of what was de-identified nobody learns the sender: no file, name, hook or association (D-18).
    """
    if made is None:
        return delivery
    return replace(
        delivery,
        calling_ae="" if made.deidentified else delivery.calling_ae,
        study_uid=made.study,
        series_uid=made.series,
        sop_class_uid=made.sop_class,
        sop_instance_uid=made.sop_instance,
        transfer_syntax_uid=made.transfer_syntax,
        blob=made.blob or delivery.blob,
        size_bytes=made.size_bytes,
        sha256=made.sha256,
    )


def is_marked(made: Treatment, blobs: BlobFolder) -> bool:
    """Tell whether the bytes that leave say that they were de-identified (D-37); blocks."""
    if made.blob:
        pieces = blobs.pieces(made.blob, made.size_bytes, STAGE)
        head = read_head(pieces, made.transfer_syntax)
    else:
        head = Head.from_bytes(made.head, plain(made.transfer_syntax))
    said = [str(value).strip() for value in head.values(IDENTITY_REMOVED) or ()]
    return said == ["YES"] and (head.has(METHOD) or head.has(METHOD_CODES))


def sight_of(head: Head, arrival: Arrival) -> Sight:
    """Return what an object says about its patient."""
    charset = head.charset("")

    def text(tag: int, vr: str) -> str:
        raw = head.raw(tag)
        return decode(raw, charset, vr).strip("\0 ") if raw else ""

    return Sight(
        arrival=arrival.id,
        study=arrival.instance.study_uid,
        issuer=text(ISSUER, "LO"),
        patient_id=text(tags.PATIENT_ID, "LO"),
        name=text(tags.PATIENT_NAME, "PN"),
        birth=text(BIRTH, "DA"),
        sex=text(SEX, "CS"),
    )
