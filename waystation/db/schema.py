"""The tables, in the subset that SQLite and PostgreSQL share.

Instants are Unix seconds (double precision), digests 32 raw bytes, ids 63-bit integers that we
make ourselves.  ``delivery.by_rule`` / ``by_user`` say who discarded it: exactly one of them
(S-14).  ``arrival.planned`` is set after the arrival was acknowledged and its fate is written;
until then a row without an intact blob was never acknowledged.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData()

# SQLite keeps a row at its key only if the type says INTEGER.
Identity = BigInteger().with_variant(Integer(), "sqlite")

arrival = Table(
    "arrival",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("received_at", Double, nullable=False),
    Column("peer", Text, nullable=False),
    Column("calling_ae", Text, nullable=False),
    Column("called_ae", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("way_in", Text, nullable=False),
    Column("tls", Integer, nullable=False),
    Column("sop_class", Text, nullable=False),
    Column("sop_instance", Text, nullable=False),
    Column("study", Text, nullable=False),
    Column("series", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("modality", Text, nullable=False),
    Column("transfer_syntax", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("blob", Text, nullable=False),
    Column("planned", Integer, nullable=False, server_default=text("0")),
    Column("ended_why", Text),
    Column("hold_reason", Text),
    Column("verdicts", Text, nullable=False, server_default=text("''")),
    Column("blob_gone", Integer, nullable=False, server_default=text("0")),
)
Index("arrival_by_instance", arrival.c.sop_instance)
Index("arrival_by_study", arrival.c.study)
Index(
    "arrival_by_blob",
    arrival.c.blob,
    sqlite_where=text("blob <> ''"),
    postgresql_where=text("blob <> ''"),
)
Index(
    "arrival_unplanned",
    arrival.c.id,
    sqlite_where=text("planned = 0"),
    postgresql_where=text("planned = 0"),
)
Index(
    "arrival_held",
    arrival.c.id,
    sqlite_where=text("hold_reason IS NOT NULL"),
    postgresql_where=text("hold_reason IS NOT NULL"),
)

parcel = Table(
    "parcel",
    metadata,
    Column("arrival", Identity, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("arrival", BigInteger, nullable=False),
    Column("destination", Text, nullable=False),
    Column("study", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("rules", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("object_failures", Integer, nullable=False, server_default=text("0")),
    Column("first_failed_at", Double),
    Column("lease_until", Double),
    Column("status", Integer),
    Column("why", Text, nullable=False, server_default=text("''")),
    Column("hold_reason", Text),
    Column("by_rule", Text),
    Column("by_user", Text),
    Column("ended_at", Double),
)
Index("delivery_by_arrival", delivery.c.arrival)
Index(
    "delivery_next",
    delivery.c.destination,
    delivery.c.priority,
    delivery.c.due,
    delivery.c.id,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)
Index(
    "delivery_of_study",
    delivery.c.destination,
    delivery.c.study,
    delivery.c.id,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)
Index(
    "delivery_open",
    delivery.c.state,
    delivery.c.destination,
    sqlite_where=text("state IN ('sending', 'held')"),
    postgresql_where=text("state IN ('sending', 'held')"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("delivery", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("ended_at", Double, nullable=False),
    Column("status", Integer),
    Column("why", Text, nullable=False),
)

tally = Table(
    "tally",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
)

counter = Table(
    "counter",
    metadata,
    Column("k", Text, primary_key=True),
    Column("v", BigInteger, nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("k", Text, primary_key=True),
    Column("v", Text, nullable=False),
)
