"""Limits of lanes that contradict each other or say nothing.

Contract: yields problems and warnings; changes nothing.
"""

from collections.abc import Iterator, Mapping

from waystation.app.faults import Problem
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.semantics_schedule import window_problems, windows_of
from waystation.app.settings_pace import LimitSettings
from waystation.app.wiring_lane import always, shared


def lanes(parts: Parts, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong or doubtful with the limits of destinations."""
    windows = windows_of(parts, environ)
    limits = {
        name: table.limits
        for name, table in parts.destinations.items()
        if table is not None and table.limits is not None
    }
    for name, each in limits.items():
        at: Path = ("destination", name, "limits", "rate")
        for place, entry in enumerate(each.rate or ()):
            if always(entry.when):
                if place + 1 < len(each.rate or ()):
                    text = "counts always, so that the entries behind it never do"
                    yield Problem(path=(*at, place), text=text, warning=True)
                continue
            yield from window_problems(parts, windows, (*at, place, "when"), entry.when)
    yield from _shares(limits)


def _shares(limits: Mapping[str, LimitSettings]) -> Iterator[Problem]:
    """Who shares a budget must not contradict the others about it."""
    for share, names in shared(limits).items():
        if len(names) == 1:
            text = "is shared with nobody: no other destination names it"
            yield Problem(
                path=("destination", names[0], "limits", "share"), text=text, warning=True
            )
        for key in ("rate", "per_minute"):
            stated = [(name, getattr(limits[name], key)) for name in names]
            stated = [(name, value) for name, value in stated if value is not None]
            for name, value in stated[1:]:
                if value != stated[0][1]:
                    yield Problem(
                        path=("destination", name, "limits", key),
                        text=f'is another one than that of "{stated[0][0]}", and both share '
                        f'"{share}"; state it once, or alike',
                    )
        if not any(limits[name].rate or limits[name].per_minute for name in names):
            yield Problem(
                path=("destination", names[0], "limits", "share"),
                text='nobody who shares it states "rate" or "per_minute"',
            )
