"""Counts for reports: written with what they count, and never twice (R-80)."""

from dataclasses import replace

import pytest

from tests.journal.making import NOW, MemoryJournal, adopted, arrival, claim_next, plan_to
from waystation.journal import claims, days, decisions, deliveries
from waystation.journal.days import Totals
from waystation.journal.decisions import Action, Decision
from waystation.journal.deliveries import Settlement
from waystation.journal.entries import Chosen
from waystation.journal.ids import IdSource
from waystation.model.delivery import Delivery, HoldReason, Step
from waystation.model.plan import Plan

DAY_S = 86_400.0


def take(journal: MemoryJournal, ids: IdSource, *plans: Plan) -> None:
    pairs = [(arrival(ids.next()), plan) for plan in plans]
    journal.run(adopted(ids, *pairs))


def leased(journal: MemoryJournal, n: int) -> list[Delivery]:
    return journal.run(claim_next("pacs", now=NOW, lease_until=NOW + 60.0, limit=n))


def found(journal: MemoryJournal) -> Totals:
    return {key: value for key, value in journal.run(days.totals).items() if key[0] != "received"}


@pytest.mark.req("R-80")
def test_each_way_to_end_is_counted_by_its_name(journal: MemoryJournal, ids: IdSource) -> None:
    plan = plan_to("pacs")
    filtered = replace(plan.targets[0], filtered_by="pacs.refuse CT")
    take(journal, ids, *[plan] * 6, Plan(targets=(filtered,)), Plan(discard="drop"))
    take(journal, ids, Plan(hold=HoldReason.NO_RULE))
    done, warned, held, failed, *_ = leased(journal, 4)
    journal.run(
        deliveries.settle(
            [
                Settlement(delivery=done, step=Step.DELIVERED, status=0, now=NOW),
                Settlement(delivery=warned, step=Step.DELIVERED, status=0xB000, now=NOW),
                Settlement(delivery=held, step=Step.REFUSED, hold=HoldReason.EXPIRED, now=NOW),
                Settlement(delivery=failed, step=Step.DEFERRED, due=NOW + DAY_S, now=NOW),
            ]
        )
    )
    decision = Decision(action=Action.DISCARD, by="ann", because="test", now=NOW)
    journal.run(decisions.decide(Chosen(state="waiting", limit=1), decision, ids))
    assert journal.run(days.totals)["received", "ct1", ""] == (9, 900)
    assert found(journal) == {
        ("done", "pacs", ""): (1, 100),
        ("done", "pacs", "warned"): (1, 100),
        ("held-delivery", "pacs", "expired"): (1, 100),
        ("failed", "pacs", ""): (2, 0),
        ("discarded", "pacs", "filter"): (1, 0),
        ("discarded", "pacs", "person"): (1, 0),
        ("dropped", "ct1", "drop"): (1, 0),
        ("held", "ct1", "no-rule"): (1, 0),
    }


@pytest.mark.req("R-80")
def test_what_the_log_brings_after_a_crash_is_counted_once(
    journal: MemoryJournal, ids: IdSource
) -> None:
    take(journal, ids, plan_to("pacs"))
    (one,) = leased(journal, 1)
    settlement = Settlement(delivery=one, step=Step.DELIVERED, status=0, now=NOW)
    meta = deliveries.meta_of(settlement)
    for _ in range(2):
        journal.run(deliveries.replay([meta]))
    journal.run(deliveries.settle([settlement]))
    assert found(journal) == {("done", "pacs", ""): (1, 100)}


@pytest.mark.req("R-80")
def test_what_was_lost_with_the_power_is_not_counted(journal: MemoryJournal, ids: IdSource) -> None:
    take(journal, ids, plan_to("pacs"))
    (one,) = leased(journal, 1)
    settlement = Settlement(delivery=one, step=Step.DELIVERED, status=0, now=NOW)
    journal.run(deliveries.settle([settlement]), lost=True)
    assert found(journal) == {}


def test_optional_ones_that_nobody_took_have_a_word_of_their_own(
    journal: MemoryJournal, ids: IdSource
) -> None:
    target = replace(plan_to("pacs").targets[0], required=False)
    take(journal, ids, Plan(targets=(target,)))
    journal.run(claims.expire_optional("pacs", NOW + 1.0, NOW + DAY_S))
    assert found(journal) == {("discarded", "pacs", "optional"): (1, 0)}


def test_old_days_become_one_and_the_sum_stays(journal: MemoryJournal, ids: IdSource) -> None:
    for day in range(5):
        take_at = NOW + day * DAY_S
        one = replace(arrival(ids.next()), received_at=take_at)
        journal.run(adopted(ids, (one, plan_to("pacs")), now=take_at))
    before = journal.run(days.totals)
    assert journal.run(days.fold(NOW + 3 * DAY_S)) == 3
    journal.run(days.fold(NOW + 4 * DAY_S))
    assert journal.run(days.totals) == before
    rows = journal.run(lambda t: t.rows("SELECT day, n FROM daily ORDER BY day"))
    assert [row[1] for row in rows] == [4, 1]
