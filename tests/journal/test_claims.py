"""What lanes take: who may go next, cheaply; filters that act again; optional ones that end."""

import re

import pytest

from tests.journal.making import CT, NOW, MemoryJournal, adopted, arrival, plan_to
from waystation.db.statement import Transaction
from waystation.journal import claims, counts, queue
from waystation.journal.claims import Claim, Seen
from waystation.journal.entries import Chosen
from waystation.journal.ids import IdSource
from waystation.model.delivery import Delivery
from waystation.timing.fairness import LOW, NORMAL, STAT

ALL_DUE = (NOW, NOW, NOW)
LEASE = NOW + 60


def wait(journal: MemoryJournal, ids: IdSource, *studies: str, priority: str = "normal") -> None:
    """Let one delivery to ``pacs`` of each of ``studies`` wait, in that order."""
    for study in studies:
        one = arrival(ids.next(), study=study)
        journal.run(adopted(ids, (one, plan_to("pacs", priority=priority))))


def looked(journal: MemoryJournal, **more: object) -> Seen:
    return journal.run(claims.look("pacs", ALL_DUE, **more))  # type: ignore[arg-type]


def ask(study: str = "1.1", priority: int = NORMAL, **more: object) -> Claim:
    values: dict[str, object] = {"now": NOW, "lease_until": LEASE, "limit": 100, "due_by": NOW}
    return Claim(study=study, priority=priority, **values | more)  # type: ignore[arg-type]


def got(journal: MemoryJournal, asked: Claim) -> list[Delivery]:
    return journal.run(claims.claim("pacs", asked)).batch


QUERIES = {
    claims.CLAIMABLE: "delivery_of_study (destination=? AND study=? AND priority=?)",
    claims.OF_STUDY: "delivery_of_study (destination=? AND study=? AND priority=?)",
    claims.NEXT_STUDY: "delivery_of_study (destination=? AND study>?)",
    claims.FIRST_DUE: "delivery_next (destination=? AND priority=?)",
    claims.OLDEST: "delivery_next (destination=? AND priority=? AND due<?)",
    claims.OLD_OPTIONAL: "delivery_optional (destination=? AND created_at<?)",
    claims.FIRST_OPTIONAL: "delivery_optional (destination=? AND created_at>?)",
}


@pytest.mark.req("R-89")
@pytest.mark.parametrize(("query", "index"), QUERIES.items())
def test_every_query_of_a_lane_goes_by_its_index_and_sorts_nothing(
    query: str, index: str, journal: MemoryJournal
) -> None:
    constant = re.sub(r":\w+", "1", query)
    plan = [str(row[3]) for row in journal.rows("EXPLAIN QUERY PLAN " + constant)]
    assert index in plan[0]
    assert not [step for step in plan if "TEMP B-TREE" in step or "SCAN" in step]


def test_studies_are_seen_by_priority_the_oldest_first(
    journal: MemoryJournal, ids: IdSource
) -> None:
    wait(journal, ids, "1.1", "1.2", "1.1")
    wait(journal, ids, "1.3", priority="stat")
    wait(journal, ids, "1.2", priority="low")
    seen = looked(journal)
    assert [(one.study, one.priority) for one in seen.studies] == [
        ("1.3", STAT),
        ("1.1", NORMAL),
        ("1.2", NORMAL),
        ("1.2", LOW),
    ]
    assert seen.first_due == (NOW, NOW, NOW)
    assert seen.anything
    assert not journal.run(claims.look("cd", ALL_DUE)).anything


def test_busy_studies_are_passed_over_but_for_stat(journal: MemoryJournal, ids: IdSource) -> None:
    wait(journal, ids, "1.1", "1.2")
    wait(journal, ids, "1.1", priority="stat")
    seen = looked(journal, busy=("1.1",))
    assert [(one.study, one.priority) for one in seen.studies] == [("1.1", STAT), ("1.2", NORMAL)]


def test_only_what_may_leave_is_seen_and_everything_counts_for_the_clock(
    journal: MemoryJournal, ids: IdSource
) -> None:
    wait(journal, ids, "1.1")
    wait(journal, ids, "1.2", priority="stat")
    seen = journal.run(claims.look("pacs", (NOW, None, None)))
    assert [one.study for one in seen.studies] == ["1.2"]
    assert seen.first_due == (NOW, NOW, None)
    assert journal.run(claims.look("pacs", (NOW - 1, NOW - 1, None))).studies == ()


def long_study_first(transaction: Transaction) -> None:
    """A study of 50,000, and behind it 300 of one object each."""
    transaction.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50300)"
        " INSERT INTO delivery (id, arrival, destination, study, priority, rules, state, due,"
        " created_at) SELECT i, i, 'pacs', CASE WHEN i <= 50000 THEN '1.5' ELSE '1.9.' || i END,"
        " 1, '', 'waiting', i, i FROM n"
    )


@pytest.mark.req("R-50")
def test_a_long_study_hides_nobody_once_it_had_its_turn(journal: MemoryJournal) -> None:
    journal.run(long_study_first)
    with journal.counting() as steps:
        first = looked(journal)
        busy = looked(journal, busy=("1.5",))
        served = looked(journal, served=("1.5",), after="1.9.50200")
    assert [one.study for one in first.studies] == ["1.5"]
    assert len(busy.studies) == claims.BESIDE - 1
    assert busy.studies[0].since == 50_001
    assert {one.study for one in served.studies} >= {"1.5", "1.9.50300", "1.9.50001"}
    assert steps.thousands < 150


