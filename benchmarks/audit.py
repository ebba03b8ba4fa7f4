"""Was it durable?  The system's own count of syncs beside the count of acknowledged objects.

On one association the next object is only sent after the last one was acknowledged, so every
object needs a sync of its own (group commit has nobody to group with): fewer syncs than objects
mean that something was acknowledged before it was safe, and the whole run fails (R-88).
"""

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
CALLS = "trace=fsync,fdatasync,sync_file_range,sync,syncfs"


class NotDurable(Exception):
    """Fewer syncs than acknowledged objects."""


def count_syncs(node: Node, folder: Path, work: Callable[[], object]) -> int:
    """Return how many syncs the node asks for while ``work`` runs."""
    assert STRACE is not None
    trace = folder / "syncs.txt"
    watcher = subprocess.Popen(
        [STRACE, "-f", "-q", "-e", CALLS, "-o", str(trace), "-p", str(node.pid)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: traced(node.pid), "strace attached")
        work()
    finally:
        watcher.terminate()
        watcher.wait(10)
    lines = trace.read_text().splitlines()
    return sum(1 for line in lines if "sync" in line and "resumed" not in line)


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
