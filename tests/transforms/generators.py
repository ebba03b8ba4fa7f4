"""The programs in tools/ that write tables, loaded as the modules they are."""

import sys
from importlib import import_module
from typing import Any

from tests.source import PACKAGE, REPOSITORY

TOOLS = str(REPOSITORY / "tools")


def generator(name: str) -> Any:
    """Return the module ``tools/NAME.py``; its neighbours are found only while it loads."""
    sys.path.insert(0, TOOLS)
    try:
        return import_module(name)
    finally:
        sys.path.remove(TOOLS)


def committed(name: str) -> str:
    """Return the text of a generated file as it stands in the tree."""
    return (PACKAGE / "transforms" / name).read_text(encoding="utf-8")
