"""Deliveries: claimed once with a lease, in order, settled with an outcome."""

import asyncio
import itertools

import pytest

from tests.journal.making import NOW, MemoryJournal, adopted, arrival, claim_next, plan_to
from waystation.db.engine import Database
from waystation.db.statement import Transaction
from waystation.journal import claims, counts, deliveries, queue
from waystation.journal.deliveries import Settlement, settle
from waystation.journal.entries import Chosen
from waystation.journal.ids import IdSource
from waystation.model.delivery import Delivery, HoldReason, Step
from waystation.model.errors import MisuseError

LEASE = NOW + 60


def waiting(journal: MemoryJournal, ids: IdSource, *studies: str, priority: str = "normal") -> None:
    """Add one delivery to ``pacs`` for each of ``studies``, in that order."""
    for study in studies:
        one = arrival(ids.next(), study=study)
        journal.run(adopted(ids, (one, plan_to("pacs", priority=priority))))


def claimed(
    journal: MemoryJournal, *, limit: int = 100, busy: tuple[str, ...] = (), now: float = NOW
) -> list[Delivery]:
    return journal.run(claim_next("pacs", now=now, lease_until=LEASE, limit=limit, busy=busy))


def settled(journal: MemoryJournal, *items: Settlement) -> int:
    return journal.run(settle(items))


def item(delivery: Delivery, step: Step, **fields: object) -> Settlement:
    values: dict[str, object] = {"due": NOW, "now": NOW} | fields
    return Settlement(delivery=delivery, step=step, **values)  # type: ignore[arg-type]


@pytest.fixture
def sent(journal: MemoryJournal, ids: IdSource) -> Delivery:
    waiting(journal, ids, "1.1")
    return claimed(journal)[0]


def test_a_claim_takes_one_study_in_order_of_acceptance(
    journal: MemoryJournal, ids: IdSource
) -> None:
    waiting(journal, ids, "1.1", "1.2", "1.1", "1.1")
    first = claimed(journal)
    assert [d.study_uid for d in first] == ["1.1"] * 3
    assert [d.id for d in first] == sorted(d.id for d in first)
    assert [d.study_uid for d in claimed(journal)] == ["1.2"]
    assert claimed(journal) == []
    assert journal.run(counts.tallies()) == {"pacs": {"sending": 4, "waiting": 0}}


def test_a_claim_passes_over_busy_studies_and_keeps_its_limit(
    journal: MemoryJournal, ids: IdSource
) -> None:
    waiting(journal, ids, "1.1", "1.1", "1.2", "1.2")
    assert [d.study_uid for d in claimed(journal, busy=("1.1",), limit=1)] == ["1.2"]
    assert [d.study_uid for d in claimed(journal, limit=1)] == ["1.1"]
    assert claimed(journal, busy=("1.1", "1.2")) == []


def test_urgent_studies_go_first(journal: MemoryJournal, ids: IdSource) -> None:
    for study, priority in (("1.1", "low"), ("1.2", "normal"), ("1.3", "stat")):
        waiting(journal, ids, study, priority=priority)
    order = [claimed(journal)[0].study_uid for _ in range(3)]
    assert order == ["1.3", "1.2", "1.1"]


def test_nothing_is_claimed_before_it_is_due(journal: MemoryJournal, sent: Delivery) -> None:
    settled(journal, item(sent, Step.DEFERRED, due=NOW + 30))
    assert claimed(journal, now=NOW + 29) == []
    assert journal.run(claims.look("pacs", (None, None, None))).first_due == (None, NOW + 30, None)
    assert [d.id for d in claimed(journal, now=NOW + 30)] == [sent.id]


def test_a_claim_carries_what_sending_needs(journal: MemoryJournal, sent: Delivery) -> None:
    assert sent.sop_instance_uid == f"1.1.{sent.arrival_id}"
    assert (sent.calling_ae, sent.series_uid, sent.size_bytes) == ("CT1", "1.1.0", 100)
    assert (sent.attempts, sent.object_failures, sent.first_failed_at) == (0, 0, None)


def test_success_ends_a_delivery_and_a_warning_is_counted(
    journal: MemoryJournal, sent: Delivery
) -> None:
    assert settled(journal, item(sent, Step.DELIVERED, status=0xB000, why="coerced")) == 1
    entry = journal.run(queue.deliveries(Chosen()))[0]
    assert (entry.state, entry.status, entry.attempts) == ("done", 0xB000, 1)
    assert entry.ended_at == NOW
    assert journal.run(counts.counters())["warned.pacs"] == 1
    assert journal.run(counts.tallies()) == {"pacs": {"done": 1, "sending": 0, "waiting": 0}}


def test_a_failure_is_written_down_and_counts_towards_the_object(
    journal: MemoryJournal, sent: Delivery
) -> None:
    failed = item(sent, Step.DEFERRED, due=NOW + 1, status=0xC000, why="no", object_failed=True)
    settled(journal, failed)
    again = claimed(journal, now=NOW + 1)[0]
    assert (again.attempts, again.object_failures, again.first_failed_at) == (1, 1, NOW)
    settled(journal, item(again, Step.DEFERRED, now=NOW + 1, due=NOW + 2, why="no again"))
    third = claimed(journal, now=NOW + 2)[0]
    assert (third.attempts, third.object_failures, third.first_failed_at) == (2, 1, NOW)
    story = journal.run(queue.story(sent.arrival_id))
    assert story is not None
    assert [(a.number, a.status, a.why) for a in story.attempts[sent.id]] == [
        (1, 0xC000, "no"),
        (2, None, "no again"),
    ]


