"""F17: the wall clock jumps, by hours, over a change to summer time, past 2038 and back (S-24)."""

import time
from pathlib import Path

from tests.torture.books import Row
from tests.torture.rig import Rig
from tests.torture.row_peer import some
from waystation.app.simulated_pacs import Script

HOUR_S = 3600.0
PAST_2038 = 2_147_483_647 + 60.0
SOON_S = 15.0
NOTICED_S = 0.3
# Retries come at least 200 ms apart, and a lane that is down asks every 5 s.
MOST_ATTEMPTS = 60


def clock_jumps(folder: Path, *, seed: int, images: int = 4) -> Row:
    """After each jump what waits goes out soon, nothing is lost, and nothing floods (F17)."""
    faults: list[str] = []
    jumps = (0.0, HOUR_S, -HOUR_S, PAST_2038 - time.time(), 0.0, -2 * HOUR_S, 0.0)
    with Rig(folder, start=False) as rig:
        rig.node.broken = "jumping"
        rig.start()
        for number, jump in enumerate(jumps):
            # What waits has its time to be tried again from before the jump.
            rig.sinks["sink"].follow(Script(reject="transient"))
            rig.send(some(f"{seed}/{number}/before", images))
            time.sleep(NOTICED_S)
            _set(rig, jump)
            time.sleep(NOTICED_S)
            seen = rig.sinks["sink"].seen
            rig.sinks["sink"].follow(Script())
            rig.send(some(f"{seed}/{number}/after", images))
            began = time.monotonic()
            while rig.books.missing("sink") and time.monotonic() < began + SOON_S:
                time.sleep(0.05)
            if rig.books.missing("sink"):
                faults.append(
                    f"jump {number} by {jump:.0f} s: {len(rig.books.missing('sink'))} wait still"
                )
            if rig.sinks["sink"].seen - seen > MOST_ATTEMPTS:
                faults.append(f"jump {number}: {rig.sinks['sink'].seen - seen} attempts")
            if not rig.node.alive:
                faults.append(f"jump {number}: the node died")
                rig.start()
        row = rig.judge("F17", runs=len(jumps), allowed_repeats=0)
    row.faults += faults
    return row


def _set(rig: Rig, offset: float) -> None:
    """Let the node's clock be wrong by this much."""
    beside = rig.node.folder / "clock.new"
    beside.write_text(str(offset))
    beside.rename(rig.node.folder / "clock")
