"""Faults of disks, peers, crowds: the smoke tier of the fault matrix (S-32).

How long a start takes is no matter here: other tests run beside it.
"""

from functools import partial
from pathlib import Path

import pytest

from tests.crash.proof import prove
from tests.torture import control, row_crowd, row_disk, row_life, row_peer


@pytest.mark.req("F4", "R-8")
def test_a_failed_write_is_answered_a700_and_forgotten(tmp_path: Path) -> None:
    prove(partial(row_disk.no_space_at_calls, most=4), tmp_path)


@pytest.mark.req("F5", "S-20")
def test_a_failed_sync_is_answered_a700_and_never_believed(tmp_path: Path) -> None:
    prove(partial(row_disk.failed_sync_at_calls, most=4), tmp_path)


@pytest.mark.req("F4", "S-13")
def test_what_was_acknowledged_beside_failed_writes_is_whole_on_the_disk(tmp_path: Path) -> None:
    prove(partial(row_disk.no_space_at_calls, most=2, closed=True), tmp_path)


@pytest.mark.req("F4")
def test_a_full_volume_refuses_and_recovers(tmp_path: Path) -> None:
    prove(row_disk.full_volume, tmp_path)


@pytest.mark.req("F6", "S-13")
def test_damaged_blobs_are_held_and_never_sent(tmp_path: Path) -> None:
    prove(row_disk.damaged_files, tmp_path)


@pytest.mark.req("F7", "S-17")
def test_many_senders_of_one_study_make_one_delivery_of_each_image(tmp_path: Path) -> None:
    prove(partial(row_crowd.many_senders, senders=6, times=2, images=10), tmp_path)


@pytest.mark.req("F12", "R-14")
def test_a_reset_at_any_byte_of_a_sender_leaves_what_was_answered(tmp_path: Path) -> None:
    prove(partial(row_peer.resets_from_source, cuts=20), tmp_path)


@pytest.mark.req("F13")
def test_what_a_destination_cannot_take_is_held_for_it_alone(tmp_path: Path) -> None:
    prove(row_peer.choosy_sinks, tmp_path)


@pytest.mark.req("F18", "S-73")
def test_sigterm_under_load_loses_and_repeats_nothing(tmp_path: Path) -> None:
    prove(partial(row_life.terminated_under_load, times=2), tmp_path)


@pytest.mark.req("F19", "S-11", "R-13")
def test_a_second_process_on_the_data_folder_is_refused_by_name(tmp_path: Path) -> None:
    prove(row_life.second_process, tmp_path)


@pytest.mark.req("F24")
def test_a_sender_that_vanishes_in_an_object_leaves_nothing(tmp_path: Path) -> None:
    prove(partial(row_crowd.vanishing_sender, times=10), tmp_path)


@pytest.mark.req("S-30")
def test_the_harness_notices_a_node_that_ignores_a_failed_write(tmp_path: Path) -> None:
    prove(partial(control.ignores_no_space, most=1), tmp_path)
