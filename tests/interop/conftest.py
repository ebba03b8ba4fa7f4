"""Nodes and peers that end with the test, whatever happens to it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.peers.node import Node

StartNode = Callable[..., Node]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close everything that was entered, last first."""
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def start_node(tmp_path: Path, stack: ExitStack) -> StartNode:
    """Start a node in a folder of its own; its log is shown when the test fails."""

    def start(config: str = "", *, dicom: str = "") -> Node:
        node = stack.enter_context(Node(tmp_path / "node", config, dicom=dicom))
        stack.callback(lambda: print(node.log[-6000:]))
        return node

    return start
