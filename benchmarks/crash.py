"""Ready again after kill -9, with a queue that came in the ordinary way."""

import time
from collections.abc import Callable

from benchmarks.contenders import count_arrivals, fresh
from benchmarks.figures import Figure
from benchmarks.inputs import parts, study
from benchmarks.plan import Bench
from benchmarks.queue_growth import CONFIG, OurReceiver
from benchmarks.sending import send
from tests.peers.node import Node

BAR_READY_S = 5.0


class Lost(Exception):
    """Acknowledged objects are missing after the crash."""


def ready_after_kill(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the seconds from start to ready after SIGKILL with a queue; none without ours."""
    if not bench.with_ours:
        return []
    wanted = bench.amounts.crash_queue
    queued = study(bench, "tiny", wanted)
    with Node(fresh(bench.run), CONFIG) as node:
        send(OurReceiver(node), parts(queued))
        node.kill()
        time.sleep(0.2)
        node.start(within_s=120)
        kept = count_arrivals(node.data)
        if kept != wanted:
            raise Lost(f"{kept} of {wanted} arrivals after kill -9")
        ready_s = node.ready_s
    say(f"ready after kill -9 with {wanted} queued: {ready_s:.2f} s")
    return [
        Figure(name=f"crash.{wanted}.ready", unit="s", ours=ready_s, bar=BAR_READY_S, higher=False)
    ]
