"""What every rule said of many objects, put together (R-24, R-76).

Contract: pure.  Each rule stands once, in the order of the file; where objects differ, the clauses
stand with how many objects each is true of, the most frequent first.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from waystation.model.arrival import Source
from waystation.model.plan import Verdict
from waystation.model.recipe import Recipe
from waystation.rules.plan import FAILED
from waystation.rules.read import RuleSet
from waystation.web.shapes_explain import Clause, RuleSaid, Sender

MOST_CLAUSES = 3


@dataclass(slots=True)
class _Said:
    matched: int = 0
    failed: int = 0
    objects: int = 0
    remembered: int = 0
    clauses: Counter[tuple[bool, str]] = field(default_factory=Counter)


class Verdicts:
    """Collects verdicts of objects under one or several sets of rules."""

    def __init__(self) -> None:
        self._said: dict[str, _Said] = {}
        self._rules: dict[str, tuple[str, list[str], str, str]] = {}
        self._remembered = 0

    def know(self, ruleset: RuleSet) -> None:
        """Note what the rules themselves are; the latest description of a name counts."""
        for rule in ruleset.rules:
            trigger = rule.gathering.level if rule.gathering is not None else "instance"
            steps = Recipe.from_text(rule.steps[0]).words if rule.steps else ""
            self._rules[rule.name] = (trigger, [way.to for way in rule.ways], rule.then, steps)
            self._said.setdefault(rule.name, _Said())

    def remember(self, verdicts: Iterable[Verdict]) -> None:
        """Add what is written of an object that cannot be judged again: what matched, or failed."""
        self._remembered += 1
        for verdict in verdicts:
            self._said.setdefault(verdict.rule, _Said()).remembered += 1
            self.add([verdict])

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Add what the rules said of one object."""
        for verdict in verdicts:
            said = self._said.setdefault(verdict.rule, _Said())
            said.objects += 1
            said.matched += verdict.matched
            said.failed += verdict.clause.startswith(FAILED)
            said.clauses[verdict.matched, verdict.clause] += 1

    def said(self) -> list[RuleSaid]:
        """Return what was collected."""
        return [self._rule(name, said) for name, said in self._said.items()]

    def _rule(self, name: str, said: _Said) -> RuleSaid:
        trigger, send, then, steps = self._rules.get(name, ("instance", [], "", ""))
        clauses = _clauses(said.clauses.most_common())
        return RuleSaid(
            rule=name,
            matched=said.matched,
            failed=said.failed,
            objects=said.objects + self._remembered - said.remembered,
            clauses=clauses,
            others=said.objects - sum(clause.objects for clause in clauses),
            trigger=trigger,
            send=send,
            then=then,
            steps=steps,
        )


def _clauses(counted: Sequence[tuple[tuple[bool, str], int]]) -> list[Clause]:
    """Return the most frequent clauses, those of matches first."""
    ordered = sorted(counted, key=lambda item: not item[0][0])
    found = [Clause(matched=m, clause=text, objects=n) for (m, text), n in ordered]
    yes = [clause for clause in found if clause.matched][:MOST_CLAUSES]
    return yes + [clause for clause in found if not clause.matched][:MOST_CLAUSES]


def senders(sources: Iterable[Source]) -> list[Sender]:
    """Return who sent how many objects."""
    return [
        Sender(
            peer=source.peer,
            calling_ae=source.calling_ae,
            called_ae=source.called_ae,
            address=source.address,
            way_in=source.way_in,
            objects=n,
        )
        for source, n in Counter(sources).items()
    ]
