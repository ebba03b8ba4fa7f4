"""`waystation demo`: a node, a simulated PACS beside it, and one small study through both.

Contract: works in its own folder, keeps serving after the study arrived, and says of every image
which step it reached.  Arrived means: the PACS acknowledged bytes with the digest of those that
were sent.  What has not arrived within `PATIENCE_S` is named with its missing step, exit 1.
"""

import asyncio
import importlib.util
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from waystation.app import logs
from waystation.app.read import Loaded, load
from waystation.app.recovery import DataLock
from waystation.app.serving import Serving
from waystation.app.settings import Settings
from waystation.app.simulated_modality import Ledger, Modality, Result
from waystation.app.simulated_pacs import PacsSettings, SimulatedPacs
from waystation.app.synthetic import Image, Study
from waystation.dicom.part10 import read_meta
from waystation.journal import queue
from waystation.journal.entries import Chosen, Listed
from waystation.model.peer import Remote
from waystation.wire.status import status_text

PATIENCE_S = 30.0
LOOK_S = 0.05
PACS_PORT = 11_113
# A CT study of seven small images in two series that pydicom installs with its own tests.
REAL_STUDY = Path("data/test_files/dicomdirtests/98892001")
CONFIG = """# Written by `waystation demo` at every start.
[node]
name = "demo"
data = "."

[dicom]
ae_title = "{title}"
host = "127.0.0.1"
port = {dicom}

[web]
host = "127.0.0.1"
port = {web}

[destination.pacs]
kind = "dicom"
ae_title = "PACS"
host = "127.0.0.1"
port = {pacs}

[[rule]]
name = "everything to the simulated PACS"
send = ["pacs"]

[duplicates]
same = "send"    # the same study again at every start
"""


@dataclass(frozen=True, slots=True)
class Steps:
    """How far one image came; "" for a step that it did not reach."""

    image: Image
    received: str
    routed: str
    delivered: str
    missing: str


class Demonstration(Serving):
    """A served node that shows itself once it is ready."""

    def __init__(
        self, path: Path, loaded: Loaded, pacs: SimulatedPacs, pacs_port: int, *, once: bool
    ) -> None:
        super().__init__(path, loaded, "")
        self.exit_code = 0
        self._config_file = path
        self._pacs = pacs
        self._pacs_port = pacs_port
        self._once = once
        self._began = time.time()
        self._results: dict[str, Result] = {}
        self._showing: asyncio.Task[None] | None = None

    def _say_ready(self, url: str) -> None:
        super()._say_ready(url)
        self._showing = asyncio.create_task(self._show(url), name="show")
        self._showing.add_done_callback(self._shown)

    def _shown(self, task: "asyncio.Task[None]") -> None:
        """End when there is nothing more to see, or when showing itself failed."""
        failed = not task.cancelled() and task.exception() is not None
        if failed:
            print(f"the demonstration failed: {task.exception()}")
            self.exit_code = 1
        if self._once or self.exit_code:
            self._ended.set()

    async def _show(self, url: str) -> None:
        print(f"simulated PACS  PACS@127.0.0.1:{self._pacs_port}  (counts, keeps nothing)\n")
        name, images = demo_study()
        print(f"Sending {name}\n")
        began = asyncio.get_running_loop().time()
        await self._send(images)
        steps = await self._follow(images)
        seconds = asyncio.get_running_loop().time() - began
        print(f"{'image':<22}{'received':<16}{'routed':<12}delivered")
        for step in steps:
            print(_row(step))
        arrived = sum(not step.missing for step in steps)
        print(f"\n{arrived} of {len(steps)} images arrived unchanged, {seconds:.2f} s in all.")
        if arrived < len(steps):
            self.exit_code = 1
        elif not self._once:
            print(_next_steps(self.node.dicom_port, self.node.settings, url, self._config_file))

    async def _send(self, images: Sequence[Image]) -> None:
        remote = Remote(
            name="demo",
            ae_title=self.node.settings.dicom.ae_title,
            host="127.0.0.1",
            port=self.node.dicom_port,
            calling_ae="MODALITY",
        )
        await Modality(remote, ledger=Ledger(None), told=self._told).send_study(images)

    def _told(self, result: Result) -> None:
        self._results[result.sop_instance] = result

    async def _follow(self, images: Sequence[Image]) -> list[Steps]:
        """Look until every image has arrived, or patience ends."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        while True:
            rows = await self._deliveries()
            steps = [self._steps(image, rows.get(image.sop_instance)) for image in images]
            hopeless = any(not step.received for step in steps)
            if hopeless or not any(step.missing for step in steps) or loop.time() > deadline:
                return steps
            await asyncio.sleep(LOOK_S)

    async def _deliveries(self) -> dict[str, Listed]:
        """Return this run's deliveries by SOP Instance UID."""
        found: dict[str, Listed] = {}
        after = 0
        while page := await self.node.database.read(
            queue.deliveries(Chosen(destination="pacs", after=after, limit=500))
        ):
            after = page[-1].id
            found |= {row.sop_instance: row for row in page if row.created_at >= self._began}
        return found

    def _steps(self, image: Image, row: Listed | None) -> Steps:
        result = self._results.get(image.sop_instance)
        if result is None or result.ending != "acked":
            why = result.why if result else "not sent"
            return Steps(image, "", "", "", f"not received: {why}")
        received = status_text(result.status or 0)
        if row is None:
            return Steps(image, received, "", "", "not routed: no delivery in the journal")
        if row.state != "done":
            why = row.why or row.reason or "no attempt yet"
            return Steps(image, received, row.destination, "", f"not delivered: {row.state}, {why}")
        if self._pacs.digests.get(image.sop_instance) != image.sha256:
            missing = "not the same: the PACS has other bytes, or none"
            return Steps(image, received, row.destination, "", missing)
        return Steps(image, received, row.destination, "0000, same SHA-256 at the PACS", "")


