"""What the journal knows of the archive: which arrivals it keeps.

Contract: a row of ``archived`` keeps the bytes of its arrival, whatever became of its deliveries
(S-18); only retention takes it away.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from waystation.db.statement import Transaction
from waystation.model.arrival import Arrival
from waystation.model.plan import Plan
from waystation.rules.duplicates import DUPLICATE

_THERE: Final = (
    "SELECT 1 FROM arrival a WHERE a.sop_instance = :uid AND a.id <> :id"
    " AND coalesce(a.hold_reason, '') <> 'corrupt' AND (EXISTS ("
    "  SELECT 1 FROM archived k WHERE k.arrival = a.id)"
    " OR EXISTS (SELECT 1 FROM delivery d WHERE d.arrival = a.id AND d.destination = :to"
    "  AND d.state IN ('waiting', 'sending', 'held'))) LIMIT 1"
)


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
