"""What a lane does not send, how fast it goes, and what it survives."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence

import pytest
from structlog.testing import capture_logs

from tests.flows.priorities import RULES, names
from tests.flows.rig import TINY, Rig, destination
from tests.net.sink import Sink, until
from tests.objects.samples import study
from waystation.destinations.base import Cargo
from waystation.destinations.dicom import DicomDestination
from waystation.model.delivery import Delivery
from waystation.model.outcome import Outcome

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
