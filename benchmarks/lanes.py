"""Lanes among themselves: dead neighbours, a backlog after an outage, an urgent study behind it.

Rates are taken from the journal: deliveries per second between the first and the last that ended.
The sinks are DCMTK's storescp, which throw away what they get.  Of the dead destinations one half
refuses connections and the other half takes them and never answers.
"""

import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from benchmarks.contenders import database_in, fresh
from benchmarks.figures import Figure
from benchmarks.inputs import into_page_cache, study
from benchmarks.plan import Bench
from benchmarks.prefill import prefill
from benchmarks.queue_growth import OurReceiver, one_waits
from benchmarks.sending import send
from tests.peers.dcmtk import StoreScp, storescu
from tests.peers.node import Node, destination, rule_to
from tests.peers.program import HOST, free_port, wait_until

LIVE = DEAD = 50
PER_LANE = 20
BACKLOG = 2000
BEHIND = 50_000
BAR_DEAD = 0.95
BAR_DRAIN = 0.9
BAR_STAT_S = 2.0
DONE = "SELECT count(*) FROM delivery WHERE state = 'done'"
ENDED = "SELECT min(ended_at), max(ended_at), count(*) FROM delivery WHERE state = 'done'"
STAT = (
    "SELECT d.ended_at - a.received_at FROM delivery d JOIN arrival a ON a.id = d.arrival"
    " WHERE d.priority = 0 AND d.state = 'done'"
)
URGENT = """
[[rule]]
name = "urgent"
when = { calling_ae = "ER" }
priority = "stat"
send = ["sink"]
"""


def asked(node: Node, sql: str) -> Sequence[float]:
    """Return the first row of a query on the journal of a running node."""
    address = f"file:{database_in(node.data)}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as database:
        row: Sequence[float] = database.execute(sql).fetchone() or ()
        return row


def rate_until(node: Node, wanted: int, within_s: float = 300.0) -> float:
    """Return deliveries per second once ``wanted`` are done."""
    wait_until(lambda: asked(node, DONE)[0] >= wanted, f"{wanted} delivered", within_s=within_s)
    first, last, n = asked(node, ENDED)
    return (n - 1) / (last - first)


def discarding_sink(folder: Path, port: int = 0) -> StoreScp:
    return StoreScp(folder, ae_title="SINK", port=port, exact=False, options=["--ignore"])


@contextmanager
def dead_ports(count: int) -> Iterator[list[int]]:
    """Yield ports of which every other takes connections and says nothing."""
    with ExitStack() as opened:
        ports = []
        for number in range(count):
            if number % 2:
                ports.append(free_port())
                continue
            hole = opened.enter_context(socket.create_server((HOST, 0), backlog=128))
            ports.append(hole.getsockname()[1])
        yield ports


def fan_out(bench: Bench, dead: Sequence[int]) -> float:
    """Return deliveries per second of the living lanes."""
    what = study(bench, "small", PER_LANE)
    into_page_cache(what)
    folder = fresh(bench.run)
    with discarding_sink(folder / "sink") as sink:
        ports = [sink.port] * LIVE + list(dead)
        names = [f"d{number}" for number in range(len(ports))]
        tables = [
            destination(name, port, ae_title="SINK", retry="")
            for name, port in zip(names, ports, strict=True)
        ]
        with Node(folder / "node", "".join(tables) + rule_to(*names)) as node:
            send(OurReceiver(node), [what.folder])
            return rate_until(node, LIVE * PER_LANE)


def drain(bench: Bench, *, outage: bool) -> float:
    """Return deliveries per second while a backlog drains, after an outage or a pause."""
    what = study(bench, "small", BACKLOG)
    into_page_cache(what)
    folder = fresh(bench.run)
    with ExitStack() as opened:
        port = free_port()
        if not outage:
            opened.enter_context(discarding_sink(folder / "sink", port))
        config = destination("sink", port, ae_title="SINK", retry="") + rule_to("sink")
        node = opened.enter_context(Node(folder / "node", config))
        if not outage:
            node.command("queue", "pause", "sink")
        send(OurReceiver(node), [what.folder])
        # The breaker asks less and less often; a minute of it is enough for the figure.
        time.sleep(6.0)
        if outage:
            opened.enter_context(discarding_sink(folder / "sink", port))
        else:
            node.command("queue", "resume", "sink")
        return rate_until(node, BACKLOG)


def urgent_behind(bench: Bench, waiting: int) -> float:
    """Return the seconds from acceptance to the end of an urgent object behind a long queue."""
    # The copies share the blob of the first: it must be too big to ride in the journal.
    normal, urgent = study(bench, "ct", 1), study(bench, "tiny", 1)
    folder = fresh(bench.run)
    with discarding_sink(folder / "sink") as sink, ExitStack() as opened:
        way = destination("sink", sink.port, ae_title="SINK", retry="")
        shut = way + 'window = "never"\n' + URGENT + rule_to("sink")
        node = opened.enter_context(Node(folder / "node", shut))
        send(OurReceiver(node), [normal.folder])
        wait_until(lambda: one_waits(node), "one delivery")
        node.stop()
        prefill(node.data, waiting - 1)
        node.write_config(way + URGENT + rule_to("sink"))
        node.start(within_s=120)
        wait_until(lambda: asked(node, DONE)[0] > 100, "the queue flows")
        storescu(node.port, urgent.folder, calling="ER")
        wait_until(lambda: bool(asked(node, STAT)), "the urgent one", within_s=60)
        return asked(node, STAT)[0]


def lanes(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures of lanes; none without our node."""
    if not bench.with_ours:
        return []
    alone, beside, paused, outage = [], [], [], []
    for _ in range(bench.amounts.rounds):
        alone.append(fan_out(bench, ()))
        with dead_ports(DEAD) as ports:
            beside.append(fan_out(bench, ports))
        say(f"lanes: {LIVE} alone {alone[-1]:.0f}/s, with {DEAD} dead {beside[-1]:.0f}/s")
        paused.append(drain(bench, outage=False))
        outage.append(drain(bench, outage=True))
        say(f"lanes: drain {outage[-1]:.0f}/s after an outage, {paused[-1]:.0f}/s without")
    stat_s = urgent_behind(bench, BEHIND)
    say(f"lanes: urgent behind {BEHIND}: {stat_s:.2f} s")
    return [
        against("lanes.dead", beside, alone, BAR_DEAD),
        against("lanes.drain", outage, paused, BAR_DRAIN),
        Figure(name="lanes.stat", unit="s", ours=stat_s, bar=BAR_STAT_S, higher=False),
    ]


def against(name: str, ours: list[float], other: list[float], bar: float) -> Figure:
    """Return the medians of both as a ratio."""
    middle = len(ours) // 2
    return Figure(
        name=name,
        unit="deliveries/s",
        ours=sorted(ours)[middle],
        peer=sorted(other)[middle],
        bar=bar,
    )
