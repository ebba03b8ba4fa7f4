"""`when`: a table whose entries must all hold, or a list of tables of which one must.

Contract: `condition` compiles once and collects every fault; a `Condition` is asked about one
`Look` (one object with its facts), and each element is read once per look (R-22).  Its answer is
two-valued and comes with the deciding clause and the actual value (R-24).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from waystation.dicom.head import Head
from waystation.model.errors import ConfigError
from waystation.rules.facts import Facts
from waystation.rules.faults import RuleFault, fault_of
from waystation.rules.matchers import Matcher
from waystation.rules.predicates import DEPTH_LIMIT, right_side
from waystation.rules.subjects import Found, Subject, look, subject

NO_CONDITIONS = "no conditions"
BETWEEN = " · "


class Look:
    """One object as the rules see it; remembers what was read."""

    __slots__ = ("facts", "found", "head")

    def __init__(self, head: Head, facts: Facts) -> None:
        self.head = head
        self.facts = facts
        self.found: dict[str, Found] = {}

    def read(self, left: Subject) -> Found:
        found = self.found[left.name] = look(left, self.head, self.facts)
        return found


@dataclass(frozen=True, slots=True)
class Condition:
    """holds: the answer for a look.  explain: the words for that answer.  judge: both."""

    holds: Callable[[Look], bool]
    explain: Callable[[Look, bool], str]
    judge: Callable[[Look], tuple[bool, str]]


def _condition(holds: Callable[[Look], bool], explain: Callable[[Look, bool], str]) -> Condition:
    def judge(seen: Look) -> tuple[bool, str]:
        held = holds(seen)
        return held, explain(seen, held)

    return Condition(holds, explain, judge)


def condition(when: object, where: str, faults: list[RuleFault], depth: int = 0) -> Condition:
    """Return the compiled ``when``; what is wrong with it is added to ``faults``."""
    if depth > DEPTH_LIMIT:
        faults.append(RuleFault(where, f"nested deeper than {DEPTH_LIMIT}"))
        return ALWAYS
    if isinstance(when, Mapping):
        return _all([_entry(key, when[key], where, faults, depth) for key in when])
    if isinstance(when, list) and when:
        return _any([_member(n, table, where, faults, depth) for n, table in enumerate(when)])
    faults.append(RuleFault(where, "expected a table, or a list of tables of which one must hold"))
    return ALWAYS


def _member(n: int, table: object, where: str, faults: list[RuleFault], depth: int) -> Condition:
    if not isinstance(table, Mapping) or not table:
        faults.append(RuleFault(f"{where}[{n}]", "expected a table with at least one condition"))
        return ALWAYS
    return condition(table, f"{where}[{n}]", faults, depth + 1)


def _entry(key: str, right: object, where: str, faults: list[RuleFault], depth: int) -> Condition:
    where = f"{where}.{key}"
    if key in ("all", "any"):
        if not isinstance(right, list) or not right:
            faults.append(RuleFault(where, "expected a list of tables"))
            return ALWAYS
        join = _all if key == "all" else _any
        return join([_member(n, table, where, faults, depth) for n, table in enumerate(right)])
    if key == "not":
        if not right:
            faults.append(RuleFault(where, "expected a table with at least one condition"))
            return ALWAYS
        return _not(condition(right, where, faults, depth + 1))
    try:
        left = subject(key, where)
        return _leaf(left, right_side(left, right, where, depth))
    except ConfigError as error:
        faults.append(fault_of(error))
        return ALWAYS


def _leaf(left: Subject, right: Matcher) -> Condition:
    test, words = right.test, right.explain
    name = left.name

    def holds(seen: Look) -> bool:
        return test(seen.found.get(name) or seen.read(left), seen.facts)

    def explain(seen: Look, held: bool) -> str:
        return words(name, seen.found.get(name) or seen.read(left), held)

    return _condition(holds, explain)


def _all(parts: list[Condition]) -> Condition:
    if len(parts) == 1:
        return parts[0]
    pairs = [(part.holds, part.explain) for part in parts]

    def holds(seen: Look) -> bool:
        return all(part(seen) for part, _ in pairs)

    def judge(seen: Look) -> tuple[bool, str]:
        # The hot path: every condition is asked once, for every rule and object.
        for part, explain_part in pairs:
            if not part(seen):
                return False, explain_part(seen, False)
        return True, BETWEEN.join([words(seen, True) for _, words in pairs]) or NO_CONDITIONS

    return Condition(holds, lambda seen, held: judge(seen)[1], judge)


def _any(parts: list[Condition]) -> Condition:
    if len(parts) == 1:
        return parts[0]

    def explain(seen: Look, held: bool) -> str:
        if held:
            return next(part.explain(seen, True) for part in parts if part.holds(seen))
        return BETWEEN.join(part.explain(seen, False) for part in parts)

    return _condition(lambda seen: any(part.holds(seen) for part in parts), explain)


def _not(inner: Condition) -> Condition:
    return _condition(
        lambda seen: not inner.holds(seen), lambda seen, held: inner.explain(seen, not held)
    )


ALWAYS = _condition(lambda seen: True, lambda seen, held: NO_CONDITIONS)
