"""Promises of storage commitment that we were asked for, until their report was heard (T-48)."""

from sqlalchemy import Column, Double, Index, Integer, Table, Text

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
