"""The index of the archive.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add its tables."""
    op.create_table(
        "archived",
        sa.Column("arrival", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("again_at", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("read_as", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("arrival"),
    )
    _patients()
    _studies()
    _below_studies()
    _commitments()
    _verifications()
    op.create_table(
        "level",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("others", sa.Text(), nullable=False),
        sa.Column("regions", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "term",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("study", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "study"),
    )
    op.create_index("term_of_study", "term", ["study"])
    op.create_table(
        "removal",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("study", sa.Text(), nullable=False),
        sa.Column("instances", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "correction",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("study", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("elements", sa.Text(), nullable=False),
        sa.Column("undone_at", sa.Double(), nullable=False),
        sa.Column("undone_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("correction_of_study", "correction", ["study"])


def _patients() -> None:
    op.create_table(
        "patient",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("only_study", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Text(), nullable=False),
        sa.Column("n_studies", sa.BigInteger(), nullable=False),
        sa.Column("n_series", sa.BigInteger(), nullable=False),
        sa.Column("n_instances", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "patient_identity", "patient", ["patient_id", "issuer", "only_study"], unique=True
    )
    op.create_index("patient_in_order", "patient", ["patient_id", "name", "id"])


def _studies() -> None:
    op.create_table(
        "study",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("patient", sa.BigInteger(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Text(), nullable=False),
        sa.Column("date", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("accession", sa.Text(), nullable=False),
        sa.Column("study_id", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("modalities", sa.Text(), nullable=False),
        sa.Column("classes", sa.Text(), nullable=False),
        sa.Column("n_series", sa.BigInteger(), nullable=False),
        sa.Column("n_instances", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("varied", sa.Integer(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("study_by_uid", "study", ["uid"], unique=True)
    op.create_index("study_by_date", "study", ["date", "time", "uid"])
    op.create_index("study_by_patient", "study", ["patient"])
    op.create_index("study_by_patient_id", "study", ["patient_id"])
    op.create_index("study_by_age", "study", ["last_at"])


def _below_studies() -> None:
    op.create_table(
        "series",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("study", sa.BigInteger(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("n_instances", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("series_of_study", "series", ["study", "number", "uid"])
    op.create_index("series_by_uid", "series", ["uid"])
    op.create_table(
        "instance",
        sa.Column("arrival", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("series", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sop_instance", sa.Text(), nullable=False),
        sa.Column("current", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.PrimaryKeyConstraint("arrival"),
    )
    op.create_index("instance_of_series", "instance", ["series", "number", "sop_instance"])


def _commitments() -> None:
    op.create_table(
        "commitment",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("transaction_uid", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("calling_ae", sa.Text(), nullable=False),
        sa.Column("called_ae", sa.Text(), nullable=False),
        sa.Column("objects", sa.Text(), nullable=False),
        sa.Column("failures", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("commitment_by_transaction", "commitment", ["transaction_uid"])
    op.create_index("commitment_due", "commitment", ["state", "due"])


def _verifications() -> None:
    op.create_table(
        "verification",
        sa.Column("delivery", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("arrival", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("why", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("delivery"),
    )
    op.create_index("verification_due", "verification", ["state", "due"])
    op.create_index("verification_by_arrival", "verification", ["arrival"])
    op.create_table(
        "verification_request",
        sa.Column("transaction_uid", sa.Text(), nullable=False),
        sa.Column("delivery", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sop_instance", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_uid", "delivery"),
    )
    op.create_index("verification_request_by_age", "verification_request", ["asked_at"])
