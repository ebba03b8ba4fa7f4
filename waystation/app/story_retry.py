"""`waystation demo retry`: the receiver is stopped, the study is kept, and goes out by itself.

The first published set-up of DicomFlowRouter, told without containers (R-90): sender, router,
receiver; the receiver is away while a study is sent.
"""

import asyncio
from pathlib import Path

from waystation.app.settings import Settings
from waystation.app.story import Site, Story, new_site, prepare, study

IMAGES = 12
AWAY_S = 3.0
# The first promise of R-57: draining starts within 6 s of recovery.
PROMISED_S = 6.0
RULE = '\n[[rule]]\nname = "everything to the receiver"\nsend = ["receiver"]\n'


async def _tell(story: Story, receiver: Site) -> bool:
    images = study("retry-up", IMAGES)
    print("\nsender → node → receiver\n\n1. The receiver is up.")
    print(f"   sent {len(images)}, acknowledged {await story.send(images)}")
    arrived = await story.settled(images, receiver)
    print(f"   the receiver has {len(receiver.pacs.digests)}")

    await receiver.stop()
    late = study("retry-down", IMAGES)
    print("2. The receiver is stopped.")
    print(f"   sent {len(late)}, acknowledged {await story.send(late)}: the study is kept")
    await asyncio.sleep(AWAY_S)
    rows = await story.deliveries(late, receiver)
    waiting = sum(row.state in ("waiting", "sending") for row in rows)
    why = next((row.why for row in rows if row.why), "no answer yet")
    print(f"   waiting {waiting} of {len(late)}: {why}")

    before = receiver.pacs.received
    await receiver.start()
    print(f"3. The receiver is up again on port {receiver.port}.")
    seconds = await story.until(lambda: receiver.pacs.received > before)
    drained = await story.settled(late, receiver)
    told = "never" if seconds is None else f"{seconds:.1f} s"
    print(f"   first image after {told} (promised: {PROMISED_S:.0f} s), nobody did anything")
    balanced = await story.ledger([*images, *late], [receiver])
    good = arrived and drained and balanced and waiting == len(late)
    return good and seconds is not None and seconds <= PROMISED_S


async def tell(folder: Path, base: Settings) -> int:
    """Tell the story; return the exit code."""
    receiver = new_site("receiver")
    await receiver.start()
    try:
        path = prepare(folder, "retry", base, receiver.table + RULE)
        story = Story(path, lambda one: _tell(one, receiver))
        await story.run()
    finally:
        await receiver.stop()
    print("\nas promised" if story.good else "\nNOT as promised")
    return 0 if story.good else 1
