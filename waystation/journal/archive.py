"""What the journal knows of the archive: which arrivals it keeps.

Contract: a row of ``archived`` keeps the bytes of its arrival, whatever became of its deliveries
(S-18); only retention takes it away.  One whose bytes were found damaged, or whose damage a person
has dismissed, is there no more for a good copy that comes again.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal.counts import count
from waystation.model.arrival import Arrival
from waystation.model.plan import Plan
from waystation.rules.duplicates import DUPLICATE

_THERE: Final = (
    "SELECT 1 FROM arrival a WHERE a.sop_instance = :uid AND a.id <> :id"
    " AND coalesce(a.hold_reason, '') <> 'corrupt' AND a.ended_why IS NULL AND (EXISTS ("
    "  SELECT 1 FROM archived k WHERE k.arrival = a.id)"
    " OR EXISTS (SELECT 1 FROM delivery d WHERE d.arrival = a.id AND d.destination = :to"
    "  AND d.state IN ('waiting', 'sending', 'held'))) LIMIT 1"
)

_SPOILT: Final = (
    "UPDATE arrival SET hold_reason = 'corrupt' WHERE id = :id AND blob = :blob AND blob_gone = 0"
    " AND hold_reason IS NULL AND EXISTS (SELECT 1 FROM archived k WHERE k.arrival = arrival.id)"
)


def spoilt(arrival_id: int, blob: str) -> Job[bool]:
    """Note that the bytes of an archived object are damaged or missing; False if it is no news."""

    def job(transaction: Transaction) -> bool:
        news = transaction.run(_SPOILT, {"id": arrival_id, "blob": blob}) > 0
        if news:
            count(transaction, "corrupt")
        return news

    return job


def rescued(
    transaction: Transaction, arrival: Arrival, plan: Plan, judged: Plan, coming: Collection[str]
) -> Plan:
    """Return the plan in its final form: what came before is no duplicate to an archive that has
    not got it, or has it no more.

    coming: SOP instances that it takes in this very transaction.
    """
    if judged.discard != DUPLICATE or arrival.instance.sop_instance_uid in coming:
        return judged
    missing = tuple(
        target
        for target in plan.targets
        if target.archived and not _is_there(transaction, arrival, target.destination)
    )
    return replace(judged, targets=missing, discard="") if missing else judged


def _is_there(transaction: Transaction, arrival: Arrival, destination: str) -> bool:
    values = {
        "uid": arrival.instance.sop_instance_uid,
        "id": arrival.id,
        "to": destination,
    }
    return transaction.one(_THERE, values) is not None
