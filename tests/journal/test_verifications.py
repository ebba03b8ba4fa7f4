"""The life of a delivery beyond its delivery: only what was to be confirmed goes back."""

import pytest

from waystation.model.delivery import State, Step, advance
from waystation.model.errors import MisuseError


@pytest.mark.req("R-60")
def test_what_was_not_confirmed_goes_again_or_is_held_and_a_late_promise_ends_the_hold() -> None:
    assert advance(State.DONE, Step.UNCONFIRMED) is State.WAITING
    assert advance(State.DONE, Step.HOLD) is State.HELD
    assert advance(State.HELD, Step.CONFIRMED) is State.DONE


@pytest.mark.parametrize("state", [State.WAITING, State.SENDING, State.HELD, State.DISCARDED])
def test_only_what_is_done_can_be_unconfirmed(state: State) -> None:
    with pytest.raises(MisuseError):
        advance(state, Step.UNCONFIRMED)


@pytest.mark.parametrize("state", [State.WAITING, State.SENDING, State.DONE, State.DISCARDED])
def test_a_promise_ends_nothing_but_a_hold(state: State) -> None:
    with pytest.raises(MisuseError):
        advance(state, Step.CONFIRMED)
