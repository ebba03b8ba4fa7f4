"""Who may come in: decided from values alone, before anything is promised.

Contract: the most specific configured peer wins (exact AE title before a pattern, then the
narrowest network, then the pattern with more letters); with ``anybody`` an unknown caller is let
in under the name "".  A refusal is the triple of PS3.8 9.3.4 that E13 asks for: 1/1/7 for a called
title that is not ours, 1/1/3 for a caller we do not know.  A title alone authenticates nobody:
title and address must both match.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from waystation.model.peer import Caller
from waystation.wire.items import AssociateReject, AssociateRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNKNOWN_CALLED = AssociateReject(1, 1, 7)
UNKNOWN_CALLING = AssociateReject(1, 1, 3)
BUSY = AssociateReject(2, 3, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Who we are and whom we let in.

    titles: called AE titles that are ours; any_called lifts the check.
    services: classes served besides storage, with what we support of their extended negotiation.
    peer_scp: classes for which a requestor may be SCP, as of `AcceptPolicy`.
    doors: called AE titles of areas, each with the peers that may come, empty for all.
    door_rights: the most that may be done under a called AE title.
    senders: networks of those who answer our own C-MOVEs; they may come in, and store what was
    asked for.
    """

    titles: tuple[str, ...]
    any_called: bool = False
    anybody: bool = False
    callers: tuple[Caller, ...] = ()
    accept: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    unknown_classes: bool = True
    max_associations: int = 200
    max_per_peer: int = 50
    services: Mapping[str, bytes] = field(default_factory=dict)
    peer_scp: tuple[str, ...] = ()
    doors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    door_rights: Mapping[str, frozenset[str]] = field(default_factory=dict)
    senders: tuple[str, ...] = ()


ANYBODY = Caller(name="", ae_title="*")
SENDER = Caller(name="", ae_title="*", rights=frozenset({"echo"}))


@lru_cache(maxsize=1024)
def _pattern(title: str) -> re.Pattern[str]:
    return re.compile(
        "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in title)
    )


def title_matches(pattern: str, title: str) -> bool:
    """Return True if ``title`` equals ``pattern`` with its ``*`` and ``?`` (case-sensitive)."""
    return _pattern(pattern).fullmatch(title) is not None


class Gate:
    """Decides about sockets and association requests."""

    def __init__(self, settings: GateSettings) -> None:
        self.settings = settings
        self._networks: dict[str, tuple[Network, ...]] = {
            caller.name: tuple(ipaddress.ip_network(text, strict=False) for text in caller.address)
            for caller in settings.callers
        }
        self._senders: tuple[Network, ...] = tuple(map(ipaddress.ip_network, settings.senders))

    def socket_allowed(self, address: str) -> bool:
        """Return True if anybody at ``address`` might be let in."""
        if self.settings.anybody or self._answers_us(address):
            return True
        return any(self._width(caller, address) is not None for caller in self.settings.callers)

    def decide(self, request: AssociateRequest, address: str) -> Caller | AssociateReject:
        """Return the peer that calls, or how to refuse it."""
        settings = self.settings
        invited = settings.doors.get(request.called_ae)
        if not settings.any_called and invited is None and request.called_ae not in settings.titles:
            return UNKNOWN_CALLED
        caller = self.caller(request.calling_ae, address)
        if invited and (caller is None or caller.name not in invited):
            return UNKNOWN_CALLING
        if caller is None:
            if not settings.anybody and not self._answers_us(address):
                return UNKNOWN_CALLING
            caller = ANYBODY if settings.anybody else SENDER
        most = settings.door_rights.get(request.called_ae)
        return caller if most is None else replace(caller, rights=caller.rights & most)

    def _answers_us(self, address: str) -> bool:
        """Tell whether objects that we asked for may come from an address (W-110)."""
        try:
            here = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(here in network for network in self._senders)

    def caller(self, calling_ae: str, address: str) -> Caller | None:
        """Return the most specific configured peer, or None."""
        found: list[tuple[bool, int, int, Caller]] = []
        for caller in self.settings.callers:
            width = self._width(caller, address)
            if width is not None and title_matches(caller.ae_title, calling_ae):
                exact = caller.ae_title == calling_ae
                letters = sum(c not in "*?" for c in caller.ae_title)
                found.append((exact, width, letters, caller))
        return max(found, key=lambda row: row[:3])[3] if found else None

    def _width(self, caller: Caller, address: str) -> int | None:
        """Return the prefix length of the narrowest matching network, None for no match."""
        networks: Sequence[Network] = self._networks[caller.name]
        if not networks:
            return 0
        try:
            here = ipaddress.ip_address(address)
        except ValueError:
            return None
        lengths = [network.prefixlen for network in networks if here in network]
        return max(lengths) if lengths else None
