"""F3: the power is cut.  A node works on a file system that remembers; its past is cut at will.

One run of a real node is recorded (`tests.torture.fuse`).  For each chosen instant a tree is made
of what a file system may have kept then, a node is started on it, and everything that had been
acknowledged by then has to come out of it, whole and to every sink.
"""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.program import PeerFailed
from tests.torture import fuse
from tests.torture.books import Books, Row
from tests.torture.disk import MODES, Disk, Leftover, Op, remains
from tests.torture.rig import PARALLEL, Rig
from tests.torture.row_kill import CLOSED
from tests.torture.row_peer import some
from waystation.app.simulated_pacs import Script

SINKS = {"sink": Script(), "late": Script()}
# The second is reached only after the power cut: what it is owed waits until then.
SHUT = {"late": CLOSED}
SYNC_S = 0.002
SOURCES = 3
AT_ONCE = 2
NAMES = ("link", "unlink", "rename")
KINDS = ("after an answer", "in a sync", "in a synchronous write", "after a name", "at random")


@dataclass(slots=True)
class Recording:
    """What a node did to its disk and what it promised meanwhile.  kills: when it was killed."""

    disk: Disk
    books: Books = field(default_factory=Books)
    kills: list[float] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class Cut:
    """One power cut.  why: what kind of instant it is."""

    at: float
    mode: str
    why: str
    seed: str

    def tree(self, taped: Recording) -> Leftover:
        return remains(taped.disk.log, self.at, random.Random(self.seed), self.mode)


def power_cuts(
    folder: Path,
    *,
    seed: int,
    cuts: int,
    again: int = 0,
    lives: int = 3,
    load_s: float = 2.0,
    broken: str = "",
) -> Row:
    """Cut the power of a node at its start, under load, after a crash and at its end.

    again: so many more cuts, each while a node starts after one of the others.
    """
    why = fuse.unavailable(folder / "tried")
    if why:
        return Row(row="F3", skipped=why)
    taped = recorded(folder / "first", seed, lives, load_s, broken)
    chosen = list(instants(taped, random.Random(seed), cuts, f"{seed}"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = list(pool.map(lambda n: revived(folder / f"{n}", taped, chosen[n]), range(cuts)))
    rows += [cut_again(folder / f"again-{n}", taped, cut) for n, cut in enumerate(chosen[:again])]
    row = together(rows)
    answers = sum(not event.sink for event in taped.books.events)
    row.notes.append(f"{answers} answers and {len(taped.disk.log)} changes recorded")
    if not answers:
        row.faults.append("nothing was acknowledged: the run proves nothing")
    return row


def recorded(folder: Path, seed: object, lives: int, load_s: float, broken: str = "") -> Recording:
    """Let a node work under load for some lives; they end by a crash and in order, in turn."""
    taped = Recording(Disk())
    with (
        fuse.Mount(folder / "disk", taped.disk, sync_s=SYNC_S),
        Rig(folder / "node", scripts=SINKS, start=False) as rig,
    ):
        rig.node.broken = broken
        rig.node.data = folder / "disk" / "data"
        rig.configure(SHUT)
        taped.books, taped.began = rig.books, time.monotonic()
        rig.start()
        until = threading.Event()
        senders = [
            rig.crowd.begin(rig.crowd.keep_sending(lambda: rig.port, f"{seed}/{n}", until=until))
            for n in range(SOURCES)
        ]
        for life in range(lives):
            if life:
                rig.start()
            time.sleep(load_s)
            if life % 2:
                rig.node.stop()
            else:
                taped.kills.append(time.monotonic())
                rig.kill()
        until.set()
        for sender in senders:
            sender.result(60)  # type: ignore[call-arg]
        taped.ended = time.monotonic()
    return taped


def instants(taped: Recording, chance: random.Random, n: int, seed: str) -> Iterator[Cut]:
    """Yield instants of every kind in turn."""
    log = [op for op in taped.disk.log if op.begin >= taped.began]
    answers = [event.at for event in taped.books.events if not event.sink] or [taped.ended]
    kinds = {
        "in a sync": [op for op in log if op.kind == "sync"],
        "in a synchronous write": [op for op in log if op.lasting],
        "after a name": [op for op in log if op.kind in NAMES],
    }
    for number in range(n):
        why = KINDS[number % len(KINDS)]
        ops: Sequence[Op] = kinds.get(why, ())
        if ops:
            op = chance.choice(ops)
            at = op.end if op.kind in NAMES else (op.begin + min(op.end, op.begin + 1.0)) / 2
        elif why == "after an answer":
            at = chance.choice(answers)
        else:
            at = chance.uniform(taped.began, taped.ended)
        mode = MODES[(number + number // len(KINDS)) % len(MODES)]
        yield Cut(at=at, mode=mode, why=why, seed=f"{seed}/{number}")


def revived(folder: Path, taped: Recording, cut: Cut) -> Row:
    """Start a node on what the power cut left; everything promised has to come out of it."""
    return _judged(folder, taped, cut, cut.tree(taped))


def _judged(folder: Path, taped: Recording, cut: Cut, left: Leftover) -> Row:
    name = f"{cut.why}, {cut.mode}, {cut.at - taped.began:.3f} s"
    crashes = 1 + sum(at <= cut.at for at in taped.kills)
    with Rig(folder, scripts=SINKS, start=False) as rig:
        rig.books.replay(taped.books, cut.at)
        if (data := left.folders.get("data")) is not None:
            data.write(rig.data)
        try:
            rig.start()
            endings = rig.send(some(cut.seed, 2))
            allowed = crashes * PARALLEL * len(SINKS)
            row = rig.judge(name, allowed_repeats=allowed, drain_s=10.0)
            if row.notes and "held" in row.notes[0]:
                row.faults.append(row.notes[0])
            if endings != {"acked": 2}:
                row.faults.append(f"new objects ended {endings}")
        except PeerFailed as error:
            row = Row(row=name, acked=len(rig.books.acked), faults=[str(error)[-400:]])
    return row


def cut_again(folder: Path, taped: Recording, cut: Cut) -> Row:
    """Cut the power once more while a node starts on what the first cut left."""
    chance = random.Random(f"{cut.seed}/again")
    disk = Disk()
    disk.load(cut.tree(taped))
    with (
        fuse.Mount(folder / "disk", disk, sync_s=SYNC_S),
        Rig(folder / "node", scripts=SINKS, lanes={**SHUT, "sink": CLOSED}, start=False) as rig,
    ):
        rig.node.data = folder / "disk" / "data"
        rig.configure({**SHUT, "sink": CLOSED})
        began = time.monotonic()
        rig.start()
        ended = time.monotonic()
        rig.kill()
    changes = [op for op in disk.log if began <= op.begin <= ended]
    at = chance.choice(changes).begin + SYNC_S / 2 if changes else ended
    left = remains(disk.log, at, chance, chance.choice(MODES))
    return _judged(folder / "revived", taped, cut, left)


def together(rows: Sequence[Row]) -> Row:
    """Return one line for all the cuts; each that failed tells where and how."""
    whole = Row(row="F3", runs=len(rows))
    for row in rows:
        for column in ("attempted", "acked", "delivered", "lost", "unexpected", "corrupt"):
            setattr(whole, column, getattr(whole, column) + getattr(row, column))
        for column in ("repeats", "allowed", "recovered", "stray", "unaccounted"):
            setattr(whole, column, getattr(whole, column) + getattr(row, column))
        if row.faults:
            whole.faults.append(f"[{row.row}] {'; '.join(row.faults)}")
    return whole
