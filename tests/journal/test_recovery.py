"""What the journal does at start: leases come back, damage is held, marks survive."""

import pytest

from tests.journal.making import NOW, MemoryJournal, adopted, arrival, claim_next, plan_to
from waystation.journal import counts, queue, recovery
from waystation.journal.entries import Chosen
from waystation.journal.ids import IdSource


def add(journal: MemoryJournal, ids: IdSource, number: int, *destinations: str) -> None:
    one = arrival(number, study=f"1.{number}", blob=f"blob{number}")
    journal.run(adopted(ids, (one, plan_to(*destinations))))


def test_what_our_previous_life_was_sending_waits_again_at_once(
    journal: MemoryJournal, ids: IdSource
) -> None:
    add(journal, ids, 1, "pacs", "cd")
    add(journal, ids, 2, "pacs")
    for name in ("pacs", "cd"):
        journal.run(claim_next(name, now=NOW, lease_until=NOW + 60, limit=10))
    assert journal.run(recovery.return_leases(NOW + 5)) == 2
    assert journal.run(counts.tallies()) == {
        "cd": {"sending": 0, "waiting": 1},
        "pacs": {"sending": 0, "waiting": 2},
    }
    assert {entry.due for entry in journal.run(queue.deliveries(Chosen()))} == {NOW, NOW + 5}
    assert journal.run(recovery.return_leases(NOW + 6)) == 0
    assert journal.unaccounted(NOW + 1000) == (0, 0, 0, 0, 0)


def test_only_names_that_a_row_refers_to_are_known(journal: MemoryJournal, ids: IdSource) -> None:
    add(journal, ids, 1, "pacs")
    assert journal.run(recovery.known_blobs(["blob1", "stray"])) == {"blob1"}
    assert journal.run(recovery.known_blobs([])) == set()


@pytest.mark.parametrize("state", ["waiting", "sending"])
def test_a_damaged_arrival_is_held_with_everything_open_of_it(
    state: str, journal: MemoryJournal, ids: IdSource
) -> None:
    add(journal, ids, 1, "pacs", "cd")
    if state == "sending":
        journal.run(claim_next("pacs", now=NOW, lease_until=NOW + 60, limit=10))
    journal.run(recovery.hold_corrupt([1], "file missing"))
    found = journal.run(queue.deliveries(Chosen()))
    assert {(entry.state, entry.reason, entry.why) for entry in found} == {
        ("held", "corrupt", "file missing")
    }
    assert journal.run(counts.tallies()) == {
        "cd": {"held": 1, "waiting": 0},
        "pacs": {"held": 1, "waiting": 0} | ({"sending": 0} if state == "sending" else {}),
    }
    assert journal.run(counts.counters())["corrupt"] == 1
    assert journal.unaccounted(NOW + 1000) == (0, 0, 0, 0, 0)


def test_a_mark_is_overwritten(journal: MemoryJournal) -> None:
    assert journal.run(recovery.mark("checked_at")) is None
    journal.run(recovery.set_mark("checked_at", "1"))
    journal.run(recovery.set_mark("checked_at", "2"))
    assert journal.run(recovery.mark("checked_at")) == "2"
