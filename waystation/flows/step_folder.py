"""A folder of worklist files in step with the worklist, as wlmscpfs has them (T-56).

Contract: `look` goes over the folder once.  A new or changed file becomes or changes its steps, a
removed one cancels them; ``import`` takes each file once and leaves it at that; ``two-way`` also
writes the listed steps of the area out, as files of our own.  What others wrote is never changed
or deleted.  A file that is half written, locked or bad changes nothing: it is told by name and
tried again.  A folder that cannot be read, or that is empty all of a sudden, cancels nothing.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import structlog

from waystation.db.engine import Database
from waystation.dicom.part10 import file_meta
from waystation.dicom.uids import EXPLICIT_VR_LE, MODALITY_WORKLIST_FIND, make_uid
from waystation.flows import step_places
from waystation.flows.entry_files import Entries, read_entries
from waystation.flows.file_steps import brought
from waystation.flows.rounds import keep_going
from waystation.flows.step_places import LockedError, Seen
from waystation.flows.steps import Steps
from waystation.index.step_book import StepBook
from waystation.journal import step_files
from waystation.journal.step_files import OURS, THEIRS, StepFile
from waystation.model.errors import StorageError
from waystation.model.step import Author, Step, StepFaults, StepRefused, StepState
from waystation.timing.incident import Finding

log = structlog.get_logger()
Mode = Literal["import", "watch", "two-way"]
# A file that changed just now may still be written to.
SETTLED_S: Final = 1.0
# So long a folder that held files and holds none any more is given.
EMPTY_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTerms:
    """What is set for a folder.

    area: of what lies in it.  areas: of what lies in its folders, by their name; None for a folder
    that is none of ours.  listed: what is written out.
    """

    name: str
    path: Path
    mode: Mode = "watch"
    every_s: float = 5.0
    area: str = ""
    areas: Callable[[str], str | None] = lambda _name: None
    split_steps: bool = False
    listed: Callable[[], Any] | None = None


@dataclass(slots=True)
class Looked:
    """What one look over a folder did: numbers of files."""

    taken: int = 0
    removed: int = 0
    written: int = 0
    waiting: int = 0
    problems: dict[str, str] = field(default_factory=dict)


class StepFolder:
    """One folder.  problems: why files of it are none, by name."""

    def __init__(
        self,
        terms: FolderTerms,
        steps: Steps,
        database: Database,
        workers: Executor,
        clock: Callable[[], float],
    ) -> None:
        self.terms = terms
        self.problems: Mapping[str, str] = {}
        self.wake = asyncio.Event()
        self._steps = steps
        self._database = database
        self._workers = workers
        self._clock = clock
        self._empty_since: float | None = None
        self._missing = False

    async def run(self) -> None:
        """Look again and again."""
        await keep_going(
            "worklist folder",
            self._round,
            self.wake,
            self._clock,
            self.terms.every_s,
            folder=self.terms.name,
        )

    async def _round(self) -> float:
        looked = await self.look()
        return min(self.terms.every_s, SETTLED_S) if looked.waiting else self.terms.every_s

    def findings(self) -> Iterator[Finding]:
        """Yield what a person must hear: of files only how many."""
        missing, n = self.problems.get("."), len(self.problems)
        if self.problems:
            yield Finding(
                subject=f"folder {self.terms.name}",
                kind="folder",
                n=n,
                why="the folder cannot be read" if missing else f"{n:,} files were not taken",
            )

    async def look(self) -> Looked:
        """Bring worklist and folder together once."""
        known = await self._database.read(step_files.known(self.terms.name))
        seen = await self._see()
        done = Looked()
        if seen is None or self._is_gone(seen, known):
            return done
        here = {one.path: one for one in seen}
        for one in seen:
            await self._guarded(one, known.get(one.path), done)
        if self.terms.mode != "import":
            known = await self._database.read(step_files.known(self.terms.name))
            for path in known.keys() - here.keys():
                await self._removed(known[path], known, done)
        if self.terms.mode == "two-way" and self.terms.listed is not None:
            await self._write_out(done)
        self.problems = done.problems
        return done

    async def _see(self) -> list[Seen] | None:
        try:
            found = await self._in_thread(step_places.look, self.terms.path)
        except OSError as error:
            if not self._missing:
                log.warning("worklist folder cannot be read", **self._about(problem=str(error)))
            self._missing = True
            self.problems = {".": f"cannot be read: {error.strerror or error}"}
            return None
        self._missing = False
        files: list[Seen] = found
        return [one for one in files if self._area(one.path) is not None]

    def _is_gone(self, seen: Sequence[Seen], known: Mapping[str, StepFile]) -> bool:
        """Tell whether the folder may be a mount point without its volume."""
        if seen or len(known) < 2:
            self._empty_since = None
            return False
        now = self._clock()
        if self._empty_since is None:
            self._empty_since = now
            log.warning("worklist folder is empty all of a sudden", **self._about())
        return now - self._empty_since < EMPTY_S

    def _area(self, path: str) -> str | None:
        inside, _, _ = path.rpartition("/")
        return self.terms.areas(inside) if inside else self.terms.area

    # a file that is there

    async def _guarded(self, seen: Seen, before: StepFile | None, done: Looked) -> None:
        """Take a file up; what is wrong with one stops no other."""
        shown = seen.path.encode("utf-8", "backslashreplace").decode()
        if shown != seen.path:
            done.problems[shown] = "its name is no UTF-8"
            return
        try:
            await self._file(seen, before, done)
        except StorageError:
            raise
        except Exception:
            log.exception("worklist file not looked at", **self._about(file=shown))
            done.problems[shown] = "cannot be taken: the log says why"

    async def _file(self, seen: Seen, before: StepFile | None, done: Looked) -> None:
        if before is not None and before.signature == seen.signature:
            if before.problem:
                done.problems[seen.path] = before.problem
            return
        if before is not None and self.terms.mode == "import" and not before.problem:
            return
        if abs(self._clock() - seen.changed_at) < SETTLED_S:
            done.waiting += 1
            return
        try:
            raw = await self._in_thread(step_places.read, self.terms.path, seen)
        except LockedError:
            done.waiting += 1
            done.problems[seen.path] = "waits: another program holds the lockfile"
            return
        except OSError as error:
            # Rights may change without a trace in the file: it is tried every time.
            again = replace(seen, signature="")
            await self._bad(again, before, f"cannot be read: {error.strerror or error}", done)
            return
        if raw is None:
            done.waiting += 1
            return
        await self._content(seen, before, raw, done)

    async def _content(self, seen: Seen, before: StepFile | None, raw: bytes, done: Looked) -> None:
        mark = step_places.digest(raw)
        area = self._area(seen.path) or ""
        read = partial(read_entries, raw, area=area, split_steps=self.terms.split_steps)
        found: Entries = await self._in_thread(read)
        if found.faults or not found.drafts:
            await self._bad(seen, before, "; ".join(found.faults) or "holds no entry", done)
            return
        file = before or StepFile(folder=self.terms.name, path=seen.path, signature="")
        is_same = file.digest == mark
        file = replace(
            file, signature=seen.signature, digest=mark, problem="", seen_at=self._clock()
        )
        author = Author(kind="file", name=seen.path)

        def job(book: StepBook) -> None:
            steps = file.steps if is_same else brought(book, file, found.drafts, author)
            step_files.put(book.transaction, replace(file, steps=steps))

        try:
            await self._steps.write(job)
        except (StepFaults, StepRefused) as refused:
            await self._bad(seen, before, str(refused), done)
            return
        for warning in found.warnings:
            log.info("worklist file", **self._about(file=seen.path, warning=warning))
        done.taken += not is_same

    async def _bad(self, seen: Seen, before: StepFile | None, problem: str, done: Looked) -> None:
        """Write down what is wrong with a file; its steps stay as they were."""
        done.problems[seen.path] = problem
        if before is not None and (before.signature, before.problem) == (seen.signature, problem):
            return
        file = before or StepFile(folder=self.terms.name, path=seen.path, signature="")
        # Its signature is kept: the file is tried again when it changes.
        bad = replace(
            file, signature=seen.signature, digest="", problem=problem, seen_at=self._clock()
        )
        await self._steps.write(lambda book: step_files.put(book.transaction, bad))
        log.warning("worklist file not taken", **self._about(file=seen.path, problem=problem))

    # a file that is gone

    async def _removed(self, file: StepFile, known: Mapping[str, StepFile], done: Looked) -> None:
        others = {step for one in known.values() if one.path != file.path for step in one.steps}
        author = Author(kind="file", name=file.path)

        def job(book: StepBook) -> None:
            # A file of ours that was never written whole was not removed by anybody.
            for number in file.steps if file.signature or file.writer == THEIRS else ():
                step = book.get(number)
                if step is not None and step.listed and number not in others:
                    book.move(number, StepState.CANCELLED, author, "its file was removed")
            step_files.forget(book.transaction, file.folder, file.path)

        await self._steps.write(job)
        done.removed += 1

    # files of our own

    async def _write_out(self, done: Looked) -> None:
        assert self.terms.listed is not None
        steps: Sequence[Step] = await self.terms.listed()
        known = await self._database.read(step_files.known(self.terms.name))
        theirs = {step for one in known.values() if one.writer == THEIRS for step in one.steps}
        wanted = {_name(step): step for step in steps if step.id not in theirs}
        for name, step in wanted.items():
            await self._write(name, step, known.get(name), done)
        for file in known.values():
            if file.writer == OURS and file.path not in wanted:
                await self._take_back(file, done)

    async def _write(self, name: str, step: Step, before: StepFile | None, done: Looked) -> None:
        content = _content(step)
        mark = step_places.digest(content)
        if before is not None and before.digest == mark and before.signature:
            return
        file = StepFile(
            folder=self.terms.name,
            path=name,
            signature="",
            digest=mark,
            steps=(step.id,),
            writer=OURS,
            seen_at=self._clock(),
        )
        # Written down before the file is there, so that no crash makes it look like another's.
        await self._steps.write(lambda book: step_files.put(book.transaction, file))
        try:
            signature = await self._in_thread(step_places.write, self.terms.path, name, content)
        except OSError as error:
            done.problems[name] = f"cannot be written: {error.strerror or error}"
            log.warning("worklist file not written", **self._about(file=name, problem=str(error)))
            return
        final = replace(file, signature=signature)
        await self._steps.write(lambda book: step_files.put(book.transaction, final))
        done.written += 1

    async def _take_back(self, file: StepFile, done: Looked) -> None:
        """Remove a file of ours whose step is off the list."""
        try:
            await self._in_thread(step_places.remove, self.terms.path, file.path, file.signature)
        except OSError as error:
            done.problems[file.path] = f"cannot be removed: {error.strerror or error}"
            return
        await self._steps.write(
            lambda book: step_files.forget(book.transaction, file.folder, file.path)
        )
        done.removed += 1

    async def _in_thread(self, work: Callable[..., Any], *values: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work, *values)

    def _about(self, **more: str) -> dict[str, str]:
        return {"folder": self.terms.name, **more}


def _name(step: Step) -> str:
    return f"ws-{step.id}.wl"


def _content(step: Step) -> bytes:
    """Return a file as dump2dcm would write it: header and data set."""
    uid = make_uid(step.id.to_bytes(16, "big"))
    return file_meta(MODALITY_WORKLIST_FIND, uid, EXPLICIT_VR_LE) + step.data
