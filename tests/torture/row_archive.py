"""T-29 under SIGKILL: what was acknowledged is in the archive, and the index says what it holds."""

import asyncio
import random
import sqlite3
import threading
import time
from pathlib import Path

from tests.torture.books import Row
from tests.torture.rig import Rig
from waystation.app.archive_offline import reading

TO_ARCHIVE = '\n[[rule]]\nname = "keep"\nsend = ["archive"]\n'


def killed_while_archiving(folder: Path, *, seed: int, kills: int, sources: int = 3) -> Row:
    """Kill at random moments while sources send what is relayed and archived."""
    chance = random.Random(seed)
    with Rig(folder, extra=TO_ARCHIVE) as rig:
        until = threading.Event()
        senders = [
            rig.crowd.begin(rig.crowd.keep_sending(lambda: rig.port, f"{seed}/{n}", until=until))
            for n in range(sources)
        ]
        for _ in range(kills):
            time.sleep(chance.uniform(0.2, 1.2))
            rig.kill()
            rig.start()
        until.set()
        for sender in senders:
            sender.result(60)  # type: ignore[call-arg]
        row = rig.judge("T-29", runs=kills)
        missing = rig.books.acked - _archived(rig.data)
    if missing:
        row.faults.append(f"{len(missing)} acknowledged objects are not in the archive")
    row.faults += asyncio.run(_proved(rig.data))
    if row.acked == 0:
        row.faults.append("nothing was acknowledged: the run proves nothing")
    return row


def _archived(data: Path) -> set[tuple[str, str]]:
    connection = sqlite3.connect(data / "journal.db")
    try:
        rows = connection.execute(
            "SELECT a.sop_instance, a.sha256 FROM archived k JOIN arrival a ON a.id = k.arrival"
            " JOIN instance i ON i.arrival = a.id WHERE a.blob_gone = 0"
        )
        return {(uid, bytes(digest).hex()) for uid, digest in rows}
    finally:
        connection.close()


async def _proved(data: Path) -> list[str]:
    return [f"{finding.study_uid}: {finding.what}" async for finding in reading(data).proof.run()]
