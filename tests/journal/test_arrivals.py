"""Arrivals: added before Success, adopted once, judged when they came before."""

from collections.abc import Sequence

import pytest

from tests.journal.making import (
    NOW,
    MemoryJournal,
    adopted,
    arrival,
    as_planned,
    held_plan,
    plan_to,
)
from waystation.journal import arrivals, counts
from waystation.journal.arrivals import Adoption
from waystation.journal.ids import IdSource
from waystation.model.arrival import Arrival, Earlier
from waystation.model.delivery import HoldReason
from waystation.model.plan import Plan, Target, Verdict
from waystation.rules.duplicates import DuplicatePolicy, judge

POLICY = DuplicatePolicy()


def judged(received: Arrival, plan: Plan, earlier: Sequence[Earlier]) -> Plan:
    return judge(POLICY, received, plan, earlier, NOW)


def test_an_added_arrival_reads_back_equal_with_its_bytes(journal: MemoryJournal) -> None:
    sent = arrival(7, content=3)
    journal.run(arrivals.add(sent, b"bytes"))
    assert journal.run(arrivals.by_id(7)) == sent
    assert journal.run(arrivals.parcel(7)) == b"bytes"
    assert journal.run(arrivals.unplanned(0, 10)) == [sent]
    assert journal.run(arrivals.last_id()) == 7
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_what_is_not_there_reads_as_none(journal: MemoryJournal) -> None:
    assert journal.run(arrivals.by_id(1)) is None
    assert journal.run(arrivals.parcel(1)) is None
    assert journal.run(arrivals.last_id()) == 0


def test_unplanned_arrivals_come_in_pages_oldest_first(journal: MemoryJournal) -> None:
    for number in (5, 3, 4):
        journal.run(arrivals.add(arrival(number), None))
    assert [a.id for a in journal.run(arrivals.unplanned(0, 2))] == [3, 4]
    assert [a.id for a in journal.run(arrivals.unplanned(4, 2))] == [5]


def test_a_withdrawn_arrival_is_counted_as_never_acknowledged(journal: MemoryJournal) -> None:
    journal.run(arrivals.add(arrival(1), b"x"))
    journal.run(arrivals.withdraw(1))
    assert journal.run(arrivals.by_id(1)) is None
    assert journal.run(arrivals.parcel(1)) is None
    assert journal.run(counts.counters()) == {"received": 1, "purged.never_acknowledged": 1}
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_a_planned_arrival_cannot_be_withdrawn(journal: MemoryJournal, ids: IdSource) -> None:
    journal.run(arrivals.add(arrival(1), b"x"))
    journal.run(adopted(ids, (arrival(1), plan_to("pacs"))))
    journal.run(arrivals.withdraw(1))
    assert journal.run(arrivals.by_id(1)) is not None
    assert journal.run(arrivals.parcel(1)) == b"x"
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_many_plans_are_adopted_in_one_transaction(journal: MemoryJournal, ids: IdSource) -> None:
    filtered = Target(destination="cd", rules=("b",), filtered_by="cd.refuse CT")
    held = Target(destination="pacs", rules=("c",), hold=HoldReason.TWO_VERSIONS)
    verdicts = (Verdict(rule="a", matched=True, clause="no conditions"),)
    plans = [
        Plan(targets=(*plan_to("pacs", "cd").targets,), verdicts=verdicts),
        Plan(targets=(filtered, held)),
        held_plan(),
        Plan(discard="rule x"),
    ]
    received = [arrival(number) for number in range(1, 5)]
    for one in received:
        journal.run(arrivals.add(one, None))
    assert journal.run(adopted(ids, *zip(received, plans, strict=True))) == plans
    assert journal.run(counts.tallies()) == {
        "cd": {"discarded": 1, "waiting": 1},
        "pacs": {"held": 1, "waiting": 1},
    }
    assert journal.rows("SELECT id, ended_why, hold_reason FROM arrival ORDER BY id") == [
        (1, None, None),
        (2, None, None),
        (3, "held", "no-rule"),
        (4, "discarded:rule x", None),
    ]
    assert journal.run(arrivals.unplanned(0, 10)) == []
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_the_same_object_again_makes_no_second_delivery(
    journal: MemoryJournal, ids: IdSource
) -> None:
    first, second = (arrival(n, instance="1.9", content=1) for n in (1, 2))
    for one in (first, second):
        journal.run(arrivals.add(one, None))
        adoption = Adoption(arrival=one, plan=plan_to("pacs"))
        journal.run(arrivals.adopt([adoption], ids, NOW, judged))
    assert journal.run(counts.tallies()) == {"pacs": {"waiting": 1}}
    assert journal.rows("SELECT ended_why FROM arrival WHERE id = 2") == [("discarded:duplicate",)]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.xfail(reason="adopt does not see earlier members of its own batch", strict=True)
def test_twenty_copies_in_one_batch_make_one_delivery(
    journal: MemoryJournal, ids: IdSource
) -> None:
    copies = [arrival(number, instance="1.9", content=1) for number in range(1, 21)]
    for one in copies:
        journal.run(arrivals.add(one, None))
    adoptions = [Adoption(arrival=one, plan=plan_to("pacs")) for one in copies]
    journal.run(arrivals.adopt(adoptions, ids, NOW, judged))
    assert journal.run(counts.tallies()) == {"pacs": {"waiting": 1}}
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_other_bytes_under_the_same_uid_are_both_kept_and_the_second_is_held(
    journal: MemoryJournal, ids: IdSource
) -> None:
    for number in (1, 2):
        one = arrival(number, instance="1.9", content=number)
        journal.run(arrivals.add(one, None))
        adoption = Adoption(arrival=one, plan=plan_to("pacs"))
        journal.run(arrivals.adopt([adoption], ids, NOW, judged))
    assert journal.run(counts.tallies()) == {"pacs": {"held": 1, "waiting": 1}}
    assert journal.rows("SELECT hold_reason FROM arrival WHERE id = 2") == [("conflict",)]


def test_the_judge_hears_what_came_before_and_how_it_stands(
    journal: MemoryJournal, ids: IdSource
) -> None:
    heard: list[Sequence[Earlier]] = []

    def listening(received: Arrival, plan: Plan, earlier: Sequence[Earlier]) -> Plan:
        heard.append(earlier)
        return as_planned(received, plan, earlier)

    for number in (1, 2):
        one = arrival(number, instance="1.9", content=number)
        journal.run(arrivals.add(one, None))
        adoption = Adoption(arrival=one, plan=plan_to("pacs"))
        journal.run(arrivals.adopt([adoption], ids, NOW, listening))
    assert heard == [[Earlier(arrival_id=1, sha256=f"{1:064x}", open=True, last_ended_at=NOW)]]
