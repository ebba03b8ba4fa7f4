"""How much a node may take: memory per association and for one huge object, time to end (R-89).

Sizes are resident sizes of the whole process as the system counts them, peaks where it says so,
in MB of a million bytes.  They hold on a busy machine, too.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.contenders import NEVER, fresh
from benchmarks.figures import Figure
from benchmarks.inputs import huge_file, study
from benchmarks.plan import Bench
from benchmarks.queue_growth import OurReceiver
from benchmarks.sending import send
from tests.objects.files import Stored, read_stored
from tests.objects.study import KINDS
from tests.peers.dcmtk import StoreScp
from tests.peers.node import Node, destination, rule_to
from tests.peers.program import wait_until
from tests.peers.raw import ASSOCIATE_AC, RawClient

BASE_MB, PER_ASSOCIATION_MB = 150.0, 2.0
BAR_THROUGH_MB = 50.0
BAR_EXIT_S = 10.0
# Enough that every cache of the node is full at the end.
OBJECTS = {"ct": 200, "small": 3000}
# A node admits fifty from one peer at a time.
PER_PEER = 25
HOLD = '[routing]\notherwise = "hold"\n' + NEVER


class NotTaken(Exception):
    """An object was refused where it should have been taken."""


def resident_bar_mb(associations: int) -> float:
    """Return what a node may take with so many associations open."""
    return BASE_MB + PER_ASSOCIATION_MB * associations


def peak_mb(node: Node) -> float:
    return node.program.peak_kib() * 1024 / 1e6


def limits(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures of one node; none without ours."""
    if not bench.with_ours:
        return []
    figures: list[Figure] = []
    for kind in ("ct", "small"):
        for many in bench.amounts.associations:
            resident = at_once(bench, kind, many)
            bar = resident_bar_mb(many)
            say(f"{many} associations of {kind}: {resident:.0f} MB, bar {bar:.0f}")
            figures.append(below(f"limits.{kind}.{many}.memory", "MB", resident, bar))
    extra = through(bench)
    say(f"an object of {bench.amounts.through_bytes / 1e6:.0f} MB through: {extra:.0f} MB extra")
    figures.append(below("limits.through.extra", "MB", extra, BAR_THROUGH_MB))
    seconds = exit_s(bench)
    say(f"SIGTERM to exit with a sender in mid-object: {seconds:.1f} s")
    return [*figures, below("limits.exit", "s", seconds, BAR_EXIT_S)]


def below(name: str, unit: str, value: float, bar: float) -> Figure:
    return Figure(name=name, unit=unit, ours=value, bar=bar, higher=False)


def at_once(bench: Bench, kind: str, many: int) -> float:
    """Return the peak with ``many`` associations that all store in turn, MB."""
    wanted = OBJECTS[kind]
    files = study(bench, kind, wanted).files
    objects = [read_stored(file.read_bytes()) for file in files]
    with Node(fresh(bench.run), HOLD) as node, opened(node, kind, many) as clients:
        # All have a request under way before the first is asked for its answer.
        for begin in range(0, max(wanted, 2 * many), many):
            chosen = [objects[(begin + turn) % wanted] for turn in range(many)]
            store_together(clients, chosen, message_id=begin // many % 60_000 + 1)
        return peak_mb(node)


@contextmanager
def opened(node: Node, kind: str, many: int) -> Iterator[list[RawClient]]:
    """Yield so many associations, from as many peers as it takes."""
    syntax = (KINDS[kind].sop_class, (KINDS[kind].transfer_syntax,))
    with ExitStack() as all_of_them:
        clients = []
        for number in range(many):
            peer = number // PER_PEER
            client = RawClient(node.port, source=f"127.0.0.{2 + peer}", timeout_s=60)
            clients.append(all_of_them.enter_context(client))
            answer = client.associate([syntax], calling=f"SENDER{peer}")
            if answer is None or answer[0] != ASSOCIATE_AC:
                raise NotTaken(f"association {number + 1} of {many}")
        yield clients


def store_together(clients: list[RawClient], objects: list[Stored], *, message_id: int) -> None:
    """Store one object over each association, all of them sent before any is answered."""
    for client, one in zip(clients, objects, strict=True):
        client.send(client.store_request(one, message_id=message_id))
    for client in clients:
        if client.status() != 0:
            raise NotTaken(f"an object of {len(clients)} at once")


def through(bench: Bench) -> float:
    """Return by how much one huge object that is taken in and sent on raises the peak, MB."""
    file, small = huge_file(bench), study(bench, "small", OBJECTS["small"])
    folder = fresh(bench.run)
    with ExitStack() as running:
        sink = running.enter_context(StoreScp(folder / "sink", ae_title="SINK"))
        way = destination("sink", sink.port, ae_title="SINK") + rule_to("sink")
        node = running.enter_context(Node(folder / "node", way))
        # What an association and a lane cost at all is not charged to the object.
        send(OurReceiver(node), [small.folder])
        wait_until(lambda: sink.count() >= len(small.files), "the small ones", within_s=120)
        before = peak_mb(node)
        send(OurReceiver(node), [file])
        wait_until(lambda: has_arrived(sink, file), "the huge one at the sink", within_s=600)
        return peak_mb(node) - before


def has_arrived(sink: StoreScp, file: Path) -> bool:
    """Return whether the sink holds as many bytes in one file as ``file`` has, nearly."""
    largest = max((one.stat().st_size for one in sink.files()), default=0)
    # The file meta information is of the sink's own making.
    return largest >= file.stat().st_size - 4096


def exit_s(bench: Bench) -> float:
    """Return the seconds from SIGTERM to the end, with a sender that stopped in mid-object."""
    what = study(bench, "ct", OBJECTS["ct"])
    one = read_stored(what.files[0].read_bytes())
    with Node(fresh(bench.run), HOLD) as node, opened(node, "ct", 1) as (client,):
        request = client.store_request(one)
        client.send(request[: len(request) // 2])
        time.sleep(0.5)
        began = time.perf_counter()
        node.program.signal(signal.SIGTERM)
        node.program.wait(within_s=60)
        return time.perf_counter() - began
