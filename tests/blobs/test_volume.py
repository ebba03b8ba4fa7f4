"""The marks at which intake stops and goes on again (R-9, S-19)."""

from pathlib import Path

import pytest

from waystation.blobs.volume import Marks, Space, half_reserve_gone, look, why_stop

GB = 1_000_000_000
MARKS = Marks()


def space(free_gb: float, total_gb: float = 100, free_inodes: float = 0.5) -> Space:
    return Space(
        total_bytes=int(total_gb * GB),
        free_bytes=int(free_gb * GB),
        total_inodes=1000,
        free_inodes=int(1000 * free_inodes),
    )


@pytest.mark.req("R-9", "S-19")
@pytest.mark.parametrize(
    ("here", "largest_gb", "stops"),
    [
        (space(50), 0, False),
        (space(10.1), 0, False),
        (space(9.9), 0, True),
        (space(8, total_gb=20), 0, False),
        (space(4.9, total_gb=20), 0, True),
        (space(5.1, total_gb=20), 0, False),
        (space(20), 13, False),
        (space(20), 14, True),
        (space(50, free_inodes=0.051), 0, False),
        (space(50, free_inodes=0.049), 0, True),
        (Space(total_bytes=0, free_bytes=6 * GB, total_inodes=0, free_inodes=0), 0, False),
    ],
)
def test_each_mark_stops_the_intake(here: Space, largest_gb: float, stops: bool) -> None:
    assert bool(why_stop(here, MARKS, int(largest_gb * GB))) is stops


@pytest.mark.req("R-9", "S-19")
@pytest.mark.parametrize(
    ("free_gb", "total_gb", "resumes"),
    [(10.5, 100, False), (12.1, 100, True), (5.2, 20, False), (5.5, 20, True)],
)
def test_it_goes_on_two_points_clear_of_its_mark(
    free_gb: float, total_gb: float, resumes: bool
) -> None:
    here = space(free_gb, total_gb)
    assert not why_stop(here, MARKS)
    assert (not why_stop(here, MARKS, margin=0.02)) is resumes


@pytest.mark.req("R-9", "E1")
def test_running_associations_go_on_until_half_of_the_reserve_is_gone() -> None:
    assert not half_reserve_gone(space(4), MARKS)
    assert half_reserve_gone(space(2.4), MARKS)
    assert not half_reserve_gone(space(0.6, total_gb=10), MARKS)
    assert half_reserve_gone(space(0.4, total_gb=10), MARKS)


def test_a_reason_is_in_words_and_names_no_path() -> None:
    assert why_stop(space(5), MARKS) == "volume 95% used, mark 90%"
    assert "/" not in why_stop(space(4.9, total_gb=20), MARKS)


def test_a_look_at_a_real_volume(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert 0 <= found.free_bytes <= found.total_bytes
    assert 0.0 <= found.used <= 1.0
