"""What HL7 messages said of orders and patients, under every number that they are known by.

Contract: everything runs inside the caller's transaction.  The texts are those of
`waystation.hl7.registers`; nothing here looks into them.
"""

from collections.abc import Iterable

from waystation.db.statement import Transaction, placeholders


def order_ids(transaction: Transaction, keys: Iterable[str]) -> list[int]:
    """Return the orders known under any of these keys, the oldest first."""
    params = {f"key{n}": key for n, key in enumerate(keys)}
    if not params:
        return []
    rows = transaction.rows(
        "SELECT DISTINCT hl7_order FROM hl7_order_key WHERE key IN"
        f" ({placeholders('key', len(params))}) ORDER BY hl7_order",
        params,
    )
    return [int(row[0]) for row in rows]


def order_text(transaction: Transaction, order_id: int) -> str:
    """Return what is kept of an order, "" if nothing is."""
    row = transaction.one("SELECT said FROM hl7_order WHERE id = :id", {"id": order_id})
    return "" if row is None else str(row[0])


def orders_of(transaction: Transaction, patients: Iterable[str]) -> list[int]:
    """Return the orders of these patients."""
    params = {f"patient{n}": one for n, one in enumerate(patients)}
    rows = transaction.rows(
        f"SELECT id FROM hl7_order WHERE patient IN ({placeholders('patient', len(params))})"
        " ORDER BY id",
        params,
    )
    return [int(row[0]) for row in rows]


def put_order(
    transaction: Transaction,
    order_id: int,
    keys: Iterable[str],
    patient: str,
    text: str,
    now: float,
) -> None:
    """Write an order and the keys it is known by."""
    params = {"id": order_id, "patient": patient, "said": text, "now": now}
    changed = transaction.run(
        "UPDATE hl7_order SET patient = :patient, said = :said, changed_at = :now WHERE id = :id",
        params,
    )
    if not changed:
        transaction.run(
            "INSERT INTO hl7_order (id, patient, said, changed_at)"
            " VALUES (:id, :patient, :said, :now)",
            params,
        )
    for key in keys:
        pair = {"key": key, "id": order_id}
        if not transaction.run("UPDATE hl7_order_key SET hl7_order = :id WHERE key = :key", pair):
            transaction.run("INSERT INTO hl7_order_key (key, hl7_order) VALUES (:key, :id)", pair)


def drop_order(transaction: Transaction, order_id: int) -> None:
    """Forget an order whose keys belong to another one now."""
    transaction.run("DELETE FROM hl7_order WHERE id = :id", {"id": order_id})


def patient_text(transaction: Transaction, key: str) -> str:
    """Return what is kept of a patient, "" if nothing is."""
    row = transaction.one("SELECT said FROM hl7_patient WHERE key = :key", {"key": key})
    return "" if row is None else str(row[0])


def keys_like(transaction: Transaction, prefix: str) -> list[str]:
    """Return the keys of patients that begin so; at most two."""
    rows = transaction.rows(
        "SELECT key FROM hl7_patient WHERE key >= :low AND key < :high LIMIT 2",
        {"low": prefix, "high": prefix + "\U0010ffff"},
    )
    return [str(row[0]) for row in rows]


def put_patient(transaction: Transaction, key: str, text: str, now: float) -> None:
    """Write a patient."""
    params = {"key": key, "said": text, "now": now}
    changed = transaction.run(
        "UPDATE hl7_patient SET said = :said, changed_at = :now WHERE key = :key", params
    )
    if not changed:
        transaction.run(
            "INSERT INTO hl7_patient (key, said, changed_at) VALUES (:key, :said, :now)", params
        )
