"""What DICOMweb keeps.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add its tables."""
    op.create_table(
        "instance_metadata",
        sa.Column("arrival", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("arrival"),
    )
    op.create_table(
        "frame_table",
        sa.Column("arrival", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("arrival"),
    )
    op.create_table(
        "deletion",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("uid"),
    )
