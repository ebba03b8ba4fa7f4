"""Tables in files, read again when their content changes (R-67).

Contract: a table is replaced whole, by another whole one; while its file is missing or broken the
last good one stays in force, and `problems` says since when and why.  Files are compared by the
digest of their content; what `stat` says only decides how often that is looked at.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from waystation.transforms.lookup import HOLD, LookupTable, TableError, read_table

log = structlog.get_logger()
LOOK_S = 5.0
# However little `stat` says: so many looks later the content is compared.
ANYWAY = 12
MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """Where a table is read from, and how.  key: its column, "" for the first."""

    name: str
    path: Path
    key: str = ""
    missing: str | tuple[str] = HOLD


@dataclass(slots=True)
class _State:
    file: TableFile
    table: LookupTable | None = None
    digest: str = ""
    signature: tuple[int, ...] = ()
    looks: int = 0
    problem: str = ""
    since: float = 0.0


class Tables:
    """Of one node.  clock: Unix seconds.  changed: called after a table was replaced."""

    def __init__(
        self, workers: Executor, clock: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        self._workers = workers
        self._clock = clock
        self._changed = changed
        self._states: dict[str, _State] = {}

    def table(self, name: str) -> LookupTable | None:
        """Return a table as it is now, None if it never was one."""
        state = self._states.get(name)
        return None if state is None else state.table

    @property
    def problems(self) -> dict[str, tuple[float, str]]:
        """By name: since when and why a table is not what its file says."""
        return {
            name: (state.since, state.problem)
            for name, state in self._states.items()
            if state.problem
        }

    def use(self, files: Mapping[str, TableFile]) -> None:
        """Go by other files from now on; what stays the same stays loaded.  Blocks."""
        before = self._states
        states: dict[str, _State] = {}
        for name, file in files.items():
            known = before.get(name)
            if known is not None and (known.file.path, known.file.key) == (file.path, file.key):
                known.file = file
                if known.table is not None:
                    known.table = replace(known.table, missing=file.missing)
                states[name] = known
            else:
                states[name] = _State(file)
        self._states = states
        self.look(anyway=True)

    def look(self, *, anyway: bool = False) -> None:
        """Read what has changed; blocks."""
        for state in list(self._states.values()):
            signature = _signature(state.file.path)
            state.looks += 1
            if signature == state.signature and state.looks < ANYWAY and not anyway:
                continue
            state.looks, state.signature = 0, signature
            self._read(state)

    def _read(self, state: _State) -> None:
        file = state.file
        try:
            data = _bytes(file.path)
            digest = hashlib.sha256(data).hexdigest()
            if digest == state.digest:
                return
            table = read_table(file.name, _text(data), key=file.key, missing=file.missing)
        except TableError as error:
            self._stays(state, f"{file.path.name}:{error.line} {error.problem}")
            return
        except OSError as error:
            self._stays(state, f"{file.path.name}: {error.strerror}")
            return
        state.table, state.digest = table, digest
        if state.problem:
            log.info("lookup is good again", lookup=file.name)
        state.problem = ""
        log.info("lookup read", lookup=file.name, rows=len(table.rows))
        self._changed()

    def _stays(self, state: _State, problem: str) -> None:
        """Keep what there is, and say once why."""
        state.digest = ""
        if problem == state.problem:
            return
        if not state.problem:
            state.since = self._clock()
        state.problem = problem
        log.error("lookup not read", lookup=state.file.name, why=problem)

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._states:
                continue
            try:
                await loop.run_in_executor(self._workers, self.look)
            except Exception:
                log.exception("tables not looked at")


def _signature(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _bytes(path: Path) -> bytes:
    with path.open("rb") as opened:
        data = opened.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise TableError(1, f"has more than {MOST_BYTES >> 20} MiB")
    return data


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableError(line, "is not UTF-8") from error


def read_file(file: TableFile) -> LookupTable:
    """Return the table of a file.  Raises `TableError` or OSError; blocks."""
    text = _text(_bytes(file.path))
    return read_table(file.name, text, key=file.key, missing=file.missing)
