"""Asking the journal until it answers: what it does not say now is no fault of the object."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from waystation.db.engine import Job
from waystation.model.errors import StorageError

log = structlog.get_logger()
T = TypeVar("T")
AGAIN_S = 1.0


async def patiently(ask: Callable[[Job[T]], Awaitable[T]], job: Job[T]) -> T:
    """Return what a job gives, however long that takes.  ask: read or write of the database."""
    while True:
        try:
            return await ask(job)
        except StorageError as error:
            log.error("waiting for the journal", error=str(error))
            await asyncio.sleep(AGAIN_S)
