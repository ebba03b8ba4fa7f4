"""Killed nodes: the smoke tier of the fault matrix (S-32), a small part of `make torture`.

How long a start takes is no matter here: other tests run beside it.
"""

from functools import partial
from pathlib import Path

import pytest

from tests.crash.proof import prove
from tests.torture import control, row_kill


@pytest.mark.req("F1", "S-1", "S-7", "S-11", "S-25", "R-4", "R-13", "R-14")
def test_nothing_acknowledged_is_lost_when_the_node_is_killed_at_random(tmp_path: Path) -> None:
    row = prove(partial(row_kill.random_kills, kills=3, sources=3, ready_s=1e9), tmp_path)
    assert row.acked > 0


@pytest.mark.req("F2", "S-28", "S-1")
def test_nothing_is_lost_when_the_node_is_killed_before_a_system_call(tmp_path: Path) -> None:
    prove(partial(row_kill.kill_at_calls, most=5), tmp_path)


@pytest.mark.req("F2", "S-11", "R-13")
def test_a_start_may_be_killed_at_any_step(tmp_path: Path) -> None:
    prove(partial(row_kill.kill_at_start, most=2), tmp_path)


@pytest.mark.req("N-14", "R-13", "S-11")
def test_what_was_being_sent_when_the_node_was_killed_is_taken_up_again(tmp_path: Path) -> None:
    prove(row_kill.killed_while_sending, tmp_path)


@pytest.mark.req("S-30")
def test_the_harness_notices_a_node_that_answers_too_early(tmp_path: Path) -> None:
    prove(partial(control.answers_before_commit, kills=1), tmp_path)
