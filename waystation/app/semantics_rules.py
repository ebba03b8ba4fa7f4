"""What is wrong or doubtful with the conditions and expressions of the file.

Contract: what they mean is decided by `rules`; here its complaints get their place in the
document.  Every condition is read even where other keys of its table are wrong.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from waystation.app.faults import Problem
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.settings_dicom import DicomSettings
from waystation.app.settings_rule import RoutingSettings
from waystation.app.settings_steps import EditSettings

FILTERED = ("peer", "destination")


def rules(parts: Parts) -> Iterator[Problem]:
    """Yield the problems and warnings of all rules and filters."""
    from waystation.rules.known import Known

    known = Known(schedules=_names(parts, "schedule"))
    for position, raw in enumerate(parts.raw_rules()):
        yield from _rule(raw, ("rule", position), known)
    for at, raw in _filtered(parts):
        yield from _condition(raw.get("refuse_when"), (*at, "refuse_when"), known)
    yield from _not_gathering(parts)
    yield from _doubts(parts, known)


def _names(parts: Parts, table: str) -> list[str]:
    raw = parts.document.get(table)
    return list(raw) if isinstance(raw, Mapping) else []


def _filtered(parts: Parts) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield every table that may have a ``refuse_when``."""
    dicom = parts.document.get("dicom")
    if isinstance(dicom, Mapping):
        yield ("dicom",), dicom
    for kind in FILTERED:
        named = parts.document.get(kind)
        for name, raw in named.items() if isinstance(named, Mapping) else ():
            if isinstance(raw, Mapping):
                yield (kind, name), raw


def _rule(raw: Mapping[str, Any], at: Path, known: Any) -> Iterator[Problem]:
    from waystation.rules.expression import expression, study_expression

    yield from _condition(raw.get("when"), (*at, "when"), known)
    yield from _expression(raw.get("if"), (*at, "if"), known, expression)
    yield from _expression(raw.get("if_complete"), (*at, "if_complete"), known, study_expression)
    priority = raw.get("priority")
    if isinstance(priority, Mapping):
        for key in ("stat", "low"):
            yield from _expression(priority.get(key), (*at, "priority", key), known, expression)


def _expression(
    text: Any, at: Path, known: Any, compile_it: Callable[[str, str, Any], object]
) -> Iterator[Problem]:
    from waystation.model.errors import ConfigError

    if isinstance(text, str) and text:
        try:
            compile_it(text, "", known)
        except ConfigError as error:
            yield Problem(path=at, text=error.problem)


def _condition(when: Any, at: Path, known: Any) -> Iterator[Problem]:
    from waystation.rules.conditions import condition
    from waystation.rules.faults import RuleFault

    faults: list[RuleFault] = []
    # A table without entries always holds; of no tables none does.
    if isinstance(when, dict | list) and when != {}:
        condition(when, "", faults, 0, known)
    places = dict(_places(when, "", at))
    for fault in faults:
        near = [text for text in places if fault.where.startswith(text)]
        yield Problem(path=places[max(near, key=len)] if near else at, text=fault.problem)


def _places(value: Any, text: str, at: Path) -> Iterator[tuple[str, Path]]:
    """Yield the address that `rules` gives each part of a condition, and its path."""
    yield text, at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, f"{text}.{key}", (*at, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _places(inner, f"{text}[{position}]", (*at, position))


def _not_gathering(parts: Parts) -> Iterator[Problem]:
    for position, rule in enumerate(parts.rules):
        if rule is None:
            continue
        at: Path = ("rule", position)
        if rule.trigger == "instance":
            for key in rule.gathering_keys():
                text = 'is only for a rule with "trigger" = "series" or "study"'
                yield Problem(path=(*at, key), text=text)
        elif rule.then is not None:
            text = '"then" acts on each object at once: leave "trigger" out'
            yield Problem(path=(*at, "trigger"), text=text)


def _doubts(parts: Parts, known: Any) -> Iterator[Problem]:
    """What `rules` finds doubtful, such as a rule behind one that always stops."""
    from waystation.app.wiring_steps import rule_table
    from waystation.rules.admission import Admission
    from waystation.rules.doubts import Surroundings
    from waystation.rules.read import read_rules

    rules = [rule for rule in parts.rules if rule is not None]
    named = parts.named.get("edit", {})
    edits = {name: table for name, table in named.items() if isinstance(table, EditSettings)}
    places = {f"rule.{rule.name}": place for place, rule in enumerate(parts.rules) if rule}
    dicom = parts.single.get("dicom")
    titles = None
    if isinstance(dicom, DicomSettings) and dicom.called_ae == "own":
        titles = frozenset({dicom.ae_title, *dicom.aliases})
    routing = parts.single.get("routing")
    own = {name: peer.otherwise for name, peer in parts.peers.items() if peer and peer.otherwise}
    read = read_rules(
        [rule_table(rule, edits) for rule in rules],
        destinations=parts.destinations,
        groups=_names(parts, "group"),
        otherwise=routing.otherwise if isinstance(routing, RoutingSettings) else "hold",
        admission=Admission(otherwise=own),
        known=known,
        surroundings=Surroundings(peers=frozenset(parts.peers), called_ae=titles),
    )
    for doubt in () if read.faults else read.warnings:
        yield Problem(path=("rule", places[doubt.where]), text=doubt.problem, warning=True)
