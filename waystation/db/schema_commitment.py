"""Promises of storage commitment that we were asked for, until their report was heard (T-48), and
deliveries that their destination has to confirm (R-60)."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, Table, Text, text

from waystation.db.schema_base import Identity, metadata

commitment = Table(
    "commitment",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("transaction_uid", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("calling_ae", Text, nullable=False),
    Column("called_ae", Text, nullable=False),
    # One line for each object: SOP class, SOP instance.
    Column("objects", Text, nullable=False),
    # What failed, a line for each object: SOP instance, reason. Null until it was looked at.
    Column("failures", Text),
    # open, told, given-up
    Column("state", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("due", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("why", Text, nullable=False),
)
Index("commitment_by_transaction", commitment.c.transaction_uid)
Index("commitment_due", commitment.c.state, commitment.c.due)

verification = Table(
    "verification",
    metadata,
    Column("delivery", Identity, primary_key=True, autoincrement=False),
    Column("arrival", BigInteger, nullable=False),
    # open, verified, failed, off (nobody asks any more)
    Column("state", Text, nullable=False),
    # When to look at it next.
    Column("due", Double, nullable=False),
    # When the destination was first asked about what it holds now.
    Column("asked_at", Double),
    # How often it was sent again.
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("why", Text, nullable=False, server_default=text("''")),
    Column("ended_at", Double),
)
Index("verification_due", verification.c.state, verification.c.due)
Index("verification_by_arrival", verification.c.arrival)

# Whom a report of ours is about: the destination may send it hours later (T-49).
verification_request = Table(
    "verification_request",
    metadata,
    Column("transaction_uid", Text, primary_key=True),
    Column("delivery", BigInteger, primary_key=True, autoincrement=False),
    # The object that left, as the destination knows it.
    Column("sop_instance", Text, nullable=False),
    Column("asked_at", Double, nullable=False),
)
Index("verification_request_by_age", verification_request.c.asked_at)
