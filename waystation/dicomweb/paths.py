"""Paths below a root of DICOMweb: templates, and what a path means by them.

Contract: pure.  A template is made of words and of names in braces: ``/studies/{study}/series``;
``{bulk*}`` at its end takes all that is left.  Empty segments are passed over, so that trailing
and repeated slashes do no harm (W-4).  Names that hold UIDs are checked (W-11).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from waystation.dicom.uids import is_uid

Target = TypeVar("Target")
UIDS: Final = frozenset({"study", "series", "instance"})
STUDY: Final = "/studies/{study}"
SERIES: Final = STUDY + "/series/{series}"
INSTANCE: Final = SERIES + "/instances/{instance}"


def segments(path: str) -> list[str]:
    """Return what stands between the slashes."""
    return [part for part in path.split("/") if part]


@dataclass(slots=True)
class _Node(Generic[Target]):
    words: "dict[str, _Node[Target]]" = field(default_factory=dict)
    name: str = ""
    below: "_Node[Target] | None" = None
    rest: str = ""
    target: Target | None = None


class Routes(Generic[Target]):
    """Templates with what each of them means."""

    def __init__(self) -> None:
        self._top: _Node[Target] = _Node()

    def at(self, template: str) -> Target | None:
        """Return what was added for exactly this template."""
        return self._node(template).target

    def add(self, template: str, target: Target) -> None:
        """Add a template, or give it another target."""
        self._node(template).target = target

    def _node(self, template: str) -> _Node[Target]:
        node = self._top
        for part in segments(template):
            if part.endswith("*}"):
                node.rest = part[1:-2]
                node.below = node.below or _Node()
                return node.below
            if part.startswith("{"):
                node.name = part[1:-1]
                node.below = node.below or _Node()
                node = node.below
            else:
                node = node.words.setdefault(part, _Node())
        return node

    def find(self, parts: list[str]) -> tuple[Target, Mapping[str, str]] | None:
        """Return what a path means, and the values of its names; None if nobody added it."""
        node: _Node[Target] = self._top
        values: dict[str, str] = {}
        for place, part in enumerate(parts):
            word, below = node.words.get(part), node.below
            if word is not None:
                node = word
            elif below is None:
                return None
            elif node.rest:
                values[node.rest] = "/".join(parts[place:])
                node = below
                break
            else:
                values[node.name] = part
                node = below
        return None if node.target is None else (node.target, values)


def bad_uid(values: Mapping[str, str]) -> str:
    """Return the first name of a path whose value should be a UID and is none, "" if all are."""
    return next((name for name in values if name in UIDS and not is_uid(values[name])), "")
