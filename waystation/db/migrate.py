"""Brings a database to the format of this program (S-74).

Contract: an empty database gets the schema; an older one is copied beside itself first and then
migrated in one transaction; a newer one is refused by name and not touched.  Alembic is imported
only when there is something to do: it costs a quarter of a second and 48 MB.
"""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from waystation.model.errors import StorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Of the tables that this program knows; one more with every migration.
FORMAT = 7


def format_of(path: Path) -> int:
    """Return the format number of the database file, 0 if it is absent or empty."""
    if not path.exists() or path.stat().st_size == 0:
        return 0
    try:
        connection = sqlite3.connect(path, timeout=5.0)
        try:
            known = connection.execute(
                "SELECT count(*) FROM sqlite_master WHERE type='table' AND name='meta'"
            ).fetchone()
            if not known[0]:
                return 0
            row = connection.execute("SELECT v FROM meta WHERE k='format'").fetchone()
            return int(row[0]) if row else 0
        finally:
            connection.close()
    except (sqlite3.Error, ValueError) as error:
        raise StorageError(
            f"{path.name} cannot be read as a journal ({error}); "
            "restore it from its last copy, the images in the data folder are untouched"
        ) from error


def quick_check(path: Path) -> None:
    """Raise `StorageError` if SQLite finds damage (S-11 step 2)."""
    connection = sqlite3.connect(path, timeout=5.0)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # The words of the finding may quote damaged names.
        raise StorageError(f"{path.name} is damaged: {error}") from error
    finally:
        connection.close()
    if found[0] != "ok":
        raise StorageError(f"{path.name} is damaged: {found[0]}; restore it from its last copy")


def migrate(path: Path) -> None:
    """Bring the SQLite file at ``path`` to `FORMAT`; do nothing if it is there already.

    Raises `StorageError` for a newer format, a damaged file, or a failed migration.
    """
    found = format_of(path)
    if found == FORMAT:
        return
    if found > FORMAT:
        raise StorageError(
            f"{path.name} has journal format {found}, this program knows {FORMAT}: "
            "start the newer version that wrote it"
        )
    if found:
        _copy_beside(path, found)
    _upgrade(path)


def _copy_beside(path: Path, found: int) -> None:
    source = sqlite3.connect(path)
    copy = sqlite3.connect(path.with_suffix(f".format-{found}.copy"))
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()


def _no_implicit_commits(driver: sqlite3.Connection, _record: object) -> None:
    driver.isolation_level = None


def _begin(connection: "Connection") -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _upgrade(path: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, event, text
    from sqlalchemy.exc import SQLAlchemyError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{path}")
    # Left to itself the driver commits each CREATE TABLE alone, and a crash in between leaves a
    # journal that no start can bring forward or back.
    event.listen(engine, "connect", _no_implicit_commits)
    event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.execute(text("DELETE FROM meta WHERE k = 'format'"))
            connection.execute(
                text("INSERT INTO meta (k, v) VALUES ('format', :v)"), {"v": str(FORMAT)}
            )
    except SQLAlchemyError as error:
        raise StorageError(f"{path.name}: migration failed: {error}") from error
    finally:
        engine.dispose()
