"""Peak memory while one very large multi-frame object comes in."""

from collections.abc import Callable
from functools import partial

from benchmarks.contenders import Receiver, fresh, receivers
from benchmarks.figures import OURS, Figure, Samples, against_each
from benchmarks.inputs import big_file
from benchmarks.plan import Bench
from benchmarks.sending import send
from tests.peers.program import wait_until

BAR_MIB = 300.0


def big_object(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return peak memory of every receiver, once: it does not vary."""
    peaks, rates = Samples(), Samples()
    file = big_file(bench)
    mib = file.stat().st_size / 2**20
    for name, make in receivers(tuned=True, many=False, ours=bench.with_ours).items():
        receiver = make(fresh(bench.run))
        try:
            took = send(receiver, [file])
            wait_until(partial(keeps_one, receiver), "the object kept", within_s=120)
            peaks.add(name, receiver.peak_kib() / 1024)
            rates.add(name, mib / took)
        finally:
            receiver.close()
        say(f"one object of {mib:.0f} MiB {name}: {peaks.of[name][0]:.0f} MiB peak")
    own = Figure(name="memory.big", unit="MiB", ours=peaks.median(OURS), bar=BAR_MIB, higher=False)
    return [
        own,
        *against_each("memory.big", "MiB", peaks, higher=False),
        *against_each("receive.big", "MiB/s", rates),
    ]


def keeps_one(receiver: Receiver) -> bool:
    return receiver.count() >= 1
