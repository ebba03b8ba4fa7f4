"""How far the tables have taken over the intake log."""

from waystation.db.statement import Transaction

LSN = "intake_lsn"
_NOTE = (
    "INSERT INTO meta (k, v) VALUES ('intake_lsn', :text) ON CONFLICT (k) DO UPDATE SET v = :text"
    " WHERE CAST(meta.v AS BIGINT) < :lsn"
)


def take_note(transaction: Transaction, lsn: int) -> None:
    """Everything up to ``lsn`` is in the tables once this is committed; never goes back."""
    transaction.run(_NOTE, {"text": str(lsn), "lsn": lsn})
