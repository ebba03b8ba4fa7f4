"""Clocks that are set while deliveries wait."""

import time

import pytest

from tests.flows.rig import TO_A, Rig, destination
from tests.net.sink import until_async
from tests.objects.samples import study

STEPS = [-3600.0, 3600.0, 400_000_000.0]
PATIENT = '{ first = "1s", cap = "1s", lifetime = "9000d", tries = 9, object = ["40m"] }'


class WrongClock:
    """The wall clock of this process, wrong by ``by_s``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.by_s = 0.0
        self._real = time.time
        monkeypatch.setattr(time, "time", self.now)

    def now(self) -> float:
        return self._real() + self.by_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WrongClock:
    """Return the clock, before any node has asked for it."""
    return WrongClock(monkeypatch)


@pytest.mark.req("S-24", "R-58", "F17")
@pytest.mark.parametrize("step_s", STEPS)
async def test_a_step_of_the_clock_stalls_and_loses_nothing(
    clock: WrongClock, rig: Rig, step_s: float
) -> None:
    sink = await rig.sink()
    sink.room = lambda: "not now"
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(*study(3))
    clock.by_s = step_s
    sink.room = lambda: ""
    await rig.accepted(*study(2, seed=1))
    await rig.wait_for({"done": 5})


@pytest.mark.req("R-58")
@pytest.mark.parametrize("step_s", STEPS)
async def test_what_is_to_be_tried_later_waits_as_long_as_ever(
    clock: WrongClock, rig: Rig, step_s: float
) -> None:
    sink = await rig.sink()
    sink.script = lambda _: 0xC000
    await rig.start(destination("a", sink.port, retry=PATIENT) + TO_A)
    await rig.accepted(*study(1))
    await until_async(lambda: waits_about(rig, 2400.0))
    clock.by_s = step_s
    await until_async(lambda: waits_about(rig, 2400.0))
    # Because the clock was set on, or before the due times were set back, it may go once more.
    assert len(sink.objects) <= 2


@pytest.mark.req("R-58")
async def test_a_clock_set_back_while_nobody_looked_holds_nothing_up_for_long(
    clock: WrongClock, rig: Rig
) -> None:
    sink = await rig.sink()
    sink.script = lambda _: 0xC000
    clock.by_s = 1e6
    await rig.start(destination("a", sink.port, retry=PATIENT) + TO_A)
    await rig.accepted(*study(1))
    await until_async(lambda: waits_about(rig, 2400.0))
    await rig.stop()
    clock.by_s = 0.0
    await rig.start()
    assert await waits_about(rig, 2400.0)


async def waits_about(rig: Rig, seconds: float) -> bool:
    """Return whether the one delivery is due in about so long."""
    rows = await rig.rows("SELECT due FROM delivery WHERE state = 'waiting'")
    return [abs(due - time.time() - seconds) < 30.0 for (due,) in rows] == [True]
