"""Was it durable?  The system's own count of syncs beside the count of acknowledged objects.

On one association the next object is only sent after the last one was acknowledged, so every
object needs a sync of its own (group commit has nobody to group with): fewer syncs than objects
mean that something was acknowledged before it was safe, and the whole run fails (R-88).
A write to a file that was opened with O_DSYNC is a sync, too: it returns when it is on the disk.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
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


class NotDurable(Exception):
    """Fewer syncs than acknowledged objects."""


def count_syncs(node: Node, folder: Path, work: Callable[[], object]) -> int:
    """Return how many syncs, and writes that are syncs, the node asks for while ``work`` runs."""
    assert STRACE is not None
    trace = folder / "syncs.txt"
    watcher = subprocess.Popen(
        [STRACE, "-f", "-q", "-y", "-e", CALLS, "-o", str(trace), "-p", str(node.pid)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: traced(node.pid), "strace attached")
        work()
        synced = synced_files(node.pid)
    finally:
        watcher.terminate()
        watcher.wait(10)
    return sum(is_sync(line, synced) for line in trace.read_text().splitlines())


def synced_files(pid: int) -> set[str]:
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


def is_sync(line: str, synced: set[str]) -> bool:
    """Return whether a line of the trace is a sync, or a write into one of ``synced``."""
    _, _, call = line.partition(" ")
    name, _, rest = call.strip().partition("(")
    if name in SYNCS:
        return True
    path = rest.partition("<")[2].partition(">")[0]
    return name in WRITES and str(Path(path).parent) in synced


def traced(pid: int) -> bool:
    """Return whether every thread of the process has a tracer."""
    return all(
        "TracerPid:\t0" not in (task / "status").read_text()
        for task in Path(f"/proc/{pid}/task").iterdir()
    )


def durable(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return syncs per acknowledged object; raise `NotDurable` if there are too few."""
    if not bench.with_ours or STRACE is None:
        return []
    figures: list[Figure] = []
    for kind in ("ct", "small"):
        what = study(bench, kind, bench.amounts.slow)
        folder = fresh(bench.run)
        with Node(folder / "node", '[routing]\notherwise = "hold"\n' + NEVER) as node:
            receiver = OurReceiver(node)
            syncs = count_syncs(node, folder, partial(send, receiver, [what.folder]))
        objects = len(what.files)
        say(f"{syncs} syncs for {objects} acknowledged {kind} objects")
        if syncs < objects:
            raise NotDurable(f"{syncs} syncs for {objects} acknowledged objects")
        figures.append(
            Figure(name=f"syncs.{kind}", unit="per object", ours=syncs / objects, bar=1.0)
        )
    return figures
