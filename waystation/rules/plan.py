"""Planning: one object and the rules give a plan with reasons.  No clock, no input, no output.

Contract (R-18, R-20 to R-22, R-34): rules are tried in file order and every matching rule
contributes; one destination named by several rules is one target with all their names and the
highest priority; `stop` ends the search after a match.  Where rules disagree about the object's
fate, keeping wins: what one rule sends is sent although another holds it (it is then also held
for a person), and it is discarded only if no rule sends, holds or archives it.  What no rule
takes, or what every filter takes away, goes the way of `otherwise`; nothing vanishes.
"""

from waystation.dicom.head import Head
from waystation.model.delivery import HoldReason
from waystation.model.plan import Plan, Target, Verdict
from waystation.rules.conditions import Look
from waystation.rules.facts import Facts
from waystation.rules.read import ARCHIVE, PRIORITIES, Rule, RuleSet

BUILT_IN = "built-in"
OTHERWISE = "otherwise"
DISABLED = "disabled"
STOPPED = "not tried: stopped by {}"


def plan(
    head: Head,
    facts: Facts,
    ruleset: RuleSet,
    *,
    sop_class_uid: str,
    otherwise: str = "",
) -> Plan:
    """Return what the rules decide; ``otherwise`` is the peer's override ("" = none)."""
    if not ruleset.rules:
        verdict = Verdict(rule=BUILT_IN, matched=True, clause="no rule is configured")
        return Plan(targets=(Target(destination=ARCHIVE, rules=(BUILT_IN,)),), verdicts=(verdict,))
    seen = Look(head, facts)
    verdicts, matched = _judge(ruleset.rules, seen)
    targets = tuple(_filtered(target, ruleset, sop_class_uid, seen) for target in _targets(matched))
    hold = HoldReason.OPERATOR if any(rule.then == "hold" for rule in matched) else None
    if hold is not None or any(not target.filtered_by for target in targets):
        return Plan(targets=targets, verdicts=verdicts, hold=hold)
    discarding = [rule.name for rule in matched if rule.then == "discard"]
    if discarding:
        return Plan(targets=targets, verdicts=verdicts, discard=discarding[0])
    return _untaken(targets, verdicts, otherwise or ruleset.otherwise)


def _judge(rules: tuple[Rule, ...], seen: Look) -> tuple[tuple[Verdict, ...], list[Rule]]:
    verdicts: list[Verdict] = []
    matched: list[Rule] = []
    stopped_by = ""
    for rule in rules:
        if stopped_by or not rule.enabled:
            clause = STOPPED.format(stopped_by) if stopped_by else DISABLED
            verdicts.append(Verdict(rule=rule.name, matched=False, clause=clause))
            continue
        held, clause = rule.when.judge(seen)
        verdicts.append(Verdict(rule=rule.name, matched=held, clause=clause))
        if held:
            matched.append(rule)
            stopped_by = rule.name if rule.stop else ""
    return tuple(verdicts), matched


def _targets(matched: list[Rule]) -> list[Target]:
    """Return one target per destination, in the order in which rules first name them."""
    askers: dict[str, list[Rule]] = {}
    for rule in matched:
        for destination in (ARCHIVE,) if rule.then == ARCHIVE else rule.send:
            askers.setdefault(destination, []).append(rule)
    return [
        Target(
            destination=destination,
            rules=tuple(rule.name for rule in rules),
            priority=max((rule.priority for rule in rules), key=PRIORITIES.index),
        )
        for destination, rules in askers.items()
    ]


def _filtered(target: Target, ruleset: RuleSet, sop_class_uid: str, seen: Look) -> Target:
    own = ruleset.filters.get(target.destination)
    taken_by = own.refuses(sop_class_uid, seen) if own is not None else ""
    if not taken_by:
        return target
    return Target(
        destination=target.destination,
        rules=target.rules,
        priority=target.priority,
        filtered_by=taken_by,
    )


def _untaken(targets: tuple[Target, ...], verdicts: tuple[Verdict, ...], otherwise: str) -> Plan:
    """Return the plan for what no rule took, or no filter let through (R-18, R-34)."""
    match otherwise:
        case "refuse":
            return Plan(targets=targets, verdicts=verdicts, refuse=True)
        case "discard":
            return Plan(targets=targets, verdicts=verdicts, discard=OTHERWISE)
        case "archive" if all(target.destination != ARCHIVE for target in targets):
            archive = Target(destination=ARCHIVE, rules=(OTHERWISE,))
            return Plan(targets=(*targets, archive), verdicts=verdicts)
        case _:
            return Plan(targets=targets, verdicts=verdicts, hold=HoldReason.NO_RULE)
