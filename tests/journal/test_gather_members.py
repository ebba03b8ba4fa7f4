"""What the members of one gather have in common, and what each has of its own."""

from dataclasses import replace

import pytest

from tests.journal.making import NOW, MemoryJournal, arrival, as_planned
from tests.journal.test_gathers import NO_RULE, STUDY, end, receive
from waystation.journal import gathers
from waystation.journal.adoption import Adoption, adopt
from waystation.journal.decisions import Action, Decision, decide_arrivals
from waystation.journal.entries import Chosen
from waystation.journal.gather_endings import Ending
from waystation.journal.gathers import Gather
from waystation.journal.ids import IdSource
from waystation.model.delivery import HoldReason
from waystation.model.plan import Plan, Target

PACS = Target(destination="pacs", rules=("whole",))
READER = Target(destination="reader", rules=("whole",))
FILTERED = replace(PACS, filtered_by="pacs.refuse CTImageStorage")


def held(otherwise: str) -> Ending:
    return Ending(evidence="quiet", untaken=lambda _peer: otherwise)


def open_gather(journal: MemoryJournal) -> Gather:
    (found,) = journal.run(gathers.unfinished())
    return found


def ended(journal: MemoryJournal, ids: IdSource, *, again: bool = False) -> int:
    gather = open_gather(journal)
    return end(
        journal, ids, gather.id, Ending(evidence="quiet", targets=gather.targets, again=again)
    )


def fates(journal: MemoryJournal) -> list[tuple[object, ...]]:
    return [
        tuple(row) for row in journal.rows("SELECT ended_why, hold_reason FROM arrival ORDER BY id")
    ]


@pytest.mark.req("R-18", "R-70")
def test_a_filter_that_takes_the_first_object_away_takes_no_other(
    journal: MemoryJournal, ids: IdSource
) -> None:
    first = Plan(targets=(FILTERED,), joins=(replace(STUDY, targets=(READER,)),))
    receive(journal, ids, 1, first)
    receive(journal, ids, 2, Plan(joins=(replace(STUDY, targets=(PACS, READER)),)))
    assert ended(journal, ids) == 3
    rows = journal.rows("SELECT arrival, destination, state FROM delivery ORDER BY arrival, id")
    assert sorted(map(tuple, rows)) == [
        (1, "pacs", "discarded"),
        (1, "reader", "waiting"),
        (2, "pacs", "waiting"),
        (2, "reader", "waiting"),
    ]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.req("R-21", "R-70")
def test_what_went_out_at_once_keeps_no_other_from_going(
    journal: MemoryJournal, ids: IdSource
) -> None:
    receive(journal, ids, 1, Plan(targets=(PACS,), joins=(replace(STUDY, targets=(READER,)),)))
    receive(journal, ids, 2, Plan(joins=(replace(STUDY, targets=(PACS, READER)),)))
    ended(journal, ids)
    rows = journal.rows(
        "SELECT arrival, count(*) FROM delivery WHERE destination = 'pacs' GROUP BY arrival"
    )
    assert rows == [(1, 1), (2, 1)]


@pytest.mark.req("R-33")
def test_the_most_urgent_object_says_how_urgent_the_study_is(
    journal: MemoryJournal, ids: IdSource
) -> None:
    receive(journal, ids, 1, Plan(joins=(STUDY,)))
    stat = replace(STUDY, targets=(replace(PACS, priority="stat"),))
    receive(journal, ids, 2, Plan(joins=(stat,)))
    receive(journal, ids, 3, Plan(joins=(STUDY,)))
    ended(journal, ids)
    assert journal.rows("SELECT DISTINCT priority FROM delivery") == [(0,)]


@pytest.mark.req("R-73")
def test_late_whole_repeats_nothing_that_is_still_on_its_way(
    journal: MemoryJournal, ids: IdSource
) -> None:
    gather = receive(journal, ids, 1, Plan(joins=(STUDY,))).gathers[0]
    end(journal, ids, gather.id)
    receive(journal, ids, 2, Plan(joins=(STUDY,)))
    assert ended(journal, ids, again=True) == 1
    assert journal.rows("SELECT arrival, count(*) FROM delivery GROUP BY arrival") == [
        (1, 1),
        (2, 1),
    ]


@pytest.mark.req("R-73")
def test_late_whole_sends_one_copy_of_an_instance_that_was_sent_in_twice(
    journal: MemoryJournal, ids: IdSource
) -> None:
    gather = receive(journal, ids, 1, Plan(joins=(STUDY,)), instance="1.9").gathers[0]
    end(journal, ids, gather.id)
    journal.execute("UPDATE delivery SET state = 'done', ended_at = 1.0")
    receive(journal, ids, 2, Plan(joins=(STUDY,)), instance="1.9")
    assert ended(journal, ids, again=True) == 1
    rows = journal.rows("SELECT arrival FROM delivery WHERE state = 'waiting'")
    assert rows == [(2,)]


OTHER = replace(STUDY, rule="other")


@pytest.mark.req("R-34", "R-70", "R-12")
@pytest.mark.parametrize("otherwise", ["hold", "discard"])
def test_what_one_gather_does_not_take_another_may(
    journal: MemoryJournal, ids: IdSource, otherwise: str
) -> None:
    both = receive(journal, ids, 1, Plan(joins=(STUDY, OTHER))).gathers
    end(journal, ids, both[0].id, held(otherwise))
    assert fates(journal) == [(None, None)]
    assert end(journal, ids, both[1].id) == 1
    assert fates(journal) == [(None, None)]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.req("R-34", "R-70")
