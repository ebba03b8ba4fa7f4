"""F11: slow lines.  While bytes move nobody gives up, and nothing piles up in memory."""

import time
from pathlib import Path

from tests.peers.program import memory_kib
from tests.torture.books import Row
from tests.torture.crowd import LARGE
from tests.torture.rig import Rig
from tests.torture.row_peer import some
from tests.torture.slow import Pace, SlowProxy
from waystation.app.simulated_pacs import Script

# The node waits so long for a response; an object is on its way for longer.
QUICK_WAITS = 'timeouts = { response = "6s" }'
PROGRESS = '\n[dicom.timeouts]\nprogress = "10s"\n'
SMALL = 12_000
LINES = {
    "crawl": Pace(bytes_per_s=1_000.0, piece=100, tiny=True),
    "far": Pace(delay_s=0.3, jitter_s=0.2, piece=1_400),
    "crumbs": Pace(delay_s=0.001, piece=7, tiny=True),
}
# The floor inside a message is 1 KiB/s over that time (L16): this is just above it, for longer.
CRAWL = Pace(bytes_per_s=1_300.0, piece=100, tiny=True)
CRAWLED = 18_000
NARROW = Pace(bytes_per_s=6_000_000.0, piece=65_536)
BIG = 3 * LARGE
MOST_GROWTH_KIB = 16 << 10


def slow_lines(folder: Path, *, seed: int, images: int = 2) -> Row:
    """Slow lines towards sinks and from a source: everything comes, and comes once (F11)."""
    scripts = {name: Script() for name in (*LINES, "good")}
    with Rig(folder, scripts=scripts, start=False) as rig:
        answers = Pace(delay_s=0.05, jitter_s=0.05)
        proxies = {
            name: SlowProxy(rig.sinks[name].port, up=pace, down=answers, seed=seed)
            for name, pace in LINES.items()
        }
        for name, proxy in proxies.items():
            rig.crowd.do(proxy.start())
            rig.ports[name] = proxy.port
        rig.configure(dict.fromkeys(LINES, QUICK_WAITS), PROGRESS)
        rig.start()
        source = SlowProxy(rig.port, up=CRAWL, down=answers, seed=seed)
        rig.crowd.do(source.start())
        began = time.monotonic()
        slow = rig.crowd.begin(rig.crowd.send(source.port, some(f"{seed}/slow", 1, CRAWLED)))
        rig.send(some(f"{seed}/fast", images, SMALL))
        swift = rig.books.missing("good")
        while swift and time.monotonic() < began + 5.0:
            time.sleep(0.05)
            swift = rig.books.missing("good")
        slow.result(120)  # type: ignore[call-arg]
        slow_s = time.monotonic() - began
        row = rig.judge("F11", runs=len(LINES) + 1, allowed_repeats=0, drain_s=60.0)
        opened = {name: proxy.connections for name, proxy in proxies.items()}
        for proxy in (*proxies.values(), source):
            rig.crowd.do(proxy.stop())
    if swift:
        row.faults.append("the good destination had to wait for the slow ones")
    if row.acked < images + 1:
        row.faults.append("the slow source was cut off although its bytes moved")
    row.notes.append(f"an object of {CRAWLED} bytes came in {slow_s:.0f} s; connections {opened}")
    return row


def flat_memory(folder: Path, *, seed: int, images: int = 30) -> Row:
    """A sink slower than the sources: what waits for it waits on the disk, not in memory."""
    with Rig(folder, start=False) as rig:
        proxy = SlowProxy(rig.sinks["sink"].port, up=NARROW, down=Pace(), seed=seed)
        rig.crowd.do(proxy.start())
        rig.ports["sink"] = proxy.port
        rig.configure()
        rig.start()
        # What came last is kept at hand, up to a bound: reach it first.
        rig.send(some(f"{seed}/warm", 2 * images, BIG))
        rig.drain()
        before = memory_kib(rig.node.pid, "VmRSS")
        rig.send(some(f"{seed}/much", images, BIG))
        rig.drain()
        growth = memory_kib(rig.node.pid, "VmHWM") - before
        row = rig.judge("F11 memory", allowed_repeats=0)
        rig.crowd.do(proxy.stop())
    row.notes.append(f"{growth} KiB more with {images * BIG // 1000} kB waiting")
    if growth > MOST_GROWTH_KIB:
        row.faults.append(f"memory grew by {growth} KiB")
    return row
