"""Refused contexts in the journal, and what is let go when they are accepted (R-64)."""

import json

import pytest

from tests.journal.making import (
    CT,
    EXPLICIT,
    NOW,
    MemoryJournal,
    adopted,
    arrival,
    claim_next,
    plan_to,
)
from waystation.journal import contexts, deliveries
from waystation.journal.contexts import Refusal
from waystation.journal.deliveries import OUTCOME, Settlement, meta_of
from waystation.journal.ids import IdSource
from waystation.journal.sent import Sent
from waystation.model.delivery import HoldReason, Step

PAIR = (CT, EXPLICIT)
SENT = Sent(syntax="1.2.840.10008.1.2", sha256="ab" * 32, detail="Explicit sent as Implicit")
READ = "SELECT d.state, d.attempts, d.sent_syntax, d.sent_sha256 FROM delivery d ORDER BY d.id"


def held(journal: MemoryJournal, ids: IdSource, reason: HoldReason, count: int = 2) -> None:
    """Let ``count`` deliveries to ``a`` be held for one reason."""
    numbers = range(1, count + 1)
    journal.run(adopted(ids, *((arrival(ids.next()), plan_to("a")) for _ in numbers)))
    batch = journal.run(claim_next("a", now=NOW, lease_until=NOW + 60, limit=10))
    assert len(batch) == count
    settled = [
        Settlement(delivery=one, step=Step.REFUSED, hold=reason, why="no", now=NOW) for one in batch
    ]
    journal.run(deliveries.settle(settled))


def states(journal: MemoryJournal) -> list[tuple[str, str | None]]:
    return journal.run(
        lambda transaction: [
            (row[0], row[1])
            for row in transaction.rows("SELECT state, hold_reason FROM delivery ORDER BY id")
        ]
    )


@pytest.mark.req("R-64")
def test_a_refusal_is_remembered_and_renewed(journal: MemoryJournal) -> None:
    journal.run(contexts.remember("a", PAIR, Refusal(at=NOW, detail="no")))
    journal.run(contexts.remember("a", PAIR, Refusal(at=NOW + 5, detail="still no")))
    assert journal.run(contexts.refusals("a")) == {PAIR: Refusal(at=NOW + 5, detail="still no")}
    assert journal.run(contexts.refusals("b")) == {}


@pytest.mark.req("R-64")
def test_what_is_accepted_is_forgotten_and_its_held_deliveries_wait_again(
    journal: MemoryJournal, ids: IdSource
) -> None:
    held(journal, ids, HoldReason.NO_CONTEXT)
    journal.run(contexts.remember("a", PAIR, Refusal(at=NOW, detail="no")))
    assert journal.run(contexts.release("a", (CT, "1.2.840.10008.1.2"), NOW)) == 0
    assert journal.run(contexts.release("b", PAIR, NOW)) == 0
    assert states(journal) == [("held", "no-context")] * 2
    assert journal.run(contexts.release("a", PAIR, NOW)) == 2
    assert states(journal) == [("waiting", None)] * 2
    assert journal.run(contexts.refusals("a")) == {}
    tally = journal.run(
        lambda transaction: transaction.rows("SELECT state, n FROM tally WHERE destination = 'a'")
    )
    assert {state: n for state, n in tally if n} == {"waiting": 2}


@pytest.mark.req("R-64")
def test_what_is_held_for_another_reason_stays_held(journal: MemoryJournal, ids: IdSource) -> None:
    held(journal, ids, HoldReason.OBJECT_REFUSED)
    assert journal.run(contexts.release("a", PAIR, NOW)) == 0
    assert states(journal) == [("held", "object-refused")] * 2


def test_seen_contexts_are_kept_per_destination(journal: MemoryJournal) -> None:
    journal.run(contexts.keep_seen("a", {PAIR: True, (CT, "1.2.3"): False}))
    assert journal.run(contexts.seen("a")) == {PAIR: True, (CT, "1.2.3"): False}
    assert journal.run(contexts.seen("b")) == {}


@pytest.mark.req("R-63")
def test_the_ledger_shows_what_left_and_what_was_changed(
    journal: MemoryJournal, ids: IdSource
) -> None:
    pairs = [(arrival(ids.next()), plan_to("a")) for _ in range(2)]
    journal.run(adopted(ids, *pairs))
    first, second = journal.run(claim_next("a", now=NOW, lease_until=NOW + 60, limit=10))
    done = Settlement(delivery=first, step=Step.DELIVERED, due=NOW, status=0, now=NOW)
    other = Settlement(delivery=second, step=Step.DELIVERED, due=NOW, status=0, now=NOW, sent=SENT)
    journal.run(deliveries.settle([done, other]))
    rows = journal.run(lambda transaction: transaction.rows(READ))
    assert [tuple(row) for row in rows] == [
        ("done", 1, "", None),
        ("done", 1, SENT.syntax, bytes.fromhex(SENT.sha256)),
    ]
    tried = journal.run(
        lambda transaction: transaction.rows("SELECT delivery, number, status, detail FROM attempt")
    )
    assert [tuple(row) for row in tried] == [(second.id, 1, 0, SENT.detail)]


@pytest.mark.req("R-63", "S-7")
def test_an_outcome_is_read_back_from_the_intake_log_in_its_old_and_its_new_form(
    journal: MemoryJournal, ids: IdSource
) -> None:
    pairs = [(arrival(ids.next()), plan_to("a")) for _ in range(2)]
    journal.run(adopted(ids, *pairs))
    first, second = journal.run(claim_next("a", now=NOW, lease_until=NOW + 60, limit=10))
    plain = Settlement(delivery=first, step=Step.DELIVERED, due=NOW, status=0, now=NOW)
    other = Settlement(delivery=second, step=Step.DELIVERED, due=NOW, status=0, now=NOW, sent=SENT)
    old = OUTCOME + json.dumps([first.id, 0, "", NOW]).encode()
    assert meta_of(plain) == old
    assert journal.run(deliveries.replay([old, meta_of(other)])) == 2
    rows = journal.run(lambda transaction: transaction.rows(READ))
    assert [tuple(row) for row in rows] == [
        ("done", 1, "", None),
        ("done", 1, SENT.syntax, bytes.fromhex(SENT.sha256)),
    ]
