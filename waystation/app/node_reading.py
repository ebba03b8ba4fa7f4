"""Long answers of a running node, made in a worker thread.

Contract: the job gets a function that reads the journal and waits for it; the event loop goes on
meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from waystation.app.node import Node
from waystation.db.engine import Job

T = TypeVar("T")
Read = Callable[[Job[Any]], Any]


async def in_thread(node: Node, job: Callable[[Read], T]) -> T:
    """Run ``job`` in one of the node's disk threads."""
    loop = asyncio.get_running_loop()

    def read(asked: Job[Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(node.database.read(asked), loop).result()

    return await loop.run_in_executor(node.disk, job, read)
