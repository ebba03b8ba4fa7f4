"""``python -m benchmarks``: all contenders in one run, a table, ``benchmarks/latest.json``.

Each contender runs in a fresh folder on a real file system, in turn, round after round; the
first round is thrown away; the median counts.  Before anything is timed, the syncs of our node
are counted: a run whose objects were acknowledged too early ends at once (R-88).  Nothing here is
part of the test-suite.  With ``--gate`` a missed bar ends it with 1, as a release wants it.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.archive import archive
from benchmarks.audit import NotDurable, durable
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
from benchmarks.limits import limits
from benchmarks.memory import big_object
from benchmarks.place import is_on_disk
from benchmarks.plan import FULL, QUICK, Bench
from benchmarks.queue_growth import queue_growth
from benchmarks.receive import receive
from benchmarks.relay import relay
from benchmarks.report import LATEST, missed, published, write
from benchmarks.rules import rules
from benchmarks.worklist import worklist

PARTS: dict[str, Callable[[Bench, Callable[[str], None]], list[Figure]]] = {
    "durable": durable,
    "receive": receive,
    "relay": relay,
    "memory": big_object,
    "limits": limits,
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
# Whose rates mean nothing where our node acknowledges before it has synced.
NEED_SYNCS = {"receive", "relay"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--scratch", type=Path, default=Path("var/bench"))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS", "0")))
    parser.add_argument("--quick", action="store_true", default=bool(os.environ.get("QUICK")))
    parser.add_argument("--only", choices=list(PARTS), nargs="+", default=list(PARTS))
    parser.add_argument("--without-ours", action="store_true", help="the peers alone")
    parser.add_argument("--output", type=Path, help="default: benchmarks/latest.json of a full run")
    parser.add_argument("--gate", action="store_true", help="end with 1 if a bar is missed")
    parser.add_argument("--keep", action="store_true", help="keep the last contender's folder")
    return parser.parse_args()


def parts_of(only: Sequence[str]) -> list[str]:
    """Return the parts to run, in order; syncs are counted before rates are measured."""
    chosen = [name for name in PARTS if name in only]
    return chosen if "durable" in only or not NEED_SYNCS & set(only) else ["durable", *chosen]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    wanted = arguments()
    amounts = QUICK if wanted.quick else FULL
    if wanted.rounds:
        amounts = replace(amounts, rounds=wanted.rounds)
    scratch = wanted.scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    if not is_on_disk(scratch):
        print("the scratch folder lies in memory: choose a real disk with --scratch")
        return 2
    with_ours = not wanted.without_ours and ours_is_installed()
    bench = Bench(scratch=scratch, amounts=amounts, with_ours=with_ours)
    figures: list[Figure] = []
    try:
        for name in parts_of(wanted.only):
            figures += PARTS[name](bench, say)
    except NotDurable as error:
        print(f"this run is worth nothing: {error}")
        return 1
    finally:
        if not wanted.keep:
            shutil.rmtree(bench.run, ignore_errors=True)
    text = published(figures, amounts.rounds)
    print(text)
    whole = not wanted.quick and set(wanted.only) == set(PARTS) and with_ours
    output = wanted.output or (LATEST if whole else scratch / "latest.json")
    write(figures, output)
    output.with_suffix(".txt").write_text(text)
    print(f"written to {output}")
    failed = missed(figures)
    if failed:
        print(f"{len(failed)} missed: {', '.join(failed)}")
    return int(wanted.gate and bool(failed))


if __name__ == "__main__":
    sys.exit(main())
