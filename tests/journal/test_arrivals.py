"""Arrivals: added before Success, adopted once, judged when they came before."""

import json
from collections.abc import Sequence
from dataclasses import replace

from tests.journal.making import (
    NOW,
    MemoryJournal,
    adopted,
    arrival,
    as_planned,
    held_plan,
    plan_to,
)
from waystation.journal import arrivals, counts, recovery
from waystation.journal.adoption import Adoption, adopt
from waystation.journal.ids import IdSource
from waystation.journal.marks import LSN
from waystation.model.arrival import Arrival, Earlier
from waystation.model.delivery import HoldReason
from waystation.model.plan import Plan, Target, Verdict
from waystation.rules.duplicates import DuplicatePolicy, judge

POLICY = DuplicatePolicy()


def judged(received: Arrival, plan: Plan, earlier: Sequence[Earlier]) -> Plan:
    return judge(POLICY, received, plan, earlier, NOW)


def test_the_log_keeps_an_arrival_as_it_is() -> None:
    sent = arrival(7, content=3, study="1.2", blob="folder/blob")
    assert arrivals.from_meta(arrivals.meta_of(sent)) == sent


def test_the_log_keeps_whatever_the_texts_hold() -> None:
    odd = 'O"NE\\IL\n\x1b\u0416'
    plain = arrival(8, study=odd, instance=odd, blob=odd)
    sent = replace(
        plain,
        source=replace(plain.source, peer=odd, calling_ae=odd, called_ae=odd, address=odd),
        instance=replace(plain.instance, patient_id=odd, modality=odd, series_uid=odd),
    )
    assert arrivals.from_meta(arrivals.meta_of(sent)) == sent


def test_what_the_sender_asked_for_is_kept_and_a_log_without_it_can_be_read() -> None:
    urgent = replace(arrival(1), priority="stat")
    assert arrivals.from_meta(arrivals.meta_of(urgent)) == urgent
    earlier = json.loads(arrivals.meta_of(urgent))
    del earlier["priority"]
    assert arrivals.from_meta(json.dumps(earlier).encode()).priority == "normal"


def test_an_adopted_arrival_reads_back_equal_with_its_bytes(
    journal: MemoryJournal, ids: IdSource
) -> None:
    sent = replace(arrival(7, content=3), priority="stat")
    journal.run(adopted(ids, (sent, plan_to("pacs")), data=b"bytes"))
    assert journal.run(arrivals.by_id(7)) == sent
    assert journal.run(arrivals.parcel(7)) == b"bytes"
    assert journal.run(arrivals.unplanned(0, 10)) == []
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_what_is_not_there_reads_as_none(journal: MemoryJournal) -> None:
    assert journal.run(arrivals.by_id(1)) is None
    assert journal.run(arrivals.parcel(1)) is None
    assert journal.run(arrivals.last_id()) == 0


def test_unplanned_arrivals_come_in_pages_oldest_first(
    journal: MemoryJournal, ids: IdSource
) -> None:
    for number in (5, 3, 4):
        journal.run(adopted(ids, (arrival(number), held_plan())))
    journal.execute("UPDATE arrival SET planned = 0")
    assert [a.id for a in journal.run(arrivals.unplanned(0, 2))] == [3, 4]
    assert [a.id for a in journal.run(arrivals.unplanned(4, 2))] == [5]


def test_the_place_in_the_log_is_committed_with_the_rows(
    journal: MemoryJournal, ids: IdSource
) -> None:
    adoption = Adoption(arrival=arrival(1), plan=plan_to("pacs"))
    journal.run(adopt([adoption], ids, NOW, as_planned, lsn=41), lost=True)
    assert journal.run(recovery.mark(LSN)) is None
    journal.run(adopt([adoption], ids, NOW, as_planned, lsn=41))
    assert journal.run(recovery.mark(LSN)) == "41"
    assert journal.run(counts.counters()) == {"received": 1}


def test_a_new_plan_for_a_known_arrival_counts_it_once(
    journal: MemoryJournal, ids: IdSource
) -> None:
    one = arrival(1)
    journal.run(adopted(ids, (one, held_plan())))
    journal.run(adopted(ids, (one, plan_to("pacs")), known=True))
    assert journal.run(counts.counters())["received"] == 1
    assert journal.rows("SELECT planned, hold_reason, ended_why FROM arrival") == [(1, None, None)]
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
        adoption = Adoption(arrival=one, plan=plan_to("pacs"))
        journal.run(adopt([adoption], ids, NOW, judged))
    assert journal.run(counts.tallies()) == {"pacs": {"waiting": 1}}
    assert journal.rows("SELECT ended_why FROM arrival WHERE id = 2") == [("discarded:duplicate",)]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_twenty_copies_in_one_batch_make_one_delivery(
    journal: MemoryJournal, ids: IdSource
) -> None:
    copies = [arrival(number, instance="1.9", content=1) for number in range(1, 21)]
    adoptions = [Adoption(arrival=one, plan=plan_to("pacs")) for one in copies]
    journal.run(adopt(adoptions, ids, NOW, judged))
    assert journal.run(counts.tallies()) == {"pacs": {"waiting": 1}}
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_other_bytes_under_the_same_uid_are_both_kept_and_the_second_is_held(
    journal: MemoryJournal, ids: IdSource
) -> None:
    for number in (1, 2):
        one = arrival(number, instance="1.9", content=number)
        adoption = Adoption(arrival=one, plan=plan_to("pacs"))
        journal.run(adopt([adoption], ids, NOW, judged))
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
        adoption = Adoption(arrival=one, plan=plan_to("pacs"))
        journal.run(adopt([adoption], ids, NOW, listening))
    assert heard == [[Earlier(arrival_id=1, sha256=f"{1:064x}", open=True, last_ended_at=0.0)]]
