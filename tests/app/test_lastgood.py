"""The last good configuration is found although the file on disk is broken (R-2)."""

import os
from pathlib import Path

import pytest

from waystation.app.lastgood import LAST_GOOD, last_good_text
from waystation.db.engine import Database
from waystation.db.migrate import migrate
from waystation.journal import recovery

GOOD = '[node]\ndata = "spool"\n'


async def journal(folder: Path, text: str | None) -> None:
    os.mkdir(folder)
    migrate(folder / "journal.db")
    if text is not None:
        database = Database(folder / "journal.db")
        database.open()
        await database.write(recovery.set_mark(LAST_GOOD, text))
        database.close()


@pytest.mark.req("R-2")
@pytest.mark.parametrize(
    "broken",
    [
        '[node]\ndata = "spool"\n[dicom\n',
        "data = 'spool'\nthis is no TOML",
        '[node]\n  data="spool" # here\nunknown_key = 1\n',
    ],
)
async def test_the_folder_is_read_even_from_a_broken_file(tmp_path: Path, broken: str) -> None:
    await journal(tmp_path / "spool", GOOD)
    assert last_good_text(broken, tmp_path / "waystation.toml") == GOOD


@pytest.mark.req("R-2")
async def test_the_environment_says_where_before_the_file_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await journal(tmp_path / "there", GOOD)
    monkeypatch.setenv("WAYSTATION__NODE__DATA", str(tmp_path / "there"))
    assert last_good_text('data = "elsewhere"', tmp_path / "waystation.toml") == GOOD


async def test_without_a_journal_or_a_text_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / "waystation.toml"
    assert last_good_text('data = "spool"', file) is None
    await journal(tmp_path / "spool", None)
    assert last_good_text('data = "spool"', file) is None
    (tmp_path / "spool" / "journal.db").write_bytes(b"no database" * 1000)
    assert last_good_text('data = "spool"', file) is None
