"""What would happen to objects that came in now, or at another time, or from somebody else (R-76).

Contract: nothing is sent or written.  Rules, filters and windows answer for the moment asked
about; health and queues are those of nobody: every destination counts as well.
"""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from waystation.app import wiring_group
from waystation.app.explaining_rules import Verdicts, senders
from waystation.app.settings import Settings
from waystation.app.wiring_lane import lane_settings
from waystation.app.wiring_schedule import Windows
from waystation.dicom.charset_doubts import warning_of
from waystation.dicom.head import Head
from waystation.flows.lane_settings import NO_FILTER
from waystation.flows.route import Routing
from waystation.journal.arrivals import PRIORITIES
from waystation.model.advice import help_for
from waystation.model.arrival import Arrival, Source
from waystation.model.errors import ConfigError
from waystation.model.plan import Target
from waystation.net.gate import title_matches
from waystation.rules.plan import explain, plan, refusal
from waystation.timing.failover import Choice, Member, choose
from waystation.timing.window import Schedule
from waystation.web.shapes_explain import ChoiceSaid, Explained, FateSaid, WaySaid

WILD = "*?"
Key = tuple[Target, str, str]


def source_from(settings: Settings, who: str) -> Source:
    """Return whom ``--from`` means: a peer by its name, or a calling AE title."""
    peer = settings.peer.get(who)
    if peer is not None:
        address = peer.address[0].partition("/")[0] if peer.address else ""
        return _source(settings, who, "".join(c for c in peer.ae_title if c not in WILD), address)
    for name, table in settings.peer.items():
        if title_matches(table.ae_title, who):
            return _source(settings, name, who, "")
    if settings.dicom.peers == "known":
        names = ", ".join(settings.peer) or "none"
        raise ConfigError("--from", f'no peer "{who}" and none with that AE title; known: {names}')
    return _source(settings, "", who, "")


def _source(settings: Settings, peer: str, calling_ae: str, address: str) -> Source:
    own = settings.dicom.ae_title
    return Source(peer=peer, calling_ae=calling_ae, called_ae=own, address=address)


@dataclass(slots=True)
class Supposing:
    """One supposition: these settings, at this moment.

    at: Unix seconds.  source: None for whoever really sent it.
    """

    settings: Settings
    routing: Routing
    at: float
    source: Source | None = None
    names: bool = False
    windows: Windows = field(init=False)

    def __post_init__(self) -> None:
        self.windows = Windows(self.settings.schedule, now=self.at, environ=os.environ)

    def told(self, objects: Iterable[tuple[Arrival, Head]], level: str, uid: str) -> Explained:
        """Return what would become of ``objects``, which are of one study."""
        verdicts = Verdicts()
        verdicts.know(self.routing.ruleset)
        targets: Counter[Key] = Counter()
        ends: Counter[tuple[str, str]] = Counter()
        arrivals: list[Arrival] = []
        doubt = ""
        for arrival, head in objects:
            doubt = doubt or warning_of(head)
            supposed = replace(arrival, received_at=self.at, source=self.source or arrival.source)
            arrivals.append(supposed)
            facts = self.routing.facts(supposed)
            verdicts.add(explain(head, facts, self.routing.ruleset, discreet=not self.names))
            self._plan(supposed, head, targets, ends)
        told = self._explained(arrivals, verdicts, targets, ends, level, uid)
        return told.model_copy(update={"notes": [*told.notes, doubt]}) if doubt else told

    def _plan(
        self,
        arrival: Arrival,
        head: Head,
        targets: Counter[Key],
        ends: Counter[tuple[str, str]],
    ) -> None:
        routing, sop_class = self.routing, arrival.instance.sop_class_uid
        facts = routing.facts(arrival)
        refused = refusal(head, facts, routing.ruleset, sop_class_uid=sop_class)
        if refused:
            ends["refused", refused] += 1
            return
        made = plan(head, facts, routing.ruleset, sop_class_uid=sop_class)
        for target in made.targets:
            targets[routing.placed(target), "", ""] += 1
        for one in made.joins:
            for target in one.targets:
                targets[routing.placed(target), one.level, one.rule] += 1
        if made.hold is not None:
            ends["held", made.hold.value] += 1
        elif made.discard:
            ends["discarded", made.discard] += 1

    def _explained(
        self,
        arrivals: list[Arrival],
        verdicts: Verdicts,
        targets: Counter[Key],
        ends: Counter[tuple[str, str]],
        level: str,
        uid: str,
    ) -> Explained:
        first = arrivals[0].instance
        return Explained(
            level=level,
            uid=uid,
            study=first.study_uid,
            at=self.at,
            running=False,
            hypothetical=True,
            modalities=sorted({one.instance.modality for one in arrivals} - {""}),
            objects=len(arrivals),
            arrivals=len(arrivals),
            judged=len(arrivals),
            first_at=self.at,
            last_at=self.at,
            senders=senders(one.source for one in arrivals),
            patient=None,
            gathers=[],
            rules=verdicts.said(),
            ways=[self._way(*key, n, first.study_uid) for key, n in targets.items()],
            fates=[
                FateSaid(what=what, reason=reason, objects=n, help=help_for(reason))
                for (what, reason), n in ends.items()
            ],
            notes=["nothing of this has happened: health and queues are not considered"],
        )

    def _way(self, target: Target, level: str, rule: str, n: int, study: str) -> WaySaid:
        choice = None
        to = target.destination
        if target.group and not target.filtered_by:
            choice = self._choose(to, study, stat=target.priority == "stat")
        member = choice.member if choice is not None else to
        would = " ".join(filter(None, [self._would(target, member), _when(level, rule)]))
        return WaySaid(
            destination=member or to,
            group=to if target.group else "",
            rules=list(target.rules),
            origin="rule",
            priority=target.priority,
            required=target.required,
            objects=n,
            states={},
            statuses={},
            held={target.hold.value: n} if target.hold is not None else {},
            helps=[help_for(target.hold.value)] if target.hold is not None else [],
            discarded={target.filtered_by: n} if target.filtered_by else {},
            left_as={},
            choice=None
            if choice is None
            else ChoiceSaid(member=choice.member, chosen_at=None, begun=False, why=choice.why),
            attempts=[],
            contexts=[],
            ahead=None,
            next_at=None,
            why_not_now=[],
            would=would,
        )

    def _would(self, target: Target, member: str) -> str:
        if target.filtered_by:
            return f"would be discarded by {target.filtered_by}"
        if target.hold is not None:
            return f"would be held ({target.hold.value})"
        if not member:
            return "would wait: no member of the group takes it"
        terms = lane_settings(self.settings, member, self.windows, NO_FILTER).terms
        priority = PRIORITIES[target.priority]
        if terms.due_by(priority, self.at) is None:
            return f"would wait: {terms.why(priority, self.at, self.at)}"
        return "would be sent"

    def _choose(self, group: str, study: str, *, stat: bool) -> Choice:
        found = wiring_group.groups(self.settings, self.windows)[group]
        members = [self._member(one.to, one.window, one.cost, one.weight) for one in found.members]
        return choose(found.habits, members, study, stat=stat)

    def _member(self, name: str, window: Schedule, cost: float, weight: float) -> Member:
        door = lane_settings(self.settings, name, self.windows, NO_FILTER).window
        turn, is_open = window.is_open(self.at), door.is_open(self.at)
        shut = (window if is_open else door).outlook(self.at)
        return Member(name=name, door=is_open, turn=turn, cost=cost, weight=weight, shut=shut)


def _when(level: str, rule: str) -> str:
    return f"once the {level} is complete (rule {rule})" if level else ""
