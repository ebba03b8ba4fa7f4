"""What it costs to ask why: `explain`, `simulate`, and a replay beside live traffic (R-76 to R-78).

A running node holds one large study and many small ones, all in blobs or in its journal; the only
destination is shut.  `explain` is asked over the API, as the command asks; `simulate` is the whole
command with its start.  Accepting is timed with and without a replay of everything going on.
"""

import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.contenders import NEVER, fresh
from benchmarks.figures import Figure, percentile
from benchmarks.plan import Bench
from benchmarks.queue_growth import accept_times_ms
from tests.objects.samples import study
from tests.peers.node import Node, rule_to
from tests.peers.program import wait_until

RULES = "".join(
    f'\n[[rule]]\nname = "rule {n}"\nwhen = {{ Modality = "CT", StudyDescription = "*{n}*" }}\n'
    'if = "Rows > 100"\nsend = ["nowhere"]\n'
    for n in range(20)
)
CONFIG = NEVER + rule_to("nowhere") + RULES
LARGE, QUICK_LARGE = 1000, 100
MANY, QUICK_MANY = 10_000, 500
STUDY = 50
LIVE = 300
TIMES = 5
BAR_EXPLAIN_S, BAR_SIMULATE_S, BAR_LIVE = 1.0, 10.0, 1.10


def explain(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures; none without our node."""
    if not bench.with_ours:
        return []
    full = bench.amounts.warm_up
    large, many = (LARGE, MANY) if full else (QUICK_LARGE, QUICK_MANY)
    with Node(fresh(bench.run), CONFIG) as node:
        accept_times_ms(node, study(large, "large", "small"))
        for number in range(0, many - large, STUDY):
            accept_times_ms(node, study(STUDY, f"study {number}", "small"))
        wait_until(lambda: asked(node, "destinations")["unplanned"] == 0, "plans")
        say(f"explain: {large} objects")
        explaining = explain_s(node)
        say(f"simulate: {many} objects")
        simulating = simulate_s(node)
        say("replay beside live traffic")
        ratio = live_ratio(node)
    values = [
        (f"explain.study_{large}", "s", explaining, BAR_EXPLAIN_S),
        (f"explain.simulate_{many}", "s", simulating, BAR_SIMULATE_S),
        ("explain.replay_live_p95", "ratio", ratio, BAR_LIVE),
    ]
    return [
        Figure(name=name, unit=unit, ours=value, bar=bar, higher=False)
        for name, unit, value, bar in values
    ]


def asked(node: Node, what: str, **query: str) -> dict[str, object]:
    """Return an answer of the node's API."""
    tail = f"?{urllib.parse.urlencode(query)}" if query else ""
    with urllib.request.urlopen(f"{node.web}/api/v1/{what}{tail}", timeout=120) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def explain_s(node: Node) -> float:
    """Return how long it takes to explain the largest study, the median of some times."""
    shares = asked(node, "shares", by="study", limit="10000")["shares"]
    assert isinstance(shares, list)
    study = max(shares, key=lambda share: share["waiting"])["name"]
    times = []
    for _ in range(TIMES):
        began = time.perf_counter()
        asked(node, "explain", uid=study)
        times.append(time.perf_counter() - began)
    return median(times)


def simulate_s(node: Node) -> float:
    """Return how long the command takes against a copy of the configuration."""
    other = Path(f"{node.config_file}.new")
    other.write_text(node.config_file.read_text())
    began = time.perf_counter()
    done = node.command("simulate", "--with", str(other))
    took = time.perf_counter() - began
    if done.returncode != 0 or "no difference" not in done.stdout:
        raise RuntimeError(f"simulate against itself: {done.stdout}{done.stderr}")
    return took


def live_ratio(node: Node) -> float:
    """Return the 95th percentile of accepting beside a replay, over that without."""
    alone, beside = [], []
    for number in range(TIMES):
        alone += accept_times_ms(node, study(LIVE, f"alone {number}", "small"))
        stop = threading.Event()
        replaying = threading.Thread(target=replay_until, args=(node, stop))
        replaying.start()
        try:
            beside += accept_times_ms(node, study(LIVE, f"beside {number}", "small"))
        finally:
            stop.set()
            replaying.join()
    return percentile(beside, 0.95) / percentile(alone, 0.95)


def replay_until(node: Node, stop: threading.Event) -> None:
    """Have everything judged for a replay, over and over; nothing is made of what waits."""
    order = {"where": "Rows > 1", "since": 0, "again": True, "user": "bench"}
    while not stop.is_set():
        request = urllib.request.Request(
            f"{node.web}/api/v1/replay",
            data=json.dumps(order).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            answer.read()
