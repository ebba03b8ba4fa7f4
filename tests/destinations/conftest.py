"""Codec children for destinations that convert."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from waystation.codecs.pool import CodecPool


@pytest.fixture
async def codecs(tmp_path: Path) -> AsyncIterator[CodecPool]:
    pool = CodecPool(tmp_path / "codecs")
    yield pool
    await pool.close()
