"""The tables of the broker's cache: what was fetched from which PACS, and what is complete.

``cached`` keeps the bytes of an arrival alive, as ``archived`` does.  ``cache_manifest`` is what
the PACS listed; ``cache_scope`` says which series, or with ``series`` "" which study, was found
complete and when that was last compared with the PACS.  It is plain data (W-124).
"""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, Table, Text, text

from waystation.db.schema_base import Identity, metadata

# One study of one PACS.
cache_entry = Table(
    "cache_entry",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("study", Text, nullable=False),
    # When somebody last read of it; eviction goes by this (W-121).
    Column("read_at", Double, nullable=False),
    Column("pinned", Integer, nullable=False, server_default=text("0")),
    Column("size_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("n", BigInteger, nullable=False, server_default=text("0")),
)
Index("cache_entry_of", cache_entry.c.source, cache_entry.c.study, unique=True)
Index("cache_entry_by_age", cache_entry.c.read_at)

cache_scope = Table(
    "cache_scope",
    metadata,
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("series", Text, primary_key=True),
    # complete or incomplete.
    Column("state", Text, nullable=False),
    # uids, counts or none: against what it was judged (W-108).
    Column("verified", Text, nullable=False),
    # How many instances the PACS counts, -1 if it does not say.
    Column("n", BigInteger, nullable=False),
    Column("checked_at", Double, nullable=False),
)

cache_manifest = Table(
    "cache_manifest",
    metadata,
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("sop_instance", Text, primary_key=True),
    Column("series", Text, nullable=False),
    Column("sop_class", Text, nullable=False),
)

cached = Table(
    "cached",
    metadata,
    Column("arrival", Identity, primary_key=True, autoincrement=False),
    Column("entry", BigInteger, nullable=False),
    Column("series", Text, nullable=False),
    Column("sop_instance", Text, nullable=False),
    Column("series_number", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
)
Index("cached_of", cached.c.entry, cached.c.sop_instance, unique=True)
