"""One line for each event of an arrival, its id first (R-86).

    a7f3c1 delivered to=pacs via=dicom attempts=2 wait_s=61.4 send_s=0.8 status=0000 rule=all

Contract: a line holds names of the configuration, numbers, words of fixed lists and, escaped, AE
titles; identifiers only as keyed short hashes unless they are wanted plain; nothing that a
receiver wrote into a comment (S-68).  Everything on a line comes with the call that made it.
Formatting costs a few microseconds; ``write`` must not wait.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2s
from logging import ERROR, INFO, WARNING

from waystation.flows.witness import Attempt, Witness
from waystation.model.arrival import Arrival, Source
from waystation.model.plan import Plan, Target
from waystation.model.printable import field as shown
from waystation.model.printable import printable
from waystation.rules.plan import FAILED
from waystation.timing.status import without_comment

# The same few words come again and again.
_shown = lru_cache(maxsize=4096)(shown)
NAMES = {INFO: "info", WARNING: "warning", ERROR: "error"}
SEVERITY = {"delivered": INFO, "warned": INFO, "discarded": INFO}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings:
    """level: least severity; by_destination, by_peer: where another one holds.

    json: form of a line.  key: of the hashes of identifiers, None: they are shown.
    kinds: destination → its kind.
    """

    level: int = INFO
    by_destination: Mapping[str, int] = field(default_factory=dict)
    by_peer: Mapping[str, int] = field(default_factory=dict)
    json: bool = False
    key: bytes | None = b""
    kinds: Mapping[str, str] = field(default_factory=dict)


class EventLog(Witness):
    """Of one node.  write: takes a whole line.  clock: Unix seconds."""

    def __init__(
        self, settings: EventSettings, write: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self._write = write
        self._clock = clock
        self._second, self._prefix = -1, ""
        self.change(settings)

    def change(self, settings: EventSettings) -> None:
        """Go by other settings from now on."""
        self.settings = settings
        self._hashed = lru_cache(maxsize=4096)(self._hash)

    def refused(self, source: Source, status: int, why: str, size_bytes: int) -> None:
        fields = {
            "from": source.peer or source.calling_ae,
            "calling_ae": source.calling_ae,
            "address": source.address,
            "status": f"{status:04X}",
            "why": why,
        }
        self._of_peer(WARNING, source.peer, 0, "refused", fields)

    def planned(self, arrival: Arrival, plan: Plan, duplicate: str) -> None:
        peer = arrival.source.peer
        if self.settings.by_peer.get(peer, self.settings.level) <= INFO:
            self._emit(INFO, arrival.id, *self._fate(arrival, plan, duplicate))
        if plan.hold is not None:
            fields = {"from": self._from(arrival), "reason": plan.hold.value}
            self._of_peer(WARNING, peer, arrival.id, "held", fields)
        for verdict in plan.verdicts:
            if not verdict.matched and verdict.clause.startswith(FAILED):
                why = verdict.clause.removeprefix(FAILED)
                fields = {"rule": verdict.rule, "why": why}
                self._of_peer(ERROR, peer, arrival.id, "rule-failed", fields)
        for target in plan.targets:
            if target.hold is not None:
                fields = {"to": target.destination, "reason": target.hold.value}
                self._of_lane(WARNING, target.destination, arrival.id, "held", fields)
            elif target.filtered_by:
                self.discarded(target.destination, 0, arrival.id, target.filtered_by)

    def _fate(self, arrival: Arrival, plan: Plan, duplicate: str) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {
            "from": self._from(arrival),
            "study": self._identifier(arrival.instance.study_uid),
        }
        if duplicate:
            fields["duplicate"] = duplicate
        if plan.discard:
            return "discarded", fields | {"by": plan.discard}
        going = [_way(each) for each in plan.targets if not each.filtered_by and not each.hold]
        if going:
            fields["to"] = ",".join(going)
        if plan.joins:
            fields["gathers"] = ",".join(join.rule for join in plan.joins)
        asked = dict.fromkeys(rule for target in plan.targets for rule in target.rules)
        if asked:
            fields["rule"] = ",".join(asked)
        return "planned", fields

    def tried(self, attempt: Attempt) -> None:
        delivery = attempt.delivery
        to = delivery.destination
        severity = SEVERITY.get(attempt.word, WARNING)
        if severity < self.settings.by_destination.get(to, self.settings.level):
            return
        what, _, reason = attempt.word.partition(" ")
        fields: dict[str, object] = {"to": to, "via": self.settings.kinds.get(to, "")}
        if reason:
            fields["reason"] = reason
        if attempt.fault not in (what, "refused"):
            fields["class"] = attempt.fault
        fields["attempts"] = delivery.attempts + 1
        fields["wait_s"] = f"{attempt.wait_s:.1f}"
        fields["send_s"] = f"{attempt.send_s:.1f}"
        if attempt.status is not None:
            fields["status"] = f"{attempt.status:04X}"
        if attempt.why:
            fields["why"] = without_comment(attempt.why)
        fields["rule"] = delivery.rules
        self._emit(severity, delivery.arrival_id, what, fields)

    def discarded(self, destination: str, delivery_id: int, arrival_id: int, by: str) -> None:
        fields: dict[str, object] = {"to": destination, "by": by}
        if delivery_id:
            fields["delivery"] = f"{delivery_id:x}"
        self._of_lane(INFO, destination, arrival_id, "discarded", fields)

    # lines

    def _stamp(self) -> str:
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{self._prefix}.{int((now - second) * 1e6):06}Z"

    def _from(self, arrival: Arrival) -> str:
        return arrival.source.peer or arrival.source.calling_ae

    def _identifier(self, uid: str) -> str:
        return uid if self.settings.key is None else self._hashed(uid)

    def _hash(self, text: str) -> str:
        return blake2s(text.encode(), key=self.settings.key or b"", digest_size=4).hexdigest()

    def _of_peer(
        self, severity: int, peer: str, arrival_id: int, what: str, fields: Mapping[str, object]
    ) -> None:
        if severity >= self.settings.by_peer.get(peer, self.settings.level):
            self._emit(severity, arrival_id, what, fields)

    def _of_lane(
        self, severity: int, to: str, arrival_id: int, what: str, fields: Mapping[str, object]
    ) -> None:
        if severity >= self.settings.by_destination.get(to, self.settings.level):
            self._emit(severity, arrival_id, what, fields)

    def _emit(
        self, severity: int, arrival_id: int, what: str, fields: Mapping[str, object]
    ) -> None:
        stamp = self._stamp()
        name = f"{arrival_id:x}" if arrival_id else "-"
        if self.settings.json:
            clean = {key: _plain(value) for key, value in fields.items()}
            line = {"arrival": name, "event": what, **clean}
            line |= {"level": NAMES[severity], "timestamp": stamp}
            self._write(json.dumps(line, ensure_ascii=False) + "\n")
            return
        words = " ".join([f"{key}={_shown(value)}" for key, value in fields.items()])
        self._write(f"{stamp} {NAMES[severity]:<7} {name} {what} {words}\n")


def _plain(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


def _way(target: Target) -> str:
    return target.destination if target.required else f"{target.destination}(optional)"
