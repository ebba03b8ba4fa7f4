"""A modality that sends synthetic studies and remembers what was promised to it.

Contract: one association per study, ``parallel`` of them side by side; nothing is ever sent
twice.  The ledger gets a line before an object leaves (``attempted``) and a line with its end:
``acked`` only for a *received* success or warning, ``refused`` for any other status, ``lost``
when no answer came.  What could not be attempted because no association came about counts as
``unreachable``.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from waystation.app.synthetic import Image, Study
from waystation.dicom.uids import CT_IMAGE_STORAGE, EXPLICIT_VR_LE, MR_IMAGE_STORAGE
from waystation.model.errors import LostError, UnreachableError
from waystation.model.peer import Remote
from waystation.net.client import Call, Waits
from waystation.wire.negotiate import propose
from waystation.wire.status import Category, category, status_text

# Offered besides what the first image of a study needs.
USUAL = ((CT_IMAGE_STORAGE, EXPLICIT_VR_LE), (MR_IMAGE_STORAGE, EXPLICIT_VR_LE))
GOOD = (Category.SUCCESS, Category.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one object ended.  ending: acked, refused, lost or unreachable."""

    sop_instance: str
    sha256: str
    size_bytes: int
    ending: str
    status: int | None = None
    why: str = ""


class Ledger:
    """What was attempted and how it ended, one JSON object a line; ``None`` writes nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file: IO[str] | None = path.open("a", encoding="utf-8") if path else None

    def attempted(self, image: Image, sha256: str) -> None:
        self._write(image.sop_instance, sha256, "attempted", None)

    def ended(self, result: Result) -> None:
        self._write(result.sop_instance, result.sha256, result.ending, result.status)

    def _write(self, sop_instance: str, sha256: str, ending: str, status: int | None) -> None:
        if self._file is None:
            return
        line = {
            "sop_instance": sop_instance,
            "sha256": sha256,
            "event": ending,
            "status": None if status is None else f"{status:04X}",
        }
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Modality:
    """Sends studies to one application entity.

    told: called with each result.  rate: objects a second over all associations, 0 = no limit.
    """

    def __init__(
        self,
        remote: Remote,
        *,
        ledger: Ledger,
        told: Callable[[Result], None] = lambda _result: None,
        rate: float = 0.0,
        waits: Waits | None = None,
    ) -> None:
        self._remote = remote
        self._ledger = ledger
        self._told = told
        self._pace_s = 1.0 / rate if rate else 0.0
        self._next_at = 0.0
        self._waits = waits or Waits()
        self.endings: Counter[str] = Counter()
        self.sent_bytes = 0
        self.reached = False

    async def send(self, studies: Iterable[Study], parallel: int) -> None:
        """Send every study once."""
        waiting = iter(studies)

        async def work() -> None:
            for study in waiting:
                await self.send_study(study)

        async with asyncio.TaskGroup() as group:
            for _ in range(parallel):
                group.create_task(work())

    async def send_study(self, study: Iterable[Image]) -> None:
        """Send one study over one association; a broken association ends it."""
        images = iter(study)
        first = next(images, None)
        if first is None:
            return
        try:
            call = await self._open(first)
        except UnreachableError as error:
            self.reached = self.reached or error.layer == "rejected"
            for image in (first, *images):
                self._end(_result(image, image.sha256, "unreachable", why=str(error)))
            return
        self.reached = True
        problem = await self._store(call, first)
        for image in images:
            if problem:
                self._end(_result(image, image.sha256, "unreachable", why=problem))
            else:
                problem = await self._store(call, image)
        if not problem:
            await call.release()

    async def _open(self, image: Image) -> Call:
        pairs = dict.fromkeys([(image.sop_class, image.transfer_syntax), *USUAL])
        wanted = [(sop_class, [syntax]) for sop_class, syntax in pairs]
        return await Call.open(self._remote, propose(wanted)[0], self._waits)

    async def _store(self, call: Call, image: Image) -> str:
        """Send one object; return why the association is of no use any more, or ""."""
        await self._pace()
        sha256 = image.sha256
        pair = (image.sop_class, image.transfer_syntax)
        context_id = call.context_for(*pair)
        if context_id is None:
            why = f"no presentation context: {call.refusals(pair)}"
            self._end(_result(image, sha256, "refused", why=why))
            return ""
        self._ledger.attempted(image, sha256)
        try:
            reply = await call.store(context_id, image.sop_class, image.sop_instance, image.data)
        except (LostError, TimeoutError) as error:
            call.abort()
            why = str(error) or "no progress"
            self._end(_result(image, sha256, "lost", why=why))
            return why
        good = category(reply.status) in GOOD
        result = _result(image, sha256, "acked" if good else "refused", why=reply.error_comment)
        self._end(replace(result, status=reply.status))
        return ""

    async def _pace(self) -> None:
        if not self._pace_s:
            return
        now = asyncio.get_running_loop().time()
        self._next_at = max(self._next_at + self._pace_s, now)
        await asyncio.sleep(self._next_at - now)

    def _end(self, result: Result) -> None:
        self.endings[result.ending] += 1
        if result.ending == "acked":
            self.sent_bytes += result.size_bytes
        self._ledger.ended(result)
        self._told(result)


def _result(image: Image, sha256: str, ending: str, why: str = "") -> Result:
    return Result(
        sop_instance=image.sop_instance,
        sha256=sha256,
        size_bytes=len(image.data),
        ending=ending,
        why=why,
    )


def line_of(result: Result) -> str:
    """Return one line for a person."""
    word = status_text(result.status) if result.status is not None else result.ending
    why = f" ({result.why})" if result.why else ""
    return f"{result.sop_instance}  {result.size_bytes} bytes  {word}{why}"
