"""What is done to an object on its way: recipes, treated heads, findings, who was seen.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IN_A_FILE = "blob <> ''"


def upgrade() -> None:
    """Add its tables."""
    op.add_column(
        "delivery", sa.Column("recipe", sa.Text(), nullable=False, server_default=sa.text("''"))
    )
    op.create_table(
        "recipe",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    _treatment()
    op.create_table(
        "finding",
        sa.Column("delivery", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("again_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("delivery"),
    )
    op.create_table(
        "person",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("birth", sa.Text(), nullable=False),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "patient_id"),
    )
    _deidentification()


def _deidentification() -> None:
    op.create_table(
        "deid_record",
        sa.Column("number", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("study", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("deid_record_by_study", "deid_record", ["study"])
    op.create_table(
        "deid_approval",
        sa.Column("study", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("approved", sa.BigInteger(), nullable=False),
        sa.Column("by_user", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("study", "profile", "what"),
    )
    op.create_table(
        "deid_pseudonym",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("patient", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("project", "patient"),
        sa.UniqueConstraint("project", "number"),
    )


def _treatment() -> None:
    op.create_table(
        "treatment",
        sa.Column("arrival", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("tools", sa.Text(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("tail_offset", sa.BigInteger(), nullable=False),
        sa.Column("tail_end", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sop_class", sa.Text(), nullable=False),
        sa.Column("sop_instance", sa.Text(), nullable=False),
        sa.Column("study", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("transfer_syntax", sa.Text(), nullable=False),
        sa.Column("deidentified", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("changes", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("report", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("arrival", "recipe", "tools"),
    )
    op.create_index(
        "treatment_by_blob",
        "treatment",
        ["blob"],
        sqlite_where=sa.text(IN_A_FILE),
        postgresql_where=sa.text(IN_A_FILE),
    )
