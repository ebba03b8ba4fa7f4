"""One node under test with its sinks and its books; killed, started, drained and judged."""

import os
import signal
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.peers.node import READY, Node, destination, rule_to
from tests.peers.program import WAYSTATION, PeerFailed, Program, wait_until
from tests.torture import journal
from tests.torture.books import Row, Thing, judge
from tests.torture.crowd import Crowd, Sink
from waystation.app.simulated_pacs import Script
from waystation.app.synthetic import Image, Study

QUICK = 'retry = { first = "200ms", cap = "1s", lifetime = "1h", tries = 3, object = ["200ms"] }'
PARALLEL = 2
Excused = Collection[Thing] | Mapping[str, Collection[Thing]]
QUIET_LOG = '\n[log]\nlevel = "warning"\n'


class FaultNode(Node):
    """A node that may be started under another program, or as one that breaks its promises.

    prefix: words before the command (strace, prlimit).  broken: a name in `tests.torture.broken`.
    """

    def __init__(self, folder: Path, config: str) -> None:
        super().__init__(folder, config, start=False)
        self.prefix: list[str] = []
        self.broken = ""
        self._ready_before = 0

    @property
    def pid(self) -> int:
        """The node's own id, also under another program."""
        return self._node_pid or self.program.pid

    _node_pid = 0

    def begin(self) -> None:
        """Start the process without waiting for it."""
        if not WAYSTATION.exists():
            raise PeerFailed(f"{WAYSTATION} is not installed")
        self._ready_before = len(READY.findall(self.program.log)) if self._program else 0
        self._node_pid = 0
        command = [str(WAYSTATION)]
        if self.broken:
            command = [sys.executable, "-m", "tests.torture.broken", self.broken]
        self._program = Program(
            [*self.prefix, *command, "serve", "--config", str(self.config_file)],
            self.folder,
            environment={"PYTHONPATH": str(Path(__file__).parents[2])},
            name="waystation",
        )

    def await_ready(self, *, within_s: float = 30.0) -> None:
        """Return once the ready line is there; raise `PeerFailed` if the process ends."""
        program = self.program

        def ready() -> bool:
            if len(READY.findall(program.log)) > self._ready_before:
                return True
            if program.exit_code is not None:
                raise PeerFailed(f"serve ended with {program.exit_code}:\n{program.log[-3000:]}")
            return False

        wait_until(ready, f"the ready line of {self.folder}", within_s=within_s)
        *_, line = READY.finditer(program.log)
        self.port = int(line["port"])
        self._node_pid = int(line["pid"])

    def start(self, *, within_s: float = 30.0) -> None:
        began = time.monotonic()
        self.begin()
        self.await_ready(within_s=within_s)
        self.ready_s = time.monotonic() - began

    def kill(self) -> None:
        if self._node_pid and self.program.exit_code is None:
            os.kill(self._node_pid, signal.SIGKILL)
            self.program.wait()
        else:
            self.program.kill()

    def stop(self, *, within_s: float = 20.0) -> int:
        if self._node_pid and self.program.exit_code is None:
            os.kill(self._node_pid, signal.SIGTERM)
            return self.program.wait(within_s=within_s)
        return super().stop(within_s=within_s)

    @property
    def alive(self) -> bool:
        return self._program is not None and self._program.exit_code is None


class Rig:
    """A node that sends everything to every sink.

    scripts: sink name → behaviour.  lanes: sink name → further lines of its destination table.
    ports: where the node finds each sink; a proxy may stand there.
    """

    def __init__(
        self,
        folder: Path,
        *,
        scripts: Mapping[str, Script] | None = None,
        lanes: Mapping[str, str] | None = None,
        extra: str = "",
        start: bool = True,
    ) -> None:
        self.crowd = Crowd()
        self.books = self.crowd.books
        self.sinks: dict[str, Sink] = {
            name: self.crowd.sink(name, script)
            for name, script in (scripts or {"sink": Script()}).items()
        }
        self.ports = {name: sink.port for name, sink in self.sinks.items()}
        self.node = FaultNode(folder, "")
        self.configure(lanes or {}, extra)
        self.kills = 0
        self.slowest_s = 0.0
        if start:
            self.start()

    def configure(self, lanes: Mapping[str, str] | None = None, extra: str = "") -> None:
        """Write the node's configuration; it counts from its next start."""
        text = "".join(
            destination(
                name,
                port,
                ae_title="SINK",
                retry=QUICK,
                extra=f"parallel = {PARALLEL}\n{(lanes or {}).get(name, '')}",
            )
            for name, port in self.ports.items()
        )
        self.node.write_config(text + rule_to(*self.sinks) + QUIET_LOG + extra)

    @property
    def data(self) -> Path:
        return self.node.data

    @property
    def port(self) -> int:
        return self.node.port

    def start(self) -> None:
        self.node.start()
        self.slowest_s = max(self.slowest_s, self.node.ready_s)

    def kill(self) -> None:
        self.kills += 1
        self.node.kill()

    def send(self, study: Study | Sequence[Image]) -> dict[str, int]:
        """Send one study from one source."""
        return dict(self.crowd.do(self.crowd.send(self.port, study)))

    def drain(self, *, within_s: float = 60.0, excused: Excused = ()) -> bool:
        """Wait until everything acknowledged has arrived everywhere and nothing is open.

        within_s: how long nothing at all may arrive before this gives up.
        """
        came = -1
        limit = time.monotonic()
        while True:
            now = sum(counter.total() for counter in self.books.delivered.values())
            if now != came:
                came, limit = now, time.monotonic() + within_s
            missing = any(self.books.missing(s, self._excused(excused, s)) for s in self.sinks)
            if not missing and journal.open_rows(self.data) == 0:
                return True
            if time.monotonic() > limit:
                return False
            time.sleep(0.05)

    def judge(
        self,
        name: str,
        *,
        runs: int = 1,
        allowed_repeats: int | None = None,
        excused: Excused = (),
        drain_s: float = 30.0,
    ) -> Row:
        """Drain, stop the node, and judge; allowed_repeats: default is S-7's for the kills.

        excused: what no sink has to get, or sink → what it has not to get.
        """
        if not self.node.alive:
            self.start()
        self.drain(within_s=drain_s, excused=excused)
        code = self.node.stop()
        allowed = self.kills * PARALLEL * len(self.sinks)
        row = judge(
            name,
            self.books,
            journal.examine(self.data),
            allowed_repeats=allowed if allowed_repeats is None else allowed_repeats,
            excused={sink: self._excused(excused, sink) for sink in self.sinks},
            runs=runs,
        )
        if code != 0:
            row.faults.append(f"SIGTERM ended with {code}")
        row.notes.append(f"slowest start {self.slowest_s:.1f} s")
        return row

    @staticmethod
    def _excused(excused: Excused, sink: str) -> Collection[Thing]:
        return excused.get(sink, ()) if isinstance(excused, Mapping) else excused

    def close(self) -> None:
        if self.node.alive:
            self.node.kill()
        self.crowd.close()

    def __enter__(self) -> "Rig":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
