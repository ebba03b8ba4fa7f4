"""Nodes in this process; probes of dead destinations come quickly."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flows.rig import Rig


@pytest.fixture(autouse=True)
def _quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waystation.timing.breaker.PROBE_EVERY_S", ((float("inf"), 0.1),))
    monkeypatch.setattr("waystation.timing.breaker.PROBE_GAP_S", 0.05)
    monkeypatch.setattr("waystation.timing.breaker.BLOCKED_PROBE_S", 0.1)


@pytest.fixture(autouse=True)
def _small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waystation.journal.intake.SEGMENT_BYTES", 2 << 20)
    monkeypatch.setattr("waystation.db.engine.LOG_BYTES", 1 << 16)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Return a place for a node; at its end the books must balance (S-15)."""
    made = Rig(tmp_path)
    try:
        yield made
        if made.running:
            assert await made.node.sweep.account() == 0
    finally:
        await made.close()
        shutil.rmtree(made.data, ignore_errors=True)
