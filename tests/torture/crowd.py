"""Sinks and sources in one background event loop: the world around the node under test.

Contract: everything that was attempted, acknowledged and delivered goes into one `Books`.  A
source sends synthetic studies and retries nothing by itself; a sink acknowledges by script.
"""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from tests.torture.books import Books
from waystation.app.simulated_modality import Ledger, Modality, Result
from waystation.app.simulated_pacs import PacsSettings, Script, SimulatedPacs, _Incoming
from waystation.app.synthetic import Image, Study
from waystation.model.peer import Remote
from waystation.net.client import Waits

T = TypeVar("T")
HOST = "127.0.0.1"
PAUSE_S = 0.3  # between two studies of a source
SMALL, LARGE = 12_000, 300_000
QUICK = Waits(connect_s=3.0, associate_s=10.0, response_s=15.0, release_s=2.0)


class Sink(SimulatedPacs):
    """A PACS that enters what it acknowledges into the books."""

    def __init__(self, name: str, books: Books, script: Script) -> None:
        super().__init__(PacsSettings(script=script))
        self.name = name
        self.port = 0
        self._books = books
        books.delivered.setdefault(name, Counter())

    def kept(self, incoming: _Incoming, calling_ae: str) -> None:
        super().kept(incoming, calling_ae)
        digest = incoming.digest.hexdigest()
        self._books.arrive(self.name, (incoming.command.sop_instance_uid, digest))

    def follow(self, script: Script) -> None:
        """Behave differently from the next association on."""
        self.settings = PacsSettings(script=script)


class BooksLedger(Ledger):
    """A ledger that writes into the books."""

    def __init__(self, books: Books) -> None:
        super().__init__(None)
        self._books = books

    def attempted(self, image: Image, sha256: str) -> None:
        self._books.attempt((image.sop_instance, sha256))

    def ended(self, result: Result) -> None:
        word = result.ending if result.status is None else f"{result.status:04X}"
        self._books.statuses[word] += 1
        if result.ending == "acked":
            self._books.promise((result.sop_instance, result.sha256))


class Crowd:
    """The loop, in a thread of its own."""

    def __init__(self) -> None:
        self.books = Books()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._sinks: list[Sink] = []

    def do(self, coroutine: Coroutine[Any, Any, T], within_s: float = 120.0) -> T:
        """Run a coroutine in the crowd's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(within_s)

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> "asyncio.Future[T]":
        """Start a coroutine; await its end with ``.result(seconds)``."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)  # type: ignore[return-value]

    def sink(self, name: str, script: Script = Script(), port: int = 0) -> Sink:  # noqa: B008
        """Open a sink; a second one of the same name goes on in the same books."""
        sink = Sink(name, self.books, script)
        sink.port = self.do(sink.start(HOST, port))
        self._sinks.append(sink)
        return sink

    def shut(self, sink: Sink) -> None:
        """Close a sink's port and associations."""
        self.do(sink.stop())
        self._sinks.remove(sink)

    def close(self) -> None:
        for sink in list(self._sinks):
            self.shut(sink)
        self.do(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @staticmethod
    async def _cancel_all() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def modality(self, port: int, calling_ae: str = "MODALITY") -> Modality:
        remote = Remote(
            name="node", ae_title="WAYSTATION", host=HOST, port=port, calling_ae=calling_ae
        )
        return Modality(remote, ledger=BooksLedger(self.books), waits=QUICK)

    async def send(self, port: int, study: Iterable[Image]) -> Counter[str]:
        """Send one study once; return how its images ended."""
        modality = self.modality(port)
        await modality.send_study(study)
        return modality.endings

    async def keep_sending(
        self, port: Callable[[], int], seed: str, *, until: threading.Event
    ) -> None:
        """Send study after study; a study that broke off is sent again every second time."""
        chance = random.Random(seed)
        number = 0
        while not until.is_set():
            number += 1
            study = some_study(f"{seed}/{number}", chance)
            while not until.is_set():
                endings = await self.send(port(), study)
                broken = endings["lost"] + endings["unreachable"]
                await asyncio.sleep(0.05 if broken else PAUSE_S)
                if not broken or chance.random() < 0.5:
                    break


def some_study(seed: str, chance: random.Random) -> Study:
    """Return a study of small images, or now and then of larger ones."""
    large = chance.random() < 0.3
    return Study(
        seed=seed,
        number=1,
        series=1,
        images=chance.randint(1, 4) if large else chance.randint(3, 20),
        size_bytes=LARGE if large else SMALL,
    )
