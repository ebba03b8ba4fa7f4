"""The words a configuration may use: conditions of rules, SOP classes.

Contract: what a word means is decided by `rules`; here its complaints get their place in the
document.  Imported late, as the dictionary of the Standard takes its time to load.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from waystation.app.faults import Problem
from waystation.app.lines import Path
from waystation.app.parts import Parts


def wrong_words(parts: Parts) -> Iterator[Problem]:
    """Yield a problem for each word of the document that means nothing."""
    for position, raw in enumerate(parts.raw_rules()):
        if isinstance(raw.get("when"), dict | list):
            yield from _conditions(raw["when"], ("rule", position, "when"))
    for at, entry in _sop_classes(parts):
        yield from _sop_class(at, entry)


def _conditions(when: Any, at: Path) -> Iterator[Problem]:
    from waystation.rules.conditions import condition
    from waystation.rules.faults import RuleFault

    faults: list[RuleFault] = []
    if when not in ({}, []):
        condition(when, "", faults)
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


def _sop_classes(parts: Parts) -> Iterator[tuple[Path, str]]:
    tables: list[tuple[Path, Any]] = [(("dicom",), parts.document.get("dicom"))]
    for kind in ("peer", "destination"):
        named = parts.document.get(kind)
        if isinstance(named, Mapping):
            tables += [((kind, name), raw) for name, raw in named.items()]
    for at, raw in tables:
        for key in ("accept", "refuse"):
            entries = raw.get(key) if isinstance(raw, Mapping) else None
            for position, entry in enumerate(entries if isinstance(entries, list) else []):
                if isinstance(entry, str) and entry:
                    yield (*at, key, position), entry


def _sop_class(at: Path, entry: str) -> Iterator[Problem]:
    from waystation.rules.classes import class_filter
    from waystation.rules.faults import RuleFault

    faults: list[RuleFault] = []
    class_filter("", "", faults, accept=[entry])
    for fault in faults:
        yield Problem(path=at, text=fault.problem)