def _row(step: Steps) -> str:
    name = f"…{step.image.sop_instance[-17:]}"
    return f"{name:<22}{step.received:<16}{step.routed:<12}{step.delivered or step.missing}"


def _next_steps(port: int, settings: Settings, url: str, config_file: Path) -> str:
    title = settings.dicom.ae_title
    lines = [
        "Now try, from another terminal:",
        f"  storescu -aec {title} 127.0.0.1 {port} FILE.dcm",
        f"  .venv/bin/waystation simulate-peer modality {title}@127.0.0.1:{port} --images 20",
        f"  .venv/bin/waystation queue --config {config_file}",
    ]
    if url.startswith("http"):
        lines.append(f"  {url}/ in a browser")
    return "\n".join(["", *lines, "Ctrl-C ends."])


def demo_study() -> tuple[str, list[Image]]:
    """Return a name and the images: a real study if it is installed, else a synthetic one."""
    found = importlib.util.find_spec("pydicom")
    if found is not None and found.origin is not None:
        folder = Path(found.origin).parent / REAL_STUDY
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        if files:
            return f"a CT study of {len(files)} images (pydicom's test files)", [
                _image(file.read_bytes()) for file in files
            ]
    study = Study(seed="demo", number=1, series=1, images=7, size_bytes=64_000)
    return "a synthetic study of 7 images", list(study)


def _image(content: bytes) -> Image:
    meta = read_meta(content)
    return Image(
        sop_class=meta.sop_class_uid,
        sop_instance=meta.sop_instance_uid,
        transfer_syntax=meta.transfer_syntax_uid,
        data=content[meta.data_set_offset :],
    )


def free_or_any(port: int) -> int:
    """Return ``port``, or 0 (any free one) if somebody listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


async def demonstrate(folder: Path, base: Settings, *, once: bool) -> int:
    """Run the demonstration until it is told to end; return the exit code."""
    # A demonstration that runs here already must not find its configuration changed.
    DataLock(folder).release()
    pacs = SimulatedPacs(PacsSettings(ae_title="PACS"))
    pacs_port = await pacs.start("127.0.0.1", free_or_any(PACS_PORT))
    config_file = folder / "waystation.toml"
    config_file.write_text(
        CONFIG.format(
            title=base.dicom.ae_title,
            dicom=free_or_any(base.dicom.port),
            web=free_or_any(base.web.port),
            pacs=pacs_port,
        )
    )
    loaded = load(config_file, os.environ)
    logs.set_up("warning", loaded.settings.log.format)
    shown = Demonstration(config_file, loaded, pacs, pacs_port, once=once)
    try:
        await shown.run()
    finally:
        await pacs.stop()
    return shown.exit_code


def demo(folder: Path, base: Settings, *, once: bool) -> int:
    """Run the demonstration in an event loop of its own."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return asyncio.run(demonstrate(folder, base, once=once))
