"""Nodes and peers of the examples; they end with the test, whatever happens to it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close everything that was entered, last first."""
    with ExitStack() as opened:
        yield opened
