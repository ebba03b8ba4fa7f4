"""The first schema: arrivals, deliveries, parcels, counts.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "arrival",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("calling_ae", sa.Text(), nullable=False),
        sa.Column("called_ae", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("way_in", sa.Text(), nullable=False),
        sa.Column("tls", sa.Integer(), nullable=False),
        sa.Column("sop_class", sa.Text(), nullable=False),
        sa.Column("sop_instance", sa.Text(), nullable=False),
        sa.Column("study", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("transfer_syntax", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("planned", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("ended_why", sa.Text(), nullable=True),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("verdicts", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("blob_gone", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "arrival_by_blob",
        "arrival",
        ["blob"],
        unique=False,
        sqlite_where=sa.text("blob <> ''"),
        postgresql_where=sa.text("blob <> ''"),
    )
    op.create_index("arrival_by_instance", "arrival", ["sop_instance"], unique=False)
    op.create_index("arrival_by_study", "arrival", ["study"], unique=False)
    op.create_index(
        "arrival_held",
        "arrival",
        ["id"],
        unique=False,
        sqlite_where=sa.text("hold_reason IS NOT NULL"),
        postgresql_where=sa.text("hold_reason IS NOT NULL"),
    )
    op.create_index(
        "arrival_unplanned",
        "arrival",
        ["id"],
        unique=False,
        sqlite_where=sa.text("planned = 0"),
        postgresql_where=sa.text("planned = 0"),
    )
    op.create_table(
        "attempt",
        sa.Column("delivery", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("delivery", "number"),
    )
    op.create_table(
        "counter",
        sa.Column("k", sa.Text(), nullable=False),
        sa.Column("v", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("k"),
    )
    op.create_table(
        "delivery",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("arrival", sa.BigInteger(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("study", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("object_failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_failed_at", sa.Double(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("why", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("by_rule", sa.Text(), nullable=True),
        sa.Column("by_user", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("delivery_by_arrival", "delivery", ["arrival"], unique=False)
    op.create_index(
        "delivery_next",
        "delivery",
        ["destination", "priority", "due", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "delivery_of_study",
        "delivery",
        ["destination", "study", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "delivery_open",
        "delivery",
        ["state", "destination"],
        unique=False,
        sqlite_where=sa.text("state IN ('sending', 'held')"),
        postgresql_where=sa.text("state IN ('sending', 'held')"),
    )
    op.create_table(
        "meta",
        sa.Column("k", sa.Text(), nullable=False),
        sa.Column("v", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("k"),
    )
    op.create_table(
        "parcel",
        sa.Column("arrival", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("arrival"),
    )
    op.create_table(
        "tally",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "state"),
    )
    # ### end Alembic commands ###
