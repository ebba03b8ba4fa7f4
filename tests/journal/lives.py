"""Lives of a journal that a state machine plays: what they share, and what is always true."""

from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.journal.making import NOW, MemoryJournal, claim_next
from waystation.journal import counts, recovery
from waystation.journal.deliveries import Settlement, settle
from waystation.journal.ids import IdSource
from waystation.model.delivery import Delivery, HoldReason, Step

# Mostly the commit comes through.
LOST = st.integers(0, 7).map(lambda n: n == 7)


class Life(RuleBasedStateMachine):
    """A journal, and beside it what lanes believe they are sending.

    grace_s: how long ago what does not add up must have come.
    """

    # One for all lives, so that the tables are made once.
    folder: ClassVar[Path]
    grace_s: ClassVar[float] = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.journal = MemoryJournal(self.folder)
        self.ids = IdSource()
        self.now = NOW
        self.sending: list[Delivery] = []

    def teardown(self) -> None:
        self.journal.close()

    def leased(self, place: str, limit: int, *, lost: bool) -> list[Delivery]:
        """Return what a lane claimed."""
        job = claim_next(place, now=self.now, lease_until=self.now + 60, limit=limit)
        batch = self.journal.run(job, lost=lost)
        if not lost:
            self.sending += batch
        return batch

    def settled(
        self, step: Step, n: int, hold: HoldReason | None, *, later_s: float = 0.0, lost: bool
    ) -> None:
        """The first ``n`` that are being sent end."""
        batch = self.sending[:n]
        items = [
            Settlement(delivery=d, step=step, due=self.now + later_s, now=self.now, hold=hold)
            for d in batch
        ]
        assert self.journal.run(settle(items), lost=lost) == len(batch)
        if not lost:
            self.sending = self.sending[n:]

    @rule()
    def die_and_start_again(self) -> None:
        assert self.journal.run(recovery.return_leases(self.now)) == len(self.sending)
        self.sending = []

    @invariant()
    def nothing_is_unaccounted_for(self) -> None:
        assert self.journal.unaccounted(self.now - self.grace_s) == (0, 0, 0, 0, 0)

    @invariant()
    def the_tally_agrees_with_the_rows(self) -> None:
        tallied = {
            (place, state): n
            for place, states in self.journal.run(counts.tallies()).items()
            for state, n in states.items()
            if n
        }
        rows = self.journal.rows(
            "SELECT destination, state, count(*) FROM delivery GROUP BY destination, state"
        )
        assert tallied == {(row[0], row[1]): row[2] for row in rows}
