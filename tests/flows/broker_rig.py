"""A node with the broker in front of an old PACS, with short waits."""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.flows.old_pacs import OldPacs
from tests.flows.rig import BASE
from tests.net.sink import until
from tests.objects.files import Stored
from waystation.app.brokerage import Brokerage
from waystation.app.node import Node
from waystation.app.read import load_text
from waystation.app.upstreaming import Upstreaming
from waystation.db.statement import Row, Transaction
from waystation.flows.broker import Broker
from waystation.flows.cargo import JournalCargo
from waystation.flows.fetch import FetchFailed, Reading
from waystation.flows.recent import Recent
from waystation.model.delivery import Delivery

PACS = """
[pacs.old]
ae_title = "OLDPACS"
host = "127.0.0.1"
port = {port}
calling_ae = "BROKER"
{extra}
[pacs.old.timeouts]
connect = "1s"
associate = "1s"
find = "{find}"
retrieve = "{retrieve}"
quiet = "{quiet}"
[pacs.old.retry]
attempts = {attempts}
first = "10ms"
ceiling = "20ms"
[cache]
min_free = "0B"
"""
MAKERS = (Upstreaming, Brokerage)


class BrokerRig:
    """A folder, an old PACS, and the node between."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.pacs = OldPacs()
        self.node: Node
        self.running = False
        self.config = ""
        self.port = 0
        self.dicom = ""

    async def start(
        self,
        extra: str = "",
        *,
        more: str = "",
        attempts: int = 2,
        quiet: str = "40ms",
        find: str = "4s",
        retrieve: str = "4s",
    ) -> None:
        if not self.pacs.port:
            await self.pacs.start()
        waits = {"attempts": attempts, "quiet": quiet, "find": find, "retrieve": retrieve}
        own = PACS.format(port=self.pacs.port, extra=extra, **waits)
        self.config = own + more
        await self.run()

    async def run(self) -> None:
        text = BASE.format(data=self.data, dicom=self.dicom, keep="24h") + self.config
        text = text.replace("port = 0", f"port = {self.port}", 1)
        settings = load_text(text, self.folder / "waystation.toml", os.environ).settings
        self.node = Node(settings, text, MAKERS)
        await self.node.start()
        self.running = True
        self.pacs.destinations["WAYSTATION"] = self.node.dicom_port

    @property
    def brokerage(self) -> Brokerage:
        return self.node.annexes.of(Brokerage)

    @property
    def broker(self) -> Broker:
        return self.brokerage.broker

    async def stop(self) -> None:
        if self.running:
            self.running = False
            await self.node.stop()

    async def close(self) -> None:
        await self.stop()
        if self.pacs.port:
            await self.pacs.stop()

    # readers

    async def read(self, *path: str, filed: bool = False) -> list[str]:
        """Return the SOP Instance UIDs that a reader gets."""
        reading = await self.broker.want("old", path_of(*path), filed=filed)
        return [one.sop_instance_uid for one in await all_of(reading)]

    async def failure(
        self, *path: str, then: Callable[[], None] = lambda: None
    ) -> tuple[FetchFailed, list[str]]:
        """Return how a reading fails, and what came before.  then: called at the first object."""
        got: list[str] = []
        try:
            reading = await self.broker.want("old", path_of(*path))
        except FetchFailed as failure:
            return failure, got
        try:
            async for one in reading:
                got.append(one.sop_instance_uid)
                if len(got) == 1:
                    then()
        except FetchFailed as failure:
            return failure, got
        finally:
            await reading.close()
        raise AssertionError(f"nothing failed; {len(got)} objects came")

    async def fails(self, status: int, *path: str) -> list[str]:
        """Insist on a failure with a status; return what came before."""
        failure, got = await self.failure(*path)
        assert failure.status == status, failure.text
        assert failure.source == "old"
        return got

    async def in_cache(self) -> set[str]:
        await self.node.router.settled()
        return {row[0] for row in await self.rows("SELECT sop_instance FROM cached")}

    async def bytes_of(self, delivery: Delivery) -> bytes:
        node = self.node
        cargo = JournalCargo(node.database, node.blobs, node.disk, Recent())
        data = await cargo.load(delivery)
        assert isinstance(data, bytes)
        return data

    async def settled(self) -> None:
        """Wait until no Fetch is under way."""
        await until(lambda: all(one.state != "running" for one in self.broker.progress()))

    async def rows(self, sql: str, params: Mapping[str, object] | None = None) -> list[Row]:
        def job(transaction: Transaction) -> list[Row]:
            return list(transaction.rows(sql, params))

        return await self.node.database.read(job)


@asynccontextmanager
async def broker_rig(folder: Path, *stored: Stored) -> AsyncIterator[BrokerRig]:
    """Run a PACS that has some objects; a node that runs at the end must have its books right."""
    made = BrokerRig(folder)
    made.pacs.load(*stored)
    try:
        yield made
        if made.running:
            assert await made.node.sweep.account() == 0
    finally:
        await made.close()
        shutil.rmtree(made.data, ignore_errors=True)


def path_of(*uids: str) -> dict[str, str]:
    return dict(zip(("study", "series", "instance"), uids, strict=False))


async def all_of(reading: Reading) -> list[Delivery]:
    try:
        return [one async for one in reading]
    finally:
        await reading.close()


def uids(stored: list[Stored]) -> set[str]:
    return {one.sop_instance for one in stored}
