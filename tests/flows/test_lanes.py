"""Lanes among themselves and inside: who goes next, through which window, how fast."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from tests.flows.rig import TINY, Rig, destination, study
from tests.net.sink import SILENT, Sink, until
from tests.objects.files import Stored
from waystation.destinations.base import Cargo
from waystation.destinations.dicom import DicomDestination
from waystation.model.delivery import Delivery
from waystation.model.outcome import Outcome

RULES = """
[[rule]]
name = "urgent"
when = { calling_ae = "ER" }
priority = "stat"
send = ["a"]
[[rule]]
name = "bulk"
when = { calling_ae = "BULK" }
priority = "low"
send = ["a"]
[[rule]]
name = "rest"
when = { calling_ae = "CT1" }
send = ["a"]
"""
SLOWLY = 'limits = { rate = "40KiB/s" }'


class SetClock:
    """The node's clock, which a test may set."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def set(self, hour: int, minute: int = 0, second: float = 0.0) -> None:
        """Set it to a local time of tomorrow."""
        day = datetime.now().astimezone() + timedelta(days=1)
        wanted = day.replace(hour=hour, minute=minute, second=0, microsecond=0).timestamp()
        self.ahead = wanted + second - time.time()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    made = SetClock()
    monkeypatch.setattr("waystation.app.node.time", made)
    return made


def names(objects: Sequence[Stored]) -> list[str]:
    return [one.sop_instance for one in objects]


# windows


@pytest.mark.req("R-40")
async def test_stat_goes_through_a_shut_window_and_nothing_else_does(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'window = "never"') + RULES)
    await rig.accepted(*study(3))
    await rig.accepted(*study(2, seed="s"), calling_ae="ER")
    await rig.wait_for({"done": 2, "waiting": 3})
    await asyncio.sleep(0.1)
    assert sink.uids() == names(study(2, seed="s"))


@pytest.mark.req("R-40")
async def test_stat_waits_where_it_is_told_to(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'window = "never"\nstat_waits = true') + RULES)
    await rig.accepted(TINY, calling_ae="ER")
    await asyncio.sleep(0.1)
    assert await rig.states() == {"waiting": 1}


@pytest.mark.req("R-40")
async def test_what_has_waited_long_enough_goes_anyway(rig: Rig) -> None:
    sink = await rig.sink()
    extra = 'window = "never"\nsend_anyway_after = "300ms"'
    await rig.start(destination("a", sink.port, extra) + RULES)
    await rig.accepted(*study(3))
    assert sink.uids() == []
    await rig.wait_for({"done": 3})
    assert sink.uids() == names(study(3))


@pytest.mark.req("R-41")
async def test_a_lane_starts_within_a_second_of_its_opening_also_after_a_step_of_the_clock(
    rig: Rig, clock: SetClock
) -> None:
    clock.set(1)
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'window = "03:00-03:59"') + RULES)
    await rig.accepted(*study(2))
    clock.set(2, 59, 59.5)
    await rig.wait_for({"done": 2}, within_s=2.0)
    clock.set(5)
    await rig.accepted(*study(1, seed="later"))
    await asyncio.sleep(0.1)
    assert len(sink.objects) == 2
    clock.set(3, 30)
    await rig.wait_for({"done": 3}, within_s=1.5)


@pytest.mark.req("R-38")
@pytest.mark.parametrize(("closing", "ends"), [("object", False), ("finish-study", True)])
async def test_what_still_goes_when_the_window_shuts(
    closing: str, ends: bool, rig: Rig, clock: SetClock
) -> None:
    clock.set(3, 30)
    sink = await rig.sink()
    extra = f'window = "03:00-03:59"\nclosing = "{closing}"\n{SLOWLY}'
    await rig.start(destination("a", sink.port, extra) + RULES)
    await rig.accepted(*study(101)[:100])
    clock.set(5)
    begun = len(sink.objects)
    assert begun < 90
    await rig.accepted(study(101)[100])
    if ends:
        await rig.wait_for({"done": 100, "waiting": 1})
    await until(lambda: sink.open_now == 0)
    sent = len(sink.objects)
    assert (sent == 100) if ends else (begun <= sent <= begun + 1)
    assert sink.uids() == names(study(sent))
    assert await rig.states() == {"done": sent, "waiting": 101 - sent}


