"""Which of two peers is the more specific one, and when nobody can say (R-15).

Contract: a caller is the peer with an exact title before one with a wildcard; then the one with
the narrower network; then the pattern with more letters.  `rivals` finds the pairs for which
some caller would be both, equally.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import combinations

from waystation.app.settings_dicom import PeerSettings


def rivals(peers: Mapping[str, PeerSettings | None]) -> Iterator[tuple[str, str, str]]:
    """Yield (earlier peer, later peer, why) for each pair that a caller could equally be."""
    for (first, one), (second, other) in combinations(peers.items(), 2):
        if one is None or other is None or _letters(one) != _letters(other):
            continue
        shared = _shared(one.address, other.address)
        if shared and patterns_meet(one.ae_title, other.ae_title):
            yield first, second, f"both may be the same title from {shared}"


def is_pattern(title: str) -> bool:
    return "*" in title or "?" in title


def _letters(peer: PeerSettings) -> tuple[bool, int]:
    """Rank of the title: equal titles have equal letters, so exact ones are told apart later."""
    if not is_pattern(peer.ae_title):
        return False, 0
    return True, len(peer.ae_title.replace("*", "").replace("?", ""))


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> str:
    """Return a network that both have, word for word; two unequal ones differ in width."""
    if not one and not other:
        return "any address"
    both = set(map(ipaddress.ip_network, one)) & set(map(ipaddress.ip_network, other))
    return str(min(map(str, both))) if both else ""


def patterns_meet(one: str, other: str) -> bool:
    """Return whether some title fits both patterns (``*`` any run, ``?`` one character)."""

    @cache
    def meet(left: int, right: int) -> bool:
        if left == len(one) or right == len(other):
            return set(one[left:] + other[right:]) <= {"*"}
        if one[left] == "*":
            return meet(left + 1, right) or meet(left, right + 1)
        if other[right] == "*":
            return meet(left, right + 1) or meet(left + 1, right)
        same = one[left] == other[right] or "?" in (one[left], other[right])
        return same and meet(left + 1, right + 1)

    return meet(0, 0)
