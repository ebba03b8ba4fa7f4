"""A migrated database, open."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from waystation.db.engine import Database
from waystation.db.migrate import migrate


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "journal.db"
    migrate(path)
    opened = Database(path)
    opened.open()
    yield opened
    opened.close()
