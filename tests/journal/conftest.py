"""A journal in memory, and one on disk with its writer thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.making import MemoryJournal
from waystation.db.engine import Database
from waystation.db.migrate import migrate
from waystation.journal.ids import IdSource


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[MemoryJournal]:
    memory = MemoryJournal(tmp_path)
    yield memory
    memory.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "journal.db"
    migrate(path)
    opened = Database(path)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def ids() -> IdSource:
    return IdSource()
