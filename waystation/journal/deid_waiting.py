"""What de-identification holds for a person, the objects of a study, and which reports there are.

Contract: reads only.  Studies are named by their original UIDs, reports by those of the outputs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import arrivals, treatments
from waystation.journal.arrivals import COLUMNS
from waystation.journal.deid_records import APPROVAL, REJECTION, REPORT, WITHDRAWAL
from waystation.model.arrival import Arrival
from waystation.model.recipe import Recipe

MOST_ROWS: Final = 5000
MOST_VERSIONS: Final = 10
_WAITING: Final = (
    "SELECT d.study, d.recipe, d.why, d.destination, a.modality, count(DISTINCT d.arrival),"
    " min(coalesce(f.at, d.created_at)) FROM delivery d JOIN arrival a ON a.id = d.arrival"
    " LEFT JOIN finding f ON f.delivery = d.id"
    " WHERE d.state = 'held' AND d.hold_reason = 'deid-failed'"
    " AND (:study = '' OR d.study = :study)"
    " GROUP BY d.study, d.recipe, d.why, d.destination, a.modality"
    " ORDER BY min(coalesce(f.at, d.created_at)) LIMIT :most"
)

_HERE: Final = "SELECT " + COLUMNS + " FROM arrival WHERE blob_gone = 0 AND "
_OF_STUDY: Final = _HERE + "study = :uid AND id > :after ORDER BY id LIMIT :limit"
_OF_INSTANCE: Final = _HERE + "sop_instance = :uid ORDER BY id DESC LIMIT :limit"


@dataclass(slots=True, kw_only=True)
class Reason:
    """One reason for which objects of a study are held.  since: Unix seconds of the first."""

    why: str
    objects: int
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a person decided about a study.  what: sample, pixels or features."""

    what: str
    approved: bool
    by: str
    because: str
    at: float


@dataclass(slots=True, kw_only=True)
class Waiting:
    """One study that a profile holds.  recipe: digest of the steps that lead to it."""

    study: str
    profile: str
    recipe: str
    reasons: dict[str, Reason] = field(default_factory=dict)
    destinations: set[str] = field(default_factory=set)
    modalities: set[str] = field(default_factory=set)
    decided: tuple[Decided, ...] = ()

    @property
    def since(self) -> float:
        """When the first of it was held, Unix seconds."""
        return min(one.since for one in self.reasons.values())


def waiting(study: str = "") -> Job[list[Waiting]]:
    """Read what is held, the oldest first; of one study, or ("") of all."""

    def job(transaction: Transaction) -> list[Waiting]:
        found: dict[tuple[str, str], Waiting] = {}
        names: dict[str, Recipe] = {}
        counted: dict[tuple[str, str, str, str], dict[str, int]] = {}
        for row in transaction.rows(_WAITING, {"study": study, "most": MOST_ROWS}):
            uid, digest, why, destination, modality = (str(value) for value in row[:5])
            if digest not in names:
                names[digest] = treatments.recipe_of(transaction, digest)
            profile = names[digest].deidentify
            one = found.get((uid, profile))
            if one is None:
                one = found[uid, profile] = Waiting(study=uid, profile=profile, recipe=digest)
            reason = one.reasons.setdefault(why, Reason(why=why, objects=0, since=float(row[6])))
            reason.since = min(reason.since, float(row[6]))
            # An object that goes to two destinations is one object.
            by_place = counted.setdefault((uid, profile, why, modality), {})
            by_place[destination] = by_place.get(destination, 0) + int(row[5])
            one.destinations.add(destination)
            one.modalities.add(modality)
        for (uid, profile, why, _), by_place in counted.items():
            found[uid, profile].reasons[why].objects += max(by_place.values())
        for one in found.values():
            one.decided = _decided(transaction, one.study, one.profile)
        return list(found.values())

    return job


def decided(study: str, profile: str) -> Job[tuple[Decided, ...]]:
    """Read what persons decided about a study, by its original UID."""
    return lambda transaction: _decided(transaction, study, profile)


def _decided(transaction: Transaction, study: str, profile: str) -> tuple[Decided, ...]:
    rows = transaction.rows(
        "SELECT what, approved, by_user, because, at FROM deid_approval"
        " WHERE study = :study AND profile = :profile ORDER BY at",
        {"study": study, "profile": profile},
    )
    return tuple(
        Decided(
            what=str(row[0]),
            approved=bool(row[1]),
            by=str(row[2]),
            because=str(row[3]),
            at=float(row[4]),
        )
        for row in rows
    )


