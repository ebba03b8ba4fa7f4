"""The SOP classes that a configuration names.

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
    for at, entry in _sop_classes(parts):
        yield from _sop_class(at, entry)


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
