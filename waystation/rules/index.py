"""Which rules can match an object at all, found without asking every one (R-22).

Contract: `candidates` returns, in file order, at least every enabled rule that matches.  A rule
whose conditions certainly want one of a few texts (``Modality = ["CT", "MR"]``, ``calling_ae ==
"CT1"``) is looked up by those texts; all others are always candidates.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from waystation.rules.conditions import Look
from waystation.rules.rule import Rule
from waystation.rules.subjects import Subject


@dataclass(frozen=True, slots=True)
class RuleIndex:
    """always: places of the rules to ask for every object.  by_text: subject → text → places."""

    always: tuple[int, ...] = ()
    by_text: tuple[tuple[Subject, Mapping[str, tuple[int, ...]]], ...] = ()


def index_of(rules: Sequence[Rule]) -> RuleIndex:
    """Return the index of the enabled rules."""
    wanted = {n: _wanted(rule) for n, rule in enumerate(rules) if rule.enabled}
    # A text that few rules want tells them apart best.
    common = Counter(pair for pairs in wanted.values() for pair in {p for c in pairs for p in c})
    always: list[int] = []
    places: dict[Subject, dict[str, list[int]]] = {}
    for n, choices in wanted.items():
        if not choices:
            always.append(n)
            continue
        for left, text in min(choices, key=lambda pairs: sum(common[pair] for pair in pairs)):
            places.setdefault(left, {}).setdefault(text, []).append(n)
    by_text = tuple(
        (left, {text: tuple(found) for text, found in texts.items()})
        for left, texts in places.items()
    )
    return RuleIndex(tuple(always), by_text)


def _wanted(rule: Rule) -> list[frozenset[tuple[Subject, str]]]:
    """Return for each list of texts that a match needs its pairs of (subject, text)."""
    return [
        frozenset((left, text) for text in claim.texts)
        for left, claim in rule.when.claims
        if claim.texts is not None
    ]


def candidates(index: RuleIndex, seen: Look) -> Sequence[int]:
    """Return the places of the rules to ask about this object, in file order."""
    found = set(index.always)
    for left, texts in index.by_text:
        there = seen.found.get(left.name) or seen.read(left)
        for value in there.values:
            places = texts.get(value)
            if places is not None:
                found.update(places)
    return sorted(found)
