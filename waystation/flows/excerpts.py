"""A few frames out of a big object, for drawing: they cost what they cost (W-83).

Contract: `of` gives a data set with the frames of a job alone, and the job that draws them there;
None where the whole object has to be read.  Raises `StorageError` and those of `UNFIT`.
"""

import asyncio
from concurrent.futures import Executor
from dataclasses import replace
from typing import Final

from waystation.blobs.folder import BlobFolder
from waystation.destinations.base import WHOLE_BYTES
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.walk import read_head
from waystation.flows.frames import Frames
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.transforms.excerpt import can_be_cut, excerpt
from waystation.transforms.render_job import REPRESENTATIVE, RenderJob, representative

FIRST: Final = 64 << 10
MOST_BYTES: Final = 64 << 20


class Excerpts:
    """Of one node."""

    def __init__(self, frames: Frames, blobs: BlobFolder, disk: Executor) -> None:
        self._frames = frames
        self._blobs = blobs
        self._disk = disk

    async def of(self, delivery: Delivery, job: RenderJob) -> tuple[bytes, RenderJob] | None:
        """Return the frames that a job draws, and how."""
        small = delivery.size_bytes <= WHOLE_BYTES or not delivery.blob
        if small or not job.frames or not can_be_cut(delivery.transfer_syntax_uid):
            return None
        opened = await self._frames.open(delivery)
        loop = asyncio.get_running_loop()
        head = await loop.run_in_executor(self._disk, self._head, delivery)
        numbers = job.frames
        if numbers == (REPRESENTATIVE,):
            numbers = (representative(head, opened.n_frames),)
        by_bits = opened.pixels.image.allocated == 1 and len(numbers) > 1
        if max(numbers) >= opened.n_frames or by_bits or not head.whole:
            return None
        if sum(opened.size(number) for number in numbers) > MOST_BYTES:
            return None
        stored = [
            b"".join([piece async for piece in self._frames.pieces(opened, number)])
            for number in numbers
        ]
        data = excerpt(head, opened.pixels, stored, compressed=bool(opened.table))
        return data, replace(job, frames=numbers, held=numbers, total=opened.n_frames)

    def _head(self, delivery: Delivery) -> Head:
        pieces = self._blobs.pieces(delivery.blob, delivery.size_bytes, FIRST)
        try:
            return read_head(pieces, delivery.transfer_syntax_uid)
        except DatasetError as error:
            raise StorageError(f"the object cannot be read: {error}") from error