@pytest.mark.req("R-57")
@pytest.mark.parametrize("asks", [True, False])
async def test_nobody_is_probed_outside_the_window_unless_told_so(
    asks: bool, rig: Rig, clock: SetClock
) -> None:
    clock.set(3, 30)
    sink = await rig.sink()
    port = sink.port
    await rig.drop(sink)
    extra = 'window = "03:00-03:59"\n' + ("probe_outside_window = true" if asks else "")
    await rig.start(destination("a", port, extra) + RULES)
    await rig.accepted(TINY)
    belt = rig.node.belts["a"]
    await until(lambda: belt.lane.health(belt.now()).value == "down")
    clock.set(5)
    await asyncio.sleep(0.6)
    back = Sink()
    await back.start(port=port)
    rig._sinks.append(back)
    await asyncio.sleep(0.6)
    assert (back.echoes > 0) is asks
    assert back.objects == []
    clock.set(3, 30)
    await rig.wait_for({"done": 1}, within_s=2.0)


# who goes next


@pytest.mark.req("R-50")
async def test_stat_gets_an_association_beyond_those_that_are_busy(rig: Rig) -> None:
    normal = study(3)
    slow = names(normal)
    sink = await rig.sink(Sink(script=lambda c: SILENT if c.sop_instance_uid in slow else 0))
    await rig.start(destination("a", sink.port, "parallel = 1") + RULES)
    await rig.accepted(*normal)
    await until(lambda: len(sink.objects) == 1)
    await rig.accepted(*study(2, seed="s"), calling_ae="ER")
    await until(lambda: len(sink.objects) >= 3)
    assert sink.uids()[:3] == [slow[0], *names(study(2, seed="s"))]
    assert sink.associations == 2


@pytest.mark.req("R-50")
async def test_stat_goes_between_two_objects_of_its_own_study(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, SLOWLY) + RULES)
    objects = study(400)
    await rig.accepted(*objects[:-1])
    await until(lambda: len(sink.objects) >= 2)
    await rig.accepted(objects[-1], calling_ae="ER")
    await until(lambda: objects[-1].sop_instance in sink.uids())
    assert len(sink.objects) < 200
    rest = [uid for uid in sink.uids() if uid != objects[-1].sop_instance]
    assert rest == names(objects[: len(rest)])


@pytest.mark.req("R-50")
async def test_two_stat_studies_on_a_lane_of_one_end_the_turn_of_a_normal_one(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, f"parallel = 1\n{SLOWLY}") + RULES)
    await rig.accepted(*study(400))
    await until(lambda: len(sink.objects) >= 2)
    urgent = [study(1, seed=f"s{n}")[0] for n in range(3)]
    for one in urgent:
        await rig.accepted(one, calling_ae="ER")
    await until(lambda: set(names(urgent)) <= set(sink.uids()))
    assert len(sink.objects) < 200


@pytest.mark.req("R-50", "R-49")
async def test_studies_take_turns_of_so_many_bytes_and_keep_their_order(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.journal.claims.BATCH_BYTES", 4000)
    monkeypatch.setattr("waystation.flows.claiming.TURN_BYTES", 12_000)
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'parallel = 1\nwindow = "never"') + RULES)
    first, second = study(40), study(40, seed="b")
    await rig.accepted(*first)
    await rig.accepted(*second)
    await rig.node.reload(rig.settings(destination("a", sink.port, "parallel = 1") + RULES))
    await rig.wait_for({"done": 80})
    mine = set(names(first))
    seen = ["a" if uid in mine else "b" for uid in sink.uids()]
    assert "".join(dict.fromkeys(seen)) == "ab"
    assert len([n for n in range(1, 80) if seen[n] != seen[n - 1]]) >= 4
    assert [uid for uid in sink.uids() if uid in mine] == names(first)
    assert [uid for uid in sink.uids() if uid not in mine] == names(second)


@pytest.mark.req("R-49")
async def test_a_study_is_shared_among_associations_only_if_told(rig: Rig) -> None:
    sink = await rig.sink()
    extra = f"split_study = true\nparallel = 3\n{SLOWLY}"
    await rig.start(destination("a", sink.port, extra) + RULES)
    await rig.accepted(*study(60))
    await rig.wait_for({"done": 60})
    assert sink.associations == 3
    assert Counter(sink.uids()) == Counter(names(study(60)))


