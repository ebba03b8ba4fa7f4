"""An imported text, read back as a node would read it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from waystation.app.importing.findings import Imported
from waystation.app.read import Loaded, load

Checked = Callable[[Imported], Loaded]


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    """Return a function: an import → its configuration; a fault fails the test."""

    def _checked(imported: Imported) -> Loaded:
        path = tmp_path / "imported.toml"
        path.write_text(imported.toml, encoding="utf-8")
        return load(path, os.environ)

    return _checked
