"""What is done to an object on its way: recipes, treated heads, tables, reports.

Revision ID: 0003
"""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add its tables."""
