"""The database engine: one group-committing writer, a few readers, schema and migrations."""
