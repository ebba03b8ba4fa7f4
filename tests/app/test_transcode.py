"""``transcode``: which words there are, and what ``check`` says without the codecs."""

import os
from pathlib import Path

import pytest

from tests.flows.rig import destination, rule
from waystation.app import semantics_transcode
from waystation.app.faults import ConfigFaults
from waystation.app.read import Loaded, load_text
from waystation.app.settings_destination import DicomDestination


def loaded(transcode: str, tmp_path: Path) -> Loaded:
    text = '[dicom]\nhost = "127.0.0.1"\n'
    text += destination("a", 104, f'transcode = "{transcode}"') + rule("a")
    return load_text(text, tmp_path / "waystation.toml", os.environ)


def word_of(one: Loaded) -> str:
    table = one.settings.destination["a"]
    assert isinstance(table, DicomDestination)
    return table.transcode


@pytest.mark.req("R-62")
@pytest.mark.parametrize("word", ["never", "uncompressed", "decompress", "lossless"])
def test_every_word_is_taken(tmp_path: Path, word: str) -> None:
    assert word_of(loaded(word, tmp_path)) == word


@pytest.mark.req("R-62")
def test_another_uncompressed_syntax_is_allowed_by_default(tmp_path: Path) -> None:
    text = '[dicom]\nhost = "127.0.0.1"\n' + destination("a", 104) + rule("a")
    assert word_of(load_text(text, tmp_path / "waystation.toml", os.environ)) == "uncompressed"


def test_any_other_word_is_told_the_right_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults) as caught:
        loaded("lossy", tmp_path)
    (fault,) = caught.value.faults
    assert "never, uncompressed, decompress, lossless" in str(fault)


@pytest.mark.parametrize(
    ("word", "warns"), [("uncompressed", 0), ("decompress", 1), ("lossless", 1)]
)
def test_without_the_codecs_check_warns_and_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, warns: int
) -> None:
    monkeypatch.setattr(semantics_transcode, "has_extra", lambda: False)
    found = [str(each) for each in loaded(word, tmp_path).warnings if "codecs" in str(each)]
    assert len(found) == warns
    assert all('pip install "waystation[codecs]"' in each for each in found)
    monkeypatch.setattr(semantics_transcode, "has_extra", lambda: True)
    assert not [each for each in loaded(word, tmp_path).warnings if "codecs" in str(each)]
