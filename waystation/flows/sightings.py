"""Where studies were last seen, so that not every PACS is asked for each of their objects (W-131).

Contract: that one PACS alone has all of a study or series is believed for as long as the terms say;
that it has some of it tells only where to look first for an instance, which is the same wherever it
comes from.  In memory, of the latest ones.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from waystation.flows.fetch import Path

REMEMBERED = 10_000
Scope = tuple[str, str, str]
T = TypeVar("T")


def scope_of(path: Path) -> Scope:
    """Return study, series and instance of a path, "" below its level."""
    return path["study"], path.get("series", ""), path.get("instance", "")


def _above(path: Path) -> list[Scope]:
    """Return the scopes that hold a path, itself first."""
    study, series, instance = scope_of(path)
    return list(dict.fromkeys([(study, series, instance), (study, series, ""), (study, "", "")]))


class Sightings:
    """Of one node.  clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._whole: OrderedDict[Scope, tuple[str, float]] = OrderedDict()
        self._some: OrderedDict[Scope, str] = OrderedDict()

    def whole(self, path: Path, source: str, valid_s: float) -> None:
        """A PACS has all of it, and no other one has anything else of it."""
        _put(self._whole, scope_of(path), (source, self._clock() + valid_s))

    def some(self, path: Path, source: str) -> None:
        """A PACS has some of it."""
        study, series, _ = scope_of(path)
        _put(self._some, (study, series, ""), source)

    def of(self, path: Path) -> str:
        """Return the PACS that need alone be asked, "" if that is not known."""
        for scope in _above(path):
            source, until = self._whole.get(scope, ("", 0.0))
            if until > self._clock():
                return source
        near = [self._some.get(scope, "") for scope in _above(path)] if "instance" in path else []
        return next(filter(None, near), "")

    def forget(self, path: Path) -> None:
        """It is not there any more."""
        for scope in _above(path):
            self._whole.pop(scope, None)
            self._some.pop(scope, None)


def _put(known: OrderedDict[Scope, T], scope: Scope, value: T) -> None:
    known[scope] = value
    known.move_to_end(scope)
    while len(known) > REMEMBERED:
        known.popitem(last=False)
