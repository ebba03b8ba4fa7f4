"""`when`: a table whose entries must all hold, or a list of tables of which one must.

Contract: `condition` compiles once and collects every fault; a `Condition` is asked about one
`Look` (one object with its facts), and each element is read once per look (R-22).  Its answer is
two-valued and comes with the deciding clause and the actual value (R-24).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from waystation.dicom.head import Head
from waystation.model.errors import ConfigError
from waystation.rules.facts import Facts
from waystation.rules.faults import RuleFault, StepsError, fault_of
from waystation.rules.identifying import concealed
from waystation.rules.known import NOTHING, Known
from waystation.rules.matchers import Claim, Matcher, PlainTest
from waystation.rules.predicates import DEPTH_LIMIT, right_side
from waystation.rules.subjects import Found, Subject, look, subject

NO_CONDITIONS = "no conditions"
BETWEEN = " · "
STEP_LIMIT = 10_000


class Look:
    """One object as the rules see it; remembers what was read.

    steps: how many are left to the expression that is being evaluated (R-32).
    discreet: clauses do not tell who the patient is.
    """

    __slots__ = ("discreet", "facts", "found", "head", "steps")

    def __init__(self, head: Head, facts: Facts, *, discreet: bool = False) -> None:
        self.head = head
        self.facts = facts
        self.discreet = discreet
        self.found: dict[str, Found] = {}
        self.steps = STEP_LIMIT

    def read(self, left: Subject) -> Found:
        found = self.found[left.name] = look(left, self.head, self.facts)
        return found

    def spend(self, steps: int) -> None:
        """Count steps of an expression; raise `StepsError` when there are too many."""
        self.steps -= steps
        if self.steps < 0:
            raise StepsError(f"an expression took more than {STEP_LIMIT:,} steps")


Claims = tuple[tuple[Subject, Claim], ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """holds: the answer for a look.  explain: the words for that answer.

    claims, denials: what is certainly so where it holds, and where it does not.
    """

    holds: Callable[[Look], bool]
    explain: Callable[[Look, bool], str]
    claims: Claims = ()
    denials: Claims = ()

    def judge(self, seen: Look) -> tuple[bool, str]:
        """Return the answer and its words."""
        held = self.holds(seen)
        return held, self.explain(seen, held)


def condition(
    when: object,
    where: str,
    faults: list[RuleFault],
    depth: int = 0,
    known: Known = NOTHING,
) -> Condition:
    """Return the compiled ``when``; what is wrong with it is added to ``faults``."""
    if depth > DEPTH_LIMIT:
        faults.append(RuleFault(where, f"nested deeper than {DEPTH_LIMIT}"))
        return ALWAYS
    reader = _Reader(faults, known, depth)
    if isinstance(when, Mapping):
        return all_hold([reader.entry(key, when[key], where) for key in when])
    if isinstance(when, list) and when:
        return one_holds(reader.members(when, where))
    faults.append(RuleFault(where, "expected a table, or a list of tables of which one must hold"))
    return ALWAYS


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the entries of one table."""

    faults: list[RuleFault]
    known: Known
    depth: int

    def _fault(self, where: str, problem: str) -> Condition:
        self.faults.append(RuleFault(where, problem))
        return ALWAYS

    def _deeper(self, when: object, where: str) -> Condition:
        return condition(when, where, self.faults, self.depth + 1, self.known)

    def members(self, tables: list[object], where: str) -> list[Condition]:
        return [self._member(table, f"{where}[{n}]") for n, table in enumerate(tables)]

    def _member(self, table: object, where: str) -> Condition:
        if not isinstance(table, Mapping) or not table:
            return self._fault(where, "expected a table with at least one condition")
        return self._deeper(table, where)

    def entry(self, key: str, right: object, where: str) -> Condition:
        where = f"{where}.{key}"
        if key in ("all", "any"):
            if not isinstance(right, list) or not right:
                return self._fault(where, "expected a list of tables")
            join = all_hold if key == "all" else one_holds
            return join(self.members(right, where))
        if key == "not":
            if not right:
                return self._fault(where, "expected a table with at least one condition")
            return opposite(self._deeper(right, where))
        try:
            return self._shared(key, right, where)
        except ConfigError as error:
            self.faults.append(fault_of(error))
            return ALWAYS

    def _shared(self, key: str, right: object, where: str) -> Condition:
        """Return the condition; rules that ask the same share one, which keeps it in the cache."""
        asked = (key, repr(right))
        found = self.known.conditions.get(asked) if self.known.conditions is not None else None
        if not isinstance(found, Condition):
            left = subject(key, where)
            found = leaf(left, right_side(left, right, where, self.depth, self.known))
            if self.known.conditions is not None:
                self.known.conditions[asked] = found
        return found


def leaf(left: Subject, right: Matcher) -> Condition:
    """Return the condition that asks ``right`` of what an object shows under ``left``."""
    test, words = right.test, right.explain
    name = left.name

    def holds(seen: Look) -> bool:
        return test(seen.found.get(name) or seen.read(left), seen.facts)

    def explain(seen: Look, held: bool) -> str:
        return words(name, seen.found.get(name) or seen.read(left), held)

    claims = ((left, right.claim),) if right.claim is not None else ()
    denials = ((left, right.denial),) if right.denial is not None else ()
    plain = None if right.plain is None else _one_passes(left, right.plain)
    return Condition(plain or holds, concealed(explain, [left]), claims, denials)


def _one_passes(left: Subject, plain: PlainTest) -> Callable[[Look], bool]:
    """Return the shorter way to the answer where a value passes by itself."""
    name = left.name

    def holds(seen: Look) -> bool:
        for value in (seen.found.get(name) or seen.read(left)).values:
            if value is not None and plain(value):
                return True
        return False

    return holds


def all_hold(parts: Sequence[Condition]) -> Condition:
    """Return the condition that holds when every part does (also when there is none)."""
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.holds for part in parts)

    def holds(seen: Look) -> bool:
        for test in tests:  # noqa: SIM110 - a generator would cost twice the time
            if not test(seen):
                return False
        return True

    def explain(seen: Look, held: bool) -> str:
        if held:
            return BETWEEN.join([part.explain(seen, True) for part in parts]) or NO_CONDITIONS
        return next(part.explain(seen, False) for part in parts if not part.holds(seen))

    return Condition(holds, explain, tuple(claim for part in parts for claim in part.claims))


def one_holds(parts: Sequence[Condition]) -> Condition:
    """Return the condition that holds when one part does."""
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.holds for part in parts)

    def holds(seen: Look) -> bool:
        for test in tests:  # noqa: SIM110 - a generator would cost twice the time
            if test(seen):
                return True
        return False

    def explain(seen: Look, held: bool) -> str:
        if held:
            return next(part.explain(seen, True) for part in parts if part.holds(seen))
        return BETWEEN.join(part.explain(seen, False) for part in parts)

    denials = tuple(denial for part in parts for denial in part.denials)
    return Condition(holds, explain, (), denials)


def opposite(inner: Condition) -> Condition:
    """Return the condition that holds when ``inner`` does not; its words are those of inner."""
    return Condition(
        lambda seen: not inner.holds(seen),
        lambda seen, held: inner.explain(seen, not held),
        inner.denials,
        inner.claims,
    )


ALWAYS = Condition(lambda seen: True, lambda seen, held: NO_CONDITIONS)
