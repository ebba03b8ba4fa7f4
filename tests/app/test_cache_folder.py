"""A folder for the cache is ours, or refused (WT-10)."""

from pathlib import Path

import pytest

from waystation.app.cache_folder import MARK, check, take
from waystation.model.errors import ConfigError


@pytest.mark.req("W-120")
def test_a_folder_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "cache" / "waystation"
    data.mkdir(parents=True)
    stranger = tmp_path / "cache" / "study.dcm"
    stranger.write_bytes(b"old")
    with pytest.raises(ConfigError, match=r"cache\.path: .* not ours, like 'study\.dcm'"):
        take(tmp_path / "cache", data)
    assert stranger.read_bytes() == b"old"
    assert not (tmp_path / "cache" / MARK).exists()


@pytest.mark.req("W-120")
def test_in_a_folder_of_ours_strangers_are_left(tmp_path: Path) -> None:
    data = tmp_path / "cache" / "waystation"
    data.mkdir(parents=True)
    take(tmp_path / "cache", data)
    assert (tmp_path / "cache" / MARK).exists()
    stranger = tmp_path / "cache" / "notes.txt"
    stranger.write_text("hello")
    take(tmp_path / "cache", data)
    assert stranger.read_text() == "hello"


def test_what_is_fetched_lies_in_the_data_folder(tmp_path: Path) -> None:
    take(None, tmp_path)
    take(tmp_path, tmp_path)
    with pytest.raises(ConfigError, match=r"cache\.path: .* node\.data"):
        check(tmp_path / "elsewhere", tmp_path / "data")
