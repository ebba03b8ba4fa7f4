"""SQL that is written once and compiled once per dialect.

Write parameters as ``:name`` and never format values into the text.  SQLite takes the text as it
is; for PostgreSQL SQLAlchemy turns it into psycopg's ``%(name)s`` form.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

Row = tuple[Any, ...]
Params = Mapping[str, Any]


class Cursor(Protocol):
    """What we use of a DB-API cursor (PEP 249)."""

    @property
    def rowcount(self) -> int: ...
    def execute(self, sql: str, params: Any, /) -> Any: ...
    def executemany(self, sql: str, rows: Any, /) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def fetchone(self) -> Any: ...


@lru_cache(maxsize=512)
def compiled(sql: str, dialect: str) -> str:
    """Return ``sql`` as the driver of ``dialect`` wants it."""
    if dialect == "sqlite":
        return sql
    from sqlalchemy import text
    from sqlalchemy.dialects.postgresql import psycopg

    dialect_type: Any = psycopg.PGDialect_psycopg
    return str(text(sql).compile(dialect=dialect_type()))


def placeholders(prefix: str, n: int) -> str:
    """Return ``:prefix0, :prefix1 ...`` for a list of ``n`` bound values."""
    return ", ".join(f":{prefix}{number}" for number in range(n))


class Transaction:
    """One open transaction: runs statements, never commits.

    A job receives it from `Database.write` or `Database.read` and must not keep it.
    """

    __slots__ = ("_cursor", "dialect")

    def __init__(self, cursor: Cursor, dialect: str) -> None:
        self._cursor = cursor
        self.dialect = dialect

    def run(self, sql: str, params: Params | None = None) -> int:
        """Run one statement; return the number of rows it changed."""
        self._cursor.execute(compiled(sql, self.dialect), params or {})
        return self._cursor.rowcount

    def many(self, sql: str, rows: Iterable[Params]) -> None:
        """Run one statement for each of ``rows``."""
        self._cursor.executemany(compiled(sql, self.dialect), rows)

    def rows(self, sql: str, params: Params | None = None) -> Sequence[Row]:
        """Return all rows of a query."""
        self._cursor.execute(compiled(sql, self.dialect), params or {})
        return self._cursor.fetchall()

    def one(self, sql: str, params: Params | None = None) -> Row | None:
        """Return the first row of a query, or None."""
        self._cursor.execute(compiled(sql, self.dialect), params or {})
        row: Row | None = self._cursor.fetchone()
        return row
