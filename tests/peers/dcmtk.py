"""DCMTK's programs: storescp as destination, storescu, dcmsend and echoscu as senders.

Always the system's own: pynetdicom puts programs of the same names into a virtual environment.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.objects.files import Stored, read_stored, stored_digests
from tests.peers.program import HOST, Program, free_port, need

STORESCP = "/usr/bin/storescp"
STORESCU = "/usr/bin/storescu"
DCMSEND = "/usr/bin/dcmsend"
ECHOSCU = "/usr/bin/echoscu"
TUNED = {"TCP_NODELAY": "1"}


class StoreScp(Program):
    """A storescp that keeps what it gets in ``folder/received``.

    options: further arguments, such as ``--sleep-during 2`` or ``--refuse``.  Received data
    sets are written exactly as read (``+B``) unless ``exact`` is off.
    """

    def __init__(
        self,
        folder: Path,
        *,
        options: Sequence[str] = (),
        ae_title: str = "STORESCP",
        port: int = 0,
        exact: bool = True,
        fork: bool = True,
        tuned: bool = True,
        wait: bool = True,
    ) -> None:
        self.ae_title = ae_title
        self.port = port or free_port()
        self.received = folder / "received"
        self.received.mkdir(parents=True, exist_ok=True)
        style = (["+B"] if exact else []) + (["--fork"] if fork else [])
        command = [need(STORESCP), "-aet", ae_title, "-od", str(self.received), "-dhl", "-pm"]
        super().__init__(
            [*command, *style, *options, str(self.port)],
            folder,
            environment=TUNED if tuned else {},
        )
        if wait:
            self.wait_for_port(self.port)

    def files(self) -> list[Path]:
        return [file for file in self.received.iterdir() if file.is_file()]

    def count(self) -> int:
        """Return the number of files it has begun; cheap enough to ask often."""
        return sum(1 for _ in os.scandir(self.received))

    def stored(self) -> list[Stored]:
        return [read_stored(file.read_bytes()) for file in self.files()]

    def digests(self) -> dict[str, str]:
        """Return SOP Instance UID → SHA-256 of the data set; empty while a file is begun only."""
        try:
            return stored_digests(self.received)
        except ValueError:
            return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How a sender ended."""

    exit_code: int
    text: str


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, timeout_s: float = 300.0
) -> Sent:
    """Run one program to its end and return what it said."""
    done = subprocess.run(
        list(command),
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_s,
        check=False,
    )
    return Sent(exit_code=done.returncode, text=done.stdout.decode(errors="replace"))


def titles(called: str, calling: str) -> list[str]:
    return ["-aec", called, "-aet", calling]


def paths(what: Sequence[Path]) -> list[str]:
    return [str(path) for path in what]


def storescu(
    port: int,
    *what: Path,
    called: str = "WAYSTATION",
    calling: str = "STORESCU",
    options: Sequence[str] = (),
    tuned: bool = True,
    timeout_s: float = 300.0,
) -> Sent:
    """Send files and folders (searched) over one association; halts at the first failure."""
    command = [need(STORESCU), *titles(called, calling), "+sd", "+r", *options, HOST, str(port)]
    return run([*command, *paths(what)], TUNED if tuned else {}, timeout_s)


def dcmsend(
    port: int,
    *what: Path,
    called: str = "WAYSTATION",
    calling: str = "DCMSEND",
    options: Sequence[str] = (),
    timeout_s: float = 300.0,
) -> Sent:
    """Send files and folders as they are: dcmsend proposes each file's own syntax."""
    command = [need(DCMSEND), *titles(called, calling), "+sd", "+r", *options, HOST, str(port)]
    return run([*command, *paths(what)], TUNED, timeout_s)


def echoscu(
    port: int,
    *,
    called: str = "WAYSTATION",
    calling: str = "ECHOSCU",
    options: Sequence[str] = (),
    timeout_s: float = 30.0,
) -> Sent:
    """Send one C-ECHO, verbosely: rejections can be read in ``text``."""
    command = [need(ECHOSCU), "-v", *titles(called, calling), *options, HOST, str(port)]
    return run(command, TUNED, timeout_s)
