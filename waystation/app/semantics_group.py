"""Groups that cannot be, or that do not do what they seem to.

Contract: yields problems (names that do not resolve, a member twice, a name that is also a
destination's) and warnings (nobody uses it, one member, hours that no member covers).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from time import time

from waystation.app.faults import Problem, closest
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.semantics_schedule import window_problems, windows_of
from waystation.app.settings_group import GroupSettings, member_tables
from waystation.app.settings_rule import sends_of
from waystation.app.wiring_schedule import Windows

ARCHIVE = "archive"
WEEK_S = 7 * 86_400.0
SHORTEST_S = 60.0


def grouping(parts: Parts, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong or doubtful with the groups."""
    tables = parts.named.get("group", {})
    if not tables:
        return
    windows = windows_of(parts, environ)
    raw = parts.document.get("group")
    for name, table in tables.items():
        at: Path = ("group", name)
        written = raw.get(name) if isinstance(raw, dict) else None
        yield from _names(parts, name, at, written)
        if isinstance(table, GroupSettings):
            yield from _members(parts, windows, at, table)
            yield from _keys(at, table, written)


def _names(parts: Parts, name: str, at: Path, written: object) -> Iterator[Problem]:
    known = set(parts.destinations)
    if name in known or name == ARCHIVE:
        what = "the archive" if name == ARCHIVE else "a destination"
        yield Problem(path=at, text=f'"{name}" is the name of {what}, too: rename one of them')
    seen: set[str] = set()
    groups = parts.named.get("group", {})
    for position, to in member_tables(written):
        here: Path = (*at, "members", position)
        if to == name:
            yield Problem(path=here, text="a group cannot be a member of itself")
        elif to in groups and to not in known:
            yield Problem(path=here, text=f'"{to}" is a group: a member is a destination')
        elif to not in known:
            yield Problem(path=here, text=f'no destination "{to}"{closest(to, known)}')
        elif to in seen:
            yield Problem(path=here, text=f'"{to}" is a member twice')
        seen.add(to)
    if seen and not any(to == name for rule in parts.raw_rules() for _, to in sends_of(rule)):
        yield Problem(path=at, text="no rule sends to it", warning=True)


def _members(parts: Parts, windows: Windows, at: Path, table: GroupSettings) -> Iterator[Problem]:
    for position, member in enumerate(table.members):
        yield from window_problems(
            parts, windows, (*at, "members", position, "window"), member.window
        )
    if len(table.members) == 1:
        yield Problem(
            path=at, text="has one member only: name the destination itself", warning=True
        )
    if table.strategy != "by-time":
        return
    shut = _shared_shut(parts, windows, table)
    if shut:
        yield Problem(
            path=at,
            text=f"all members are shut at the same time, first {shut}; studies wait then",
            warning=True,
        )


def _shared_shut(parts: Parts, windows: Windows, table: GroupSettings) -> str:
    """Return the first instant of the next week at which no member can be used, in words."""
    doors = []
    for member in table.members:
        destination = parts.destinations.get(member.to)
        own = "always" if destination is None else destination.window
        doors.append((windows.of(member.window), windows.of(own)))
    at = time()
    end = at + WEEK_S
    while at < end:
        changes = [at + WEEK_S]
        if not any(turn.is_open(at) and door.is_open(at) for turn, door in doors):
            zone = doors[0][0].zone
            return f"{datetime.fromtimestamp(at, zone):%a %H:%M}"
        for pair in doors:
            changes += [c for window in pair if (c := window.next_change(at)) is not None]
        at = max(min(changes), at + SHORTEST_S)
    return ""


def _keys(at: Path, table: GroupSettings, written: object) -> Iterator[Problem]:
    """Yield warnings about keys that another strategy reads."""
    stated = written if isinstance(written, dict) else {}
    if "backup" in stated and table.strategy != "by-time":
        text = f'says nothing for strategy "{table.strategy}": only by-time has turns'
        yield Problem(path=(*at, "backup"), text=text, warning=True)
    if "sticky" in stated and table.strategy != "balance":
        text = f'says nothing for strategy "{table.strategy}": only balance spreads'
        yield Problem(path=(*at, "sticky"), text=text, warning=True)
    members = stated.get("members")
    for position, entry in enumerate(members if isinstance(members, list) else []):
        for key, strategy in (("window", "by-time"), ("cost", "by-time"), ("weight", "balance")):
            if isinstance(entry, dict) and key in entry and table.strategy != strategy:
                text = f'is read by strategy "{strategy}" only, this is "{table.strategy}"'
                yield Problem(path=(*at, "members", position, key), text=text, warning=True)