@pytest.mark.req("R-50")
def test_behind_busy_studies_the_oldest_of_hundreds_is_seen_first(journal: MemoryJournal) -> None:
    journal.run(
        lambda transaction: transaction.run(
            # 400 studies of 100 objects; their UIDs say nothing about their age.
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 39999)"
            " INSERT INTO delivery (id, arrival, destination, study, priority, rules, state,"
            " due, created_at) SELECT i + 1, i + 1, 'pacs',"
            " '1.' || (1000 + (i / 100) * 271 % 400), 1, '', 'waiting', i, i FROM n"
        )
    )
    oldest = [f"1.{1000 + number * 271 % 400}" for number in range(4)]
    seen = looked(journal, busy=oldest[:2])
    assert [one.study for one in seen.studies][:2] == oldest[2:4]


def test_a_batch_is_no_longer_than_its_bytes_allow(
    journal: MemoryJournal, ids: IdSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait(journal, ids, *["1.1"] * 5)
    monkeypatch.setattr(claims, "BATCH_BYTES", 250)
    assert len(got(journal, ask())) == 2
    monkeypatch.setattr(claims, "BATCH_BYTES", 50)
    assert len(got(journal, ask())) == 1


@pytest.mark.req("R-55")
def test_what_is_put_aside_goes_only_if_nothing_else_does(
    journal: MemoryJournal, ids: IdSource
) -> None:
    wait(journal, ids, *["1.1"] * 3)
    first = got(journal, ask(limit=1))[0]
    assert journal.run(claims.give_back([first])) == 1
    assert first.id not in {one.id for one in got(journal, ask(aside=first.id))}
    assert [one.id for one in got(journal, ask(aside=first.id))] == [first.id]


def test_a_lease_given_back_leaves_no_trace(journal: MemoryJournal, ids: IdSource) -> None:
    wait(journal, ids, "1.1")
    before = journal.rows("SELECT * FROM delivery")
    one = got(journal, ask())[0]
    assert journal.run(claims.give_back([one])) == 1
    assert journal.run(claims.give_back([one])) == 0
    assert journal.rows("SELECT * FROM delivery") == before
    assert journal.run(counts.tallies()) == {"pacs": {"sending": 0, "waiting": 1}}


def test_a_study_that_is_to_finish_takes_no_newcomers(
    journal: MemoryJournal, ids: IdSource
) -> None:
    wait(journal, ids, "1.1", "1.1")
    late = arrival(ids.next(), study="1.1")
    journal.run(adopted(ids, (late, plan_to("pacs")), now=NOW + 10))
    assert len(got(journal, ask(due_by=NOW + 20, made_by=NOW + 5))) == 2


@pytest.mark.req("R-18", "R-3")
def test_what_a_filter_refuses_by_now_ends_discarded_by_its_name(
    journal: MemoryJournal, ids: IdSource
) -> None:
    wait(journal, ids, *["1.1"] * 10)
    named = {CT: "pacs.refuse CTImageStorage"}
    done = journal.run(claims.claim("pacs", ask(refuses=lambda uid: named.get(uid, ""))))
    assert done.batch == []
    assert len(done.filtered) == 10
    entries = journal.run(queue.deliveries(Chosen(state="discarded")))
    assert {(one.by_rule, one.by_user, one.ended_at) for one in entries} == {
        ("pacs.refuse CTImageStorage", None, NOW)
    }
    assert journal.run(counts.tallies()) == {"pacs": {"discarded": 10, "waiting": 0}}
    assert journal.run(counts.counters())["filtered.pacs"] == 10
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.req("R-46")
def test_optional_deliveries_end_by_name_whether_they_wait_or_are_held(
    journal: MemoryJournal, ids: IdSource
) -> None:
    wait(journal, ids, "1.1", "1.2", "1.3")
    assert journal.run(claims.first_optional("pacs")) is None
    journal.execute("UPDATE delivery SET required = 0 WHERE study IN ('1.1', '1.2')")
    journal.execute(
        "UPDATE delivery SET state = 'held', hold_reason = 'operator' WHERE study = '1.2'"
    )
    journal.execute("UPDATE tally SET n = 2")
    journal.execute("INSERT INTO tally (destination, state, n) VALUES ('pacs', 'held', 1)")
    assert journal.run(claims.first_optional("pacs")) == NOW
    assert journal.run(claims.expire_optional("pacs", NOW - 1, NOW + 5)) == 0
    assert journal.run(claims.expire_optional("pacs", NOW, NOW + 5)) == 2
    entries = journal.run(queue.deliveries(Chosen(state="discarded")))
    assert {(one.by_rule, one.reason, one.ended_at) for one in entries} == {
        ("optional expired", None, NOW + 5)
    }
    assert journal.run(counts.tallies()) == {"pacs": {"discarded": 2, "held": 0, "waiting": 1}}
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


@pytest.mark.req("F6", "S-13")
@pytest.mark.parametrize(
    "column", ["sop_class", "sop_instance", "transfer_syntax", "series", "study", "calling_ae"]
)
def test_a_row_that_says_something_else_than_it_said_is_noticed(
    journal: MemoryJournal, ids: IdSource, column: str
) -> None:
    wait(journal, ids, "1.1")
    (whole,) = got(journal, ask())
    assert whole.sealed
    journal.execute("UPDATE delivery SET state = 'waiting'")
    journal.execute(f"UPDATE arrival SET {column} = '1.2.3.4'")
    (damaged,) = got(journal, ask())
    assert not damaged.sealed
