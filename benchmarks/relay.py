"""End to end: from the first byte in to the last object at the sink.

The sink is DCMTK's storescp, the same for all, writing bit by bit what it gets.  The end is the
time at which its last file was last written; then every digest is compared with what was sent.
"""

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.contenders import Receiver, fresh, routers
from benchmarks.figures import OURS, Figure, Samples, against_each
from benchmarks.inputs import into_page_cache, study
from benchmarks.plan import Bench
from benchmarks.sending import FirstByte, send
from tests.objects.study import Study
from tests.peers.dcmtk import StoreScp
from tests.peers.program import wait_until

BARS = {"orthanc-lua": 5.0}


class Mangled(Exception):
    """The sink does not hold what was sent."""


def one_run(
    name: str, folder: Path, what: Study, choose: Callable[[StoreScp], Callable[[Path], Receiver]]
) -> float:
    """Return objects per second through one router, all digests checked."""
    fresh(folder)
    wanted = len(what.files)
    with StoreScp(folder / "sink", ae_title="SINK") as sink:
        router = choose(sink)(folder / "router")
        try:
            first = FirstByte()
            send(router, [what.folder], first=first)
            wait_until(lambda: sink.count() >= wanted, f"{wanted} at the sink", within_s=600)
            settled(sink)
        finally:
            router.close()
        if sink.digests() != what.digests:
            raise Mangled(f"{name}: the sink's data sets differ from what was sent")
        return wanted / (max(file.stat().st_mtime for file in sink.files()) - first.at)


def settled(sink: StoreScp) -> None:
    """Return once the last file stopped growing."""
    before = -1
    while (now := sum(file.stat().st_size for file in sink.files())) != before:
        before = now
        time.sleep(0.5)


def relay(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    figures: list[Figure] = []
    for kind, count in (("ct", bench.amounts.ct), ("small", bench.amounts.small)):
        rates = Samples()
        full, few = study(bench, kind, count), study(bench, kind, bench.amounts.per_file_relay)
        into_page_cache(full)
        for number in range(-int(bench.amounts.warm_up), bench.amounts.rounds):
            for name in names(bench):
                what = few if name == "storescp-exec" else full
                rate = one_run(name, bench.run, what, chooser(bench, name))
                say(f"relay {kind} {name}: {rate:.0f}/s")
                if number >= 0:
                    rates.add(name, rate)
        figures += against_each(f"relay.{kind}", "objects/s", rates, bars=BARS)
    return figures


def names(bench: Bench) -> list[str]:
    return [*([OURS] if bench.with_ours else []), "orthanc-lua", "storescp-exec"]


def chooser(bench: Bench, name: str) -> Callable[[StoreScp], Callable[[Path], Receiver]]:
    return lambda sink: routers(sink, ours=bench.with_ours)[name]
