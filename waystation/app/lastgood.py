"""Finds the last good configuration text when the file on disk is broken (R-2).

The journal lies in the data folder, whose name stands in the broken file.  So the name is taken
from whatever still reads as ``data = "..."`` under ``[node]``, else it is the default.
"""

import os
import re
import sqlite3
from pathlib import Path

_DATA = re.compile(r'^\s*data\s*=\s*["\']([^"\']+)["\']', re.MULTILINE)
LAST_GOOD = "config.last_good"


def last_good_text(broken: str, path: Path | None) -> str | None:
    """Return the text kept in the journal, or None if there is none."""
    folder = path.resolve().parent if path else Path.cwd()
    stated = os.environ.get("WAYSTATION__NODE__DATA", "")
    found = _DATA.search(broken)
    name = stated or (found.group(1) if found else "var")
    journal = (folder / name).resolve() / "journal.db"
    if not journal.exists():
        return None
    try:
        connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=5.0)
        try:
            row = connection.execute("SELECT v FROM meta WHERE k = ?", (LAST_GOOD,)).fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return None
    return None if row is None else str(row[0])
