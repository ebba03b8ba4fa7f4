"""Alembic's environment and one file per change of the schema."""
