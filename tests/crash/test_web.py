"""DICOMweb with much of everything, in small: the rows of ``make torture`` (WT-17, WT-18)."""

from pathlib import Path

import pytest

from tests.torture.row_web import frames_and_metadata, large_upload


@pytest.mark.req("WT-17", "W-83", "W-14", "W-78")
def test_a_frame_costs_what_it_costs_and_metadata_no_memory(tmp_path: Path) -> None:
    row = frames_and_metadata(tmp_path, seed=1, frames=24, instances=40)
    assert row.faults == []
    assert (row.acked, row.delivered) == (2, 40)


@pytest.mark.req("WT-18", "W-93", "W-94", "W-14")
def test_an_upload_needs_no_memory_and_survives_a_kill(tmp_path: Path) -> None:
    row = large_upload(tmp_path, seed=1, parts=3, part_mib=48)
    assert row.faults == []
    assert (row.acked, row.delivered, row.lost) == (3, 3, 0)
