"""How fast objects are taken in, and how much memory that takes."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.contenders import Receiver, fresh, receivers
from benchmarks.figures import OURS, Figure, Samples, against_each
from benchmarks.inputs import into_page_cache, parts, study
from benchmarks.plan import Bench
from benchmarks.sending import send
from tests.objects.study import Study
from tests.peers.program import wait_until

BARS = {"dcmtk": 1.0}
BARS_UNTUNED = {"dcmtk": 20.0}


def one_run(
    make: Callable[[Path], Receiver], folder: Path, what: Study, *, many: bool, tuned: bool
) -> tuple[float, int]:
    """Return objects per second and peak memory in KiB of one contender on one study."""
    receiver = make(fresh(folder))
    try:
        took = send(receiver, parts(what) if many else [what.folder], tuned=tuned)
        wanted = len(what.files)
        wait_until(lambda: receiver.count() >= wanted, f"{wanted} objects kept", within_s=120)
        return wanted / took, receiver.peak_kib()
    finally:
        receiver.close()


def receive(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return every receive figure: kind of object x senders x tuned or not."""
    figures: list[Figure] = []
    for kind, count in (("ct", bench.amounts.ct), ("small", bench.amounts.small)):
        what = study(bench, kind, count)
        few = study(bench, kind, bench.amounts.slow)
        into_page_cache(what)
        for many in (False, True):
            rates, peaks = compare(bench, say, f"receive {kind}", what, what, many=many)
            name = f"receive.{kind}.{bench.senders if many else 1}"
            figures += against_each(f"{name}.tuned", "objects/s", rates, bars=BARS)
            if not many:
                figures += against_each(f"memory.{kind}", "MiB", peaks, higher=False)
        rates, _ = compare(bench, say, f"receive {kind} untuned", what, few, tuned=False)
        figures += against_each(f"receive.{kind}.1.untuned", "objects/s", rates, bars=BARS_UNTUNED)
    return figures


def compare(
    bench: Bench,
    say: Callable[[str], None],
    title: str,
    ours: Study,
    theirs: Study,
    *,
    many: bool = False,
    tuned: bool = True,
) -> tuple[Samples, Samples]:
    """Run all receivers in turn, round after round; return rates and peaks (MiB).

    theirs: a shorter study where 45 ms for each object would take minutes.
    """
    rates, peaks = Samples(), Samples()
    # A slow run is all waiting: there is nothing to warm up.
    warm_up = int(bench.amounts.warm_up and tuned)
    for number in range(-warm_up, bench.amounts.rounds):
        for name, make in receivers(tuned=tuned, many=many, ours=bench.with_ours).items():
            what = ours if name == OURS else theirs
            rate, peak_kib = one_run(make, bench.run, what, many=many, tuned=tuned)
            say(f"{title} x{bench.senders if many else 1} {name}: {rate:.0f}/s")
            if number >= 0:
                rates.add(name, rate)
                peaks.add(name, peak_kib / 1024)
    return rates, peaks
