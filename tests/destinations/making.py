"""Deliveries, their bytes, and a destination of each kind to bring them to."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.net.sink import SHORT, Answer, Sink, running
from tests.objects.files import Stored, read_stored
from tests.objects.study import uid_of
from waystation.destinations.base import Destination, Pieces
from waystation.destinations.dicom import DicomDestination, DicomSettings
from waystation.destinations.folder import FolderDestination, FolderSettings
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.model.outcome import Outcome


def delivery(number: int, stored: Stored, *, seed: object = 0, calling_ae: str = "CT1") -> Delivery:
    return Delivery(
        id=number,
        arrival_id=number,
        destination="x",
        study_uid=uid_of(seed, "study"),
        series_uid=uid_of(seed, "series"),
        sop_class_uid=stored.sop_class,
        sop_instance_uid=stored.sop_instance,
        transfer_syntax_uid=stored.transfer_syntax,
        calling_ae=calling_ae,
        blob="",
        size_bytes=len(stored.data_set),
        sha256=hashlib.sha256(stored.data_set).hexdigest(),
        received_at=1_800_000_000.0,
    )


@dataclass
class Hold:
    """Cargo in memory.  corrupt: ids that cannot be loaded; in_pieces: how bytes are given."""

    objects: dict[int, Stored]
    in_pieces: bool = False
    corrupt: set[int] = field(default_factory=set)
    breaks: set[int] = field(default_factory=set)
    loaded: list[int] = field(default_factory=list)
    piece_bytes: int = 200

    async def load(self, delivery: Delivery) -> bytes | Pieces:
        self.loaded.append(delivery.id)
        if delivery.id in self.corrupt:
            raise StorageError("the stored object is damaged: its digest differs")
        data = self.objects[delivery.id].data_set
        return Pieces(self._pieces(delivery.id, data)) if self.in_pieces else data

    async def _pieces(self, number: int, data: bytes) -> AsyncGenerator[bytes, None]:
        for start in range(0, len(data), self.piece_bytes):
            if number in self.breaks and start >= 2 * self.piece_bytes:
                raise StorageError("blob cannot be read: Input/output error")
            yield data[start : start + self.piece_bytes]


def load_of(objects: Sequence[Stored]) -> tuple[list[Delivery], Hold]:
    """Return deliveries of ``objects`` in order, numbered from 1, and their cargo."""
    numbered = dict(enumerate(objects, 1))
    return [delivery(number, one) for number, one in numbered.items()], Hold(numbered)


class Way:
    """A destination of some kind, and a view of what has arrived there."""

    destination: Destination

    def arrived(self) -> dict[str, bytes]:
        """Return SOP Instance UID → data set of what the far side has kept."""
        raise NotImplementedError

    async def break_down(self) -> None:
        """Let the way itself fail from now on."""
        raise NotImplementedError


class DicomWay(Way):
    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        settings = DicomSettings(remote=sink.remote(), waits=SHORT, linger_s=0.05)
        self.destination = DicomDestination("x", settings)

    def arrived(self) -> dict[str, bytes]:
        return {one.sop_instance: one.data_set for one in self.sink.objects if one.status == 0}

    async def break_down(self) -> None:
        self.sink.script = lambda _: BUSY


BUSY: Answer = 0xA700


class FolderWay(Way):
    def __init__(self, root: Path) -> None:
        self.root = root
        self.destination = FolderDestination("x", FolderSettings(path=root))

    def arrived(self) -> dict[str, bytes]:
        found = (read_stored(path.read_bytes()) for path in self.root.rglob("*.dcm"))
        return {one.sop_instance: one.data_set for one in found}

    async def break_down(self) -> None:
        """Take the folder away, as a share that is not mounted any more."""
        self.root.rmdir()


@asynccontextmanager
async def way_of(kind: str, folder: Path) -> AsyncIterator[Way]:
    if kind == "dicom":
        async with running() as sink:
            way: Way = DicomWay(sink)
            try:
                yield way
            finally:
                await way.destination.close()
    else:
        root = folder / "out"
        root.mkdir()
        yield FolderWay(root)


async def outcomes_of(
    way: Way, batch: Sequence[Delivery], cargo: Hold
) -> list[tuple[int, Outcome]]:
    """Send a batch and return (delivery id, outcome) in the order they came."""
    return [(done.id, outcome) async for done, outcome in way.destination.send(batch, cargo)]
