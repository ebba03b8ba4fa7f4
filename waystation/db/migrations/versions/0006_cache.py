"""The broker's cache, and which PACS an arrival was fetched from.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add its tables and the mark on arrivals."""
    op.add_column(
        "arrival",
        sa.Column("fetched_from", sa.Text(), nullable=False, server_default=sa.text("''")),
    )
    op.create_table(
        "cache_entry",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("study", sa.Text(), nullable=False),
        sa.Column("read_at", sa.Double(), nullable=False),
        sa.Column("pinned", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("n", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("cache_entry_of", "cache_entry", ["source", "study"], unique=True)
    op.create_index("cache_entry_by_age", "cache_entry", ["read_at"])
    op.create_table(
        "cache_scope",
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("verified", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("entry", "series"),
    )
    op.create_table(
        "cache_manifest",
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sop_instance", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("sop_class", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entry", "sop_instance"),
    )
    op.create_table(
        "cached",
        sa.Column("arrival", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("sop_instance", sa.Text(), nullable=False),
        sa.Column("series_number", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("arrival"),
    )
    op.create_index("cached_of", "cached", ["entry", "sop_instance"], unique=True)
