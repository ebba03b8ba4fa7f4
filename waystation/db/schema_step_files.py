"""Files of watched worklist folders: what was read of each, and which steps it became (T-56)."""

from sqlalchemy import Column, Double, Table, Text

from waystation.db.schema_base import metadata

step_file = Table(
    "step_file",
    metadata,
    # The folder's name in the configuration, and the path within it.
    Column("folder", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    # Size, time and inode: has it changed?
    Column("signature", Text, nullable=False),
    # SHA-256 of what was read.
    Column("digest", Text, nullable=False),
    # Numbers of steps, a blank between them.
    Column("steps", Text, nullable=False),
    # Why it is no worklist file, "" if it is one.
    Column("problem", Text, nullable=False),
    # ours: written by us from a step; theirs: read into steps.
    Column("writer", Text, nullable=False),
    Column("seen_at", Double, nullable=False),
)
