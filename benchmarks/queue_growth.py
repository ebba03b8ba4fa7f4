"""What a long queue costs: time to accept one object, memory, time until ready.

Objects go in one by one over one association of our own raw client; the time is that from the
last byte out to the response.  The only destination is shut, so nothing leaves meanwhile.
"""

import time
import urllib.request
from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks.contenders import NEVER, count_arrivals, fresh
from benchmarks.figures import Figure, percentile
from benchmarks.inputs import study
from benchmarks.plan import Bench
from benchmarks.prefill import prefill
from benchmarks.sending import send
from tests.objects.files import Stored, read_stored
from tests.objects.study import KINDS
from tests.peers.node import Node, rule_to
from tests.peers.program import wait_until
from tests.peers.raw import RawClient

TIMED = 300
CONFIG = NEVER + rule_to("nowhere")
BAR_READY_S = {10_000: 5.0, 1_000_000: 10.0}
BAR_MIB = 300e6 / 2**20
BAR_P99_MS = 50.0
BAR_OPEN_S = 1.0
OPENED = 5


class OurReceiver:
    """A node as the senders see it."""

    ae_title = "WAYSTATION"

    def __init__(self, node: Node) -> None:
        self._node = node
        self.port = node.port

    def count(self) -> int:
        return count_arrivals(self._node.data)

    def peak_kib(self) -> int:
        return self._node.program.peak_kib()

    def close(self) -> None:
        self._node.close()


def accept_times_ms(node: Node, objects: list[Stored]) -> list[float]:
    """Return the time of each store, in milliseconds; the association is warm."""
    kind = KINDS["small"]
    times = []
    with RawClient(node.port) as client:
        client.associate([(kind.sop_class, (kind.transfer_syntax,))])
        for number, item in enumerate(objects):
            request = client.store_request(item, message_id=number % 60_000 + 1)
            began = time.perf_counter()
            client.send(request)
            status = client.status()
            times.append((time.perf_counter() - began) * 1000)
            if status != 0:
                raise RuntimeError(f"status {status} while timing")
        client.release()
    return times


def queue_growth(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures of each level of waiting deliveries; none without our node."""
    if not bench.with_ours:
        return []
    figures: list[Figure] = []
    first = study(bench, "ct", bench.amounts.slow).files[0]
    timed = study(bench, "small", bench.amounts.small).files[:TIMED]
    objects = [read_stored(file.read_bytes()) for file in timed]
    for level in bench.amounts.queue_levels:
        with Node(fresh(bench.run), CONFIG) as node:
            if level:
                send(OurReceiver(node), [first])
                # Planned means: its delivery waits; only then there is something to copy.
                wait_until(partial(one_waits, node), "one delivery")
                node.stop()
                prefill(node.data, level - 1)
                node.start(within_s=120)
            ready_s, resident = node.ready_s, node.program.resident_kib() / 1024
            times = accept_times_ms(node, objects)
            open_s = open_time_s(node)
            peak = node.program.peak_kib() / 1024
        say(f"queue of {level}: ready {ready_s:.2f} s, {resident:.0f} MiB")
        figures += level_figures(level, ready_s, open_s, peak, times)
    return figures


def open_time_s(node: Node) -> float:
    """Return how long the table of the queue takes, the median of some times."""
    times = []
    for _ in range(OPENED):
        began = time.perf_counter()
        with urllib.request.urlopen(f"{node.web}/api/v1/destinations", timeout=60) as answer:
            answer.read()
        times.append(time.perf_counter() - began)
    return median(times)


def level_figures(
    level: int, ready_s: float, open_s: float, peak: float, times: list[float]
) -> list[Figure]:
    name = f"queue.{level}"
    values = [
        ("accept.p50", "ms", percentile(times, 0.5), None),
        ("accept.p99", "ms", percentile(times, 0.99), BAR_P99_MS),
        ("ready", "s", ready_s, BAR_READY_S.get(level)),
        ("open", "s", open_s, BAR_OPEN_S),
        ("memory", "MiB", peak, BAR_MIB),
    ]
    return [
        Figure(name=f"{name}.{what}", unit=unit, ours=value, bar=bar, higher=False)
        for what, unit, value, bar in values
    ]


def one_waits(node: Node) -> bool:
    return node.states().get("waiting") == 1
