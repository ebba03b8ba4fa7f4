"""Our own node as a child process, spoken to only through what the contract promises.

The configuration is a text that the test writes; `Node` adds nothing to it but the file and its
data folder.  ``ready dicom=HOST:PORT web=URL data=PATH pid=N`` tells where it listens.
"""

import contextlib
import json
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.peers.program import WAYSTATION, PeerFailed, Program, command, wait_until
from waystation.db.migrate import migrate

READY = re.compile(
    r"^ready dicom=(?P<host>[\d.]+|\[[^]]+\]|[\w.-]+):(?P<port>\d+)"
    r"(?: web=(?P<web>\S+))?(?: data=(?P<data>.+?))?(?: pid=(?P<pid>\d+))?$",
    re.MULTILINE,
)

BASE = """
[node]
name = "test"
data = "{data}"

[web]
host = "127.0.0.1"
port = 0

[dicom]
ae_title = "WAYSTATION"
host = "127.0.0.1"
port = {port}
"""
QUICK_RETRY = """
retry = { first = "200ms", cap = "1s", lifetime = "1h", tries = 3, object = ["200ms"] }
"""


def destination(
    name: str, port: int, *, ae_title: str, extra: str = "", retry: str = QUICK_RETRY
) -> str:
    """Return the table of one DICOM destination on loopback."""
    return (
        f'\n[destination.{name}]\nkind = "dicom"\nhost = "127.0.0.1"\nport = {port}\n'
        f'ae_title = "{ae_title}"\n{retry}\n{extra}\n'
    )


def rule_to(*names: str, when: str = "") -> str:
    """Return one rule that sends everything (or what ``when`` says) to ``names``."""
    condition = f"when = {when}\n" if when else ""
    listed = ", ".join(f'"{name}"' for name in names)
    return f'\n[[rule]]\nname = "to {" and ".join(names)}"\n{condition}send = [{listed}]\n'


def keeps_books(file: Path) -> bool:
    """Return whether ``file`` belongs to database or log, or tells of the running node."""
    if file.parent.name == "intake":
        return True
    return file.name in ("lock", "node.json", "audit.key", "api.key") or file.suffix.startswith(
        ".db"
    )


@cache
def _empty_journal() -> bytes:
    """Return an empty journal: making one takes half a second of every first start."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        migrate(path)
        return path.read_bytes()


class Node:
    """A node with its own folder, configuration file and data; may be killed and started again.

    dicom: further lines of the ``[dicom]`` table.  config: all other tables.
    from_nothing: begin without even an empty journal, as on the first day.
    """

    def __init__(
        self,
        folder: Path,
        config: str,
        *,
        dicom: str = "",
        environment: Mapping[str, str] | None = None,
        start: bool = True,
        from_nothing: bool = False,
    ) -> None:
        self._with_journal = not from_nothing
        self.folder = folder
        self.data = folder / "data"
        self.config_file = folder / "waystation.toml"
        self.port = 0
        self.web = ""
        self.ready_s = 0.0
        self._dicom = dicom
        self._environment = dict(environment or {})
        self._program: Program | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.write_config(config)
        if start:
            self.start()

    def write_config(self, config: str) -> None:
        """Replace what follows the node's own tables; a port once taken is kept."""
        own = BASE.format(data=self.data, port=self.port)
        self.config_file.write_text(f"{own}{self._dicom}\n{config}")

    @property
    def program(self) -> Program:
        if self._program is None:
            raise PeerFailed("the node was never started")
        return self._program

    @property
    def pid(self) -> int:
        return self.program.pid

    @property
    def log(self) -> str:
        return self.program.log

    def start(self, *, within_s: float = 30.0) -> None:
        """Start it and return once it printed its ready line; ``ready_s`` is the time it took."""
        if not WAYSTATION.exists():
            raise PeerFailed(f"{WAYSTATION} is not installed")
        if self._with_journal and not self.data.exists():
            self.data.mkdir(mode=0o700)
            (self.data / "journal.db").write_bytes(_empty_journal())
        before = len(READY.findall(self._program.log)) if self._program else 0
        began = time.monotonic()
        self._program = program = Program(
            [str(WAYSTATION), "serve", "--config", str(self.config_file)],
            self.folder,
            environment=self._environment,
            name="waystation",
        )

        def ready() -> bool:
            if len(READY.findall(program.log)) > before:
                return True
            if program.exit_code is not None:
                raise PeerFailed(f"serve ended with {program.exit_code}:\n{program.log[-3000:]}")
            return False

        wait_until(ready, f"the ready line of {self.folder}", within_s=within_s)
        self.ready_s = time.monotonic() - began
        *_, line = READY.finditer(program.log)
        self.port = int(line["port"])
        self.web = line["web"] or ""

    def stop(self, *, within_s: float = 15.0) -> int:
        """Send SIGTERM and return the exit code."""
        self.program.signal(signal.SIGTERM)
        return self.program.wait(within_s=within_s)

    def kill(self) -> None:
        """Send SIGKILL: the crash that every promise has to survive."""
        self.program.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        if self._program is not None:
            self._program.close()

    def __enter__(self) -> "Node":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one other command of the product on the same configuration."""
        return command([*words, "--config", str(self.config_file)], self.folder)

    def deliveries(self) -> list[dict[str, Any]]:
        """Return the deliveries as ``waystation queue list --json`` prints them."""
        done = self.command("queue", "list", "--deliveries", "--json")
        if done.returncode != 0:
            raise PeerFailed(f"queue list ended with {done.returncode}: {done.stderr}")
        rows: list[dict[str, Any]] = json.loads(done.stdout)["deliveries"]
        return rows

    def states(self, to: str = "") -> dict[str, int]:
        """Return how many deliveries (to one destination) are in each state."""
        return dict(
            Counter(row["state"] for row in self.deliveries() if to in ("", row["destination"]))
        )

    def wait_for(self, states: dict[str, int], *, to: str = "", within_s: float = 20.0) -> None:
        """Return once the deliveries are in exactly these states."""
        limit = time.monotonic() + within_s
        while (found := self.states(to)) != states:
            if time.monotonic() > limit:
                raise PeerFailed(f"wanted {states}, found {found}; log:\n{self.log[-4000:]}")
            time.sleep(0.2)

    def blob_bytes(self) -> int:
        """Return the size of all files under the data folder, the books excepted."""
        sizes = 0
        for file in self.data.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                if file.is_file() and not keeps_books(file):
                    sizes += file.stat().st_size
        return sizes
