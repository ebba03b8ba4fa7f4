"""People, their sessions, tokens of programs, and the audit trail.

No secret is kept: passwords as argon2id, session ids and tokens as SHA-256 of what was given out.
``audit`` is only ever added to; each ``mac`` covers its record and the mac before (S-66).
"""

from sqlalchemy import BigInteger, Column, Double, Index, LargeBinary, Table, Text

from waystation.db.schema_base import Identity, metadata

account = Table(
    "account",
    metadata,
    Column("name", Text, primary_key=True),
    # viewer, operator or admin.
    Column("role", Text, nullable=False),
    # phi, audit: those that are granted, with blanks between them.
    Column("grants", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("disabled", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("seen_at", Double),
)

session = Table(
    "session",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("account", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("used_at", Double, nullable=False),
    # When the password was given last.
    Column("proved_at", Double, nullable=False),
    Column("address", Text, nullable=False),
)
Index("session_by_account", session.c.account)

token = Table(
    "token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    # Abilities, with blanks between them.
    Column("scope", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double),
    Column("revoked_at", Double),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Identity, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("event", Text, nullable=False),
    Column("who", Text, nullable=False),
    # JSON: what it was about.
    Column("what", Text, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)
Index("audit_by_time", audit.c.at)

# The one row says how long the trail is, sealed: records cut off at its end are missed.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)
