"""Running one row of the fault matrix inside the test suite."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.torture.books import HEAD, Row, line

SEED = 11


def prove(run: Callable[..., Row], folder: Path) -> Row:
    """Run one row and fail with its line unless it is ok; skip with its reason."""
    row = run(folder, seed=SEED)
    if row.skipped:
        pytest.skip(row.skipped)
    assert row.verdict == "ok", f"\n{HEAD}\n{line(row)}\n{row.notes}"
    return row
