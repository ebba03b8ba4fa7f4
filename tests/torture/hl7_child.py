"""An HL7 port with a worklist behind it, started again and again without importing again.

Run as ``python -m tests.torture.hl7_child FOLDER``: for each line on stdin a child is forked that
listens and prints ``PORT PID``; what follows its end is the next line.
"""

import asyncio
import os
import sys
import time
from datetime import UTC
from pathlib import Path

from waystation.db import engine
from waystation.db.engine import Database
from waystation.flows.hl7_feed import Feed, FeedTerms
from waystation.flows.steps import Steps
from waystation.journal import hl7_messages
from waystation.journal.ids import IdSource
from waystation.net.mllp import MllpListener, MllpSettings


async def serve(path: Path) -> None:
    """Listen until killed."""
    engine.LOG_BYTES = 1 << 16
    database = Database(path)
    database.open()
    ids = IdSource(await database.read(hl7_messages.last_id()))
    feed = Feed(Steps(database, ids, time.time), FeedTerms(), ids.next, time.time, UTC)
    listener = MllpListener(MllpSettings(), feed.take, feed.refuse, lambda _address: "")
    port = await listener.start("127.0.0.1", 0)
    print(port, os.getpid(), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    path = Path(sys.argv[1]) / "journal.db"
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(serve(path))
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
