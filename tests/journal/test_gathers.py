"""Gathers as the journal keeps them: joined with the arrival, ended once, page by page."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.journal.making import NOW, MemoryJournal, arrival, as_planned, plan_to
from waystation.journal import gather_endings, gathers, keeping
from waystation.journal.adoption import Adopted, Adoption, adopt
from waystation.journal.gather_endings import Ending
from waystation.journal.ids import IdSource
from waystation.model.delivery import HoldReason
from waystation.model.plan import Join, Plan, Target
from waystation.rules.duplicates import DuplicatePolicy, judge
from waystation.timing.gather import Announced

TO_PACS = (Target(destination="pacs", rules=("whole",)),)
STUDY = Join(rule="whole", level="study", targets=TO_PACS)
WHOLE = replace(STUDY, whole=True)
NO_RULE = Plan(hold=HoldReason.NO_RULE)


def receive(
    journal: MemoryJournal,
    ids: IdSource,
    number: int,
    plan: Plan,
    *,
    wholes: Sequence[tuple[str, str]] = (),
    instance: str = "",
) -> Adopted:
    one = arrival(number, instance=instance, content=1 if instance else number)
    policy = DuplicatePolicy()
    job = adopt(
        [Adoption(arrival=one, plan=plan, announced=Announced())],
        ids,
        NOW,
        lambda a, p, earlier: judge(policy, a, p, earlier, NOW),
        wholes=wholes,
    )
    return journal.run(job)[0]


def end(journal: MemoryJournal, ids: IdSource, gather_id: int, ending: Ending | None = None) -> int:
    assert journal.run(gather_endings.begin_ending(gather_id, "quiet", NOW + 1)) is not None
    made, more = 0, True
    while more:
        page = journal.run(
            gather_endings.end_page(
                gather_id, ending or Ending(evidence="quiet", targets=TO_PACS), ids, NOW + 1
            )
        )
        made, more = made + page.made, page.more
    return made


@pytest.mark.req("R-70", "R-11")
def test_an_arrival_that_is_gathered_has_a_fate_and_no_delivery(
    journal: MemoryJournal, ids: IdSource
) -> None:
    first = receive(journal, ids, 1, Plan(joins=(STUDY,)))
    second = receive(journal, ids, 2, Plan(joins=(STUDY,)))
    assert first.gathers[0].id == second.gathers[0].id
    assert second.gathers[0].n == 2
    assert journal.rows("SELECT count(*) FROM delivery") == [(0,)]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.req("R-70")
def test_what_is_complete_goes_out_once(journal: MemoryJournal, ids: IdSource) -> None:
    for number in (1, 2, 3):
        gather = receive(journal, ids, number, Plan(joins=(STUDY,))).gathers[0]
    assert end(journal, ids, gather.id) == 3
    assert journal.run(gather_endings.begin_ending(gather.id, "quiet", NOW + 2)) is None
    rows = journal.rows("SELECT destination, rules, state, origin FROM delivery")
    assert rows == [("pacs", "whole", "waiting", "rule")] * 3
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.req("R-72")
def test_a_crash_between_two_pages_repeats_and_forgets_none(
    journal: MemoryJournal, ids: IdSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather_endings, "PAGE", 2)
    for number in range(1, 6):
        gather = receive(journal, ids, number, Plan(joins=(STUDY,))).gathers[0]
    journal.run(gather_endings.begin_ending(gather.id, "quiet", NOW))
    ending = Ending(evidence="quiet", targets=TO_PACS)
    assert journal.run(gather_endings.end_page(gather.id, ending, ids, NOW)).more
    journal.run(gather_endings.end_page(gather.id, ending, ids, NOW), lost=True)
    (left,) = journal.run(gathers.unfinished())
    assert left.state == gathers.COMPLETING
    while journal.run(gather_endings.end_page(left.id, ending, ids, NOW)).more:
        continue
    rows = journal.rows("SELECT arrival, count(*) FROM delivery GROUP BY arrival")
    assert rows == [(number, 1) for number in range(1, 6)]
    assert journal.run(gathers.unfinished()) == []


@pytest.mark.req("R-73", "RT-12")
def test_three_late_objects_are_a_delta_of_three(journal: MemoryJournal, ids: IdSource) -> None:
    for number in (1, 2):
        gather = receive(journal, ids, number, Plan(joins=(STUDY,))).gathers[0]
    end(journal, ids, gather.id)
    for number in (3, 4, 5):
        late = receive(journal, ids, number, Plan(joins=(STUDY,))).gathers[0]
    assert (late.generation, late.n) == (2, 3)
    assert end(journal, ids, late.id) == 3
    rows = journal.rows("SELECT arrival FROM delivery WHERE origin = 'late' ORDER BY arrival")
    assert rows == [(3,), (4,), (5,)]


@pytest.mark.req("R-73", "RT-12")
def test_late_whole_sends_all_again(journal: MemoryJournal, ids: IdSource) -> None:
    for number in (1, 2):
        gather = receive(journal, ids, number, Plan(joins=(STUDY,))).gathers[0]
    end(journal, ids, gather.id)
    journal.execute("UPDATE delivery SET state = 'done'")
    late = receive(journal, ids, 3, Plan(joins=(STUDY,))).gathers[0]
    assert journal.run(gather_endings.first_ended_at(late)) == NOW + 1
    again = Ending(evidence="quiet", targets=TO_PACS, again=True)
    assert end(journal, ids, late.id, again) == 3


@pytest.mark.req("R-73")
def test_late_hold_keeps_them_for_a_person(journal: MemoryJournal, ids: IdSource) -> None:
    gather = receive(journal, ids, 1, Plan(joins=(STUDY,))).gathers[0]
    end(journal, ids, gather.id, Ending(evidence="quiet", targets=TO_PACS, hold_why="late"))
    rows = journal.rows("SELECT state, hold_reason, why FROM delivery")
    assert rows == [("held", "operator", "late")]


@pytest.mark.req("R-73")
def test_a_duplicate_does_not_reopen(journal: MemoryJournal, ids: IdSource) -> None:
    gather = receive(journal, ids, 1, Plan(joins=(STUDY,)), instance="1.9").gathers[0]
    assert receive(journal, ids, 2, Plan(joins=(STUDY,)), instance="1.9").gathers == ()
    end(journal, ids, gather.id)
    assert receive(journal, ids, 3, Plan(joins=(STUDY,)), instance="1.9").gathers == ()
    assert journal.rows("SELECT count(*) FROM delivery") == [(1,)]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.req("R-70")
def test_take_whole_has_what_came_before_and_after_the_match(
    journal: MemoryJournal, ids: IdSource
) -> None:
    wholes = [("whole", "study")]
    receive(journal, ids, 1, NO_RULE, wholes=wholes)
    receive(journal, ids, 2, plan_to("other"), wholes=wholes)
    receive(journal, ids, 3, Plan(joins=(WHOLE,)), wholes=wholes)
    last = receive(journal, ids, 4, NO_RULE, wholes=wholes)
    assert last.gathers[0].n == 4
    assert last.plan.hold is None
    assert journal.unaccounted() == (0, 0, 0, 0, 0)
    assert end(journal, ids, last.gathers[0].id) == 4
    assert journal.rows("SELECT count(*) FROM arrival WHERE hold_reason IS NOT NULL") == [(0,)]


@pytest.mark.req("R-21")
def test_what_another_rule_sent_there_is_not_sent_twice(
    journal: MemoryJournal, ids: IdSource
) -> None:
    both = Plan(targets=plan_to("pacs").targets, joins=(STUDY,))
    gather = receive(journal, ids, 1, both).gathers[0]
    assert end(journal, ids, gather.id) == 0


@pytest.mark.req("R-34", "R-70")
@pytest.mark.parametrize(
    ("otherwise", "fate"),
    [("hold", ("held", "no-rule")), ("discard", ("discarded:otherwise", None))],
)
def test_what_if_complete_does_not_take_goes_the_way_of_otherwise(
    journal: MemoryJournal, ids: IdSource, otherwise: str, fate: tuple[str, str | None]
) -> None:
    gather = receive(journal, ids, 1, Plan(joins=(STUDY,))).gathers[0]
    end(journal, ids, gather.id, Ending(evidence="quiet", untaken=lambda _peer: otherwise))
    assert journal.rows("SELECT ended_why, hold_reason FROM arrival") == [fate]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.req("R-12")
def test_bytes_that_are_gathered_are_never_swept(journal: MemoryJournal, ids: IdSource) -> None:
    gather = receive(journal, ids, 1, Plan(joins=(STUDY,))).gathers[0]
    assert journal.run(keeping.droppable(NOW + 10, 10**6, 0, 10)) == []
    assert journal.run(keeping.drop([(1, "")], NOW + 10)) == []
    assert journal.rows("SELECT blob_gone FROM arrival") == [(0,)]
    end(journal, ids, gather.id, Ending(evidence="quiet", untaken=lambda _peer: "discard"))
    assert journal.run(keeping.droppable(NOW + 10, 10**6, 0, 10)) == [(1, "")]


def test_the_rows_of_a_gather_go_with_its_last_arrival(
    journal: MemoryJournal, ids: IdSource
) -> None:
    gather = receive(journal, ids, 1, Plan(joins=(STUDY,))).gathers[0]
    end(journal, ids, gather.id, Ending(evidence="quiet", untaken=lambda _peer: "discard"))
    journal.run(keeping.drop([(1, "")], NOW + 10))
    assert journal.run(keeping.purge(10**6, 10)) == 1
    assert journal.rows("SELECT count(*) FROM gather") == [(0,)]
    assert journal.rows("SELECT count(*) FROM gathered") == [(0,)]


@pytest.mark.req("R-72")
def test_an_arrival_joins_in_constant_time(journal: MemoryJournal, ids: IdSource) -> None:
    def cost(first: int, end: int) -> int:
        with journal.counting() as steps:
            for number in range(first, end):
                receive(journal, ids, number, Plan(joins=(STUDY,)))
        return steps.thousands

    early = cost(1, 101)
    cost(101, 601)
    assert cost(601, 701) < 2 * early


def test_a_job_that_is_lost_leaves_no_gather(journal: MemoryJournal, ids: IdSource) -> None:
    job = adopt([Adoption(arrival=arrival(1), plan=Plan(joins=(STUDY,)))], ids, NOW, as_planned)
    journal.run(job, lost=True)
    assert journal.run(gathers.unfinished()) == []
