"""How long what HL7 messages said is kept (T-60).

Contract: messages go by their age.  What was said of an order, and of its patient, stays while a
step of it is open, however long ago that was: an appointment may lie months ahead.
"""

from collections.abc import Collection, Iterable
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction, placeholders
from waystation.hl7.news import PatientKey
from waystation.hl7.registers import Order, Patient
from waystation.journal import hl7_orders

LONGEST_CHAIN: Final = 16
_OPEN: Final = (
    "SELECT 1 FROM step WHERE id IN ({}) AND deleted_at IS NULL"
    " AND state IN ('scheduled', 'arrived', 'ready', 'started') LIMIT 1"
)


def forget(before: float) -> Job[int]:
    """Drop messages that came before an instant, and orders and patients not heard of since.

    Returns how many messages there were.
    """
    params = {"before": before}

    def job(transaction: Transaction) -> int:
        kept = _forget_orders(transaction, before)
        ids = {one for order in kept for one in _patients_of(transaction, order)}
        rows = transaction.rows("SELECT key FROM hl7_patient WHERE changed_at < :before", params)
        transaction.many(
            "DELETE FROM hl7_patient WHERE key = :key",
            [{"key": row[0]} for row in rows if str(row[0]).partition("^")[0] not in ids],
        )
        return transaction.run("DELETE FROM hl7_message WHERE received_at < :before", params)

    return job


def _forget_orders(transaction: Transaction, before: float) -> list[Order]:
    """Drop the orders that are over; return those of before the instant that stay."""
    kept, over = [], []
    rows = transaction.rows(
        "SELECT id, said FROM hl7_order WHERE changed_at < :before", {"before": before}
    )
    for number, said in rows:
        order = Order.read(said)
        if _is_open(transaction, order.rows.values()):
            kept.append(order)
        else:
            over.append({"id": number})
    transaction.many("DELETE FROM hl7_order_key WHERE hl7_order = :id", over)
    transaction.many("DELETE FROM hl7_order WHERE id = :id", over)
    return kept


def _is_open(transaction: Transaction, steps: Collection[int]) -> bool:
    if not steps:
        return False
    values = {f"id{n}": step for n, step in enumerate(steps)}
    return transaction.one(_OPEN.format(placeholders("id", len(values))), values) is not None


def _patients_of(transaction: Transaction, order: Order) -> Iterable[str]:
    """Return the ID of whose order it is, and of whom that patient was merged into."""
    key = order.patient
    found = [key.id]
    for _ in range(LONGEST_CHAIN):
        said = [hl7_orders.patient_text(transaction, one) for one in (str(key), key.id)]
        into = max(
            (end for text in said if text and (end := Patient.read(text).into)), default=None
        )
        if into is None:
            break
        key = PatientKey(*into[1:])
        found.append(key.id)
    return found
