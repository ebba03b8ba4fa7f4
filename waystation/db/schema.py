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
    Table,
    Text,
    text,
)

from waystation.db import (
    schema_archive,
    schema_cache,
    schema_commitment,
    schema_deid,
    schema_dicomweb,
    schema_hl7,
    schema_step_files,
    schema_users,
    schema_watch,
    schema_worklist,
)
from waystation.db.schema_base import Identity, metadata

__all__ = (
    "metadata",
    "schema_archive",
    "schema_cache",
    "schema_commitment",
    "schema_deid",
    "schema_dicomweb",
    "schema_hl7",
    "schema_step_files",
    "schema_users",
    "schema_watch",
    "schema_worklist",
)

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
    # What the sender asked for: low, normal or stat.
    Column("priority", Text, nullable=False, server_default=text("'normal'")),
    # Revision of the configuration text that planned it, 0 if unknown.
    Column("config", BigInteger, nullable=False, server_default=text("0")),
    # Short digest of what the row says the object is: SQLite does not notice a flipped bit.
    Column("seal", LargeBinary),
    # Name of the PACS that the broker fetched it from, "" for everything else.
    Column("fetched_from", Text, nullable=False, server_default=text("''")),
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
    # The group that the obligation belongs to; ``destination`` is the group until a member is
    # chosen.
    Column("grp", Text, nullable=False, server_default=text("''")),
    # rule, replay, resend, switch or late: why this delivery was made.
    Column("origin", Text, nullable=False, server_default=text("'rule'")),
    Column("required", Integer, nullable=False, server_default=text("1")),
    # What left, where it is not what was stored.
    Column("sent_syntax", Text, nullable=False, server_default=text("''")),
    Column("sent_sha256", LargeBinary),
    # Digest of what is done to the object on its way, "" for nothing.
    Column("recipe", Text, nullable=False, server_default=text("''")),
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
    delivery.c.priority,
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
Index(
    "delivery_optional",
    delivery.c.destination,
    delivery.c.created_at,
    sqlite_where=text("required = 0 AND state IN ('waiting', 'held')"),
    postgresql_where=text("required = 0 AND state IN ('waiting', 'held')"),
)
Index(
    "delivery_grouped",
    delivery.c.grp,
    delivery.c.study,
    sqlite_where=text("grp <> ''"),
    postgresql_where=text("grp <> ''"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("delivery", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("ended_at", Double, nullable=False),
    Column("status", Integer),
    Column("why", Text, nullable=False),
    Column("began_at", Double),
    Column("destination", Text, nullable=False, server_default=text("''")),
    Column("detail", Text, nullable=False, server_default=text("''")),
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

config_text = Table(
    "config_text",
    metadata,
    Column("revision", Identity, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("since", Double, nullable=False),
)

# Which member of a group a study goes to, and why.
choice = Table(
    "choice",
    metadata,
    Column("grp", Text, primary_key=True),
    Column("study", Text, primary_key=True),
    Column("member", Text, nullable=False),
    Column("chosen_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
    Column("begun", Integer, nullable=False, server_default=text("0")),
    Column("why", Text, nullable=False, server_default=text("''")),
)
Index("choice_by_member", choice.c.member)

# What a destination refused to negotiate.
refused_context = Table(
    "refused_context",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("sop_class", Text, primary_key=True),
    Column("syntax", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("detail", Text, nullable=False, server_default=text("''")),
)

# The head of an object whose blob is gone, compressed; for simulate and explain.
head = Table(
    "head",
    metadata,
    Column("arrival", Identity, primary_key=True, autoincrement=False),
    Column("kept_at", Double, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
Index("head_by_age", head.c.kept_at)

# What a rule with trigger series or study collects until it is complete.
gather = Table(
    "gather",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("rule", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("study", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("due", Double),
    Column("ended_at", Double),
    Column("evidence", Text, nullable=False, server_default=text("''")),
    Column("targets", Text, nullable=False),
    Column("terms", Text, nullable=False, server_default=text("''")),
)
Index("gather_of", gather.c.rule, gather.c.uid)
Index(
    "gather_open",
    gather.c.due,
    sqlite_where=text("state IN ('open', 'completing')"),
    postgresql_where=text("state IN ('open', 'completing')"),
)

gathered = Table(
    "gathered",
    metadata,
    Column("gather", BigInteger, primary_key=True, autoincrement=False),
    Column("arrival", BigInteger, primary_key=True, autoincrement=False),
)
Index("gathered_arrival", gathered.c.arrival)

# The steps of rules, by digest.
recipe = Table(
    "recipe",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("text", Text, nullable=False),
)

# What became of an object by a recipe: the new head, or in ``blob`` the whole object.
treatment = Table(
    "treatment",
    metadata,
    Column("arrival", BigInteger, primary_key=True, autoincrement=False),
    Column("recipe", Text, primary_key=True),
    # Digest of the tables, profiles and keys that were used.
    Column("tools", Text, primary_key=True),
    Column("head", LargeBinary, nullable=False),
    Column("tail_offset", BigInteger, nullable=False),
    # Where the tail that leaves ends, -1: at its end.
    Column("tail_end", BigInteger, nullable=False),
    Column("blob", Text, nullable=False, server_default=text("''")),
    Column("sha256", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sop_class", Text, nullable=False),
    Column("sop_instance", Text, nullable=False),
    Column("study", Text, nullable=False),
    Column("series", Text, nullable=False),
    Column("transfer_syntax", Text, nullable=False),
    # Profile and its digest if our de-identification ran.
    Column("deidentified", Text, nullable=False, server_default=text("''")),
    Column("changes", Text, nullable=False, server_default=text("''")),
    Column("report", Text, nullable=False, server_default=text("''")),
    Column("made_at", Double, nullable=False),
)
Index(
    "treatment_by_blob",
    treatment.c.blob,
    sqlite_where=text("blob <> ''"),
    postgresql_where=text("blob <> ''"),
)

# Why a step held a delivery: both values, side by side; only permitted people see them.
finding = Table(
    "finding",
    metadata,
    Column("delivery", Identity, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("detail", Text, nullable=False),
    # When it is tried again by itself, Unix seconds; NULL: when a person says so.
    Column("again_at", Double),
)

# Who was first seen under a Patient ID, for validation.
person = Table(
    "person",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("patient_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("birth", Text, nullable=False),
    Column("sex", Text, nullable=False),
    Column("seen_at", Double, nullable=False),
)
