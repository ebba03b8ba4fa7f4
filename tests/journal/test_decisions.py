"""What a person decides: legal, counted, by name, and never twice."""

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
from waystation.db.engine import Job
from waystation.journal import arrivals, counts, deliveries, queue
from waystation.journal.decisions import (
    Action,
    Changed,
    Decision,
    decide,
    decide_arrivals,
    starting_states,
)
from waystation.journal.deliveries import Settlement, settle
from waystation.journal.entries import Chosen
from waystation.journal.ids import IdSource
from waystation.model.delivery import HoldReason, State, Step
from waystation.model.errors import MisuseError
from waystation.model.plan import Plan, Target

LATER = NOW + 10


def by_ann(action: Action, because: str = "") -> Decision:
    return Decision(action=action, by="ann", now=LATER, because=because)


def add(
    journal: MemoryJournal, ids: IdSource, number: int, plan: Plan, *, study: str = "1.1"
) -> None:
    one = arrival(number, study=study)
    journal.run(adopted(ids, (one, plan)))


@pytest.fixture
def held(journal: MemoryJournal, ids: IdSource) -> MemoryJournal:
    """One delivery to ``pacs`` that was tried once and then held."""
    add(journal, ids, 1, plan_to("pacs"))
    for delivery in journal.run(claim_next("pacs", now=NOW, lease_until=LATER, limit=1)):
        refused = Settlement(
            delivery=delivery,
            step=Step.REFUSED,
            due=NOW,
            now=NOW,
            hold=HoldReason.OBJECT_REFUSED,
            why="bad",
            object_failed=True,
        )
        journal.run(settle([refused]))
    return journal


def decided(
    journal: MemoryJournal, ids: IdSource, action: Action, chosen: Chosen | None = None
) -> Changed:
    job: Job[Changed] = decide(chosen or Chosen(), by_ann(action, "because"), ids)
    return journal.run(job)


def test_a_retry_waits_now_with_its_failures_forgotten(held: MemoryJournal, ids: IdSource) -> None:
    assert len(decided(held, ids, Action.RETRY).deliveries) == 1
    entry = held.run(queue.deliveries(Chosen()))[0]
    assert (entry.state, entry.reason, entry.due) == ("waiting", None, LATER)
    assert (entry.object_failures, entry.first_failed_at, entry.attempts) == (0, None, 1)
    assert held.run(counts.tallies())["pacs"] == {"waiting": 1, "sending": 0, "held": 0}


def test_a_release_waits_now_as_it_is(held: MemoryJournal, ids: IdSource) -> None:
    decided(held, ids, Action.RELEASE)
    entry = held.run(queue.deliveries(Chosen()))[0]
    assert (entry.state, entry.reason, entry.due) == ("waiting", None, LATER)
    assert (entry.object_failures, entry.first_failed_at) == (1, NOW)


def test_a_hold_keeps_lanes_away_until_it_is_released(
    journal: MemoryJournal, ids: IdSource
) -> None:
    add(journal, ids, 1, plan_to("pacs"))
    decided(journal, ids, Action.HOLD)
    entry = journal.run(queue.deliveries(Chosen()))[0]
    assert (entry.state, entry.reason, entry.why) == ("held", "operator", "because")
    assert journal.run(claim_next("pacs", now=LATER, lease_until=LATER, limit=9)) == []
    decided(journal, ids, Action.RELEASE)
    assert len(journal.run(claim_next("pacs", now=LATER, lease_until=LATER, limit=9))) == 1


@pytest.mark.req("S-14")
@pytest.mark.parametrize("state", ["waiting", "held"])
def test_a_discard_has_the_name_of_a_person_and_a_reason(
    state: str, journal: MemoryJournal, ids: IdSource
) -> None:
    add(journal, ids, 1, plan_to("pacs"))
    if state == "held":
        decided(journal, ids, Action.HOLD)
    decided(journal, ids, Action.DISCARD)
    entry = journal.run(queue.deliveries(Chosen()))[0]
    assert (entry.state, entry.by_user, entry.by_rule) == ("discarded", "ann", None)
    assert (entry.why, entry.ended_at, entry.reason) == ("because", LATER, None)
    assert journal.run(counts.tallies())["pacs"]["discarded"] == 1
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_a_resend_is_a_new_delivery_beside_the_old_one(
    journal: MemoryJournal, ids: IdSource
) -> None:
    add(journal, ids, 1, plan_to("pacs", priority="stat"))
    for delivery in journal.run(claim_next("pacs", now=NOW, lease_until=LATER, limit=1)):
        journal.run(settle([Settlement(delivery=delivery, step=Step.DELIVERED, due=NOW, now=NOW)]))
    first = decided(journal, ids, Action.RESEND)
    old, new = journal.run(queue.deliveries(Chosen()))
    assert (old.state, new.state, new.priority, new.rules) == ("done", "waiting", 0, "all")
    assert (new.attempts, new.arrival, new.created_at) == (0, 1, LATER)
    assert journal.run(counts.tallies())["pacs"] == {"done": 1, "sending": 0, "waiting": 1}
    assert first.last == old.id
    bounded = Chosen(after=first.last, until=first.last)
    assert decided(journal, ids, Action.RESEND, bounded).deliveries == ()


def test_bytes_that_are_gone_are_not_sent_again(held: MemoryJournal, ids: IdSource) -> None:
    held.execute("UPDATE delivery SET state = 'done'")
    held.execute("UPDATE arrival SET blob_gone = 1")
    assert decided(held, ids, Action.RESEND).deliveries == ()


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("state", list(State))
def test_only_legal_states_change_and_sending_never_does(
    state: State, action: Action, journal: MemoryJournal, ids: IdSource
) -> None:
    add(journal, ids, 1, plan_to("pacs"))
    journal.execute("UPDATE delivery SET state = ?", state.value)
    changed = decided(journal, ids, action).deliveries
    assert bool(changed) is (state.value in starting_states(action))
    if state is State.SENDING or not changed:
        assert journal.run(queue.states(Chosen())) == {state.value: 1}