# what is not sent


REFUSING = 'refuse = ["CTImageStorage"]'


@pytest.mark.req("R-18", "R-3")
@pytest.mark.parametrize(
    ("edit", "by"),
    [
        (REFUSING, "a.refuse CTImageStorage"),
        ('accept = ["MRImageStorage"]', "a.accept"),
        ('refuse_when = { Modality = "CT" }', "a.refuse_when"),
    ],
)
async def test_an_edited_filter_stops_what_is_queued(edit: str, by: str, rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'window = "never"') + RULES)
    await rig.accepted(*study(10))
    await rig.wait_for({"waiting": 10})
    await rig.node.reload(rig.settings(destination("a", sink.port, edit) + RULES))
    await rig.wait_for({"discarded": 10})
    assert sink.objects == []
    rows = await rig.rows("SELECT DISTINCT by_rule, by_user FROM delivery")
    assert [tuple(row) for row in rows] == [(by, None)]


OPTIONAL = '[[rule]]\nname = "all"\nsend = [{ to = "a", required = false }, "b"]\n'


@pytest.mark.req("R-46")
async def test_an_optional_target_that_is_away_too_long_ends_discarded_and_not_held(
    rig: Rig,
) -> None:
    good, bad = await rig.sink(), await rig.sink()
    port = bad.port
    await rig.drop(bad)
    tables = destination("a", port, 'optional_for = "400ms"') + destination("b", good.port)
    await rig.start(tables + OPTIONAL)
    await rig.accepted(*study(3))
    await rig.wait_for({"done": 3}, to="b")
    await rig.wait_for({"discarded": 3}, to="a")
    rows = await rig.rows("SELECT DISTINCT by_rule FROM delivery WHERE destination = 'a'")
    assert [row[0] for row in rows] == ["optional expired"]


@pytest.mark.req("R-46")
async def test_an_optional_target_that_refuses_holds_nothing(rig: Rig) -> None:
    good, bad = await rig.sink(), await rig.sink(Sink(script=lambda _: 0xC000))
    await rig.start(destination("a", bad.port) + destination("b", good.port) + OPTIONAL)
    await rig.accepted(TINY)
    await rig.wait_for({"discarded": 1}, to="a")
    rows = await rig.rows("SELECT by_rule, why FROM delivery WHERE destination = 'a'")
    assert rows[0][0] == "optional expired"
    assert "C000" in rows[0][1]


# pace


@pytest.mark.req("R-51")
async def test_a_new_limit_counts_at_once_and_keeps_the_association(rig: Rig) -> None:
    sink = await rig.sink()
    slow = destination("a", sink.port, 'limits = { rate = "4KiB/s" }')
    await rig.start(slow + RULES)
    await rig.accepted(*study(200))
    await until(lambda: len(sink.objects) >= 2)
    assert len(sink.objects) < 100
    await rig.node.reload(rig.settings(destination("a", sink.port) + RULES))
    await rig.wait_for({"done": 200})
    assert sink.associations == 1
    assert sink.uids() == names(study(200))


@pytest.mark.req("R-51")
async def test_so_many_objects_a_minute_and_no_more(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, "limits = { per_minute = 7 }") + RULES)
    await rig.accepted(*study(20))
    await until(lambda: len(sink.objects) == 7)
    await asyncio.sleep(0.2)
    assert len(sink.objects) == 7


@pytest.mark.req("R-51")
async def test_destinations_that_share_a_budget_draw_from_the_same_one(rig: Rig) -> None:
    one, two = await rig.sink(), await rig.sink()
    tables = destination("a", one.port, 'limits = { per_minute = 10, share = "line" }')
    tables += destination("b", two.port, 'limits = { share = "line" }')
    await rig.start(tables + '[[rule]]\nname = "all"\nsend = ["a", "b"]\n')
    await rig.accepted(*study(20))
    await until(lambda: len(one.objects) + len(two.objects) == 10)
    await asyncio.sleep(0.2)
    assert len(one.objects) + len(two.objects) == 10


