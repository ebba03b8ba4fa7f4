"""Planning: one object and the rules give a plan with reasons.  No clock, no input, no output.

Contract (R-18, R-20 to R-22, R-34): rules are tried in file order and every matching rule
contributes; one destination named by several rules is one target with all their names and the
highest priority; `stop` ends the search after a match.  Where rules disagree about the object's
fate, keeping wins: what one rule sends is sent although another holds it (it is then also held
for a person), and it is discarded only if no rule sends, holds or archives it.  What no rule
takes, or what every filter takes away, goes the way of `otherwise`; nothing vanishes.
A rule that fails inside holds the arrival (``rule-error``) while the others go on (R-32).

A plan keeps the verdicts of the rules that matched or failed; `explain` gives those of all.
What a plan says never tells who the patient is: it ends up in logs and lists.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from waystation.dicom.head import Head
from waystation.model.delivery import HoldReason
from waystation.model.errors import WaystationError
from waystation.model.plan import Join, Plan, Target, Verdict
from waystation.rules.conditions import Look
from waystation.rules.facts import Facts
from waystation.rules.index import candidates
from waystation.rules.read import RuleSet
from waystation.rules.rule import ARCHIVE, PRIORITIES, Rule, Way

BUILT_IN = "built-in"
OTHERWISE = "otherwise"
DISABLED = "disabled"
STOPPED = "not tried: stopped by {}"
FAILED = "rule-error: "
NO_RULES = Verdict(rule=BUILT_IN, matched=True, clause="no rule is configured")


class Vote(NamedTuple):
    """One rule that wants the object at one destination."""

    rule: Rule
    priority: str
    way: Way


def plan(head: Head, facts: Facts, ruleset: RuleSet, *, sop_class_uid: str) -> Plan:
    """Return what the rules decide."""
    if not ruleset.rules:
        return Plan(targets=(Target(destination=ARCHIVE, rules=(BUILT_IN,)),), verdicts=(NO_RULES,))
    seen = Look(head, facts, discreet=True)
    verdicts, matched = _judge(ruleset, seen)
    filters = _Filters(ruleset, sop_class_uid, seen)
    targets, joins = _ways(matched, filters)
    made = Plan(targets=targets, verdicts=verdicts, hold=_hold(verdicts, matched), joins=joins)
    if made.hold is not None or joins or any(not target.filtered_by for target in targets):
        return made
    discarding = [rule.name for rule, _ in matched if rule.then == "discard"]
    if discarding:
        return replace(made, discard=discarding[0])
    return _untaken(made, ruleset.otherwise_for(facts.peer))


def explain(
    head: Head, facts: Facts, ruleset: RuleSet, *, discreet: bool = False
) -> tuple[Verdict, ...]:
    """Return what every rule says of the object: the deciding clause with the actual value.

    discreet: the values that tell who the patient is stay out.
    """
    if not ruleset.rules:
        return (NO_RULES,)
    seen = Look(head, facts, discreet=discreet)
    verdicts: list[Verdict] = []
    stopped_by = ""
    for rule in ruleset.rules:
        if stopped_by or not rule.enabled:
            clause = STOPPED.format(stopped_by) if stopped_by else DISABLED
            verdicts.append(Verdict(rule=rule.name, matched=False, clause=clause))
            continue
        verdict, _ = _verdict(rule, seen, tell_why_not=True)
        assert verdict is not None
        verdicts.append(verdict)
        stopped_by = rule.name if verdict.matched and rule.stop else ""
    return tuple(verdicts)


def refusal(head: Head, facts: Facts, ruleset: RuleSet, *, sop_class_uid: str) -> str:
    """Return what refuses the object before its sender gets an answer, or "" (R-8, R-34)."""
    admission = ruleset.admission
    named = admission.refusal(Look(head, facts)) if admission.refuse_when else ""
    if named:
        return f"refused by {named}"
    if ruleset.otherwise_for(facts.peer) != "refuse":
        return ""
    decided = plan(head, facts, ruleset, sop_class_uid=sop_class_uid)
    return "no rule takes this object" if decided.refuse else ""


def _verdict(rule: Rule, seen: Look, *, tell_why_not: bool) -> tuple[Verdict | None, str]:
    """Return what one rule says, and the priority of what it sends ("" if it does not match).

    Most rules do not match most objects: unless somebody asks, they get no verdict.
    """
    try:
        held = rule.when.holds(seen)
        if not held and not tell_why_not:
            return None, ""
        clause = rule.when.explain(seen, held)
        priority = rule.priority_of(seen) if held else ""
    except Exception as error:  # noqa: BLE001 - a failing rule takes no other along (R-32)
        held, clause, priority = False, FAILED + _words(error, seen), ""
    return Verdict(rule=rule.name, matched=held, clause=clause), priority


def _words(error: Exception, seen: Look) -> str:
    """Return what went wrong; the text of a foreign error may quote the object."""
    name = type(error).__name__
    return name if seen.discreet and not isinstance(error, WaystationError) else f"{name}: {error}"


def _judge(ruleset: RuleSet, seen: Look) -> tuple[tuple[Verdict, ...], list[tuple[Rule, str]]]:
    """Return the verdicts of the rules that matched or failed, and those that matched."""
    verdicts: list[Verdict] = []
    matched: list[tuple[Rule, str]] = []
    for place in _candidates(ruleset, seen):
        rule = ruleset.rules[place]
        verdict, priority = _verdict(rule, seen, tell_why_not=False)
        if verdict is None:
            continue
        verdicts.append(verdict)
        if verdict.matched:
            matched.append((rule, priority))
            if rule.stop:
                break
    return tuple(verdicts), matched


def _candidates(ruleset: RuleSet, seen: Look) -> Sequence[int]:
    try:
        places = candidates(ruleset.index, seen)
    except Exception:  # noqa: BLE001 - it fails again in the rules that ask for it, only there
        places = [place for place, rule in enumerate(ruleset.rules) if rule.enabled]
    return places


def _hold(verdicts: Sequence[Verdict], matched: Sequence[tuple[Rule, str]]) -> HoldReason | None:
    if any(not verdict.matched for verdict in verdicts):
        return HoldReason.RULE_ERROR
    return HoldReason.OPERATOR if any(rule.then == "hold" for rule, _ in matched) else None


def _together(votes: Sequence[Vote]) -> tuple[tuple[str, ...], str, bool]:
    """Return the names of the rules, the highest priority, and whether one requires it."""
    if len(votes) == 1:
        rule, priority, way = votes[0]
        return (rule.name,), priority, way.required
    return (
        tuple(vote.rule.name for vote in votes),
        max((vote.priority for vote in votes), key=PRIORITIES.index),
        any(vote.way.required for vote in votes),
    )


class _Filters:
    """What the filters of the ways say of this object; each is asked once."""

    def __init__(self, ruleset: RuleSet, sop_class_uid: str, seen: Look) -> None:
        self._ruleset = ruleset
        self._sop_class_uid = sop_class_uid
        self._seen = seen
        self._answers: dict[str, tuple[str, HoldReason | None]] = {}

    def target(self, to: str, votes: Sequence[Vote]) -> Target:
        """Return what goes to ``to``: discarded by its filter, or held where that fails."""
        if to not in self._answers:
            self._answers[to] = self._ask(to)
        filtered_by, hold = self._answers[to]
        rules, priority, required = _together(votes)
        return Target(
            destination=to,
            rules=rules,
            priority=priority,
            filtered_by=filtered_by,
            hold=hold,
            required=required,
            group=to in self._ruleset.groups,
            recipe=votes[0].rule.recipe,
        )

    def _ask(self, to: str) -> tuple[str, HoldReason | None]:
        own = self._ruleset.filters.get(to)
        if own is None:
            return "", None
        hold = None
        try:
            filtered_by = own.refuses(self._sop_class_uid, self._seen)
        except Exception:  # noqa: BLE001 - nothing slips through a filter that fails
            filtered_by, hold = "", HoldReason.RULE_ERROR
        return filtered_by, hold


def _ways(
    matched: Sequence[tuple[Rule, str]], filters: _Filters
) -> tuple[tuple[Target, ...], tuple[Join, ...]]:
    """Return what goes out by itself, and what waits for the rest of its series or study."""
    votes: dict[str, list[Vote]] = {}
    gathering = [(rule, priority) for rule, priority in matched if rule.gathering is not None]
    for rule, priority in matched:
        if rule.gathering is None:
            for way in rule.ways:
                votes.setdefault(way.to, []).append(Vote(rule, priority, way))
    targets: list[Target] = []
    joins: list[Join] = []
    for rule, priority in gathering:
        assert rule.gathering is not None
        later = []
        for way in rule.ways:
            vote = Vote(rule, priority, way)
            target = filters.target(way.to, [vote])
            if target.filtered_by:
                # The filter's answer is known: nothing is left to wait for.
                votes.setdefault(way.to, []).append(vote)
            elif way.to in votes and not rule.gathering.whole:
                votes[way.to].append(vote)
            else:
                later.append(target)
        if later:
            whole = rule.gathering.whole
            joins.append(
                Join(rule=rule.name, level=rule.gathering.level, targets=tuple(later), whole=whole)
            )
    for to, wanted in votes.items():
        targets += _versions(to, wanted, filters)
    return tuple(targets), tuple(joins)


def _versions(to: str, votes: Sequence[Vote], filters: _Filters) -> list[Target]:
    """Return one target for each version of the object; all but the first are held (R-21)."""
    if len(votes) == 1:
        return [filters.target(to, votes)]
    by_steps: dict[tuple[str, ...], list[Vote]] = {}
    for vote in votes:
        by_steps.setdefault(vote.rule.steps, []).append(vote)
    found = [filters.target(to, same) for same in by_steps.values()]
    return [
        target if n == 0 or target.filtered_by else replace(target, hold=HoldReason.TWO_VERSIONS)
        for n, target in enumerate(found)
    ]


def _untaken(made: Plan, otherwise: str) -> Plan:
    """Return the plan for what no rule took, or no filter let through (R-18, R-34)."""
    match otherwise:
        case "refuse":
            return replace(made, refuse=True)
        case "discard":
            return replace(made, discard=OTHERWISE)
        case "archive" if all(target.destination != ARCHIVE for target in made.targets):
            archive = Target(destination=ARCHIVE, rules=(OTHERWISE,))
            return replace(made, targets=(*made.targets, archive))
        case _:
            return replace(made, hold=HoldReason.NO_RULE)
