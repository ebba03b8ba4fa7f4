"""What left where it was not what is stored (R-63).

Contract: for a delivery that left as it is stored there is nothing to write.  For any other the
delivery keeps the transfer syntax and the digest of the data set that left, and the attempt that
delivered it says what was changed.
"""

from waystation.db.statement import Transaction
from waystation.model.values import value


@value
class Sent:
    """syntax: on the wire.  sha256: of the data set that left.  detail: what was changed."""

    syntax: str = ""
    sha256: str = ""
    detail: str = ""

    def row(self) -> list[str]:
        """Return what the intake log keeps, [] if it left as it is stored."""
        return [self.syntax, self.sha256, self.detail] if self.syntax else []


AS_STORED = Sent()


def sent_of(row: list[str]) -> Sent:
    """Return what `Sent.row` gave."""
    if len(row) < 3:
        return AS_STORED
    return Sent(syntax=row[0], sha256=row[1], detail=row[2])


def write_sent(
    transaction: Transaction, delivery_id: int, sent: Sent, status: int | None, now: float
) -> None:
    """Write what left, once the delivery is done and its attempts are counted."""
    if not sent.syntax:
        return
    transaction.run(
        "UPDATE delivery SET sent_syntax = :syntax, sent_sha256 = :sha256 WHERE id = :id",
        {"id": delivery_id, "syntax": sent.syntax, "sha256": bytes.fromhex(sent.sha256) or None},
    )
    transaction.run(
        "INSERT INTO attempt (delivery, number, ended_at, status, why, destination, detail)"
        " SELECT d.id, d.attempts, :now, :status, '', d.destination, :detail"
        " FROM delivery d WHERE d.id = :id ON CONFLICT DO NOTHING",
        {"id": delivery_id, "now": now, "status": status, "detail": sent.detail},
    )
