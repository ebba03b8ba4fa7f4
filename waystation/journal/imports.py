"""Objects taken over from another router's queue: an arrival with its one delivery, once.

Contract: one transaction writes both or nothing.  Bytes that were taken over before for the same
destination and calling title make no second arrival, however often an import is repeated.
"""

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal.adoption import Adoption, Judge, adopt
from waystation.journal.ids import IdSource

IMPORT = "import"
_KNOWN = (
    "SELECT 1 FROM arrival a JOIN delivery d ON d.arrival = a.id"
    " WHERE a.sop_instance = :sop_instance AND a.sha256 = :sha256 AND a.way_in = 'import'"
    " AND a.calling_ae = :calling_ae AND d.destination = :destination LIMIT 1"
)
_WHY = "UPDATE delivery SET why = :why WHERE arrival = :arrival AND state = 'held'"


def take_over(
    adoption: Adoption, ids: IdSource, now: float, judge: Judge, why: str = ""
) -> Job[bool]:
    """Write an arrival whose plan has one target; return False if it was taken over before.

    why: in words, for a delivery that begins held.
    """
    arrival = adoption.arrival

    def job(transaction: Transaction) -> bool:
        seen = {
            "sop_instance": arrival.instance.sop_instance_uid,
            "sha256": bytes.fromhex(arrival.sha256),
            "calling_ae": arrival.source.calling_ae,
            "destination": adoption.plan.targets[0].destination,
        }
        if transaction.one(_KNOWN, seen):
            return False
        adopt([adoption], ids, now, judge)(transaction)
        if why:
            transaction.run(_WHY, {"arrival": arrival.id, "why": why[:500]})
        return True

    return job
