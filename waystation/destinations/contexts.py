"""Which presentation contexts to offer for an object, and which of them to use.  Pure.

Contract (R-61, R-62): `choices` are the syntaxes an object may be sent in, best first: as it is
stored, then another uncompressed one, then what the policy and the installed codecs allow.  Each
is offered in a context of its own.  `offer` fills one association: all of the first pair, then
the stored syntaxes of the others, then their further choices as far as 128 contexts go; a pair's
further choices are offered together or not at all, so that a refusal is a whole one.
"""

from collections.abc import Callable, Iterable
from functools import cache

from waystation.codecs.abilities import reads, reason, writes
from waystation.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE, name_of
from waystation.transforms.stream import PLAIN

Pair = tuple[str, str]  # SOP class, transfer syntax
MOST = 128
UNCOMPRESSED_CHOICES = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
POLICIES = ("never", "uncompressed", "decompress", "lossless")


@cache
def choices(stored: str, policy: str) -> tuple[str, ...]:
    """Return the syntaxes that an object stored in ``stored`` may be sent in, best first."""
    found = [stored]
    decodes = policy in ("decompress", "lossless") and stored in reads()
    if decodes or (policy != "never" and stored in PLAIN):
        found += UNCOMPRESSED_CHOICES
    if policy == "lossless" and (decodes or stored in PLAIN):
        found += writes()
    return tuple(dict.fromkeys(found))


def all_of(pair: Pair, policy: str) -> list[Pair]:
    """Return everything that is offered for ``pair``."""
    return [(pair[0], syntax) for syntax in choices(pair[1], policy)]


def offer(pairs: Iterable[Pair], policy: str, most: int = MOST) -> list[Pair]:
    """Return what one association offers for ``pairs``; the first is wanted now."""
    wanted = list(dict.fromkeys(pairs))
    offered = dict.fromkeys(all_of(wanted[0], policy)) if wanted else {}
    for pair in wanted[1:]:
        if len(offered) < most:
            offered[pair] = None
    for pair in wanted[1:]:
        more = [each for each in all_of(pair, policy) if each not in offered]
        if pair in offered and len(offered) + len(more) <= most:
            offered.update(dict.fromkeys(more))
    return list(offered)


def refusal(pair: Pair, policy: str, answered: Callable[[Pair], str]) -> str:
    """Return in words what was offered for ``pair`` and what became of it.

    answered: the receiver's answer to one offer, in plain words.
    """
    offers = ", ".join(f"{name_of(each[1])}: {answered(each)}" for each in all_of(pair, policy))
    text = f"no presentation context for {name_of(pair[0])} (offered {offers})"
    if policy in ("decompress", "lossless") and pair[1] not in PLAIN:
        missing = reason(pair[1])
        text += f"; {missing}" if missing else ""
    return text