def test_a_refusal_holds_with_its_reason(journal: MemoryJournal, sent: Delivery) -> None:
    settled(journal, item(sent, Step.REFUSED, hold=HoldReason.OBJECT_REFUSED, why="bad"))
    entry = journal.run(queue.deliveries(Chosen(state="held")))[0]
    assert (entry.reason, entry.why, entry.ended_at) == ("object-refused", "bad", None)


def test_an_untried_delivery_goes_back_without_an_attempt(
    journal: MemoryJournal, sent: Delivery
) -> None:
    settled(journal, item(sent, Step.LOST, tried=False))
    again = claimed(journal)[0]
    assert (again.attempts, again.first_failed_at) == (0, None)
    assert journal.rows("SELECT count(*) FROM attempt") == [(0,)]


def test_what_is_no_longer_ours_is_not_settled_twice(
    journal: MemoryJournal, sent: Delivery
) -> None:
    assert settled(journal, item(sent, Step.DELIVERED)) == 1
    assert settled(journal, item(sent, Step.DELIVERED)) == 0
    assert journal.run(counts.tallies())["pacs"]["done"] == 1


def test_an_illegal_step_is_a_bug_and_changes_nothing(
    journal: MemoryJournal, sent: Delivery
) -> None:
    with pytest.raises(MisuseError):
        settled(journal, item(sent, Step.RETRY))
    assert journal.run(queue.states(Chosen())) == {"sending": 1}


def test_a_renewed_lease_is_not_stuck(journal: MemoryJournal, sent: Delivery) -> None:
    late = LEASE + 31
    assert journal.unaccounted(late) == (0, 0, 0, 1, 0)
    journal.run(deliveries.renew([sent.id], late + 60))
    assert journal.unaccounted(late) == (0, 0, 0, 0, 0)


def test_a_missing_destination_holds_what_waits_and_lets_it_go_when_it_is_back(
    journal: MemoryJournal, ids: IdSource
) -> None:
    waiting(journal, ids, "1.1", "1.2")
    gone = HoldReason.DESTINATION_GONE
    assert journal.run(deliveries.hold_all("pacs", gone, "no such destination")) == 2
    assert journal.run(deliveries.waiting_destinations()) == ["pacs"]
    assert journal.run(counts.tallies()) == {"pacs": {"held": 2, "waiting": 0}}
    assert journal.run(deliveries.release_gone("pacs", NOW)) == 2
    assert len(claimed(journal)) == 1
    assert journal.unaccounted() == (0, 0, 0, 0, 0)


MANY = 100_000
PER_STUDY = 500


def many_waiting(transaction: Transaction) -> None:
    transaction.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many)"
        " INSERT INTO arrival (id, received_at, peer, calling_ae, called_ae, address, way_in, tls,"
        " sop_class, sop_instance, study, series, patient_id, modality, transfer_syntax,"
        " size_bytes, sha256, blob, planned)"
        " SELECT i, 0, '', 'A', 'B', '', 'dimse', 0, '1', i, i / :per, '', '', '', '1', 1, x'00',"
        " '', 1 FROM n",
        {"many": MANY, "per": PER_STUDY},
    )
    transaction.run(
        "INSERT INTO delivery (id, arrival, destination, study, priority, rules, state, due,"
        " created_at) SELECT id, id, 'pacs', study, 1, '', 'waiting', 0, 0 FROM arrival"
    )
    transaction.run("INSERT INTO counter VALUES ('received', :many)", {"many": MANY})
    transaction.run("INSERT INTO tally VALUES ('pacs', 'waiting', :many)", {"many": MANY})


@pytest.mark.req("N-11")
async def test_two_claimers_on_one_journal_claim_each_delivery_once(database: Database) -> None:
    await database.write(many_waiting)
    found: list[int] = []

    async def claimer() -> None:
        while batch := await database.write(
            claim_next("pacs", now=NOW, lease_until=LEASE, limit=PER_STUDY)
        ):
            found.extend(delivery.id for delivery in batch)

    await asyncio.gather(claimer(), claimer())
    assert len(found) == MANY
    assert set(found) == set(range(1, MANY + 1))
    assert await database.read(counts.tallies()) == {"pacs": {"sending": MANY, "waiting": 0}}
    assert set((await database.read(counts.unaccounted(NOW))).values()) == {0}


def test_pairs_of_claims_never_share_a_study(journal: MemoryJournal, ids: IdSource) -> None:
    waiting(journal, ids, "1.1", "1.2", "1.3", "1.1", "1.2")
    batches = [claimed(journal, limit=2) for _ in range(4)]
    for one, other in itertools.combinations(filter(None, batches), 2):
        assert {d.study_uid for d in one} != {d.study_uid for d in other}
