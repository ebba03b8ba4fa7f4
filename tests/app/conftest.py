"""Configuration files as the tests write them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from waystation.app.faults import ConfigFaults
from waystation.app.read import Loaded, load

NOTHING: Mapping[str, str] = MappingProxyType({})
Load = Callable[..., Loaded]
Complain = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every file of these tests is ./waystation.toml of a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def read() -> Load:
    """Return a function: text of a file, environment → what was loaded."""

    def _read(text: str, environ: Mapping[str, str] = NOTHING) -> Loaded:
        path = Path("waystation.toml")
        path.write_text(text, encoding="utf-8")
        return load(path, environ)

    return _read


@pytest.fixture
def faults(read: Load) -> Complain:
    """Return a function: text, environment → the faults as an operator sees them."""

    def _faults(text: str, environ: Mapping[str, str] = NOTHING) -> list[str]:
        with pytest.raises(ConfigFaults) as caught:
            read(text, environ)
        return [str(fault) for fault in caught.value.faults]

    return _faults


@pytest.fixture
def warnings(read: Load) -> Complain:
    """Return a function: text of a good file → its warnings."""

    def _warnings(text: str, environ: Mapping[str, str] = NOTHING) -> list[str]:
        return [str(warning) for warning in read(text, environ).warnings]

    return _warnings