@pytest.mark.req("R-51")
async def test_stat_draws_first_from_a_budget(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'limits = { rate = "20KiB/s" }') + RULES)
    await rig.accepted(*study(300))
    await rig.accepted(*study(300, seed="b"))
    await until(lambda: len(sink.objects) >= 2)
    await rig.accepted(*study(10, seed="s"), calling_ae="ER")
    before = len(sink.objects)
    await until(lambda: set(names(study(10, seed="s"))) <= set(sink.uids()))
    assert len(sink.objects) - before < 30


# robustness


@pytest.mark.req("R-47", "N-13")
async def test_a_thousand_errors_never_seen_before_hold_a_thousand_and_the_lane_lives(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = [one for n in range(10) for one in study(100, seed=n)]
    last = study(1, seed="last")[0]
    send = DicomDestination.send
    raised = Counter[str]()

    async def raising(
        self: DicomDestination, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        uid = batch[0].sop_instance_uid
        if uid != last.sop_instance:
            raised[uid] += 1
            raise type(f"NeverSeen{len(raised)}Error", (Exception,), {})
        async for found in send(self, batch, cargo):
            yield found

    monkeypatch.setattr(DicomDestination, "send", raising)
    sink = await rig.sink()
    with capture_logs() as logs:
        await rig.start(destination("a", sink.port) + RULES)
        await asyncio.gather(*(rig.accepted(*objects[n::5]) for n in range(5)))
        await rig.accepted(last)
        await rig.wait_for({"done": 1, "held:object-refused": 1000}, within_s=60)
    assert len([entry for entry in logs if entry["event"] == "sending failed"]) == 1000
    assert len(raised) == 1000
    assert max(raised.values()) == 1


@pytest.mark.req("R-47", "N-8", "N-9")
async def test_one_lane_that_raises_on_every_call_costs_the_others_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = DicomDestination.send

    async def raising(
        self: DicomDestination, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        if self.name == "a":
            raise RuntimeError("surprise")
        async for found in send(self, batch, cargo):
            yield found

    monkeypatch.setattr(DicomDestination, "send", raising)
    one, two = await rig.sink(), await rig.sink()
    tables = destination("a", one.port) + destination("b", two.port)
    await rig.start(tables + '[[rule]]\nname = "all"\nsend = ["a", "b"]\n')
    await rig.accepted(*study(20))
    await rig.wait_for({"done": 20}, to="b")
    await rig.wait_for({"held:object-refused": 20}, to="a")
    assert two.uids() == names(study(20))


async def test_whoever_wants_to_know_hears_when_the_health_of_a_lane_changes(rig: Rig) -> None:
    sink = await rig.sink()
    port = sink.port
    await rig.drop(sink)
    await rig.start(destination("a", port) + RULES)
    belt = rig.node.belts["a"]
    heard: list[str] = []
    rig.node.lanes.told.append(lambda name: heard.append(belt.lane.health(belt.now()).value))
    await rig.accepted(TINY)
    await until(lambda: heard == ["down"])
    back = Sink()
    await back.start(port=port)
    rig._sinks.append(back)
    await rig.wait_for({"done": 1})
    assert heard == ["down", "flowing"]
    await rig.node.pause_lane("a", "anna")
    await rig.node.resume_lane("a")
    assert heard == ["down", "flowing", "paused", "flowing"]


async def test_a_lane_with_nothing_to_send_learns_that_its_destination_is_back(rig: Rig) -> None:
    sink = await rig.sink()
    port = sink.port
    await rig.drop(sink)
    await rig.start(destination("a", port) + RULES)
    await rig.accepted(TINY)
    belt = rig.node.belts["a"]
    await until(lambda: belt.lane.away_since is not None)
    await rig.node.database.write(discard_all)
    back = Sink()
    await back.start(port=port)
    rig._sinks.append(back)
    await until(lambda: belt.lane.away_since is None)
    assert belt.lane.well_since is not None
    assert back.objects == []


def discard_all(transaction: object) -> None:
    run: Callable[[str], int] = transaction.run  # type: ignore[attr-defined]
    run("UPDATE delivery SET state = 'discarded', by_user = 'anna', ended_at = 1")
    run("UPDATE tally SET state = 'discarded' WHERE state = 'waiting'")
