"""``python -m benchmarks``: all contenders in one run, a table, ``benchmarks/latest.json``.

Each contender runs in a fresh folder on a real file system, in turn, round after round; the
first round is thrown away; the median counts.  Nothing here is part of the test-suite.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.archive import archive
from benchmarks.audit import durable
from benchmarks.broker import broker
from benchmarks.contenders import ours_is_installed
from benchmarks.crash import ready_after_kill
from benchmarks.deidentify import deidentify
from benchmarks.dicomweb import dicomweb
from benchmarks.dicomweb_rendered import rendered
from benchmarks.dicomweb_slow import slow
from benchmarks.dicomweb_wado import wado
from benchmarks.explain import explain
from benchmarks.figures import Figure
from benchmarks.lanes import lanes
from benchmarks.memory import big_object
from benchmarks.plan import FULL, QUICK, Bench
from benchmarks.queue_growth import queue_growth
from benchmarks.receive import receive
from benchmarks.relay import relay
from benchmarks.report import LATEST, machine, table, write
from benchmarks.rules import rules
from benchmarks.worklist import worklist

PARTS: dict[str, Callable[[Bench, Callable[[str], None]], list[Figure]]] = {
    "durable": durable,
    "receive": receive,
    "relay": relay,
    "memory": big_object,
    "crash": ready_after_kill,
    "queue": queue_growth,
    "lanes": lanes,
    "rules": rules,
    "explain": explain,
    "deidentify": deidentify,
    "archive": archive,
    "dicomweb": dicomweb,
    "rendered": rendered,
    "broker": broker,
    "wado": wado,
    "slow": slow,
    "worklist": worklist,
}
TMPFS_MAGIC = "tmpfs"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--scratch", type=Path, default=Path("var/bench"))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS", "0")))
    parser.add_argument("--quick", action="store_true", default=bool(os.environ.get("QUICK")))
    parser.add_argument("--only", choices=list(PARTS), nargs="+", default=list(PARTS))
    parser.add_argument("--without-ours", action="store_true", help="the peers alone")
    parser.add_argument("--output", type=Path, help="default: benchmarks/latest.json of a full run")
    parser.add_argument("--keep", action="store_true", help="keep the last contender's folder")
    return parser.parse_args()


def file_system_of(folder: Path) -> str:
    """Return the type of the file system that ``folder`` lies on."""
    best = ("", "")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split(" ")
        if str(folder).startswith(mount) and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    wanted = arguments()
    amounts = QUICK if wanted.quick else FULL
    if wanted.rounds:
        amounts = replace(amounts, rounds=wanted.rounds)
    scratch = wanted.scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    if file_system_of(scratch) == TMPFS_MAGIC:
        print("the scratch folder lies in memory: choose a real disk with --scratch")
        return 2
    with_ours = not wanted.without_ours and ours_is_installed()
    bench = Bench(scratch=scratch, amounts=amounts, with_ours=with_ours)
    figures: list[Figure] = []
    try:
        for name in wanted.only:
            figures += PARTS[name](bench, say)
    finally:
        if not wanted.keep:
            shutil.rmtree(bench.run, ignore_errors=True)
    print(machine())
    print(table(figures))
    whole = not wanted.quick and set(wanted.only) == set(PARTS) and with_ours
    output = wanted.output or (LATEST if whole else scratch / "latest.json")
    write(figures, output)
    print(f"written to {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
