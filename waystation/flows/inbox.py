"""Files that somebody lays into a folder become arrivals (R-19, S-1).

Contract: a file is taken when it has not changed for a while; it leaves its place only after its
object is kept: into ``done`` beside it, or for good if that was asked for.  One that cannot be
taken goes into ``failed`` with the reason in a text file beside it; where the disk or the journal
is short it stays, and is tried again.  One that was kept and cannot leave its place is not taken a
second time: only leaving is tried again.  Names that begin with a dot are left alone, links are
never followed, and a name decides nothing but where in this folder a file comes to lie.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from waystation.dicomweb.store_answer import NOT_NOW, UNREADABLE, Outcome, status_of
from waystation.flows.admitting import Keeping
from waystation.flows.deposit import Deposit
from waystation.flows.rounds import keep_going
from waystation.model.arrival import Source
from waystation.timing.incident import Finding

log = structlog.get_logger()
LOOK_S: Final = 2.0
PIECE: Final = 512 * 1024
# Of one look; what is left waits for the next (L27 bounds what one batch may hold in memory).
MOST: Final = 500
DONE, FAILED = "done", "failed"
UNFINISHED: Final = (".part", ".tmp", ".partial", ".crdownload", ".filepart")
# A preamble may hold anything: nothing that starts as a program is taken from a folder (S-40).
PROGRAMS: Final = (
    b"MZ",
    b"\x7fELF",
    b"#!",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
)
A_PROGRAM: Final = "the file begins as a program does"
UNREACHABLE: Final = "the folder cannot be read"
STUCK: Final = "files that were taken cannot be moved out of the folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxTerms:
    """What is set for one folder.

    settle_s: how long a file must not have changed.  keep: whether files stay, in ``done``.
    calling_ae: the AE title that rules see, "" for none.
    """

    name: str
    folder: Path
    keep: bool = True
    settle_s: float = 5.0
    calling_ae: str = ""


@dataclass(frozen=True, slots=True)
class _Seen:
    """How a file looked."""

    size: int
    changed_ns: int
    inode: int


class Inbox:
    """One folder that is watched.  problem: why nothing can be taken from it now, or ""."""

    def __init__(
        self,
        terms: InboxTerms,
        keeping: Callable[[], Keeping],
        disk: Executor,
    ) -> None:
        self.terms = terms
        self.problem = ""
        self._keeping = keeping
        self._disk = disk
        self._wake = asyncio.Event()
        self._seen: dict[Path, tuple[_Seen, float]] = {}
        # What is over, and lies in its place still: how it looked, and how it ended.
        self._kept: dict[Path, tuple[_Seen, Outcome]] = {}

    async def run(self) -> None:
        """Take what comes, until cancelled."""
        await keep_going(
            "inbox",
            self._round,
            self._wake,
            lambda: self._keeping().clock(),
            LOOK_S,
            name=self.terms.name,
        )

    async def _round(self) -> float:
        await self.look()
        return LOOK_S

    def findings(self) -> Iterator[Finding]:
        """Yield what a person must hear."""
        if self.problem:
            yield Finding(subject=f"inbox {self.terms.name}", kind="folder", why=self.problem)

    async def look(self) -> int:
        """Take the files that have settled; return how many objects were kept."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        try:
            found = await loop.run_in_executor(self._disk, _files, self.terms.folder)
        except OSError as error:
            self._trouble(UNREACHABLE, error)
            return 0
        over = await self._clear(found)
        before, self._seen = self._seen, {}
        settled: list[tuple[Path, _Seen]] = []
        for path, seen in found:
            if path in over:
                continue
            known, since = before.get(path, (seen, now))
            since = since if known == seen else now
            self._seen[path] = seen, since
            if now - since >= self.terms.settle_s and len(settled) < MOST:
                settled.append((path, seen))
        if not settled or self._keeping().full():
            return 0
        return await self._take(settled)

    async def _take(self, files: Iterable[tuple[Path, _Seen]]) -> int:
        terms = self.terms
        source = Source(
            peer="", calling_ae=terms.calling_ae, called_ae="", address="", way_in="folder"
        )
        deposit = Deposit(self._keeping(), source)
        taken: list[tuple[Path, _Seen]] = []
        try:
            for path, seen in files:
                if await self._read(deposit, path, seen):
                    taken.append((path, seen))
            outcomes = await deposit.outcomes()
            for (path, seen), outcome in zip(taken, outcomes, strict=True):
                self._seen.pop(path, None)
                if not outcome.reason or status_of([outcome]) != NOT_NOW:
                    self._kept[path] = seen, outcome
        finally:
            await deposit.close()
        await self._put_all_away()
        kept = sum(not outcome.reason for outcome in outcomes)
        log.info("inbox", name=terms.name, kept=kept, failed=len(outcomes) - kept)
        return kept

    async def _read(self, deposit: Deposit, path: Path, seen: _Seen) -> bool:
        """Hand one file over; False if it has changed or gone meanwhile."""
        loop = asyncio.get_running_loop()
        run = loop.run_in_executor
        try:
            handle = await run(self._disk, _open, path)
        except OSError:
            return False
        deposit.begin()
        whole = False
        try:
            first = True
            while data := await run(self._disk, os.read, handle, PIECE):
                if first and data.startswith(PROGRAMS):
                    deposit.fail(UNREADABLE, A_PROGRAM)
                    return True
                first = False
                await deposit.take(data)
            whole = _seen_of(os.fstat(handle)) == seen
        except OSError as error:
            # As on a share that is away for a moment: it is read again at the next look.
            log.error("file not read", inbox=self.terms.name, error=error.strerror)
        finally:
            os.close(handle)
            if not whole:
                await deposit.drop()
        if whole:
            await deposit.end()
        return whole

    async def _clear(self, found: Iterable[tuple[Path, _Seen]]) -> set[Path]:
        """Put away what could not be until now, and return it; forget what is another file now."""
        there = dict(found)
        self._kept = {path: end for path, end in self._kept.items() if there.get(path) == end[0]}
        over = set(self._kept)
        await self._put_all_away()
        return over

    async def _put_all_away(self) -> None:
        loop = asyncio.get_running_loop()
        failed: OSError | None = None
        for path, end in list(self._kept.items()):
            try:
                await loop.run_in_executor(self._disk, self._put_away, path, *end)
            except OSError as error:
                failed = error
            else:
                del self._kept[path]
        if failed is not None:
            self._trouble(STUCK, failed)
        else:
            self.problem = ""

    def _trouble(self, problem: str, error: OSError) -> None:
        if self.problem != problem:
            why = error.strerror or type(error).__name__
            log.error("inbox", name=self.terms.name, problem=problem, error=why)
        self.problem = problem

    def _put_away(self, path: Path, seen: _Seen, outcome: Outcome) -> None:
        """Move or remove a file whose end is known; another one under its name stays."""
        if _seen_of(path.lstat()) != seen:
            return
        if not outcome.reason and not self.terms.keep:
            path.unlink(missing_ok=True)
            return
        below = path.relative_to(self.terms.folder)
        target = _free(self.terms.folder / (FAILED if outcome.reason else DONE) / below)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        if outcome.reason:
            words = f"{outcome.reason:04X} {outcome.comment}\n"
            target.with_name(target.name + ".why.txt").write_text(words, encoding="utf-8")


def _files(folder: Path) -> list[tuple[Path, _Seen]]:
    """Return the files of a folder, in order."""
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    found: list[tuple[Path, _Seen]] = []
    for place, folders, names in os.walk(folder, followlinks=False):
        at_top = place == str(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not (at_top and name in (DONE, FAILED))
        )
        for name in sorted(names):
            if name.startswith(".") or name.endswith(UNFINISHED):
                continue
            path = Path(place, name)
            try:
                known = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(known.st_mode):
                found.append((path, _seen_of(known)))
    return found


def _seen_of(known: os.stat_result) -> _Seen:
    return _Seen(known.st_size, known.st_mtime_ns, known.st_ino)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _free(target: Path) -> Path:
    """Return a name that nothing has yet."""
    number = 1
    found = target
    while found.exists() or found.is_symlink():
        number += 1
        found = target.with_name(f"{target.name}.{number}")
    return found
