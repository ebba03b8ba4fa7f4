"""Was it durable?  The system's own account of syncs beside the count of acknowledged objects.

On one association the next object is only sent after the last one was acknowledged, so every
object needs a write to the disk of its own (group commit has nobody to group with): one that is
a sync itself, into a file opened with O_DSYNC, and for an object with a file of its own the sync
of that file, too.  Fewer than objects mean that something was acknowledged before it was safe,
and the whole run fails (R-88).
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.contenders import NEVER, fresh
from benchmarks.figures import Figure
from benchmarks.inputs import study
from benchmarks.plan import Bench
from benchmarks.queue_growth import OurReceiver
from benchmarks.sending import send
from tests.peers.node import Node
from tests.peers.program import wait_until

STRACE = shutil.which("strace")
SYNCS = ("fsync", "fdatasync", "sync_file_range", "sync", "syncfs")
WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2")
CALLS = "trace=" + ",".join(SYNCS + WRITES)


BLOB = ".dcm"
# Too big to ride in the journal.
WITH_FILE = ("ct",)


class NotDurable(Exception):
    """Fewer synced files than acknowledged objects, or nobody could count them."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What a trace shows.  blobs: files of objects that were synced.  writes: that are syncs."""

    blobs: int
    writes: int


def watched(node: Node, folder: Path, work: Callable[[], object]) -> Synced:
    """Return what the node syncs while ``work`` runs."""
    if STRACE is None:
        raise NotDurable("strace is not installed: nobody counts what is synced")
    trace = folder / "syncs.txt"
    watcher = subprocess.Popen(
        [STRACE, "-f", "-q", "-y", "-e", CALLS, "-o", str(trace), "-p", str(node.pid)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: traced(node.pid), "strace attached")
        work()
        folders = synced_folders(node.pid)
    finally:
        watcher.terminate()
        watcher.wait(10)
    return read_trace(trace.read_text(), folders)


def synced_folders(pid: int) -> set[str]:
    """Return the folders of the files that the process holds open with O_DSYNC."""
    folders = set()
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            flags = int(entry.read_text().split("flags:")[1].split()[0], 8)
            path = os.readlink(f"/proc/{pid}/fd/{entry.name}")
        except FileNotFoundError:
            continue
        if flags & os.O_DSYNC:
            folders.add(str(Path(path).parent))
    return folders


def read_trace(text: str, folders: set[str]) -> Synced:
    """Return what lines as ``PID NAME(FD<PATH>, ...`` show.

    folders: of which every file is written synchronously.  Syncs of folders and of the journal's
    tables are needed, too, but keep no object.
    """
    blobs, writes = set(), 0
    for line in text.splitlines():
        name, _, rest = line.partition(" ")[2].strip().partition("(")
        path = rest.partition("<")[2].partition(">")[0]
        if name in SYNCS and path.endswith(BLOB):
            blobs.add(path)
        elif name in WRITES and str(Path(path).parent) in folders:
            writes += 1
    return Synced(len(blobs), writes)


def traced(pid: int) -> bool:
    """Return whether every thread of the process has a tracer."""
    return all(
        "TracerPid:\t0" not in (task / "status").read_text()
        for task in Path(f"/proc/{pid}/task").iterdir()
    )


def check(kind: str, objects: int, synced: Synced) -> None:
    """Raise `NotDurable` if fewer files were synced than objects acknowledged."""
    if synced.writes < objects:
        raise NotDurable(f"{synced.writes} writes to the log for {objects} {kind} objects")
    if kind in WITH_FILE and synced.blobs < objects:
        raise NotDurable(f"{synced.blobs} synced files for {objects} {kind} objects")


def durable(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return syncs per acknowledged object; raise `NotDurable` if there are too few."""
    if not bench.with_ours:
        return []
    figures: list[Figure] = []
    for kind in ("ct", "small"):
        what = study(bench, kind, bench.amounts.slow)
        folder = fresh(bench.run)
        with Node(folder / "node", '[routing]\notherwise = "hold"\n' + NEVER) as node:
            receiver = OurReceiver(node)
            synced = watched(node, folder, partial(send, receiver, [what.folder]))
        objects = len(what.files)
        say(f"{synced.blobs} files, {synced.writes} log writes for {objects} {kind} objects")
        check(kind, objects, synced)
        kept = min(synced.blobs, synced.writes) if kind in WITH_FILE else synced.writes
        figures.append(
            Figure(name=f"syncs.{kind}", unit="per object", ours=kept / objects, bar=1.0)
        )
    return figures
