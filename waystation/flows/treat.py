"""Validate, edit, de-identify: what stands between claiming a delivery and sending it (R-65).

Contract: a delivery with a recipe reaches its destination with the identity, size, digest and
bytes of what the recipe made, or not at all: whatever fails holds it, and no path leads from here
to the untreated bytes.  A result is in the journal before its first byte leaves, so that every
later attempt sends the same.  `only_deidentified` is a second lock that trusts no recipe: it looks
at the record of our de-identification and at the marks in the bytes themselves (R-69).

A batch is treated in small chunks; while one is sent the next is made ready.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from waystation.db.engine import Database
from waystation.destinations.base import Cargo, Destination, Pieces
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.flows.patience import patiently
from waystation.flows.splicing import Original, behind, check, find_tail_end, read, spliced
from waystation.flows.treating import Making, Toolbox, deliverable, is_marked
from waystation.journal import deid_records, treatments
from waystation.journal.treatments import Found, Key, Treatment
from waystation.model.arrival import Arrival
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import MisuseError, StorageError
from waystation.model.outcome import Delivered, Outcome, Refused
from waystation.model.recipe import Recipe
from waystation.transforms import steps
from waystation.transforms.held import HeldError
from waystation.transforms.steps import Failed, Tools

log = structlog.get_logger()

CHUNK = 32
CHUNK_BYTES = 8 << 20
AGAIN_AFTER_S = 60.0
NOT_OURS = "it was not de-identified here, and this destination takes nothing else"

Around = Callable[[Cargo], Cargo]


@dataclass(slots=True)
class Prepared:
    """A chunk that is ready: what leaves, by delivery, and what does not."""

    ready: list[tuple[Delivery, Delivery]] = field(default_factory=list)
    failed: list[tuple[Delivery, Outcome]] = field(default_factory=list)
    made: dict[int, Treatment] = field(default_factory=dict)
    data: dict[int, bytes] = field(default_factory=dict)

    def told(self, delivery: Delivery, outcome: Outcome) -> Outcome:
        """Return an outcome with what left, and what was changed for it (R-63)."""
        made = self.made.get(delivery.id)
        if made is None or not isinstance(outcome, Delivered):
            return outcome
        words = "; ".join(filter(None, (words_of(made), outcome.detail)))
        return replace(
            outcome,
            syntax=outcome.syntax or made.transfer_syntax,
            sha256=outcome.sha256 or made.sha256,
            detail=words,
        )


def as_wanted(
    treatments: "Treatments | None",
    destination: Destination,
    batch: Sequence[Delivery],
    cargo: Cargo,
    around: Around,
    only_deidentified: bool,
) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
    """Send a batch as it is, or as its recipes want it; costs nothing where there are none."""
    if not only_deidentified and not any(delivery.recipe for delivery in batch):
        return destination.send(batch, around(cargo))
    if treatments is None:
        raise MisuseError("nothing here can treat an object")
    return treatments.send(destination, batch, only_deidentified=only_deidentified, around=around)


def words_of(made: Treatment) -> str:
    """Return what was done, element by element and without values."""
    parts = []
    if made.changes:
        paths = dict.fromkeys(path for path, _, _ in made.changes)
        parts.append("edited " + ", ".join(paths))
    if made.deidentified:
        parts.append(f"de-identified by {made.deidentified}")
    return "; ".join(parts)[:2000]


class TreatedCargo:
    """Loads what recipes made of deliveries; everything else as its own cargo does."""

    def __init__(self, own: Cargo, prepared: Prepared) -> None:
        self._own = own
        self._prepared = prepared
        self._originals = {leaves.id: original for original, leaves in prepared.ready}

    async def load(self, delivery: Delivery) -> bytes | Pieces:
        """Return the verified data set that leaves.  Raises `StorageError`."""
        made = self._prepared.made.get(delivery.id)
        original = self._originals[delivery.id]
        if made is None:
            return await self._own.load(original)
        if (data := self._prepared.data.pop(delivery.id, None)) is not None:
            return data
        if made.blob:
            # No arrival has this id: nobody has its bytes at hand but the file.
            return await self._own.load(replace(delivery, arrival_id=-delivery.id))
        payload = await self._own.load(original)
        if isinstance(payload, bytes):
            syntax = original.transfer_syntax_uid
            span = (made.tail_offset, made.tail_end)
            return check(spliced(payload, made.head, span, syntax), made.sha256)
        return Pieces(behind(payload.pieces, made.head, made.tail_offset, made.tail_end))


class Treatments:
    """Of one node.

    toolbox: what recipes name, resolved by the configuration in force.  clock: Unix seconds.
    waits: told when something held is to be tried again by itself.
    """

    def __init__(
        self,
        database: Database,
        cargo: Cargo,
        workers: Executor,
        making: Making,
        clock: Callable[[], float],
    ) -> None:
        self.toolbox: Toolbox | None = None
        self.waits: Callable[[], None] = lambda: None
        self._database = database
        self._cargo = cargo
        self._workers = workers
        self._making = making
        self._clock = clock
        self._recipes: dict[str, Recipe] = {}

    async def send(
        self,
        destination: Destination,
        batch: Sequence[Delivery],
        *,
        only_deidentified: bool,
        around: Around,
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """Send a batch as its recipes want it; the contract is that of `Destination.send`.

        around: what else the bytes pass on their way, such as a budget.
        """
        chunks = list(_chunks(batch))
        coming = asyncio.create_task(self._prepare(chunks[0], only_deidentified))
        try:
            for place in range(len(chunks)):
                prepared = await coming
                if place + 1 < len(chunks):
                    coming = asyncio.create_task(
                        self._prepare(chunks[place + 1], only_deidentified)
                    )
                for failed in prepared.failed:
                    yield failed
                left = len(prepared.ready)
                async with aclosing(self._sent(destination, prepared, around)) as outcomes:
                    async for delivery, outcome in outcomes:
                        left -= 1
                        yield delivery, outcome
                if left:
                    return
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def _sent(
        self, destination: Destination, prepared: Prepared, around: Around
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        if not prepared.ready:
            return
        originals = {leaves.id: original for original, leaves in prepared.ready}
        cargo = around(TreatedCargo(self._cargo, prepared))
        leaving = [leaves for _, leaves in prepared.ready]
        async with aclosing(destination.send(leaving, cargo)) as outcomes:
            async for delivery, outcome in outcomes:
                yield originals[delivery.id], prepared.told(delivery, outcome)

    async def refusal(self, recipe: str, head: Head, arrival: Arrival) -> str:
        """Return which validation of a recipe rejects an object that is not taken yet, or ""."""
        tools = await self._tools(recipe)
        if isinstance(tools, Failed) or not any(one.rejects for one in tools.validations):
            return ""
        facts = await self._making.facts(head, arrival, tools, taken=False)
        failed = steps.check(head, tools, facts)
        return "" if failed is None else failed.why

    async def _prepare(self, chunk: Sequence[Delivery], only_deidentified: bool) -> Prepared:
        prepared = Prepared()
        found: list[Found] = []
        made = await self._treat(chunk, prepared)
        for delivery in chunk:
            one = made.get(delivery.id)
            if isinstance(one, Failed):
                prepared.failed.append((delivery, Refused(reason=one.reason, why=one.why)))
                again_at = self._clock() + AGAIN_AFTER_S if one.transient else None
                found.append(Found(delivery=delivery.id, detail=one.detail, again_at=again_at))
            elif only_deidentified and not await self._is_deidentified(one):
                reason = HoldReason.NOT_DEIDENTIFIED
                prepared.failed.append((delivery, Refused(reason=reason, why=NOT_OURS)))
            else:
                prepared.ready.append((delivery, deliverable(delivery, one)))
                if one is not None:
                    prepared.made[delivery.id] = one
        if found:
            await patiently(self._database.write, treatments.note(found, self._clock()))
            if any(one.again_at is not None for one in found):
                self.waits()
        return prepared

    async def _is_deidentified(self, made: Treatment | None) -> bool:
        """Look at the record, and at the bytes that would leave."""
        if made is None or not made.deidentified:
            return False
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._workers, is_marked, made, self._making.blobs)
        except (StorageError, DatasetError) as error:
            log.error("marks not read", arrival=f"{made.arrival:x}", error=str(error))
            return False

    async def _treat(
        self, chunk: Sequence[Delivery], prepared: Prepared
    ) -> dict[int, Treatment | Failed]:
        """Return what became of each delivery that has a recipe."""
        done: dict[int, Treatment | Failed] = {}
        wanted: dict[Key, list[Delivery]] = {}
        tools_of: dict[Key, Tools] = {}
        for delivery in chunk:
            if not delivery.recipe:
                continue
            tools = await self._tools(delivery.recipe)
            if isinstance(tools, Failed):
                done[delivery.id] = tools
                continue
            key = (delivery.arrival_id, delivery.recipe, tools.digest)
            wanted.setdefault(key, []).append(delivery)
            tools_of[key] = tools
        if not wanted:
            return done
        standing = await patiently(self._database.read, treatments.standing(list(wanted)))
        for key, made in standing.made.items():
            done |= {delivery.id: made for delivery in wanted[key]}
        missing = [key for key in wanted if key not in standing.made]
        fresh: list[Treatment] = []
        for key, one in zip(
            missing,
            await asyncio.gather(
                *(
                    self._one(
                        wanted[key][0], standing.arrivals.get(key[0]), tools_of[key], prepared
                    )
                    for key in missing
                )
            ),
            strict=True,
        ):
            if isinstance(one, Treatment):
                fresh.append(one)
            done |= {delivery.id: one for delivery in wanted[key]}
        kept: list[Treatment] = []
        if fresh:
            digests = {one.key: wanted[one.key][0].sha256 for one in fresh}
            job = deid_records.keep(fresh, digests, self._clock())
            kept = await patiently(self._database.write, job)
        for one in kept:
            for delivery in wanted[one.key]:
                mine = done[delivery.id]
                if isinstance(mine, Treatment) and mine.sha256 != one.sha256:
                    # Another lane was first: everybody sends what it made.
                    prepared.data.pop(delivery.id, None)
                done[delivery.id] = one
        return done

    async def _tools(self, digest: str) -> Tools | Failed:
        """Return what a recipe needs, by the configuration in force."""
        recipe = self._recipes.get(digest)
        if recipe is None:
            found = await patiently(self._database.read, treatments.recipes([digest]))
            recipe = self._recipes.get(digest) or found.get(digest)
            if recipe is None:
                return Failed(reason=HoldReason.RULE_ERROR, why="its steps are not known any more")
            self._recipes[digest] = recipe
        try:
            if self.toolbox is None:
                return Failed(reason=HoldReason.RULE_ERROR, why="no steps are configured")
            return self.toolbox.tools(recipe)
        except HeldError as held:
            return Failed(
                reason=held.reason, why=held.why, transient=held.transient, detail=held.detail
            )
        except Exception:
            log.exception("steps not made ready", recipe=digest)
            reason = HoldReason.DEID_FAILED if recipe.deidentify else HoldReason.RULE_ERROR
            return Failed(reason=reason, why="internal error in a step, see log")

    async def _one(
        self, delivery: Delivery, arrival: Arrival | None, tools: Tools, prepared: Prepared
    ) -> Treatment | Failed:
        """Treat one object; what goes wrong in here holds this object and no other."""
        original: Original | None = None
        try:
            if arrival is None:
                raise StorageError("the journal has no row of this object")
            payload = await self._cargo.load(delivery)
            original = await read(payload, delivery.transfer_syntax_uid)
            if tools.deidentify is not None:
                await find_tail_end(original, partial(self._cargo.load, delivery))
            made, data = await self._making.treatment(delivery, arrival, original, tools)
        except StorageError as error:
            return Failed(reason=HoldReason.CORRUPT, why=str(error))
        except DatasetError as error:
            return Failed(reason=_reason(tools), why=f"the head cannot be read: {error}")
        except HeldError as held:
            return Failed(
                reason=held.reason, why=held.why, transient=held.transient, detail=held.detail
            )
        except Exception:
            log.exception("treating failed", arrival=f"{delivery.arrival_id:x}")
            return Failed(reason=_reason(tools), why="internal error in a step, see log")
        finally:
            if original is not None:
                await original.close()
        if isinstance(made, Treatment) and data is not None:
            prepared.data[delivery.id] = data
        return made


def _reason(tools: Tools) -> HoldReason:
    """Return what a failure inside counts as: de-identification is told apart (R-69)."""
    return HoldReason.RULE_ERROR if tools.deidentify is None else HoldReason.DEID_FAILED


def _chunks(batch: Sequence[Delivery]) -> list[list[Delivery]]:
    """Cut a batch into pieces that fit into memory."""
    found: list[list[Delivery]] = [[]]
    size_bytes = 0
    for delivery in batch:
        full = len(found[-1]) >= CHUNK or size_bytes + delivery.size_bytes > CHUNK_BYTES
        if found[-1] and full:
            found.append([])
            size_bytes = 0
        found[-1].append(delivery)
        size_bytes += delivery.size_bytes
    return found
