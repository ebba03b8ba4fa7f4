"""How long rows and bytes stay: nothing undelivered is ever taken."""

import pytest

from tests.journal.making import (
    NOW,
    MemoryJournal,
    adopted,
    arrival,
    claim_next,
    held_plan,
    plan_to,
)
from waystation.journal import arrivals, counts, keeping, queue
from waystation.journal.deliveries import Settlement, settle
from waystation.journal.ids import IdSource
from waystation.model.delivery import HoldReason, State, Step
from waystation.model.plan import Plan

LATER = NOW + 100
ALL = 1 << 62


@pytest.fixture
def kept(journal: MemoryJournal, ids: IdSource) -> MemoryJournal:
    """One arrival with a blob and one delivery that waits."""
    one = arrival(1, blob="blob1")
    journal.run(adopted(ids, (one, plan_to("pacs")), data=b"bytes"))
    return journal


def deliver(journal: MemoryJournal) -> None:
    for delivery in journal.run(claim_next("pacs", now=NOW, lease_until=LATER, limit=10)):
        done = Settlement(delivery=delivery, step=Step.DELIVERED, due=NOW, now=NOW)
        journal.run(settle([done]))


@pytest.mark.req("R-12", "S-18")
@pytest.mark.parametrize("state", list(State))
def test_only_what_ended_long_ago_may_go_whatever_the_caller_says(
    state: State, kept: MemoryJournal
) -> None:
    ended = state in (State.DONE, State.DISCARDED)
    kept.execute("UPDATE delivery SET state = ?, ended_at = ?", state.value, NOW if ended else None)
    found = kept.run(keeping.droppable(LATER, ALL, 0, 10))
    assert found == ([(1, "blob1")] if ended else [])
    assert kept.run(keeping.drop([(1, "blob1")], NOW - 1)) == []
    assert kept.run(keeping.drop([(1, "blob1")], LATER)) == (["blob1"] if ended else [])
    assert (kept.run(arrivals.parcel(1)) is None) is ended
    assert kept.unaccounted()[4] == 0


@pytest.mark.parametrize("plan", [held_plan(), Plan(targets=(), hold=HoldReason.CONFLICT)])
def test_a_held_arrival_keeps_its_bytes(plan: Plan, journal: MemoryJournal, ids: IdSource) -> None:
    journal.run(adopted(ids, (arrival(1, blob="b"), plan)))
    assert journal.run(keeping.droppable(LATER, ALL, 0, 10)) == []
    assert journal.run(keeping.drop([(1, "b")], LATER)) == []


def test_an_arrival_without_a_plan_keeps_its_bytes(journal: MemoryJournal, ids: IdSource) -> None:
    journal.run(adopted(ids, (arrival(1, blob="b"), plan_to())))
    journal.execute("UPDATE arrival SET planned = 0")
    assert journal.run(keeping.drop([(1, "b")], LATER)) == []


def test_rows_outlive_their_bytes_and_leave_counted(kept: MemoryJournal) -> None:
    deliver(kept)
    assert kept.run(keeping.purge(ALL, 10)) == 0
    kept.run(keeping.drop([(1, "blob1")], LATER))
    assert kept.unaccounted() == (0, 0, 0, 0, 0)
    assert kept.run(keeping.purge(1, 10)) == 0
    assert kept.run(keeping.purge(ALL, 10)) == 1
    for table in ("arrival", "delivery", "attempt", "parcel"):
        assert kept.rows("SELECT count(*) FROM " + table) == [(0,)]
    assert kept.run(counts.counters()) == {
        "received": 1,
        "purged.finished": 1,
        "ended.pacs.done": 1,
    }
    assert kept.unaccounted() == (0, 0, 0, 0, 0)


def test_the_queue_still_counts_what_was_purged(kept: MemoryJournal) -> None:
    deliver(kept)
    kept.run(keeping.drop([(1, "blob1")], LATER))
    kept.run(keeping.purge(ALL, 10))
    lane = kept.run(queue.overview()).lanes[0]
    assert (lane.destination, lane.done, lane.waiting) == ("pacs", 1, 0)
