"""Groups, gathers, heads, what was sent, and what a person must hear.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = "state IN ('open', 'completing')"
WAITING = "state = 'waiting'"
OPTIONAL = "required = 0 AND state IN ('waiting', 'held')"


def upgrade() -> None:
    """Add the columns and tables of full routing."""
    _columns()
    _queue()
    _routing()
    _gathers()
    _watching()


def _columns() -> None:
    op.add_column(
        "arrival",
        sa.Column("priority", sa.Text(), nullable=False, server_default=sa.text("'normal'")),
    )
    op.add_column(
        "arrival", sa.Column("config", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("arrival", sa.Column("seal", sa.LargeBinary(), nullable=True))
    op.add_column(
        "delivery", sa.Column("grp", sa.Text(), nullable=False, server_default=sa.text("''"))
    )
    op.add_column(
        "delivery", sa.Column("origin", sa.Text(), nullable=False, server_default=sa.text("'rule'"))
    )
    op.add_column(
        "delivery", sa.Column("required", sa.Integer(), nullable=False, server_default=sa.text("1"))
    )
    op.add_column(
        "delivery",
        sa.Column("sent_syntax", sa.Text(), nullable=False, server_default=sa.text("''")),
    )
    op.add_column("delivery", sa.Column("sent_sha256", sa.LargeBinary(), nullable=True))
    op.add_column("attempt", sa.Column("began_at", sa.Double(), nullable=True))
    op.add_column(
        "attempt", sa.Column("destination", sa.Text(), nullable=False, server_default=sa.text("''"))
    )
    op.add_column(
        "attempt", sa.Column("detail", sa.Text(), nullable=False, server_default=sa.text("''"))
    )


def _queue() -> None:
    op.drop_index("delivery_of_study", "delivery")
    op.create_index(
        "delivery_of_study",
        "delivery",
        ["destination", "study", "priority", "id"],
        sqlite_where=sa.text(WAITING),
        postgresql_where=sa.text(WAITING),
    )
    op.create_index(
        "delivery_optional",
        "delivery",
        ["destination", "created_at"],
        sqlite_where=sa.text(OPTIONAL),
        postgresql_where=sa.text(OPTIONAL),
    )


def _routing() -> None:
    op.create_index(
        "delivery_grouped",
        "delivery",
        ["grp", "study"],
        sqlite_where=sa.text("grp <> ''"),
        postgresql_where=sa.text("grp <> ''"),
    )
    op.create_table(
        "config_text",
        sa.Column("revision", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("revision"),
    )
    op.create_table(
        "choice",
        sa.Column("grp", sa.Text(), nullable=False),
        sa.Column("study", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("chosen_at", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("why", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("grp", "study"),
    )
    op.create_table(
        "refused_context",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("sop_class", sa.Text(), nullable=False),
        sa.Column("syntax", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("destination", "sop_class", "syntax"),
    )
    op.create_table(
        "head",
        sa.Column("arrival", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("kept_at", sa.Double(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("arrival"),
    )
    op.create_index("choice_by_member", "choice", ["member"])
    op.create_index("head_by_age", "head", ["kept_at"])


def _gathers() -> None:
    op.create_table(
        "gather",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("study", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("targets", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "gathered",
        sa.Column("gather", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("arrival", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("gather", "arrival"),
    )
    op.create_index("gather_of", "gather", ["rule", "uid"])
    op.create_index(
        "gather_open",
        "gather",
        ["due"],
        sqlite_where=sa.text(OPEN),
        postgresql_where=sa.text(OPEN),
    )
    op.create_index("gathered_arrival", "gathered", ["arrival"])


def _watching() -> None:
    op.create_table(
        "incident",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("clear_since", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("why", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "outage",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "daily",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "kind", "name", "detail"),
    )
