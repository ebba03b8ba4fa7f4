"""All PACS behind the broker, by name; those that are down are looked for (W-129).

Contract: `change` puts new terms in force: a PACS whose terms did not change keeps its
associations and what is known of it.  `run` probes each PACS once, and one that is down or turns
us away again and again, until it answers.
"""

import asyncio
from collections.abc import Iterator, Mapping

import structlog

from waystation.flows.upstream import Upstream
from waystation.model.upstream import UpstreamFailed, UpstreamTerms

log = structlog.get_logger()
# Pauses between two looks at a PACS that is down, seconds; the last one repeats.
LOOKS_S = (2.0, 5.0, 10.0, 30.0)


class Upstreams:
    """The PACS of a node."""

    def __init__(self, terms: Mapping[str, UpstreamTerms]) -> None:
        self._all: dict[str, Upstream] = {}
        self._wake = asyncio.Event()
        self._looked: dict[str, int] = {}
        self._closing: list[Upstream] = []
        self.change(terms)

    def __iter__(self) -> Iterator[Upstream]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def get(self, name: str) -> Upstream | None:
        """Return a PACS by its name."""
        return self._all.get(name)

    @property
    def federated(self) -> list[Upstream]:
        """Those that the plain root asks, in the order of preference."""
        found = [one for one in self if one.terms.federate]
        return sorted(found, key=lambda one: (one.terms.priority, one.name))

    def change(self, terms: Mapping[str, UpstreamTerms]) -> None:
        """Put terms in force."""
        before, self._all = self._all, {}
        for name, one in terms.items():
            known = before.pop(name, None)
            if known is not None and known.terms == one:
                self._all[name] = known
                continue
            if known is not None:
                self._closing.append(known)
            self._all[name] = Upstream(one, self._wake.set)
        self._closing += before.values()
        self._looked = {name: n for name, n in self._looked.items() if name in self._all}
        self._wake.set()

    async def run(self) -> None:
        """Look at those that are new or down, until cancelled."""
        while True:
            self._wake.clear()
            for one in self._closing:
                await one.close()
            self._closing.clear()
            await asyncio.gather(*(self._look(one) for one in self if self._is_due(one)))
            fewest = min(self._looked.values(), default=0)
            pause = LOOKS_S[min(fewest, len(LOOKS_S)) - 1] if fewest else None
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _is_due(self, one: Upstream) -> bool:
        return one.abilities is None or one.down is not None or one.name in self._looked

    async def _look(self, one: Upstream) -> None:
        try:
            await one.probe()
        except UpstreamFailed as error:
            self._looked[one.name] = self._looked.get(one.name, 0) + 1
            log.info("pacs not reached", pacs=one.name, why=error.text)
        else:
            self._looked.pop(one.name, None)

    async def close(self) -> None:
        """End what is open."""
        for one in (*self._all.values(), *self._closing):
            await one.close()
