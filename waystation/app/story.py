"""A demonstration that tells one story with a real node and ends with a checked ledger.

Contract: works in its own folder on loopback with simulated receivers and synthetic images, ends by
itself, and ends with exit code 0 only if the ledger says what the story promised: every
acknowledged image delivered once to each site that was to get it, with the same bytes.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from waystation.app import logs
from waystation.app.read import load
from waystation.app.recovery import DataLock
from waystation.app.serving import Serving
from waystation.app.settings import Settings
from waystation.app.simulated_modality import Ledger, Modality, Result
from waystation.app.simulated_pacs import PacsSettings, SimulatedPacs
from waystation.app.synthetic import Image, Study
from waystation.journal import queue
from waystation.journal.entries import Chosen, Listed
from waystation.model.peer import Remote

PATIENCE_S = 30.0
LOOK_S = 0.02
IMAGE_BYTES = 40_000
BASE = """# Written by `waystation demo {name}` at every start.
[node]
name = "demo-{name}"
data = "data"

[dicom]
ae_title = "{title}"
host = "127.0.0.1"
port = 0

[web]
enabled = false

[spool]
min_free = "100MB"
{tables}"""


@dataclass(slots=True)
class Site:
    """One receiver: its port stays the same when it is stopped and started again."""

    name: str
    pacs: SimulatedPacs
    port: int = 0

    async def start(self) -> None:
        self.port = await self.pacs.start("127.0.0.1", self.port)

    async def stop(self) -> None:
        await self.pacs.stop()

    @property
    def table(self) -> str:
        """The destination that this site is, as the router's endpoint was."""
        return (
            f'\n[destination.{self.name}]\nkind = "dicom"\nae_title = "TARGET_PACS"\n'
            f'host = "127.0.0.1"\nport = {self.port}\ncalling_ae = "passthrough"\n'
        )


def new_site(name: str) -> Site:
    return Site(name, SimulatedPacs(PacsSettings(ae_title="TARGET_PACS")))


class Story(Serving):
    """A served node and the tale that is told once it is ready.

    tell: returns whether it ended as promised.  clock: the node's wall clock.
    """

    def __init__(
        self,
        path: Path,
        tell: "Callable[[Story], Awaitable[bool]]",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(path, load(path, os.environ), "")
        self.node.clock = clock
        self.kept: dict[str, str] = {}
        self.good = False
        self._tell = tell
        self._telling: asyncio.Task[bool] | None = None

    def _say_ready(self, url: str) -> None:
        super()._say_ready(url)
        self._telling = asyncio.create_task(self._end_of(self._tell(self)), name="story")

    async def _end_of(self, tale: Awaitable[bool]) -> bool:
        try:
            self.good = await tale
        finally:
            self._ended.set()
        return self.good

    async def send(self, images: Sequence[Image], calling_ae: str = "MODALITY") -> int:
        """Send images to the node; return how many it acknowledged."""
        remote = Remote(
            name="demo",
            ae_title=self.node.settings.dicom.ae_title,
            host="127.0.0.1",
            port=self.node.dicom_port,
            calling_ae=calling_ae,
        )
        await Modality(remote, ledger=Ledger(None), told=self._acknowledged).send_study(images)
        return sum(image.sop_instance in self.kept for image in images)

    def _acknowledged(self, result: Result) -> None:
        if result.ending == "acked":
            self.kept[result.sop_instance] = result.sha256

    async def deliveries(self, images: Sequence[Image], site: Site) -> list[Listed]:
        """Return the journal's deliveries of these images to a site."""
        wanted = {image.sop_instance for image in images}
        found: list[Listed] = []
        after = 0
        while page := await self.node.database.read(
            queue.deliveries(Chosen(destination=site.name, after=after, limit=500))
        ):
            after = page[-1].id
            found += [row for row in page if row.sop_instance in wanted]
        return found

    async def until(self, holds: Callable[[], bool], within_s: float = PATIENCE_S) -> float | None:
        """Wait until something holds; return after how long, None if it never did."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not holds():
            if loop.time() - began > within_s:
                return None
            await asyncio.sleep(LOOK_S)
        return loop.time() - began

    async def settled(self, images: Sequence[Image], site: Site) -> bool:
        """Wait until the journal has every delivery of these images as done."""
        loop = asyncio.get_running_loop()
        limit = loop.time() + PATIENCE_S
        while True:
            rows = await self.deliveries(images, site)
            if len(rows) == len(images) and all(row.state == "done" for row in rows):
                return True
            if loop.time() > limit:
                return False
            await asyncio.sleep(LOOK_S)

    async def ledger(self, images: Sequence[Image], sites: Sequence[Site]) -> bool:
        """Print what was promised and what came of it; return whether the two agree."""
        heads = ("sent", "kept", "done", "same", "lost", "twice")
        print("\n" + f"{'site':<12}" + "".join(f"{word:>6}" for word in heads))
        good = True
        for site in sites:
            rows = await self.deliveries(images, site)
            done = sum(row.state == "done" for row in rows)
            kept = [image for image in images if image.sop_instance in self.kept]
            same = sum(site.pacs.digests.get(one.sop_instance) == one.sha256 for one in kept)
            twice = site.pacs.received - len(site.pacs.digests)
            numbers = (len(images), len(kept), done, same, len(kept) - same, twice)
            print(f"{site.name:<12}" + "".join(f"{number:>6}" for number in numbers))
            good &= len(images) == len(kept) == done == same and not twice
        return good


def study(seed: str, images: int) -> list[Image]:
    """Return a synthetic study; every run makes another one."""
    return list(
        Study(
            seed=f"{seed}-{time.time_ns()}",
            number=1,
            series=1,
            images=images,
            size_bytes=IMAGE_BYTES,
        )
    )


def prepare(folder: Path, name: str, base: Settings, tables: str) -> Path:
    """Write the configuration of a story; return its file.  Raises `StorageError` if it runs."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A story that is being told here must not find its configuration changed.
    DataLock(folder / "data").release()
    path = folder / "waystation.toml"
    path.write_text(BASE.format(name=name, title=base.dicom.ae_title, tables=tables))
    logs.set_up("error", base.log.format)
    return path
