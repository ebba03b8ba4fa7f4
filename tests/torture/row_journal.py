"""F21: the journal is locked, read-only, or gone (E3; S-11: never start empty)."""

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.peers.program import PeerFailed
from tests.torture import inject
from tests.torture.books import Row
from tests.torture.crowd import LARGE
from tests.torture.rig import Rig
from tests.torture.row_disk import accepts_again
from tests.torture.row_kill import CLOSED, mixed
from tests.torture.row_peer import some

HONEST = {"0000", "A700", "0110"}


def _trouble(
    name: str, folder: Path, seed: int, trouble: Callable[[Rig, Callable[[], None]], None]
) -> Row:
    """Send through some trouble with the journal, with and without a crash in it; judge."""
    faults: list[str] = []
    with Rig(folder) as rig:
        for number in range(2):
            rig.send(mixed(f"{seed}/{number}/before"))

            def during(number: int = number) -> None:
                rig.send(mixed(f"{seed}/{number}/a"))
                rig.send(some(f"{seed}/{number}/b", 3, LARGE))
                if number:
                    rig.kill()

            trouble(rig, during)
            if not rig.node.alive:
                if not number:
                    faults.append("the node died")
                rig.start()
            if not accepts_again(rig, f"{seed}/{number}"):
                faults.append("does not accept 10 s after the trouble")
        row = rig.judge(name, runs=2)
    odd = sorted(set(rig.books.statuses) - HONEST - {"lost", "unreachable"})
    if odd:
        faults.append(f"answers {', '.join(odd)}")
    row.faults += faults
    return row


def locked(folder: Path, *, seed: int, hold_s: float = 7.0) -> Row:
    """Another program holds the journal's lock for longer than anybody waits for it."""

    def trouble(rig: Rig, during: Callable[[], None]) -> None:
        with closing(sqlite3.connect(rig.data / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            during()
            time.sleep(max(0.0, hold_s - (time.monotonic() - began)))
            other.execute("ROLLBACK")

    return _trouble("F21 locked", folder, seed, trouble)


def read_only(folder: Path, *, seed: int, hold_s: float = 3.0) -> Row:
    """Every write of the tables fails: the volume has become read-only."""
    why = inject.unavailable()
    if why:
        return Row(row="F21 read-only", skipped=why)

    def trouble(rig: Rig, during: Callable[[], None]) -> None:
        calls = "pwrite64,ftruncate,fdatasync"
        options = ["-f", "-p", str(rig.node.pid), "-e", f"trace={calls}"]
        for name in ("journal.db", "journal.db-wal"):
            options += ["-P", str(rig.data / name)]
        options += ["-e", f"inject={calls}:error=EROFS:when=1+"]
        trace = rig.node.folder / "read-only.txt"
        with inject.Tracer(options, trace, [rig.node.pid]):
            during()
            time.sleep(hold_s)

    return _trouble("F21 read-only", folder, seed, trouble)


def deleted(folder: Path, *, seed: int) -> Row:
    """The journal is moved away, at work and at rest: no start with an empty one, nothing lost."""
    faults: list[str] = []
    with Rig(folder, lanes={"sink": CLOSED}) as rig:
        journal, aside = rig.data / "journal.db", folder / "journal.db"
        rig.send(mixed(f"{seed}/before"))
        journal.rename(aside)
        rig.send(mixed(f"{seed}/a"))
        rig.send(some(f"{seed}/b", 3, LARGE))
        rig.kill()
        faults += _refuses(rig, "after a crash")
        aside.rename(journal)
        rig.start()
        rig.send(mixed(f"{seed}/c"))
        rig.node.stop()
        shutil.move(journal, aside)
        faults += _refuses(rig, "after an end in order")
        shutil.move(aside, journal)
        rig.configure()
        rig.start()
        row = rig.judge("F21 deleted", runs=2)
    row.faults += faults
    return row


def _refuses(rig: Rig, when: str) -> list[str]:
    """Return what is wrong with a start without its journal."""
    try:
        rig.start()
    except PeerFailed as error:
        if "journal.db" not in str(error):
            return [f"{when}: it does not say what is missing"]
        return []
    rig.kill()
    (rig.data / "journal.db").unlink(missing_ok=True)
    return [f"{when}: it started with an empty journal"]
