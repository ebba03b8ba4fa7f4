"""The compiled right side of a condition: a test, and how to say what it found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from waystation.rules.facts import Facts
from waystation.rules.subjects import Found

ValueTest = Callable[[Any, Facts], bool]
Test = Callable[[Found, Facts], bool]
PlainTest = Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is certainly so where a condition holds: enough to index rules and to doubt them.

    texts: one value is among these.  banned: no value is among these.  low, high: a value lies
    between, ends included.
    """

    texts: frozenset[str] | None = None
    banned: frozenset[str] = frozenset()
    low: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One right side.

    test: does it hold for what was found?  each: the same for one value, None where the
    question makes no sense for one value (count, present).  brief: the right side as a list
    shows it; yes, no: the words between value and end of a clause.
    positive: False for a negation.  reads: False if unreadable values do not matter to it.
    claim, denial: what is certainly so where it holds, and where it does not.
    plain: the whole test, where one value passes by itself without the facts: the hot path.
    """

    test: Test
    each: ValueTest | None
    brief: str
    yes: str
    no: str
    positive: bool = True
    reads: bool = True
    claim: Claim | None = None
    denial: Claim | None = None
    plain: PlainTest | None = None

    def explain(self, name: str, found: Found, held: bool) -> str:
        """Return the clause with the actual value, such as ``Modality "CT" is not "MG"``."""
        if not found.size:
            return f"{name} {found.shown}"
        if found.bad and self.reads and held != self.positive:
            return f"{name} {found.shown} {found.bad}"
        return f"{name} {found.shown} {self.yes if held else self.no}"


def any_value(
    each: ValueTest, brief: str, yes: str, no: str, claim: Claim | None = None
) -> Matcher:
    """Return the matcher that holds when one readable value passes (R-23, R-24)."""

    def test(found: Found, facts: Facts) -> bool:
        for value in found.values:  # noqa: SIM110 - a generator would cost twice the time
            if value is not None and each(value, facts):
                return True
        return False

    return Matcher(test=test, each=each, brief=brief, yes=yes, no=no, claim=claim)


def any_plain(
    plain: PlainTest, brief: str, yes: str, no: str, claim: Claim | None = None
) -> Matcher:
    """Return `any_value` for a test that needs no facts."""
    found = any_value(lambda value, facts: plain(value), brief, yes, no, claim)
    return replace(found, plain=plain)


def every_value(inner: ValueTest, brief: str) -> Matcher:
    """Return the matcher that wants at least one value, and all of them to pass."""

    def test(found: Found, facts: Facts) -> bool:
        return bool(found.values) and all(
            value is not None and inner(value, facts) for value in found.values
        )

    return Matcher(
        test=test, each=None, brief=f"all {brief}", yes=f"all {brief}", no=f"not all {brief}"
    )


def opposite(inner: Matcher) -> Matcher:
    """Return the plain opposite: holds when ``inner`` does not (R-23)."""
    return Matcher(
        test=lambda found, facts: not inner.test(found, facts),
        each=None if inner.each is None else _not(inner.each),
        brief=f"not {inner.brief}",
        yes=inner.no,
        no=inner.yes,
        positive=not inner.positive,
        reads=inner.reads,
        claim=inner.denial,
        denial=inner.claim,
    )


def _not(inner: ValueTest) -> ValueTest:
    return lambda value, facts: not inner(value, facts)


def one_of(entries: Sequence[Matcher]) -> Matcher:
    """Return the matcher that holds when one entry does."""
    brief = "[" + ", ".join(entry.brief for entry in entries) + "]"
    tests = [entry.test for entry in entries]
    eaches = [entry.each for entry in entries if entry.each is not None]
    return Matcher(
        test=lambda found, facts: any(test(found, facts) for test in tests),
        each=any_each(eaches) if len(eaches) == len(entries) else None,
        brief=brief,
        yes=f"in {brief}",
        no=f"not in {brief}",
        reads=any(entry.reads for entry in entries),
        claim=_either([entry.claim for entry in entries]),
    )


def _either(claims: Sequence[Claim | None]) -> Claim | None:
    """Return what is so where one of several holds: only lists of texts unite."""
    texts = [claim.texts for claim in claims if claim is not None and claim.texts is not None]
    return Claim(texts=frozenset[str]().union(*texts)) if len(texts) == len(claims) else None


def any_each(eaches: Sequence[ValueTest]) -> ValueTest:
    return lambda value, facts: any(each(value, facts) for each in eaches)


def all_each(eaches: Sequence[ValueTest]) -> ValueTest:
    return lambda value, facts: all(each(value, facts) for each in eaches)


def one_of_texts(wanted: frozenset[str], brief: str) -> Matcher:
    """Return `one_of` for plain texts, in one look-up."""
    return Matcher(
        test=lambda found, facts: not wanted.isdisjoint(found.values),
        each=lambda value, facts: value in wanted,
        brief=brief,
        yes=f"in {brief}",
        no=f"not in {brief}",
        claim=Claim(texts=wanted),
        denial=Claim(banned=wanted),
    )


def all_of(parts: Sequence[Matcher]) -> Matcher:
    """Return the matcher of a table with several keys: one value passes them all."""
    if len(parts) == 1:
        return parts[0]
    brief = " and ".join(part.brief for part in parts)
    single = [part for part in parts if part.positive and part.each is not None]
    tests = [part.test for part in parts if part not in single]
    eaches = [part.each for part in single if part.each is not None]
    if eaches:
        tests.append(any_value(all_each(eaches), brief, "", "").test)
    every = [part.each for part in parts if part.each is not None]
    return Matcher(
        test=lambda found, facts: all(test(found, facts) for test in tests),
        each=all_each(every) if len(every) == len(parts) else None,
        brief=brief,
        yes=" and ".join(part.yes for part in parts),
        no=f"not ({brief})",
        reads=any(part.reads for part in parts),
        claim=_both([part.claim for part in parts if part.claim is not None]),
    )


def _both(claims: Sequence[Claim]) -> Claim | None:
    """Return what is so where all hold for one value."""
    if not claims:
        return None
    texts = [claim.texts for claim in claims if claim.texts is not None]
    lows = [claim.low for claim in claims if claim.low is not None]
    highs = [claim.high for claim in claims if claim.high is not None]
    return Claim(
        texts=frozenset.intersection(*texts) if texts else None,
        banned=frozenset[str]().union(*(claim.banned for claim in claims)),
        low=max(lows, default=None),
        high=min(highs, default=None),
    )
