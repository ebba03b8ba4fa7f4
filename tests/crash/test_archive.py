"""The archive of a killed node."""

from functools import partial
from pathlib import Path

import pytest

from tests.crash.proof import prove
from tests.torture import row_archive


@pytest.mark.req("T-29", "T-35", "S-1", "F1")
def test_what_was_acknowledged_is_archived_and_the_index_says_so_after_kills(
    tmp_path: Path,
) -> None:
    row = prove(partial(row_archive.killed_while_archiving, kills=2, sources=2), tmp_path)
    assert row.acked > 0