def device_rule(study: str, profile: str) -> Job[str]:
    """Read the rule that was offered with the last approval of pixels, "" if there was none.

    study: as the outputs call it.
    """

    def job(transaction: Transaction) -> str:
        rows = transaction.rows(
            "SELECT text FROM deid_record WHERE study = :study AND kind = :kind"
            " ORDER BY number DESC",
            {"study": study, "kind": APPROVAL},
        )
        said = (json.loads(text) for (text,) in rows)
        offered = (str(one.get("device", "")) for one in said if one["profile"] == profile)
        return next((text for text in offered if text), "")

    return job


def held_by(study: str, profile: str) -> Job[tuple[int, ...]]:
    """Read which deliveries of a study a profile holds."""

    def job(transaction: Transaction) -> tuple[int, ...]:
        rows = transaction.rows(
            "SELECT id, recipe FROM delivery WHERE study = :study AND state = 'held'"
            " AND hold_reason = 'deid-failed' ORDER BY id",
            {"study": study},
        )
        of = {
            digest: treatments.recipe_of(transaction, digest).deidentify
            for digest in {str(row[1]) for row in rows}
        }
        return tuple(int(row[0]) for row in rows if of[str(row[1])] == profile)

    return job


# objects


def objects_of(study: str, after: int, limit: int) -> Job[list[Arrival]]:
    """Read the objects of a study whose bytes are here, in the order in which they came.

    after: ids above this one.
    """
    return _objects(_OF_STUDY, {"uid": study, "after": after, "limit": limit})


def named(uid: str) -> Job[list[Arrival]]:
    """Read the objects here that have this SOP Instance UID, the newest first."""
    return _objects(_OF_INSTANCE, {"uid": uid, "limit": MOST_VERSIONS})


def held_object(study: str, why: str) -> Job[Arrival | None]:
    """Read the first object of a study that is held for this reason."""

    def job(transaction: Transaction) -> Arrival | None:
        row = transaction.one(
            "SELECT arrival FROM delivery WHERE study = :study AND state = 'held'"
            " AND hold_reason = 'deid-failed' AND why = :why ORDER BY id LIMIT 1",
            {"study": study, "why": why},
        )
        return None if row is None else arrivals.read(transaction, int(row[0]))

    return job


def _objects(text: str, values: Mapping[str, Any]) -> Job[list[Arrival]]:
    def job(transaction: Transaction) -> list[Arrival]:
        return [arrivals.arrival_from(row) for row in transaction.rows(text, values)]

    return job


def count_of(study: str) -> Job[int]:
    """Read how many objects of a study are here."""

    def job(transaction: Transaction) -> int:
        row = transaction.one(
            "SELECT count(*) FROM arrival WHERE blob_gone = 0 AND study = :study",
            {"study": study},
        )
        return int(row[0]) if row is not None else 0

    return job


def neighbours(arrival: Arrival) -> Job[tuple[int, int]]:
    """Read the ids before and behind an object among those of its study here, 0 for none."""
    study = arrival.instance.study_uid

    def job(transaction: Transaction) -> tuple[int, int]:
        before = transaction.one(
            "SELECT max(id) FROM arrival WHERE study = :study AND blob_gone = 0 AND id < :id",
            {"study": study, "id": arrival.id},
        )
        behind = transaction.one(
            "SELECT min(id) FROM arrival WHERE study = :study AND blob_gone = 0 AND id > :id",
            {"study": study, "id": arrival.id},
        )
        return int(before[0] or 0) if before else 0, int(behind[0] or 0) if behind else 0

    return job


# reports


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """One study of which there are reports.  number: of its newest record.  at: Unix seconds."""

    study: str
    number: int
    at: float
    profile: str
    objects: int
    decisions: int


def reports(before: int, limit: int) -> Job[list[ReportLine]]:
    """Read which studies were de-identified, the newest first.

    before: only those whose newest record has a lower number, 0 for all.
    """

    def job(transaction: Transaction) -> list[ReportLine]:
        rows = transaction.rows(
            "SELECT study, max(number), max(at) FROM deid_record WHERE kind = :kind"
            " GROUP BY study HAVING (:before = 0 OR max(number) < :before)"
            " ORDER BY max(number) DESC LIMIT :limit",
            {"kind": REPORT, "before": before, "limit": limit},
        )
        return [_line(transaction, str(row[0]), int(row[1]), float(row[2])) for row in rows]

    return job


def _line(transaction: Transaction, study: str, number: int, at: float) -> ReportLine:
    profiles, objects, decisions = dict[str, None](), 0, 0
    for kind, text in transaction.rows(
        "SELECT kind, text FROM deid_record WHERE study = :study ORDER BY number", {"study": study}
    ):
        said = json.loads(text)
        if kind == REPORT:
            profiles[said["profile"]] = None
            objects += int(said["objects"]["out"])
        decisions += kind in (APPROVAL, REJECTION, WITHDRAWAL)
    return ReportLine(
        study=study,
        number=number,
        at=at,
        profile=", ".join(profiles),
        objects=objects,
        decisions=decisions,
    )
