"""The queue as an operator sees it."""

import dataclasses

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
from waystation.db.statement import Transaction
from waystation.journal import backlog, queue
from waystation.journal.decisions import Action, Decision, decide
from waystation.journal.entries import Chosen, Listed, ListedArrival
from waystation.journal.ids import IdSource
from waystation.model.delivery import HoldReason
from waystation.model.plan import Plan, Target


@pytest.fixture
def filled(journal: MemoryJournal, ids: IdSource) -> MemoryJournal:
    """Two studies to two places, one held by an operator, one arrival held itself."""
    plans = {
        1: plan_to("pacs", "cd"),
        2: plan_to("pacs"),
        3: held_plan(),
        4: Plan(targets=(Target(destination="cd", rules=("r",), hold=HoldReason.CONFLICT),)),
    }
    for number, plan in plans.items():
        one = arrival(number, study="1.1" if number < 3 else "1.2")
        journal.run(adopted(ids, (one, plan), now=NOW + number))
    chosen = Chosen(destination="pacs", limit=1)
    journal.run(decide(chosen, Decision(action=Action.HOLD, by="ann", now=NOW), ids))
    return journal


def places(found: list[Listed]) -> list[tuple[int, str, str]]:
    return [(entry.arrival, entry.destination, entry.state) for entry in found]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Chosen(), [(1, "pacs", "held"), (1, "cd", "waiting"), (2, "pacs", "waiting"),
                    (4, "cd", "held")]),
        (Chosen(destination="cd"), [(1, "cd", "waiting"), (4, "cd", "held")]),
        (Chosen(study="1.1", state="waiting"), [(1, "cd", "waiting"), (2, "pacs", "waiting")]),
        (Chosen(state="held"), [(1, "pacs", "held"), (4, "cd", "held")]),
        (Chosen(state="held", destination="cd"), [(4, "cd", "held")]),
        (Chosen(reason="conflict"), [(4, "cd", "held")]),
        (Chosen(state="sending"), []),
        (Chosen(study="1.9"), []),
        (Chosen(limit=2), [(1, "pacs", "held"), (1, "cd", "waiting")]),
    ],
)  # fmt: skip
def test_filters_narrow_the_list(
    chosen: Chosen, expected: list[tuple[int, str, str]], filled: MemoryJournal
) -> None:
    assert places(filled.run(queue.deliveries(chosen))) == expected


def test_pages_follow_each_other(filled: MemoryJournal) -> None:
    first = filled.run(queue.deliveries(Chosen(limit=3)))
    rest = filled.run(queue.deliveries(Chosen(limit=3, after=first[-1].id)))
    whole = filled.run(queue.deliveries(Chosen()))
    assert [*first, *rest] == whole


def test_ids_choose_exactly_these(filled: MemoryJournal) -> None:
    whole = filled.run(queue.deliveries(Chosen()))
    two = (whole[3].id, whole[0].id, 12345)
    assert filled.run(queue.deliveries(Chosen(ids=two))) == [whole[0], whole[3]]
    assert filled.run(queue.states(Chosen(ids=two))) == {"held": 2}


def test_the_overview_counts_without_looking_at_rows(filled: MemoryJournal) -> None:
    seen = filled.run(queue.overview())
    lanes = {lane.destination: lane for lane in seen.lanes}
    assert (lanes["pacs"].waiting, lanes["pacs"].held, lanes["pacs"].oldest_at) == (1, 1, NOW + 2)
    assert (lanes["cd"].waiting, lanes["cd"].held, lanes["cd"].oldest_at) == (1, 1, NOW + 1)
    assert seen.held == {"operator": 1, "conflict": 1, "no-rule": 1}
    assert seen.unplanned == 0


def test_what_waits_is_counted_by_priority(journal: MemoryJournal, ids: IdSource) -> None:
    for number, priority in enumerate(("low", "stat", "low"), start=1):
        one = arrival(number)
        plan = plan_to("pacs", priority=priority)
        journal.run(adopted(ids, (one, plan), now=NOW + number))
    found = journal.run(backlog.waiting("pacs"))
    assert [(one.priority, one.n, one.oldest_at) for one in found] == [
        (0, 1, NOW + 2),
        (2, 2, NOW + 1),
    ]
    assert [one.size_bytes for one in found] == [100, 200]


def test_held_arrivals_are_listed_once_and_not_beside_their_held_deliveries(
    filled: MemoryJournal,
) -> None:
    found = filled.run(queue.held_arrivals(Chosen()))
    assert [(entry.id, entry.reason) for entry in found] == [(3, "no-rule")]
    assert filled.run(queue.count_held(Chosen(ids=(3, 4)))) == 1
    for other in (Chosen(destination="pacs"), Chosen(state="done"), Chosen(reason="corrupt")):
        assert filled.run(queue.held_arrivals(other)) == []
        assert filled.run(queue.count_held(other)) == 0


def test_a_story_names_the_arrival_and_all_that_became_of_it(filled: MemoryJournal) -> None:
    entry = filled.run(queue.deliveries(Chosen(destination="cd", limit=1)))[0]
    assert filled.run(queue.arrival_of(entry.id)) == 1
    story = filled.run(queue.story(1))
    assert story is not None
    assert (story.arrival.id, story.arrival.calling_ae, story.arrival.planned) == (1, "CT1", True)
    assert places(list(story.deliveries)) == [(1, "pacs", "held"), (1, "cd", "waiting")]
    assert filled.run(queue.story(99)) is None
    assert filled.run(queue.arrival_of(99)) is None


@pytest.mark.parametrize("kind", [Listed, ListedArrival])
def test_no_list_has_a_place_for_a_patient(kind: type) -> None:
    assert not [f.name for f in dataclasses.fields(kind) if "patient" in f.name]


MILLION = 1_000_000


def a_million_waiting(transaction: Transaction) -> None:
    transaction.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many)"
        " INSERT INTO delivery (id, arrival, destination, study, priority, rules, state, due,"
        " created_at) SELECT i, 1, 'pacs', i / 500, 1, '', 'waiting', 0, 5.0 FROM n",
        {"many": MILLION},
    )
    transaction.run("INSERT INTO tally VALUES ('pacs', 'waiting', :many)", {"many": MILLION})


@pytest.mark.slow
def test_a_queue_of_a_million_opens_in_a_few_steps_for_each_row(
    journal: MemoryJournal, ids: IdSource
) -> None:
    journal.run(adopted(ids, (arrival(1), plan_to())))
    journal.run(a_million_waiting)
    with journal.counting() as steps:
        seen = journal.run(queue.overview())
    assert (seen.lanes[0].waiting, seen.lanes[0].oldest_at) == (MILLION, 5.0)
    assert steps.thousands * 1000 < 8 * MILLION
    with journal.counting() as steps:
        page = journal.run(queue.deliveries(Chosen(destination="pacs", state="waiting")))
        journal.run(claim_next("pacs", now=NOW, lease_until=NOW, limit=100))
    assert len(page) == 100
    assert steps.thousands < 100
