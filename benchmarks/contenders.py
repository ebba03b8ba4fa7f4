"""Who takes part: receivers and routers behind one small interface.

Contract: each is started in a fresh folder on loopback, with TCP_NODELAY for DCMTK's network
code when ``tuned``.  ``count`` is what it keeps, as it tells (or its folder or index shows).
Our node runs as shipped: every sync on.
"""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Protocol

from benchmarks.figures import OURS
from tests.peers.dcmtk import TUNED, StoreScp
from tests.peers.node import Node, destination, rule_to
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.program import HOST, WAYSTATION, Program, free_port


class Receiver(Protocol):
    """A running contender."""

    @property
    def port(self) -> int: ...

    @property
    def ae_title(self) -> str: ...

    def count(self) -> int: ...

    def peak_kib(self) -> int: ...

    def close(self) -> None: ...


class PynetdicomStoreScp(Program):
    """pynetdicom's own ``storescp`` application, as its users start it."""

    ae_title = "STORESCP"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.received = folder / "received"
        self.received.mkdir(parents=True)
        command = [sys.executable, "-m", "pynetdicom", "storescp", str(self.port)]
        super().__init__(
            [*command, "-od", str(self.received), "-aet", self.ae_title],
            folder,
            name="pynetdicom",
        )
        self.wait_for_port(self.port)

    def count(self) -> int:
        return len(os.listdir(self.received))


class ExecRouter(Program):
    """``storescp`` that starts one ``storescu`` for each object: what many sites have."""

    ae_title = "ROUTER"

    def __init__(self, folder: Path, sink: StoreScp) -> None:
        self.port = free_port()
        spool = folder / "spool"
        spool.mkdir(parents=True)
        forward = f"/usr/bin/storescu -aec {sink.ae_title} {HOST} {sink.port} #p/#f"
        command = ["/usr/bin/storescp", "-dhl", "--fork", "-od", str(spool)]
        super().__init__(
            [*command, "-aet", self.ae_title, "-xcr", forward, str(self.port)],
            folder,
            environment=TUNED,
        )
        self.wait_for_port(self.port)
        self.spool = spool

    def count(self) -> int:
        return len(os.listdir(self.spool))


class OurNode:
    """Our node.  ``config``: further tables; without any, arrivals are kept and held."""

    ae_title = "WAYSTATION"

    def __init__(
        self, folder: Path, config: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        config = config or '[routing]\notherwise = "hold"\n' + NEVER
        self.node = Node(folder, config, environment=environment)
        self.port = self.node.port

    def count(self) -> int:
        """Return the arrivals that are committed in its journal."""
        return count_arrivals(self.node.data)

    def peak_kib(self) -> int:
        return self.node.program.peak_kib()

    def close(self) -> None:
        self.node.close()


NEVER = """
[destination.nowhere]
kind = "dicom"
host = "127.0.0.1"
port = 1
ae_title = "NOWHERE"
window = "never"

[[rule]]
name = "never"
when = { Modality = "NEVER" }
send = ["nowhere"]
"""


def database_in(data: Path) -> Path:
    """Return the SQLite file of a data folder."""
    for file in sorted(data.rglob("*")):
        if file.is_file() and file.open("rb").read(15) == b"SQLite format 3":
            return file
    raise FileNotFoundError(f"no SQLite database under {data}")


def count_arrivals(data: Path) -> int:
    address = f"file:{database_in(data)}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as database:
        found: int = database.execute("SELECT count(*) FROM arrival").fetchone()[0]
        return found


def receivers(*, tuned: bool, many: bool, ours: bool) -> dict[str, Callable[[Path], Receiver]]:
    """Return how to start each receiver; ``many``: several senders at once."""
    made: dict[str, Callable[[Path], Receiver]] = {
        "dcmtk": lambda folder: StoreScp(folder, exact=False, fork=many, tuned=tuned),
        "dcmtk-bit-preserving": lambda folder: StoreScp(folder, fork=many, tuned=tuned),
        "orthanc": lambda folder: Orthanc(folder, tuned=tuned),
        "pynetdicom": PynetdicomStoreScp,
    }
    return {OURS: OurNode, **made} if ours else made


def routers(sink: StoreScp, *, ours: bool) -> dict[str, Callable[[Path], Receiver]]:
    """Return how to start each router that forwards everything to ``sink``."""
    to_sink = destination("sink", sink.port, ae_title=sink.ae_title) + rule_to("sink")
    modality = Modality(name="sink", ae_title=sink.ae_title, port=sink.port)
    made: dict[str, Callable[[Path], Receiver]] = {
        "orthanc-lua": lambda folder: Orthanc(folder, modalities=[modality], route_to="sink"),
        "storescp-exec": lambda folder: ExecRouter(folder, sink),
    }
    if ours:
        return {OURS: lambda folder: OurNode(folder, to_sink), **made}
    return made


def fresh(folder: Path) -> Path:
    """Empty ``folder`` and let the disk come to rest: nobody pays for another's writes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.sync()
    return folder


def ours_is_installed() -> bool:
    return WAYSTATION.exists()
