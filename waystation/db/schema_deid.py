"""What is kept of de-identification: reports, approvals, numbers that were given to patients.

``deid_record`` is only ever added to; each text holds the digest of the one before (D-40).
``deid_pseudonym.patient`` is a keyed digest, ``sealed`` the identity, encrypted with a key of the
project that is not in the database (D-29).
"""

from sqlalchemy import BigInteger, Column, Double, Index, LargeBinary, Table, Text, UniqueConstraint

from waystation.db.schema_base import Identity, metadata

deid_record = Table(
    "deid_record",
    metadata,
    Column("number", Identity, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    # report, approval, rejection, withdrawal, lookup or export.
    Column("kind", Text, nullable=False),
    # As the outputs call it.
    Column("study", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("digest", Text, nullable=False),
)
Index("deid_record_by_study", deid_record.c.study)

# What a person decided about a study, by its original UID.
deid_approval = Table(
    "deid_approval",
    metadata,
    Column("study", Text, primary_key=True),
    Column("profile", Text, primary_key=True),
    # sample, pixels or features.
    Column("what", Text, primary_key=True),
    Column("approved", BigInteger, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("at", Double, nullable=False),
)

deid_pseudonym = Table(
    "deid_pseudonym",
    metadata,
    Column("project", Text, primary_key=True),
    Column("patient", LargeBinary, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("at", Double, nullable=False),
    UniqueConstraint("project", "number"),
)
