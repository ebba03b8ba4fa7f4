"""Running a command in this process, and a stopped node's journal."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from waystation.cli import main as cli


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*words: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["waystation", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        assert ended.value.code is None or isinstance(ended.value.code, int)
        return Ran(ended.value.code or 0, out, err)

    return ran


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with its data beside it."""
    path = tmp_path / "waystation.toml"
    path.write_text(
        f'[node]\ndata = "{tmp_path / "data"}"\n[dicom]\nport = 0\n[web]\nport = 0\n'
        '[destination.pacs]\nkind = "dicom"\nhost = "127.0.0.1"\nport = 1\nae_title = "PACS"\n'
        '[[rule]]\nname = "all"\nsend = ["pacs"]\n'
    )
    return path
