"""A node in this process, with scripted receivers and senders of our own around it.

Contract: `start` begins a life of the node on the same folder, `stop` ends it in order.  `rows`
reads its tables.  Short pauses everywhere, so that a retry takes a fraction of a second.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.net.sink import Sink, call_to, store, until_async
from tests.objects.files import Stored
from tests.objects.samples import sample
from waystation.app.annex import Annex
from waystation.app.node import Node
from waystation.app.read import load_text
from waystation.app.settings import Settings
from waystation.db.statement import Row, Transaction
from waystation.model.peer import Remote
from waystation.net.client import Call
from waystation.wire.commands import Command

BASE = """
[node]
data = "{data}"
[web]
enabled = false
[dicom]
port = 0
{dicom}
[spool]
min_free = "1KiB"
max_used = "100 %"
keep = "{keep}"
"""
RETRY = '{ first = "50ms", cap = "100ms", lifetime = "1h", tries = 3, object = ["50ms"] }'
TO_A = '[[rule]]\nname = "all"\nsend = ["a"]\n'


def destination(name: str, port: int, extra: str = "", retry: str = RETRY) -> str:
    """Return the table of one DICOM destination on loopback."""
    return (
        f'[destination.{name}]\nkind = "dicom"\nhost = "127.0.0.1"\nport = {port}\n'
        f'ae_title = "SINK"\nlinger = "300ms"\nretry = {retry}\n'
        'timeouts = { connect = "1s", associate = "1s", response = "500ms", release = "200ms" }\n'
        f"{extra}\n"
    )


def rule(*names: str, when: str = "") -> str:
    condition = f"when = {when}\n" if when else ""
    listed = ", ".join(f'"{name}"' for name in names)
    return f'[[rule]]\nname = "to {" ".join(names)}"\n{condition}send = [{listed}]\n'


def changed(stored: Stored) -> Stored:
    """Return the same instance with other pixels."""
    data_set = stored.data_set[:-2] + bytes(2)
    assert data_set != stored.data_set
    return Stored(
        sop_class=stored.sop_class,
        sop_instance=stored.sop_instance,
        transfer_syntax=stored.transfer_syntax,
        data_set=data_set,
    )


TINY = sample("tiny")
BIG = sample("small", seed="b")
CT = sample("ct", seed="c")


class Rig:
    """A folder, the node that works on it, and the sinks around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.node: Node
        self.running = False
        self.makers: tuple[Callable[[Node], Annex], ...] = ()
        self._config = ""
        self._sinks: list[Sink] = []

    async def sink(self, made: Sink | None = None) -> Sink:
        """Start a receiver; its node's other end."""
        one = made or Sink()
        await one.start()
        self._sinks.append(one)
        return one

    async def drop(self, sink: Sink) -> None:
        """End a receiver: its port refuses from now on."""
        self._sinks.remove(sink)
        await sink.stop()

    def settings(self, config: str, dicom: str = "", keep: str = "24h") -> Settings:
        text = BASE.format(data=self.data, dicom=dicom, keep=keep) + config
        return load_text(text, self.folder / "waystation.toml", os.environ).settings

    async def start(self, config: str | None = None, *, dicom: str = "", keep: str = "24h") -> None:
        self._config = self._config if config is None else config
        self.node = Node(self.settings(self._config, dicom, keep), "", self.makers)
        await self.node.start()
        self.running = True

    async def stop(self) -> None:
        if self.running:
            self.running = False
            await self.node.stop()

    async def restart(self, config: str | None = None) -> None:
        await self.stop()
        await self.start(config)

    async def close(self) -> None:
        await self.stop()
        for sink in list(self._sinks):
            await self.drop(sink)

    # senders

    def remote(self, calling_ae: str = "CT1") -> Remote:
        return Remote(
            name="node",
            ae_title="WAYSTATION",
            host="127.0.0.1",
            port=self.node.dicom_port,
            calling_ae=calling_ae,
        )

    async def call(self, *stored: Stored, calling_ae: str = "CT1") -> Call:
        return await call_to(self.remote(calling_ae), stored)

    async def send(self, *stored: Stored, calling_ae: str = "CT1") -> list[Command]:
        """Send objects over one association; return the responses."""
        call = await self.call(*stored, calling_ae=calling_ae)
        answers = [await store(call, one) for one in stored]
        await call.release()
        return answers

    async def accepted(self, *stored: Stored, calling_ae: str = "CT1") -> None:
        """Send objects and insist on Success."""
        answers = await self.send(*stored, calling_ae=calling_ae)
        assert [answer.status for answer in answers] == [0] * len(stored)
        await self.node.router.settled()

    async def refused(self, stored: Stored) -> tuple[int, str]:
        """Send one object; return status and comment of the answer."""
        (answer,) = await self.send(stored)
        assert len(answer.error_comment) <= 64
        return answer.status, answer.error_comment

    # what the node knows

    async def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> Sequence[Row]:
        def job(transaction: Transaction) -> Sequence[Row]:
            return transaction.rows(sql, params)

        return await self.node.database.read(job)

    async def states(self, to: str = "") -> dict[str, int]:
        """Return how many deliveries are in each state; held ones as ``held:reason``."""
        found = await self.rows(
            "SELECT state, hold_reason FROM delivery WHERE :to IN ('', destination)", {"to": to}
        )
        return dict(
            Counter(state if reason is None else f"{state}:{reason}" for state, reason in found)
        )

    async def wait_for(self, states: dict[str, int], to: str = "", within_s: float = 30.0) -> None:
        async def reached() -> bool:
            return await self.states(to) == states

        try:
            await until_async(reached, within_s)
        except AssertionError:
            raise AssertionError(f"wanted {states}, found {await self.states(to)}") from None

    async def arrivals(self) -> list[tuple[str | None, str | None]]:
        """Return (hold reason, why it ended without delivery) of every arrival, oldest first."""
        found = await self.rows("SELECT hold_reason, ended_why FROM arrival ORDER BY id")
        return [(row[0], row[1]) for row in found]

    async def counter(self, name: str) -> int:
        found = await self.rows("SELECT v FROM counter WHERE k = :k", {"k": name})
        return int(found[0][0]) if found else 0

    def blobs(self, folder: str = "blobs") -> list[Path]:
        """Return the files with content below a folder of the data folder."""
        return [
            file
            for file in (self.data / folder).rglob("*")
            if file.is_file() and file.stat().st_size
        ]
