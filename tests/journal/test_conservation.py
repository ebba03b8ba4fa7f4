"""Whatever happens in whatever order, nothing is lost and everything adds up (R-11, S-14, S-15).

A state machine plays the life of a journal: objects arrive, are planned, claimed, settled, held,
tried again, discarded, swept away; the power goes before a commit; the process dies while
sending.  After each step the counts agree with the rows, and with what the test remembers.
"""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.journal.lives import LOST, Life
from tests.journal.making import adopted, arrival, plan_to
from waystation.journal import arrivals, keeping, queue, recovery
from waystation.journal.decisions import Action, Decision, decide, decide_arrivals
from waystation.journal.deliveries import hold_all, release_gone
from waystation.journal.entries import Chosen
from waystation.model.arrival import Arrival
from waystation.model.delivery import HoldReason, State, Step
from waystation.model.plan import Plan, Target

PLACES = ("pacs", "cd")
FAR = 1 << 62
ENDINGS = (Step.DELIVERED, Step.DELIVERED, Step.DEFERRED, Step.REFUSED, Step.LOST, Step.EXPIRE)

fates = st.one_of(
    st.builds(
        lambda names, filtered, hold: Plan(
            targets=tuple(
                Target(
                    destination=name,
                    rules=("r",),
                    filtered_by="f" if filtered else "",
                    hold=hold,
                )
                for name in names
            )
        ),
        st.lists(st.sampled_from(PLACES), min_size=1, max_size=2, unique=True),
        st.booleans(),
        st.sampled_from([None, None, HoldReason.CONFLICT]),
    ),
    st.just(Plan(hold=HoldReason.NO_RULE)),
    st.just(Plan(discard="rule x")),
)


class Journal(Life):
    """The journal, and beside it what must be true of it."""

    grace_s = 1000.0

    def __init__(self) -> None:
        super().__init__()
        self.unplanned: list[Arrival] = []
        self.logged: list[Arrival] = []
        self.in_tables: set[int] = set()
        self.made = dict.fromkeys(PLACES, 0)

    @rule(study=st.sampled_from(["1.1", "1.2"]), n=st.integers(1, 4))
    def receive(self, study: str, n: int) -> None:
        """The intake log has them from now on, whatever happens to the tables."""
        self.logged += [arrival(self.ids.next(), study=study, blob="b") for _ in range(n)]

    @rule(place=st.sampled_from(PLACES), step=st.sampled_from(ENDINGS))
    def an_ordinary_study(self, place: str, step: Step) -> None:
        self.receive("1.1", 3)
        self.plan(plan_to(place), False)
        self.claim(place, 3, False)
        self.settle(step, 3, False)

    @rule(plan=fates, lost=LOST)
    def plan(self, plan: Plan, lost: bool) -> None:
        new = [(one, plan) for one in self.logged]
        again = [(one, plan) for one in self.unplanned]
        self.journal.run(adopted(self.ids, *new, now=self.now, data=b"x"), lost=lost)
        self.journal.run(adopted(self.ids, *again, now=self.now, known=True), lost=lost)
        if not lost:
            self.in_tables |= {one.id for one in self.logged}
            for target in plan.targets:
                self.made[target.destination] += len(new) + len(again)
            self.logged, self.unplanned = [], []

    @rule(place=st.sampled_from(PLACES), limit=st.integers(1, 3), lost=LOST)
    def claim(self, place: str, limit: int, lost: bool) -> None:
        known = {delivery.id for delivery in self.sending}
        batch = self.leased(place, limit, lost=lost)
        assert not [delivery for delivery in batch if delivery.id in known]

    @rule(step=st.sampled_from(ENDINGS), n=st.integers(1, 3), lost=LOST)
    def settle(self, step: Step, n: int, lost: bool) -> None:
        hold = HoldReason.EXPIRED if step in (Step.REFUSED, Step.EXPIRE) else None
        self.settled(step, n, hold, later_s=5, lost=lost)

    @rule(
        action=st.sampled_from(list(Action)),
        place=st.sampled_from(["", *PLACES]),
        lost=LOST,
    )
    def decide(self, action: Action, place: str, lost: bool) -> None:
        decision = Decision(action=action, by="ann", now=self.now, because="test")
        chosen = Chosen(destination=place, limit=2)
        changed = self.journal.run(decide(chosen, decision, self.ids), lost=lost)
        if action is Action.RESEND and not lost:
            for entry in changed.deliveries:
                self.made[entry.destination] += 1
        done = self.journal.run(decide_arrivals(chosen, decision), lost=lost)
        if not lost:
            self.unplanned += done.to_plan

    @rule(place=st.sampled_from(PLACES))
    def destination_goes_and_comes_back(self, place: str) -> None:
        self.journal.run(hold_all(place, HoldReason.DESTINATION_GONE, "gone"))
        self.journal.run(release_gone(place, self.now))

    @rule()
    def die_and_start_again(self) -> None:
        super().die_and_start_again()
        waiting = self.journal.run(arrivals.unplanned(0, 1000))
        assert {one.id for one in waiting} == {one.id for one in self.unplanned}
        self.unplanned = list(waiting)

    @rule()
    def find_damage(self) -> None:
        planned = sorted(self.in_tables - {one.id for one in self.unplanned})[:1]
        self.journal.run(recovery.hold_corrupt(planned, "cut"))
        self.sending = [d for d in self.sending if d.arrival_id not in planned]

    @rule(lost=LOST)
    def drop_bytes(self, lost: bool) -> None:
        self.now += 100
        found = self.journal.run(keeping.droppable(self.now, FAR, 0, 100))
        found += [(one, "b") for one in sorted(self.in_tables)[:2]]
        self.journal.run(keeping.drop(found, self.now), lost=lost)

    @rule(lost=LOST)
    def purge_rows(self, lost: bool) -> None:
        before = {row[0] for row in self.journal.rows("SELECT id FROM arrival")}
        self.journal.run(keeping.purge(FAR, 100), lost=lost)
        after = {row[0] for row in self.journal.rows("SELECT id FROM arrival")}
        self.in_tables -= {int(str(gone)) for gone in before - after}

    @invariant()
    def every_delivery_ever_made_is_in_a_state(self) -> None:
        lanes = {lane.destination: lane for lane in self.journal.run(queue.overview()).lanes}
        for place, made in self.made.items():
            lane = lanes.get(place)
            found = sum(getattr(lane, state.value) for state in State) if lane else 0
            assert found == made

    @invariant()
    def every_object_of_the_tables_is_there(self) -> None:
        rows = self.journal.rows("SELECT id FROM arrival")
        assert {row[0] for row in rows} == self.in_tables

    @invariant()
    def what_is_being_sent_is_what_lanes_hold(self) -> None:
        rows = self.journal.rows("SELECT id FROM delivery WHERE state = 'sending'")
        assert {row[0] for row in rows} == {delivery.id for delivery in self.sending}


@pytest.mark.slow
@pytest.mark.req("R-11", "S-14", "S-15")
def test_whatever_happens_in_whatever_order_everything_adds_up(tmp_path: Path) -> None:
    Journal.folder = tmp_path
    run_state_machine_as_test(Journal, settings=settings(max_examples=100, stateful_step_count=30))
