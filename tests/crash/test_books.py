"""The judge of the fault rows: it must see every kind of broken promise."""

from collections import Counter

import pytest

from tests.torture.books import Books, Journal, judge, line

A, B = ("1.2.3", "aa"), ("1.2.4", "bb")


def books(*delivered: tuple[str, str]) -> Books:
    found = Books()
    found.attempts = 2
    found.attempted = {A[0]: {A[1]}, B[0]: {B[1]}}
    found.acked = {A, B}
    found.delivered = {"sink": Counter(delivered)}
    return found


@pytest.mark.req("S-25", "S-30")
@pytest.mark.parametrize(
    ("delivered", "column"),
    [
        ([A], "lost"),
        ([A, B, ("9.9", "cc")], "unexpected"),
        ([A, B, (A[0], "other")], "corrupt"),
        ([A, B, B], "repeats"),
    ],
)
def test_each_broken_promise_fails_the_row(delivered: list[tuple[str, str]], column: str) -> None:
    row = judge("F0", books(*delivered), Journal())
    assert getattr(row, column) == 1
    assert row.verdict == "FAILED"


@pytest.mark.req("S-25")
@pytest.mark.parametrize(
    "journal",
    [
        Journal(unaccounted=1),
        Journal(open_rows=1),
        Journal(stray=("blobs/x",)),
        Journal(integrity="page 3 is broken"),
    ],
)
def test_a_journal_that_does_not_add_up_fails_the_row(journal: Journal) -> None:
    assert judge("F0", books(A, B), journal).verdict == "FAILED"


@pytest.mark.req("S-25", "S-32")
def test_a_kept_promise_passes_with_its_line() -> None:
    found = books(A, B, B)
    found.acked = {A}
    row = judge("F0", found, Journal(), allowed_repeats=1)
    assert (row.verdict, row.recovered, row.repeats) == ("ok", 1, 1)
    assert line(row).split()[:5] == ["F0", "1", "2", "1", "3"]


def test_what_is_held_on_purpose_is_not_missed_at_its_sink() -> None:
    assert judge("F0", books(A), Journal(), excused={"sink": {B}}).verdict == "ok"
