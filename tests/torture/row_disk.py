"""F4, F5, F6: a full disk, a failing disk, and damage done to files behind our back."""

import os
import random
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.torture import inject, journal
from tests.torture.books import Row, Thing
from tests.torture.crowd import LARGE, SMALL
from tests.torture.inject import Point
from tests.torture.rig import Rig
from tests.torture.row_kill import CLOSED, Relay, mixed, relay_points
from waystation.app.simulated_pacs import Script
from waystation.app.synthetic import Study

ENOUGH = 5
HONEST = {"0000", "A700"}
RECOVERY_S = 10.0
NO_MARKS = '\n[spool]\nmax_used = "100 %"\nmin_free = "1B"\n'


def no_space_at_calls(
    folder: Path, *, seed: int, most: int = 0, broken: str = "single", closed: bool = False
) -> Row:
    """Let each write of a relay fail with ENOSPC, once and for good (F4).

    closed: nothing is sent before the node has started again, so that what is sent then was
    read from the disk.
    """
    return _failing("F4", folder, seed, ("pwrite64",), "ENOSPC", most, broken, closed)


def failed_sync_at_calls(
    folder: Path, *, seed: int, most: int = 0, broken: str = "single", closed: bool = False
) -> Row:
    """Let each sync of a relay fail with EIO, once and for good (F5, S-20); closed: as F4."""
    # The intake log is written synchronously (O_DSYNC): there a write is the sync.
    calls = ("fsync", "fdatasync", "pwrite64")
    return _failing("F5", folder, seed, calls, "EIO", most, broken, closed)


def _failing(
    name: str,
    folder: Path,
    seed: int,
    calls: Sequence[str],
    error: str,
    most: int,
    broken: str,
    closed: bool,
) -> Row:
    why = inject.unavailable()
    if why:
        return Row(row=name, skipped=why)
    faults: list[str] = []
    with Rig(folder, start=False, lanes={"sink": CLOSED} if closed else None) as rig:
        rig.node.broken = broken
        rig.start()
        work = Relay(rig, seed, patience_s=0.5 if closed else 5.0)
        points = [point for point in relay_points(rig, work) if point.call in calls]
        if broken == "deaf":
            points = [point for point in points if point.on_blob]
        chosen = inject.spread(points, most)
        for point in chosen:
            for when in (str(point.n), f"{point.n}+"):
                if len(faults) < ENOUGH:
                    faults += _fail_at(rig, point, error, when)
        if closed:
            rig.node.stop()
            rig.configure()
            rig.start()
        row = rig.judge(name, runs=2 * len(chosen), drain_s=10.0 if broken == "deaf" else 60.0)
    odd = sorted(set(rig.books.statuses) - HONEST)
    if odd:
        faults.append(f"answers that are neither Success nor A700: {', '.join(odd)}")
    if not rig.books.statuses["A700"]:
        faults.append("no object was refused: the fault never bit")
    row.faults += faults
    row.notes.append(f"{rig.books.statuses['A700']} objects answered A700")
    return row


def _fail_at(rig: Rig, point: Point, error: str, when: str) -> Iterator[str]:
    """Inject around one relay; yield what went wrong besides refused objects."""
    trace = rig.node.folder / "fail.txt"
    with inject.injector(rig.node.pid, [point.thread], [point.call], f"error={error}", when, trace):
        rig.send(mixed(f"{trace}/{point}/{when}"))
        time.sleep(0.3)
    if not rig.node.alive:
        yield f"the node died of {error} at {point.call} {when}"
        rig.start()
    if not accepts_again(rig, f"{point}/{when}"):
        yield f"does not accept {RECOVERY_S:.0f} s after {error} at {point.call} {when}"
        rig.kill()
        rig.start()


def accepts_again(rig: Rig, seed: str) -> bool:
    """Return whether an object is accepted within `RECOVERY_S`, small and large ones."""
    for size in (SMALL, LARGE):
        limit = time.monotonic() + RECOVERY_S
        number = 0
        while True:
            number += 1
            study = Study(seed=f"{seed}/{size}", number=number, series=1, images=1, size_bytes=size)
            if rig.send(study).get("acked"):
                break
            if time.monotonic() > limit:
                return False
            time.sleep(0.2)
    return True


