"""However members come and go, a group loses nothing, splits nothing, and sends nothing twice.

A state machine plays a group of three: objects arrive, a member is chosen, claims, fails, is left
for another with or without what it took already; people decide; the power goes before a commit.
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
from tests.journal.making import adopted, arrival
from waystation.journal import groups
from waystation.journal.decisions import Action, Decision, decide
from waystation.journal.deliveries import hold_all, release_gone
from waystation.journal.entries import Chosen
from waystation.journal.groups import Move, Moved, Standing
from waystation.model.delivery import HoldReason, Step
from waystation.model.plan import Plan, Target

GROUP = "reading"
MEMBERS = ("a", "b", "c")
STUDIES = ("1.1", "1.2")
TO_GROUP = Plan(targets=(Target(destination=GROUP, rules=("r",), group=True),))
ENDINGS = (Step.DELIVERED, Step.DELIVERED, Step.DELIVERED, Step.DEFERRED, Step.REFUSED, Step.LOST)
# What may make a delivery again on purpose is played by test_conservation.py.
ACTIONS = (Action.RETRY, Action.HOLD, Action.RELEASE, Action.DISCARD)
studies = st.sampled_from(STUDIES)
members = st.sampled_from(MEMBERS)


class Group(Life):
    """The journal's rows of one group, and beside them what must be true of them."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = 0
        self.repeats = 0

    @rule(study=studies, n=st.integers(1, 3))
    def receive(self, study: str, n: int) -> None:
        new = [(arrival(self.ids.next(), study=study, blob="b"), TO_GROUP) for _ in range(n)]
        self.journal.run(adopted(self.ids, *new, now=self.now, data=b"x"))
        self.arrived += n

    @rule(study=studies, member=members, whole=st.booleans(), lost=LOST)
    def choose(self, study: str, member: str, whole: bool, lost: bool) -> None:
        """As the belt does: only who has begun and is ill is left with its part repeated."""
        found = self.journal.run(groups.standing(GROUP, study))
        if found is None:
            return
        leaves = found.begun and member != found.member
        moved = self._move(found, member, repeat=leaves and whole, lost=lost)
        if lost:
            return
        self.repeats += moved.repeats
        assert self._places(study, "waiting") <= {member}
        elsewhere = [d for d in self.sending if d.destination != member]
        assert moved.left == sum(d.study_uid == study for d in elsewhere)
        if leaves and whole:
            assert self._arrivals(study, "d.state = 'done'") <= self._arrivals(
                study, f"d.destination = '{member}'"
            )

    @rule(study=studies)
    def what_came_stays_with_its_member(self, study: str) -> None:
        found = self.journal.run(groups.standing(GROUP, study))
        if found is not None and found.member:
            assert self._move(found, found.member, repeat=False).repeats == 0
            assert self._places(study, "waiting") <= {found.member}

    @rule(study=studies)
    def nobody_can_take_it(self, study: str) -> None:
        found = self.journal.run(groups.standing(GROUP, study))
        if found is not None and not found.begun:
            self.journal.run(groups.back_to_group(GROUP, study))
            assert self._places(study, "waiting") <= {GROUP}

    @rule(study=studies, member=members, ends=members)
    def a_member_dies_in_mid_study(self, study: str, member: str, ends: str) -> None:
        """The ordinary story, which random steps seldom tell."""
        self.receive(study, 3)
        self.choose(study, member, True, False)
        self.claim(member, 2, False)
        self.settle(Step.DELIVERED, 1, False)
        self.settle(Step.LOST, 3, False)
        self.choose(study, ends, True, False)

    @rule(study=studies, first=members, then=members)
    def it_goes_there_and_back(self, study: str, first: str, then: str) -> None:
        self.a_member_dies_in_mid_study(study, first, then)
        self.choose(study, first, True, False)
        self.claim(first, 3, False)
        self.settle(Step.DELIVERED, 3, False)

    @rule(member=members, limit=st.integers(1, 3), lost=LOST)
    def claim(self, member: str, limit: int, lost: bool) -> None:
        self.leased(member, limit, lost=lost)

    @rule(step=st.sampled_from(ENDINGS), n=st.integers(1, 3), lost=LOST)
    def settle(self, step: Step, n: int, lost: bool) -> None:
        hold = HoldReason.OBJECT_REFUSED if step is Step.REFUSED else None
        self.settled(step, n, hold, lost=lost)

    @rule(action=st.sampled_from(ACTIONS), member=members)
    def decide(self, action: Action, member: str) -> None:
        decision = Decision(action=action, by="ann", now=self.now, because="test")
        self.journal.run(decide(Chosen(destination=member, limit=2), decision, self.ids))

    @rule(name=st.sampled_from([GROUP, *MEMBERS]))
    def somebody_is_gone_and_comes_back(self, name: str) -> None:
        self.journal.run(hold_all(name, HoldReason.DESTINATION_GONE, "gone"))
        self.journal.run(release_gone(name, self.now))

    @rule()
    def old_choices_are_forgotten(self) -> None:
        self.now += 10
        self.journal.run(groups.forget(self.now, 100))

    def _move(self, found: Standing, member: str, *, repeat: bool, lost: bool = False) -> Moved:
        order = Move(group=GROUP, study=found.study, member=member, why="test", repeat=repeat)
        return self.journal.run(groups.move(order, self.ids, self.now), lost=lost)

    def _places(self, study: str, state: str) -> set[object]:
        rows = self.journal.rows(
            "SELECT DISTINCT destination FROM delivery WHERE study = ? AND state = ?", study, state
        )
        return {row[0] for row in rows}

    def _arrivals(self, study: str, condition: str) -> set[object]:
        rows = self.journal.rows(
            f"SELECT d.arrival FROM delivery d WHERE d.study = ? AND {condition}", study
        )
        return {row[0] for row in rows}

    @invariant()
    def every_arrival_has_one_delivery_to_the_group_and_planned_repeats(self) -> None:
        counted = self.journal.rows("SELECT origin, count(*) FROM delivery GROUP BY origin")
        rows = {row[0]: row[1] for row in counted}
        assert rows.pop("rule", 0) == self.arrived
        assert rows.pop("switch", 0) == self.repeats
        assert rows == {}
        assert self._twice("origin = 'rule'", "arrival") == []
        strangers = self.journal.rows("SELECT id FROM delivery WHERE grp <> ?", GROUP)
        assert strangers == []

    @invariant()
    def no_member_takes_an_object_twice(self) -> None:
        assert self._twice("state = 'done'", "arrival, destination") == []

    def _twice(self, condition: str, by: str) -> list[tuple[object, ...]]:
        return self.journal.rows(
            f"SELECT {by}, count(*) FROM delivery WHERE {condition} GROUP BY {by}"
            " HAVING count(*) > 1"
        )


@pytest.mark.slow
@pytest.mark.req("R-11", "R-42", "R-44", "S-15")
def test_however_members_come_and_go_nothing_is_lost_or_sent_twice(tmp_path: Path) -> None:
    Group.folder = tmp_path
    run_state_machine_as_test(Group, settings=settings(max_examples=100, stateful_step_count=30))