def test_what_no_gather_takes_is_held_once_the_last_has_said_so(
    journal: MemoryJournal, ids: IdSource
) -> None:
    both = receive(journal, ids, 1, Plan(joins=(STUDY, OTHER))).gathers
    end(journal, ids, both[0].id, held("hold"))
    end(journal, ids, both[1].id, held("hold"))
    assert fates(journal) == [("held", "no-rule")]


@pytest.mark.req("R-18", "R-34")
def test_a_filter_beside_a_gather_that_takes_nothing_lets_nothing_vanish(
    journal: MemoryJournal, ids: IdSource
) -> None:
    made = Plan(targets=(FILTERED,), joins=(replace(STUDY, targets=(READER,)),))
    gather = receive(journal, ids, 1, made).gathers[0]
    end(journal, ids, gather.id, held("hold"))
    assert fates(journal) == [("held", "no-rule")]


@pytest.mark.req("R-34")
def test_otherwise_archive_archives_what_a_gather_does_not_take(
    journal: MemoryJournal, ids: IdSource
) -> None:
    gather = receive(journal, ids, 1, Plan(joins=(STUDY,))).gathers[0]
    archive = Target(destination="archive", rules=("otherwise",), hold=HoldReason.NO_ARCHIVE)
    end(journal, ids, gather.id, replace(held("archive"), archive=archive))
    rows = journal.rows("SELECT destination, state, hold_reason, rules FROM delivery")
    assert rows == [("archive", "held", "no-archive", "otherwise")]
    assert fates(journal) == [(None, None)]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.req("R-34")
def test_a_peers_own_otherwise_decides_about_its_objects(
    journal: MemoryJournal, ids: IdSource
) -> None:
    gather = receive(journal, ids, 1, Plan(joins=(STUDY,))).gathers[0]
    own = Ending(evidence="quiet", untaken=lambda peer: "discard" if peer == "ct1" else "hold")
    end(journal, ids, gather.id, own)
    assert fates(journal) == [("discarded:otherwise", None)]


def test_what_a_person_discards_does_not_leave_with_its_study(
    journal: MemoryJournal, ids: IdSource
) -> None:
    receive(journal, ids, 1, Plan(joins=(STUDY,), hold=HoldReason.OPERATOR))
    receive(journal, ids, 2, Plan(joins=(STUDY,)))
    decision = Decision(action=Action.DISCARD, by="mta", now=NOW, because="wrong patient")
    assert journal.run(decide_arrivals(Chosen(ids=(1,)), decision)).arrivals == 1
    ended(journal, ids)
    assert journal.rows("SELECT arrival FROM delivery") == [(2,)]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.req("R-72")
def test_an_arrival_that_is_planned_anew_opens_no_gather_in_the_past(
    journal: MemoryJournal, ids: IdSource
) -> None:
    receive(journal, ids, 1, NO_RULE)
    later = NOW + 5 * 86_400.0
    one = Adoption(arrival=arrival(1), plan=Plan(joins=(STUDY,)), known=True)
    journal.run(adopt([one], ids, later, as_planned))
    gather = open_gather(journal)
    assert (gather.opened_at, gather.last_at) == (later, later)


def test_objects_without_a_study_are_not_gathered_together(
    journal: MemoryJournal, ids: IdSource
) -> None:
    palette = replace(arrival(1).instance, study_uid="", series_uid="")
    for number in (1, 2):
        instance = replace(palette, sop_instance_uid=f"1.5.{number}")
        one = Adoption(
            arrival=replace(arrival(number), instance=instance), plan=Plan(joins=(STUDY,))
        )
        journal.run(adopt([one], ids, NOW, as_planned))
    assert [gather.n for gather in journal.run(gathers.unfinished())] == [1, 1]


def test_a_gather_that_everybody_left_leaves_no_row(journal: MemoryJournal, ids: IdSource) -> None:
    gather = receive(journal, ids, 1, Plan(joins=(STUDY,), hold=HoldReason.OPERATOR)).gathers[0]
    decision = Decision(action=Action.DISCARD, by="mta", now=NOW, because="no")
    journal.run(decide_arrivals(Chosen(ids=(1,)), decision))
    end(journal, ids, gather.id)
    assert journal.rows("SELECT count(*) FROM gather") == [(0,)]


def test_an_arrival_that_is_planned_anew_leaves_what_it_does_not_belong_to_any_more(
    journal: MemoryJournal, ids: IdSource
) -> None:
    receive(journal, ids, 1, Plan(joins=(STUDY, OTHER), hold=HoldReason.RULE_ERROR))
    receive(journal, ids, 2, Plan(joins=(STUDY, OTHER)))
    retry = Decision(action=Action.RETRY, by="mta", now=NOW)
    assert len(journal.run(decide_arrivals(Chosen(ids=(1,)), retry)).to_plan) == 1
    one = Adoption(arrival=arrival(1), plan=Plan(joins=(STUDY,)), known=True)
    journal.run(adopt([one], ids, NOW, as_planned))
    assert {g.rule: g.n for g in journal.run(gathers.unfinished())} == {"whole": 2, "other": 1}
    assert journal.unaccounted() == (0, 0, 0, 0, 0)
