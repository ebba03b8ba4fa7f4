"""The broker's retrievals and cache, hung onto the node (`Annex`): W-104 to W-125.

Contract: `broker` is what everything that wants objects of a PACS goes through.  Names of hosts are
resolved here, now and then, and never while an object waits: where objects of a PACS may come from
is known by addresses (`senders`).
"""

import asyncio
import ipaddress
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

import structlog

from waystation.app import cache_folder
from waystation.app.node import Node
from waystation.app.settings import Settings
from waystation.app.upstreaming import Upstreaming
from waystation.app.wiring_cache import broker_terms, cache_limits
from waystation.dicom.head import Head
from waystation.flows.adopting import Caching
from waystation.flows.broker import Broker
from waystation.flows.cache import Cache
from waystation.flows.desk import Services
from waystation.flows.fetch_making import BrokerParts
from waystation.flows.fetch_place import place_of
from waystation.index.cache_book import shelver
from waystation.model.upstream import UpstreamTerms
from waystation.net.gate import Gate

log = structlog.get_logger()
# How often the names of hosts are looked up again, and how long that may take, seconds.
LOOK_UP_S = 300.0
PATIENCE_S = 2.0
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ANYWHERE = ("0.0.0.0/0", "::/0")


class Brokerage:
    """An annex."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._networks: dict[str, tuple[Network, ...]] = {}
        self.cache = Cache(
            cache_limits(node.settings),
            node.database,
            node.blobs,
            node.disk,
            lambda: node.clock(),
        )
        self.broker = Broker(
            broker_terms(node.settings),
            BrokerParts(
                upstream=lambda name: self._upstreaming.upstreams.get(name),
                sends=self._sends,
                database=node.database,
                cache=self.cache,
                claims=node.claims,
                keeping=node.keeping,
                full=lambda: node.sweep.stopped_why,
                clock=lambda: node.clock(),
                next_id=node.ids.next,
                listens=lambda: f"port {node.dicom_port}",
            ),
        )
        node.router.caching = Caching(
            ruled=self._ruled,
            place=_place,
            shelve=shelver(node.ids.next),
            filed=self.broker.filed,
        )

    @property
    def _upstreaming(self) -> Upstreaming:
        return self._node.annexes.of(Upstreaming)

    @property
    def services(self) -> Services:
        """What it serves of its own: nothing."""
        return {}

    async def start(self) -> None:
        """Take up the cache; learn where objects may come from."""
        cache_folder.take(self._node.settings.cache.path, self._node.data)
        await self.cache.start()
        await self._look_up()

    def belts(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Return its belts, not yet running, by name."""
        return {"cache": self.cache.run(), "senders": self._look_up_again()}

    def check(self, settings: Settings) -> None:
        """Raise `ConfigError` if these settings cannot be put in force."""
        cache_folder.check(settings.cache.path, self._node.data)

    async def change(self, settings: Settings) -> None:
        """Go over to other limits, terms and senders."""
        self.cache.change(cache_limits(settings))
        self.broker.change(broker_terms(settings))
        await self._look_up()

    async def stop(self) -> None:
        """End every retrieval."""
        await self.broker.stop()
        await self.cache.close()

    def _ruled(self, source: str) -> bool:
        table = self._node.settings.pacs.get(source)
        return table is not None and table.keep == "archive"

    # where objects come from

    def _sends(self, source: str, address: str) -> bool:
        try:
            here = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(here in network for network in self._networks.get(source, ()))

    async def _look_up_again(self) -> None:
        # By now there is a listener.
        self._open_gate()
        while True:
            await asyncio.sleep(LOOK_UP_S)
            await self._look_up()

    async def _look_up(self) -> None:
        """Resolve the hosts of every PACS; what cannot be resolved now keeps what it had."""
        found: dict[str, tuple[Network, ...]] = {}
        for upstream in self._upstreaming.upstreams:
            known = self._networks.get(upstream.name, ())
            found[upstream.name] = await _networks(upstream.terms) or known
        self._networks = found
        self._open_gate()

    def _open_gate(self) -> None:
        """Let in those who may answer our C-MOVEs."""
        listener = getattr(self._node, "listener", None)
        if listener is None:
            return
        senders = tuple(
            dict.fromkeys(str(one) for networks in self._networks.values() for one in networks)
        )
        listener.gate = Gate(replace(listener.gate.settings, senders=senders))


def _place(head: Head) -> object:
    return place_of(head)


async def _networks(terms: UpstreamTerms) -> tuple[Network, ...]:
    if terms.any_sender:
        return tuple(ipaddress.ip_network(one) for one in ANYWHERE)
    if terms.senders:
        return tuple(ipaddress.ip_network(one, strict=False) for one in terms.senders)
    found: dict[Network, None] = {}
    for host in dict.fromkeys((terms.find.host, terms.move.host, terms.get.host)):
        for address in await _addresses(host):
            found[ipaddress.ip_network(address)] = None
    return tuple(found)


async def _addresses(host: str) -> list[str]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            infos = await asyncio.get_running_loop().getaddrinfo(host, None)
    except (OSError, UnicodeError, TimeoutError) as error:
        log.warning("host of a pacs not resolved", host=host, error=str(error))
        return []
    return [str(info[4][0]).partition("%")[0] for info in infos]
