"""The tables of what people hear: incidents, messages on their way out, outages, counts by day."""

from sqlalchemy import BigInteger, Column, Double, Integer, Table, Text, text

from waystation.db.schema_base import Identity, metadata

# What a person must hear: once when it starts, once when it ends.
incident = Table(
    "incident",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("subject", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("began_at", Double, nullable=False),
    Column("clear_since", Double),
    Column("ended_at", Double),
    Column("n", BigInteger, nullable=False, server_default=text("0")),
    Column("why", Text, nullable=False, server_default=text("''")),
)

# Messages on their way out: mail and webhook.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("channel", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("due", Double, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("ended_at", Double),
    Column("why", Text, nullable=False, server_default=text("''")),
)

# When a destination was down or blocked, for reports.
outage = Table(
    "outage",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("destination", Text, nullable=False),
    Column("began_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("why", Text, nullable=False, server_default=text("''")),
)

# Counts by local day of the node: what reports are made of.
daily = Table(
    "daily",
    metadata,
    Column("day", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("detail", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
