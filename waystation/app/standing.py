"""How lanes, groups and gathers stand: of a running node, or of a configuration whose node is not.

Contract: `of_node` runs on the node's own event loop and takes values only, so that a worker
thread can go on with them; `of_settings` needs no node.
"""

from collections.abc import Callable, Mapping
from typing import Any

from waystation.app import wiring_completeness
from waystation.app.explaining_now import LaneNow, Standing
from waystation.app.node import Node
from waystation.app.settings import Settings
from waystation.app.wiring_lane import lane_settings
from waystation.app.wiring_schedule import Windows
from waystation.db.engine import Job
from waystation.flows.deliver import LaneBelt
from waystation.flows.gather import GatherTerms
from waystation.flows.lane_settings import NO_FILTER
from waystation.flows.route import Routing
from waystation.journal import recovery
from waystation.journal.recovery import PAUSED

# So near to its limit a lane is held back by it.
NEAR = 0.8
MEBI = 1 << 20


def of_node(node: Node) -> Standing:
    """Return how a running node stands."""
    at = node.clock()
    routing = node.router.routing
    return Standing(
        at=at,
        running=True,
        lanes={name: _lane(belt, at) for name, belt in node.belts.items()},
        groups={name: node.groups.why_waiting(name) for name in node.settings.group},
        terms_of=_terms_of(node.settings, routing, at),
    )


def _lane(belt: LaneBelt, at: float) -> LaneNow:
    now = belt.now()
    health, why = belt.lane.describe(now)
    away, wakes = belt.lane.away_since, belt.lane.next_wake(now)
    return LaneNow(
        health=health.value,
        why=why,
        since=None if away is None else at - (now - away),
        wakes_at=None if wakes is None or wakes <= now else at + (wakes - now),
        terms=belt.settings.terms,
        limited=_limited(belt, now, at),
    )


def _limited(belt: LaneBelt, now: float, at: float) -> str:
    limits = belt.settings.limits
    rate = limits.rate(at)
    if rate is not None and belt.pace.bytes_per_s(now) >= NEAR * rate:
        return f"limited to {rate / MEBI:.1f} MiB/s"
    most = limits.per_minute
    if most is not None and belt.pace.objects_per_s(now) * 60 >= NEAR * most:
        return f"limited to {most} objects a minute"
    return ""


def _terms_of(settings: Settings, routing: Routing, at: float) -> Callable[[str, str], GatherTerms]:
    return wiring_completeness.terms_of(
        settings.completeness, routing.ruleset, routing.zone, routing.windows, lambda: at
    )


def of_settings(
    settings: Settings | None,
    routing: Routing | None,
    at: float,
    read: Callable[[Job[Any]], Any],
    environ: Mapping[str, str],
) -> Standing:
    """Return what is known while no node runs.  settings: None if the file cannot be read."""
    if settings is None:
        return Standing(at=at)
    windows = Windows(settings.schedule, now=at, environ=environ)
    lanes = {}
    for name in settings.destination:
        by = read(recovery.mark(PAUSED + name))
        lanes[name] = LaneNow(
            health="paused" if by else "stopped",
            why=f"by {by}" if by else "",
            terms=lane_settings(settings, name, windows, NO_FILTER).terms,
        )
    terms = None if routing is None else _terms_of(settings, routing, at)
    return Standing(at=at, lanes=lanes, terms_of=terms)