def test_a_filter_leaves_the_others_alone_and_a_limit_takes_the_oldest(
    journal: MemoryJournal, ids: IdSource
) -> None:
    for number in (1, 2, 3):
        add(journal, ids, number, plan_to("pacs", "cd"), study=f"1.{number % 2}")
    assert len(decided(journal, ids, Action.HOLD, Chosen(destination="cd")).deliveries) == 3
    chosen = Chosen(study="1.1", state="waiting", limit=1)
    assert [e.arrival for e in decided(journal, ids, Action.HOLD, chosen).deliveries] == [1]
    assert journal.run(counts.tallies()) == {
        "cd": {"held": 3, "waiting": 0},
        "pacs": {"held": 1, "waiting": 2},
    }


def test_pieces_of_any_size_reach_everything_that_was_there(
    journal: MemoryJournal, ids: IdSource
) -> None:
    for number in range(1, 8):
        add(journal, ids, number, plan_to("pacs"))
    decided(journal, ids, Action.HOLD, Chosen(limit=3))
    chosen, changed = Chosen(limit=2), 0
    while (done := decided(journal, ids, Action.DISCARD, chosen)).last != chosen.after:
        changed += len(done.deliveries)
        chosen = Chosen(limit=2, after=done.last)
    assert changed == 7


def test_a_decision_needs_a_name(ids: IdSource) -> None:
    nobody = Decision(action=Action.HOLD, by="", now=NOW)
    with pytest.raises(MisuseError):
        decide(Chosen(), nobody, ids)
    with pytest.raises(MisuseError):
        decide_arrivals(Chosen(), nobody)


# arrivals that are held themselves


@pytest.mark.parametrize("action", [Action.RETRY, Action.RELEASE])
def test_a_held_arrival_goes_back_to_the_router_once(
    action: Action, journal: MemoryJournal, ids: IdSource
) -> None:
    add(journal, ids, 1, held_plan())
    done = journal.run(decide_arrivals(Chosen(reason="no-rule"), by_ann(action)))
    assert (done.arrivals, [a.id for a in done.to_plan]) == (1, [1])
    assert [a.id for a in journal.run(arrivals.unplanned(0, 9))] == [1]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)
    again = journal.run(decide_arrivals(Chosen(), by_ann(action)))
    assert (again.arrivals, again.to_plan) == (0, ())
    journal.run(adopted(ids, (done.to_plan[0], plan_to("pacs")), known=True))
    assert journal.run(queue.states(Chosen())) == {"waiting": 1}
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_a_discarded_arrival_ends_by_name(journal: MemoryJournal, ids: IdSource) -> None:
    add(journal, ids, 1, held_plan())
    done = journal.run(decide_arrivals(Chosen(), by_ann(Action.DISCARD, "test image")))
    assert (done.arrivals, done.to_plan) == (1, ())
    assert journal.rows("SELECT planned, hold_reason, ended_why FROM arrival") == [
        (1, None, "discarded:ann")
    ]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("action", [Action.RETRY, Action.RELEASE])
def test_a_damaged_arrival_is_not_planned_again(
    action: Action, journal: MemoryJournal, ids: IdSource
) -> None:
    add(journal, ids, 1, held_plan(HoldReason.CORRUPT))
    assert journal.run(decide_arrivals(Chosen(), by_ann(action))).arrivals == 0
    assert journal.run(arrivals.unplanned(0, 9)) == []
    assert journal.run(queue.count_held(Chosen())) == 1


def test_an_arrival_held_beside_its_deliveries_is_let_go_but_never_planned_twice(
    journal: MemoryJournal, ids: IdSource
) -> None:
    beside = Plan(targets=plan_to("pacs").targets, hold=HoldReason.NO_RULE)
    add(journal, ids, 1, beside)
    assert journal.run(decide_arrivals(Chosen(), by_ann(Action.RETRY))).arrivals == 0
    done = journal.run(decide_arrivals(Chosen(), by_ann(Action.RELEASE)))
    assert (done.arrivals, done.to_plan) == (1, ())
    assert journal.rows("SELECT planned, hold_reason FROM arrival") == [(1, None)]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_an_arrival_in_conflict_is_free_when_its_last_held_delivery_is(
    journal: MemoryJournal, ids: IdSource
) -> None:
    targets = tuple(
        Target(destination=name, rules=("r",), hold=HoldReason.CONFLICT) for name in ("a", "b")
    )
    add(journal, ids, 1, Plan(targets=targets, hold=HoldReason.CONFLICT))
    decided(journal, ids, Action.RELEASE, Chosen(destination="a"))
    assert journal.rows("SELECT hold_reason FROM arrival") == [("conflict",)]
    decided(journal, ids, Action.DISCARD, Chosen(destination="b"))
    assert journal.rows("SELECT hold_reason, ended_why FROM arrival") == [(None, None)]
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


def test_holding_and_resending_are_not_for_arrivals(journal: MemoryJournal, ids: IdSource) -> None:
    add(journal, ids, 1, held_plan())
    for action in (Action.HOLD, Action.RESEND):
        assert journal.run(decide_arrivals(Chosen(), by_ann(action))).arrivals == 0
    filtered = Chosen(destination="pacs")
    assert journal.run(decide_arrivals(filtered, by_ann(Action.DISCARD))).arrivals == 0
    assert journal.run(deliveries.waiting_destinations()) == []
