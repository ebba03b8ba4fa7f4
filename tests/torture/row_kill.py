"""F1 and F2: SIGKILL at random under load, and at every system call."""

import random
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from tests.peers.program import PeerFailed
from tests.torture import inject, journal
from tests.torture.books import Row
from tests.torture.crowd import LARGE, SMALL
from tests.torture.inject import Point
from tests.torture.rig import Rig
from waystation.app.simulated_pacs import Script
from waystation.app.synthetic import Image, Study

THREE_SINKS = {
    "fast": Script(),
    "slow": Script(delay_s=0.01),
    "flapping": Script(abort_after=40),
}
CLOSED = 'window = "never"'
READY_S = 5.0


def random_kills(
    folder: Path,
    *,
    seed: int,
    kills: int,
    sources: int = 8,
    broken: str = "",
    ready_s: float = READY_S,
) -> Row:
    """Kill at random moments while several sources send; now and then during the start too.

    ready_s: a slower start fails the row.
    """
    chance = random.Random(seed)
    with Rig(folder, scripts=THREE_SINKS, start=False) as rig:
        rig.node.broken = broken
        rig.start()
        until = threading.Event()
        senders = [
            rig.crowd.begin(rig.crowd.keep_sending(lambda: rig.port, f"{seed}/{n}", until=until))
            for n in range(sources)
        ]
        for _ in range(kills):
            time.sleep(chance.uniform(0.1, 1.5))
            rig.kill()
            if chance.random() < 0.25:
                rig.node.begin()
                time.sleep(chance.uniform(0.0, 2.0))
                rig.kill()
            rig.start()
        until.set()
        for sender in senders:
            sender.result(60)  # type: ignore[call-arg]
        row = rig.judge("F1", runs=kills, drain_s=10.0 if broken else 60.0)
        if rig.slowest_s > ready_s:
            row.faults.append(f"ready only after {rig.slowest_s:.1f} s")
    if row.acked == 0:
        row.faults.append("nothing was acknowledged: the run proves nothing")
    return row


def killed_while_sending(folder: Path, *, seed: int, images: int = 1000) -> Row:
    """Kill while much is open and some is being sent: all of it is taken up again (N-14)."""
    scripts = {"sink": Script(hang_after=20)}
    with Rig(folder, scripts=scripts) as rig:
        study = Study(seed=f"{seed}/open", number=1, series=1, images=images, size_bytes=SMALL)
        rig.send(study)
        time.sleep(0.5)
        sending = journal.states(rig.data).get("sending", 0)
        rig.kill()
        rig.sinks["sink"].follow(Script())
        rig.start()
        row = rig.judge("N-14", runs=1)
    if not sending:
        row.faults.append("nothing was being sent when the node was killed")
    return row


def mixed(seed: str) -> list[Image]:
    """Return two small images and a larger one of one study."""
    small = Study(seed=seed, number=1, series=1, images=2, size_bytes=SMALL)
    large = Study(seed=f"{seed}/large", number=1, series=1, images=1, size_bytes=LARGE)
    return [*small, *large]


class Relay:
    """The whole way of a few objects, as the work during which calls are hit."""

    def __init__(self, rig: Rig, seed: int, *, patience_s: float = 5.0) -> None:
        self._rig = rig
        self._seed = seed
        self._patience_s = patience_s
        self._round = 0

    def __call__(self) -> None:
        """Send a few objects and wait until they have arrived, or the node is gone."""
        self._round += 1
        rig = self._rig
        rig.send(mixed(f"{self._seed}/relay/{self._round}"))
        limit = time.monotonic() + self._patience_s
        while rig.node.alive and time.monotonic() < limit:
            if not any(rig.books.missing(sink) for sink in rig.sinks):
                break
            time.sleep(0.01)
        time.sleep(0.05)


def relay_points(rig: Rig, work: Relay) -> list[Point]:
    """Return the points that one relay passes, after a first one has warmed everything up."""
    work()
    return inject.record(rig.node.pid, rig.node.folder / "calls.txt", work)