@contextmanager
def small_volume(folder: Path, size: str) -> Iterator[Path]:
    """Mount a small tmpfs; root only."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full_volume(folder: Path, *, seed: int, size: str = "64m") -> Row:
    """Fill a real small volume while objects come in; free it; everything answered is there."""
    if os.geteuid() != 0:
        return Row(row="F4 volume", skipped="mounting a small volume needs root")
    # The node makes its data folder beside its configuration: that is on the volume.
    with (
        small_volume(folder / "volume", size) as volume,
        Rig(volume / "node", extra=NO_MARKS) as rig,
    ):
        return _fill_and_free(rig, volume, seed)


def _fill_and_free(rig: Rig, volume: Path, seed: int) -> Row:
    filler = volume / "filler"
    faults: list[str] = []
    rig.send(mixed(f"{seed}/before"))
    for number in range(4):
        _fill(filler, leave=number * 20_000)
        rig.send(mixed(f"{seed}/full/{number}/a") + mixed(f"{seed}/full/{number}/b"))
        if not rig.node.alive:
            faults.append("the node died on a full volume")
            filler.unlink()
            rig.start()
        filler.unlink(missing_ok=True)
        if not accepts_again(rig, f"{seed}/after/{number}"):
            faults.append(f"does not accept {RECOVERY_S:.0f} s after space returned")
    row = rig.judge("F4 volume", runs=4)
    odd = sorted(set(rig.books.statuses) - HONEST - {"unreachable"})
    if odd:
        faults.append(f"answers that are neither Success nor A700: {', '.join(odd)}")
    refused = rig.books.statuses["A700"] + rig.books.statuses["unreachable"]
    if not refused:
        faults.append("nothing was refused: the volume was never full")
    row.faults += faults
    row.notes.append(f"{refused} objects refused")
    return row


def _fill(filler: Path, *, leave: int) -> None:
    """Take all the space of the volume but ``leave`` bytes."""
    space = os.statvfs(filler.parent)
    wanted = space.f_bavail * space.f_frsize - leave
    with filler.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, max(wanted, 1))
        except OSError:
            return


def damaged_files(folder: Path, *, seed: int) -> Row:
    """Flip bits in blobs, cut some, add alien files: what is damaged is held, never sent (F6)."""
    chance = random.Random(seed)
    with Rig(folder, lanes={"sink": CLOSED}) as rig:
        for number in range(4):
            study = Study(seed=f"{seed}/{number}", number=1, series=1, images=5, size_bytes=LARGE)
            rig.send(study)
        rig.send(Study(seed=f"{seed}/small", number=1, series=1, images=5, size_bytes=SMALL))
        rig.node.stop()
        hurt = _hurt(rig, chance)
        excused = {thing for thing in rig.books.acked if thing[0] in hurt}
        rig.configure()
        rig.start()
        rig.drain(excused=excused, within_s=20.0)
        row = rig.judge("F6", excused=excused, drain_s=20.0)
        held = journal.held_instances(rig.data, "sink")
    row.faults += _judge_damage(rig, hurt, held, excused)
    return row


def _hurt(rig: Rig, chance: random.Random) -> set[str]:
    """Damage six blobs, leave alien files; return the UIDs of what was damaged."""
    chosen = chance.sample(journal.blobs(rig.data), 6)
    for file, _ in chosen[:4]:
        size = file.stat().st_size
        with file.open("r+b") as content:
            at = chance.randrange(400, size)
            content.seek(at)
            value = content.read(1)[0]
            content.seek(at)
            content.write(bytes([value ^ (1 << chance.randrange(8))]))
    os.truncate(chosen[4][0], 1000)
    chosen[5][0].unlink()
    home = chosen[0][0].parent
    (home / "alien.dcm").write_bytes(chance.randbytes(3000))
    (home / "README").write_text("who put this here?")
    return {uid for _, uid in chosen}


def _judge_damage(rig: Rig, hurt: set[str], held: set[str], excused: set[Thing]) -> Iterator[str]:
    sent = {uid for uid, _ in rig.books.delivered["sink"]} & hurt
    if sent:
        yield f"{len(sent)} damaged objects were sent"
    if hurt - held:
        yield f"{len(hurt - held)} damaged objects are not held"
    if len(excused) != len(hurt):
        yield "the damage hit something else than acknowledged objects"


def damaged_journal(folder: Path, *, seed: int, runs: int = 5) -> Row:
    """Flip bits in the journal: it refuses to start, or nothing with other bytes ever leaves."""
    rows = [_one_damaged_journal(folder / str(run), seed + run) for run in range(runs)]
    whole = Row(row="F6 journal", runs=runs)
    for row, refused in rows:
        whole.attempted += row.attempted
        whole.acked += row.acked
        whole.delivered += row.delivered
        whole.corrupt += row.corrupt
        whole.unexpected += row.unexpected
        whole.notes.append("refused to start" if refused else "ran")
        if row.corrupt or row.unexpected:
            whole.faults.append("damaged bytes left the house")
    return whole


def _one_damaged_journal(folder: Path, seed: int) -> tuple[Row, bool]:
    chance = random.Random(seed)
    with Rig(folder, lanes={"sink": CLOSED}, scripts={"sink": Script()}) as rig:
        rig.send(Study(seed=str(seed), number=1, series=1, images=20, size_bytes=SMALL))
        rig.node.stop()
        file = rig.data / "journal.db"
        with file.open("r+b") as content:
            for _ in range(40):
                at = chance.randrange(4096, file.stat().st_size)
                content.seek(at)
                content.write(chance.randbytes(1))
        rig.configure()
        refused = False
        try:
            rig.start()
            rig.drain(within_s=3.0)
            rig.node.stop()
        except Exception as error:  # noqa: BLE001 - refusing to start is one of the good ends
            refused = "serve ended with 1" in str(error)
        row = Row(row="F6 journal", attempted=rig.books.attempts, acked=len(rig.books.acked))
        for uid, digest in rig.books.delivered["sink"].elements():
            row.delivered += 1
            known = rig.books.attempted.get(uid)
            row.unexpected += known is None
            row.corrupt += known is not None and digest not in known
        return row, refused
