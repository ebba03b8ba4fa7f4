"""`waystation demo schedule`: two sites, one of them behind a link that is open `m10 < 5`.

The second published set-up of DicomFlowRouter, told without containers (R-90).  The clock of the
node is simulated, so that nobody has to wait for five minutes: it starts while the window is shut
and is set to a moment before it opens.
"""

import time
from pathlib import Path

from waystation.app.settings import Settings
from waystation.app.story import Site, Story, new_site, prepare, study

IMAGES = 8
PERIOD_S = 600
SHUT_AT_S = 310  # 5 min 10 s into a period of ten minutes
BEFORE_S = 3.0
# a lane starts within a second of the opening.
PROMISED_S = 1.0
RULE = """
[schedule.link]
open = "m10 < 5"
zone = "UTC"

[[rule]]
name = "everything to both sites"
send = ["local", "remote"]
"""


class SimulatedClock:
    """A wall clock that runs like the real one and can be set."""

    def __init__(self) -> None:
        period = time.time() // PERIOD_S * PERIOD_S
        self._ahead_s = period + SHUT_AT_S - time.time()

    def now(self) -> float:
        return time.time() + self._ahead_s

    def set(self, instant: float) -> None:
        self._ahead_s = instant - time.time()

    @property
    def text(self) -> str:
        return time.strftime("%H:%M:%S", time.gmtime(self.now()))


async def _tell(story: Story, clock: SimulatedClock, local: Site, remote: Site) -> bool:
    images = study("schedule", IMAGES)
    print('\nlocal: always · remote: window "m10 < 5"   THE CLOCK IS SIMULATED (UTC)\n')
    print(f"1. {clock.text}: the remote link is shut.")
    print(f"   sent {len(images)}, acknowledged {await story.send(images)}")
    near = await story.settled(images, local)
    rows = await story.deliveries(images, remote)
    waiting = sum(row.state == "waiting" for row in rows)
    print(f"   local has {len(local.pacs.digests)}, remote {remote.pacs.received},", end=" ")
    print(f"waiting for the window {waiting}")

    opening = (clock.now() // PERIOD_S + 1) * PERIOD_S
    clock.set(opening - BEFORE_S)
    print(f"2. {clock.text}: the clock was set forward; still shut.")
    await story.until(lambda: clock.now() >= opening - 0.2)
    early = remote.pacs.received
    print(f"   remote has {early}")

    await story.until(lambda: remote.pacs.received > 0)
    late_s = clock.now() - opening
    far = await story.settled(images, remote)
    print(f"3. {clock.text}: the window is open; first image {late_s:.2f} s after the opening")
    balanced = await story.ledger(images, [local, remote])
    kept_shut = waiting == len(images) and early == 0
    return near and far and balanced and kept_shut and 0 <= late_s <= PROMISED_S


async def tell(folder: Path, base: Settings) -> int:
    """Tell the story; return the exit code."""
    local, remote = new_site("local"), new_site("remote")
    clock = SimulatedClock()
    await local.start()
    await remote.start()
    try:
        tables = f'{local.table}{remote.table}window = "link"\n{RULE}'
        path = prepare(folder, "schedule", base, tables)
        story = Story(path, lambda one: _tell(one, clock, local, remote), clock.now)
        await story.run()
    finally:
        await local.stop()
        await remote.stop()
    print("\nas promised" if story.good else "\nNOT as promised")
    return 0 if story.good else 1
