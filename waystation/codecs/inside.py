"""Pictures that are drawn in this process: uncompressed frames, in a thread.

Contract: nothing is decoded here (S-41).  `Inside.draw` gives the pictures of a job, None for
what `transforms.render_plain` leaves to a codec child.  Few are drawn side by side; the event loop
goes on.
"""

import asyncio
from typing import Final

import structlog

from waystation.codecs.pictures import Held
from waystation.dicom.errors import DatasetError
from waystation.transforms.errors import UnfitError
from waystation.transforms.render_job import Drawn, RenderJob

log = structlog.get_logger()
SIDE_BY_SIDE: Final = 2
MOST_BYTES: Final = 64 << 20


class Inside:
    """Draws for one node."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def draw(self, data: bytes, syntax: str, job: RenderJob) -> tuple[Drawn, Held] | None:
        """Return pictures of a data set.  Raises `UnfitError`, `DatasetError`."""
        if len(data) > MOST_BYTES:
            return None
        async with self._room:
            found = await asyncio.to_thread(_drawn, data, syntax, job)
        return None if found is None else (found[0], Held(found[1]))


def _drawn(data: bytes, syntax: str, job: RenderJob) -> tuple[Drawn, bytes] | None:
    # The first picture of a node loads the numeric libraries, which takes a while.
    from waystation.transforms.render_plain import drawn

    try:
        return drawn(data, syntax, job)
    except (UnfitError, DatasetError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, a child can show or say it
        log.error("picture left to a codec child", why=type(error).__name__)
        return None
