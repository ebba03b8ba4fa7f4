"""Power cuts (F3): a handful of them; `make torture ROW=F3` has many, and cuts within starts."""

from functools import partial
from pathlib import Path

import pytest

from tests.crash.proof import prove
from tests.torture import row_power


@pytest.mark.req("F3", "S-1", "S-25", "S-29", "R-4")
def test_what_was_acknowledged_survives_a_power_cut(tmp_path: Path) -> None:
    row = prove(partial(row_power.power_cuts, cuts=5, lives=1, load_s=1.0), tmp_path)
    assert row.acked > 0
