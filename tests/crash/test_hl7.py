"""An acknowledged HL7 message has its effect, once, whenever the process dies."""

from functools import partial
from pathlib import Path

import pytest

from tests.crash.proof import prove
from tests.torture.row_hl7 import killed_between_frames


@pytest.mark.req("TT-29", "T-60")
def test_every_acknowledged_message_has_its_effect_once(tmp_path: Path) -> None:
    row = prove(partial(killed_between_frames, kills=24, orders=80), tmp_path)
    assert row.runs >= 12
    assert row.attempted > row.acked
