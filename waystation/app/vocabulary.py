"""The words a configuration may use: conditions of rules, SOP classes, names in templates.

Contract: what a word means is decided by `rules`; here its complaints get their place in the
document.  Imported late, as the dictionary of the Standard takes its time to load.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from waystation.app.faults import Problem
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.settings_destination import FolderDestination

IN_BRACES = re.compile(r"\{([^{}]*)\}")


def wrong_words(parts: Parts) -> Iterator[Problem]:
    """Yield a problem for each word of the document that means nothing."""
    for position, raw in enumerate(parts.raw_rules()):
        if isinstance(raw.get("when"), dict | list):
            yield from _conditions(raw["when"], ("rule", position, "when"))
    for at, entry in _sop_classes(parts):
        yield from _sop_class(at, entry)
    for name, destination in parts.destinations.items():
        if isinstance(destination, FolderDestination):
            yield from _template(("destination", name, "name"), destination.name)


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


def _template(at: Path, template: str) -> Iterator[Problem]:
    if "{" in IN_BRACES.sub("", template) or "}" in IN_BRACES.sub("", template):
        yield Problem(path=at, text="a brace has no partner")
    if ".." in template or template.startswith("/") or "\\" in template:
        yield Problem(path=at, text="must stay inside the folder")
    for word in IN_BRACES.findall(template):
        yield from _template_word(at, word)


def _template_word(at: Path, word: str) -> Iterator[Problem]:
    from waystation.model.errors import ConfigError
    from waystation.rules.subjects import subject

    try:
        subject(word, "")
    except ConfigError as error:
        yield Problem(path=at, text=error.problem)
