"""Tables that values are looked up in: CSV, UTF-8, a header row (R-67).

Contract: `read_table` takes the whole text of a file and gives a table, or raises `TableError`
with the line; a table is never half of a file.  A key that stands twice is an error, as nobody
could say which row is meant.  Keys are compared without blanks around them.
"""

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

HOLD, KEEP, EMPTY = "hold", "keep", "empty"
MOST_ROWS = 1_000_000


class TableError(ValueError):
    """A file that is no usable table.  line: where, from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupTable:
    """One table, whole.

    missing: what becomes of an object that has no row: hold, keep, empty, or a (value,).
    digest: of the text of the file.  lines: of each key.
    """

    name: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]
    digest: str
    missing: str | tuple[str] = HOLD
    lines: Mapping[str, int] = field(default_factory=dict)

    def row(self, key: str) -> dict[str, str] | None:
        """Return a row by its key, column by column; None if there is none."""
        found = self.rows.get(key.strip())
        return None if found is None else dict(zip(self.columns, found, strict=True))


def read_table(
    name: str, text: str, *, key: str = "", missing: str | tuple[str] = HOLD
) -> LookupTable:
    """Return the table of a file.  key: its column, "" for the first.

    Raises `TableError`.
    """
    if "\0" in text:
        raise TableError(text[: text.index("\0")].count("\n") + 1, "a NUL: this is no CSV file")
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    rows: dict[str, tuple[str, ...]] = {}
    lines: dict[str, int] = {}
    columns: tuple[str, ...] = ()
    place = 0
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _columns(cells, reader.line_num)
                place = _place(columns, key)
                continue
            if len(cells) != len(columns):
                problem = f"has {len(cells)} columns, the header has {len(columns)}"
                raise TableError(reader.line_num, problem)
            entry = cells[place].strip()
            if entry in rows:
                problem = f"the key of line {lines[entry]} stands here again"
                raise TableError(reader.line_num, problem)
            rows[entry] = tuple(cell.strip() for cell in cells)
            lines[entry] = reader.line_num
            if len(rows) > MOST_ROWS:
                raise TableError(reader.line_num, f"more than {MOST_ROWS:,} rows")
    except csv.Error as error:
        raise TableError(reader.line_num, f"is no CSV: {error}") from error
    if not columns:
        raise TableError(1, "is empty; the first line names the columns")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return LookupTable(
        name=name, columns=columns, rows=rows, digest=digest, missing=missing, lines=lines
    )


def _columns(cells: list[str], line: int) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    if not all(names):
        raise TableError(line, "a column has no name")
    for name in names:
        if names.count(name) > 1:
            raise TableError(line, f'the column "{name}" stands there twice')
    return names


def _place(columns: tuple[str, ...], key: str) -> int:
    if not key:
        return 0
    if key not in columns:
        raise TableError(1, f'has no column "{key}"; there are {", ".join(columns)}')
    return columns.index(key)
