"""A journal gets the format of the program, or stays as it is."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from waystation.db.migrate import FORMAT, format_of, migrate, quick_check
from waystation.db.schema import metadata
from waystation.model.errors import StorageError


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    migrate(path)
    return path


def execute(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(sql)
    connection.close()


def test_an_empty_place_gets_the_schema_and_its_format(journal: Path) -> None:
    assert format_of(journal) == FORMAT
    quick_check(journal)


def test_the_migrations_make_what_the_schema_describes(journal: Path) -> None:
    engine = create_engine(f"sqlite:///{journal}")
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, metadata)
    finally:
        engine.dispose()
    assert differences == []


def test_the_partial_indexes_are_those_of_the_schema(journal: Path) -> None:
    connection = sqlite3.connect(journal)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
    found = {name: sql.partition(" WHERE ")[2] for name, sql in rows if sql}
    connection.close()
    wanted = {
        str(index.name): str(index.dialect_options["sqlite"]["where"])
        for table in metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    assert wanted
    assert {name: found[name] for name in wanted} == wanted


def test_the_right_format_is_left_as_it_is(journal: Path) -> None:
    before = journal.read_bytes()
    migrate(journal)
    assert journal.read_bytes() == before


@pytest.mark.req("S-74")
def test_a_newer_format_is_refused_by_name_and_untouched(journal: Path) -> None:
    execute(journal, f"UPDATE meta SET v = '{FORMAT + 1}' WHERE k = 'format'")
    before = journal.read_bytes()
    with pytest.raises(StorageError, match=rf"journal\.db has journal format {FORMAT + 1}"):
        migrate(journal)
    assert journal.read_bytes() == before
    assert sorted(path.name for path in journal.parent.iterdir()) == ["journal.db"]


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"\0" * 4096])
def test_what_is_no_journal_is_refused_and_untouched(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"journal\.db"):
        migrate(path)
    assert path.read_bytes() == content


def test_damage_inside_is_found_before_anything_is_written(journal: Path) -> None:
    content = bytearray(journal.read_bytes())
    for place in range(4096, len(content), 997):
        content[place] ^= 0xFF
    journal.write_bytes(content)
    with pytest.raises(StorageError):
        quick_check(journal)
    assert journal.read_bytes() == content


@pytest.mark.req("S-11", "S-74", "F3")
def test_a_migration_that_breaks_off_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"

    def break_off(_text: str) -> None:
        raise SQLAlchemyError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr("sqlalchemy.text", break_off)
        with pytest.raises(StorageError, match="the disk is gone"):
            migrate(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    migrate(path)
    assert format_of(path) == FORMAT