def kill_at_calls(folder: Path, *, seed: int, most: int = 0, broken: str = "single") -> Row:
    """Kill before each system call of accept, route and deliver; most: 0 for all of them."""
    why = inject.unavailable()
    if why:
        return Row(row="F2 relay", skipped=why)
    with Rig(folder, start=False) as rig:
        rig.node.broken = broken
        rig.start()
        work = Relay(rig, seed)
        points = relay_points(rig, work)
        hit = 0
        for point in inject.spread(points, most):
            hit += _kill_at(rig, work, point)
        row = rig.judge("F2 relay", runs=hit, drain_s=60.0 if broken == "single" else 5.0)
    row.notes.append(f"{hit} kills at {len(points)} points of {len(calls_of(points))} calls")
    if hit == 0:
        row.faults.append("no kill took place")
    return row


def _kill_at(rig: Rig, work: Relay, point: Point) -> bool:
    """Return whether the node was killed there."""
    trace = rig.node.folder / "kill.txt"
    with inject.injector(
        rig.node.pid, [point.thread], [point.call], "signal=KILL", str(point.n), trace
    ):
        work()
        killed = not rig.node.alive
    if killed:
        rig.kills += 1
        rig.start()
        work()
    return killed


def kill_at_start(folder: Path, *, seed: int, most: int = 0) -> Row:
    """Kill before each system call of a start that has much to put right."""
    why = inject.unavailable()
    if why:
        return Row(row="F2 start", skipped=why)
    with Rig(folder, lanes={"sink": CLOSED}) as rig:
        for number in range(8):
            rig.send(mixed(f"{seed}/start/{number}"))
        rig.kill()
        points = _start_points(rig)
        hit = 0
        for point in inject.spread(points, most):
            _leave_debris(rig, seed)
            hit += _killed_while_starting(rig, point)
        rig.configure()
        rig.start()
        row = rig.judge("F2 start", runs=hit)
    row.notes.append(f"{hit} kills at {len(points)} points of a start")
    if hit == 0:
        row.faults.append("no kill took place")
    return row


def _start_points(rig: Rig) -> list[Point]:
    """Return the points between the data folder's lock and the ready line."""
    trace = rig.node.folder / "start.txt"
    _leave_debris(rig, 0)
    rig.node.prefix = inject.recording(trace)
    rig.node.start()
    rig.node.kill()
    rig.node.prefix = []
    text = trace.read_text(errors="replace")
    order = list(
        dict.fromkeys(int(line.split()[0]) for line in text.splitlines() if line[:1].isdigit())
    )
    points = inject.points_in(text, order)
    before = inject.points_in(text[: text.index(f"{rig.data}/lock")], order)
    known = {(point.call, point.n) for point in before}
    # The n-th call is counted for each thread: what was passed before the lock cannot be meant.
    return sorted({Point(0, p.call, p.n) for p in points if (p.call, p.n) not in known})


def _leave_debris(rig: Rig, seed: int) -> None:
    """Leave what a crash leaves: an empty slot and a draft without a row."""
    folders = [path for path in (rig.data / "blobs").iterdir() if path.is_dir()]
    if not folders:
        return
    folder = max(folders)
    (folder / f"{random.Random(seed).getrandbits(96):024x}.dcm").touch()
    (folder / f"{random.Random(seed + 1).getrandbits(96):024x}.dcm").write_bytes(b"\0" * 5000)


def _killed_while_starting(rig: Rig, point: Point) -> bool:
    """Start under injection; return whether the kill came before the ready line."""
    trace = rig.node.folder / "kill.txt"
    rig.node.prefix = inject.under_injection(point.call, "signal=KILL", point.n, trace)
    try:
        rig.node.start()
        killed = False
    except PeerFailed:
        killed = True
    rig.kill()
    rig.node.prefix = []
    return killed


def calls_of(points: Iterable[Point]) -> set[str]:
    return {point.call for point in points}
