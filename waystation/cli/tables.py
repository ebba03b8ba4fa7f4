"""Tables and ages for people.

Contract: nothing that came from outside is read as markup, and control characters never reach
the terminal.  Scripts use ``--json``; these tables may change.
"""

from collections.abc import Sequence
from datetime import datetime

PIPE_WIDTH = 200


def plain(value: object) -> str:
    """Return ``value`` as printable text."""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() else "?" for c in text)


def age_text(seconds: float | None) -> str:
    """Return an age in its largest fitting unit."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def instant_text(instant: float | None) -> str:
    """Return an instant in local time."""
    if instant is None:
        return ""
    return datetime.fromtimestamp(instant).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def rate_text(bytes_per_s: float) -> str:
    """Return a rate in its largest fitting unit."""
    if bytes_per_s <= 0:
        return "-"
    for unit, size in (("MB/s", 1e6), ("kB/s", 1e3)):
        if bytes_per_s >= size:
            return f"{bytes_per_s / size:.1f} {unit}"
    return f"{bytes_per_s:.0f} B/s"


def clears_text(instant: float | None, waiting: int) -> str:
    """Return when a backlog will be gone: the time today, or the day too."""
    if not waiting:
        return "-"
    if instant is None:
        return "?"
    at = datetime.fromtimestamp(instant).astimezone()
    today = at.date() == datetime.now().astimezone().date()
    return at.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], numbers: Sequence[str] = ()
) -> None:
    """Print a table; the columns in ``numbers`` stand to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, emoji=False, width=PIPE_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            Text(column), justify="right" if column in numbers else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(plain(value)) for value in row))
    console.print(table)
