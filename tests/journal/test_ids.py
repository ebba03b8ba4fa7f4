"""Ids go up, whatever the clock does."""

import pytest

from waystation.journal.ids import IdSource, id_at


def test_ids_never_repeat_and_fit_63_bits() -> None:
    source = IdSource()
    made = [source.next() for _ in range(1000)]
    assert made == sorted(set(made))
    assert made[-1] < 1 << 63


def test_a_clock_that_goes_back_gives_higher_ids_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = IdSource()
    first = source.next()
    monkeypatch.setattr("waystation.journal.ids.time.time", lambda: 0.0)
    assert source.next() == first + 1


def test_ids_go_on_behind_the_last_one_in_use() -> None:
    assert IdSource(1 << 61).next() == (1 << 61) + 1


def test_an_id_tells_its_time() -> None:
    assert id_at(1.0) < id_at(1.5) < 1 << 63
