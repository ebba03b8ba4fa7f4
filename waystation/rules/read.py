"""From `[[rule]]` tables to a rule set.

Contract: `read_rules` takes what the TOML parser gave and returns compiled rules, every fault at
once, and warnings about what is legal but doubtful.  Rules with faults must not be used.
Steps (validate, edit, deidentify) come as one text under ``steps``; what they mean is not decided
here.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from waystation.rules.admission import Admission
from waystation.rules.classes import ClassFilter
from waystation.rules.doubts import Surroundings, doubts
from waystation.rules.faults import RuleFault
from waystation.rules.index import RuleIndex, index_of
from waystation.rules.known import NOTHING, Known
from waystation.rules.read_rule import RuleReader, one_of
from waystation.rules.rule import ARCHIVE, PRIORITIES, Rule

__all__ = ["ARCHIVE", "PRIORITIES", "Rule", "RuleSet", "RulesRead", "read_rules"]

OTHERWISE = ("hold", "refuse", "discard", "archive")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All that planning needs: the rules in file order, what else, and the ways' filters.

    filters: by destination.  groups: which names in `send` are groups.  index: of the rules.
    may_refuse: whether an object may be refused before its sender gets an answer.
    wholes: (name, level) of the rules that gather all of a series or study.
    """

    rules: tuple[Rule, ...] = ()
    otherwise: str = "hold"
    filters: Mapping[str, ClassFilter] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    admission: Admission = field(default_factory=Admission)
    index: RuleIndex = field(init=False, repr=False, compare=False)
    may_refuse: bool = field(init=False, repr=False, compare=False)
    wholes: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", index_of(self.rules))
        said = {self.otherwise, *self.admission.otherwise.values()}
        object.__setattr__(self, "may_refuse", bool(self.admission.refuse_when) or "refuse" in said)
        object.__setattr__(self, "wholes", _wholes(self.rules))

    def otherwise_for(self, peer: str) -> str:
        """Return what becomes of an object of this peer that no rule takes (R-34)."""
        return self.admission.otherwise.get(peer) or self.otherwise


def _wholes(rules: Sequence[Rule]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (rule.name, rule.gathering.level)
        for rule in rules
        if rule.enabled and rule.gathering is not None and rule.gathering.whole
    )


@dataclass(frozen=True, slots=True)
class RulesRead:
    """What came of a rule file.  ``ruleset`` may be used only if ``faults`` is empty."""

    ruleset: RuleSet
    faults: tuple[RuleFault, ...] = ()
    warnings: tuple[RuleFault, ...] = ()


def read_rules(
    tables: Sequence[Mapping[str, object]],
    *,
    destinations: Collection[str],
    groups: Collection[str] = (),
    otherwise: object = "hold",
    filters: Mapping[str, ClassFilter] | None = None,
    admission: Admission | None = None,
    known: Known = NOTHING,
    surroundings: Surroundings | None = None,
) -> RulesRead:
    """Return the compiled rules.

    destinations, groups: the names that `send` may use.  known: what conditions may name.
    surroundings: what the facts can be on this node, for the warnings.
    """
    faults: list[RuleFault] = []
    known = replace(known, conditions={})
    ways = {*destinations, *groups, ARCHIVE}
    rules = [RuleReader(table, n, ways, known, faults).rule() for n, table in enumerate(tables)]
    names: set[str] = set()
    for n, rule in enumerate(rules):
        if rule.name in names:
            faults.append(RuleFault(f"rule[{n}].name", f'a second rule "{rule.name}"'))
        names.add(rule.name)
    if otherwise not in OTHERWISE:
        faults.append(RuleFault("routing.otherwise", one_of(OTHERWISE, otherwise)))
    ruleset = RuleSet(
        rules=tuple(rules),
        otherwise=str(otherwise),
        filters=filters or {},
        groups=frozenset(groups),
        admission=admission or Admission(),
    )
    warnings = [*doubts(rules, surroundings or Surroundings()), *_turned_away(ruleset)]
    return RulesRead(ruleset, tuple(faults), tuple(warnings))


def _turned_away(ruleset: RuleSet) -> Iterator[RuleFault]:
    """A refusal is said before anybody knows what its study will be."""
    if "refuse" not in {ruleset.otherwise, *ruleset.admission.otherwise.values()}:
        return
    for name, level in ruleset.wholes:
        problem = (
            f'takes all of a {level}, but otherwise = "refuse" turns away what matches no rule'
        )
        yield RuleFault(f"rule.{name}", problem)
