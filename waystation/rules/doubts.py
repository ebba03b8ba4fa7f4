"""Rules that load and yet cannot be meant: what `check` warns about (R-1, R-21).

Contract: a warning is only given for what certainly never happens, or certainly happens twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from waystation.dicom import dictionary, tags
from waystation.rules.conditions import ALWAYS
from waystation.rules.faults import RuleFault
from waystation.rules.matchers import Claim
from waystation.rules.rule import Rule
from waystation.rules.subjects import FACTS, Subject

WAYS_IN = frozenset({"dimse", "stow", "folder", "upload", "import", "fetch"})
RANGES = {"hour": (Decimal(0), Decimal(23)), "size_bytes": (Decimal(0), None)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the facts can be on this node; None where they can be anything."""

    peers: frozenset[str] | None = None
    called_ae: frozenset[str] | None = None


def doubts(rules: Sequence[Rule], surroundings: Surroundings) -> list[RuleFault]:
    """Return the warnings about the rules, each under the name of its rule."""
    enabled = [rule for rule in rules if rule.enabled]
    found = [
        *_unreachable(enabled),
        *_undone(enabled),
        *_impossible(enabled, surroundings),
        *_two_versions(enabled),
        *_at_once_and_later(enabled),
    ]
    places = {rule.name: place for place, rule in enumerate(rules)}
    return sorted(found, key=lambda doubt: places[doubt.where.removeprefix("rule.")])


def _doubt(rule: Rule, problem: str) -> RuleFault:
    return RuleFault(f"rule.{rule.name}", problem)


def _unreachable(rules: Sequence[Rule]) -> Iterator[RuleFault]:
    ended_by = ""
    for rule in rules:
        if ended_by:
            yield _doubt(rule, f"never reached: {ended_by} always stops")
        elif rule.stop and rule.when is ALWAYS:
            ended_by = rule.name


def _undone(rules: Sequence[Rule]) -> Iterator[RuleFault]:
    for n, rule in enumerate(rules):
        if rule.then == "discard" and not rule.stop and any(r.send for r in rules[n + 1 :]):
            yield _doubt(rule, "discards only what no other rule sends: add stop = true?")


def _impossible(rules: Sequence[Rule], surroundings: Surroundings) -> Iterator[RuleFault]:
    for rule in rules:
        by_subject: dict[Subject, list[Claim]] = {}
        for left, claim in rule.when.claims:
            by_subject.setdefault(left, []).append(claim)
        for left, claims in by_subject.items():
            problem = _contradiction(left, claims, surroundings)
            if problem:
                yield _doubt(rule, f"can never match: {problem}")
                break


def _contradiction(left: Subject, claims: Sequence[Claim], around: Surroundings) -> str:
    """Return why no object can show this under ``left``, or ""."""
    # Of an element with several values, each claim may be about another one.
    groups = [list(claims)] if _has_one_value(left) else [[claim] for claim in claims]
    for group in groups:
        problem = _clash(left.name, group) or _outside(left, group, around)
        if problem:
            return problem
    return ""


def _has_one_value(left: Subject) -> bool:
    if left.name in FACTS:
        return True
    if "." in left.name or "(" in left.name:
        return False
    return left.name.endswith("]") or dictionary.entry_of(tags.tag_for(left.name))[1] == "1"


def _clash(name: str, claims: Sequence[Claim]) -> str:
    texts = [claim.texts for claim in claims if claim.texts is not None]
    allowed = frozenset.intersection(*texts) if texts else None
    if allowed is not None and not allowed:
        return f"{name} cannot be {' and '.join(map(_either, texts))} at once"
    banned = frozenset[str]().union(*(claim.banned for claim in claims))
    if allowed is not None and allowed <= banned:
        return f"{name} cannot be {_either(allowed)} and not be it"
    low = max((claim.low for claim in claims if claim.low is not None), default=None)
    high = min((claim.high for claim in claims if claim.high is not None), default=None)
    if low is not None and high is not None and low > high:
        return f"{name} cannot be at least {low} and at most {high}"
    return ""


def _outside(left: Subject, claims: Sequence[Claim], around: Surroundings) -> str:
    allowed = {
        "way_in": WAYS_IN,
        "priority": frozenset({"low", "normal", "stat"}),
        "peer": around.peers,
        "called_ae": around.called_ae,
    }.get(left.name)
    low, high = RANGES.get(left.name, (None, None))
    for claim in claims:
        if allowed is not None and claim.texts is not None and not claim.texts & allowed:
            return f"{left.name} is never {_either(claim.texts)}"
        if low is not None and claim.high is not None and claim.high < low:
            return f"{left.name} is never below {low}"
        if high is not None and claim.low is not None and claim.low > high:
            return f"{left.name} is never above {high}"
    return ""


def _either(texts: frozenset[str]) -> str:
    return " or ".join(f'"{text}"' for text in sorted(texts))


def _two_versions(rules: Sequence[Rule]) -> Iterator[RuleFault]:
    """Two contents under one UID at one destination (R-21)."""
    first: dict[str, Rule] = {}
    for rule in rules:
        for way in rule.ways:
            other = first.setdefault(way.to, rule)
            if other.steps != rule.steps:
                yield _doubt(
                    rule,
                    f"sends another version to {way.to} than {other.name}: what both match is"
                    " held (two-versions)",
                )


def _at_once_and_later(rules: Sequence[Rule]) -> Iterator[RuleFault]:
    """One object that goes to one destination at once and again with its study."""
    at_once: dict[str, str] = {}
    for rule in rules:
        if rule.gathering is None:
            for way in rule.ways:
                at_once.setdefault(way.to, rule.name)
    for rule in rules:
        if rule.gathering is not None and rule.gathering.whole:
            for way in rule.ways:
                if way.to in at_once:
                    yield _doubt(
                        rule,
                        f"sends all of a {rule.gathering.level} to {way.to}, which"
                        f" {at_once[way.to]} also sends to, object by object",
                    )
