"""Questions to the archive, in small: the rows of ``make torture`` (TT-3, TT-12)."""

from pathlib import Path

import pytest

from tests.torture.row_query import any_identifier, beyond_ceilings


@pytest.mark.req("TT-3", "T-29")
def test_many_studies_and_a_big_one_are_found_and_fetched_whole(tmp_path: Path) -> None:
    row = beyond_ceilings(tmp_path, seed=1, studies=30, instances=120, big_mib=24)
    assert row.faults == []
    assert row.delivered == 121


@pytest.mark.req("TT-12", "T-14", "T-40")
def test_any_identifier_is_answered_or_refused_and_the_next_is_right(tmp_path: Path) -> None:
    row = any_identifier(tmp_path, seed=1, identifiers=600)
    assert row.faults == []
    assert row.attempted == 600
