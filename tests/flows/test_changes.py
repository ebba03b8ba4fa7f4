"""What changes a running node: reload, pause, stop, sweep."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.flows.rig import BIG, CT, TINY, TO_A, Rig, destination, rule
from tests.net.sink import SILENT, Sink, call_to, store, until
from tests.objects.files import Stored
from tests.objects.samples import study
from waystation.dicom.head import Head
from waystation.flows.route import Acknowledged
from waystation.journal import arrivals
from waystation.model.arrival import Arrival
from waystation.model.errors import ConfigError, LostError


@pytest.mark.req("R-3")
async def test_a_removed_destination_holds_and_its_return_lets_go(rig: Rig) -> None:
    sink = await rig.sink()
    port = sink.port
    await rig.drop(sink)
    other = await rig.sink()
    both = destination("a", port) + destination("b", other.port) + rule("a", "b")
    await rig.start(both)
    await rig.accepted(*study(4))
    await rig.wait_for({"done": 4}, to="b")
    without = destination("b", other.port) + rule("b")
    await rig.node.reload(rig.settings(without))
    assert await rig.states("a") == {"held:destination-gone": 4}
    await rig.restart(without)
    assert await rig.states("a") == {"held:destination-gone": 4}
    back = Sink()
    await back.start(port=port)
    rig._sinks.append(back)
    await rig.node.reload(rig.settings(both))
    await rig.wait_for({"done": 4}, to="a")
    assert len(other.objects) == 4


@pytest.mark.req("R-2", "R-3")
async def test_a_reload_changes_what_comes_later_and_not_what_is_planned(rig: Rig) -> None:
    old, new = await rig.sink(), await rig.sink()
    both = destination("old", old.port) + destination("new", new.port)
    await rig.start(both + rule("old"))
    await rig.node.pause_lane("old", "test")
    await rig.accepted(*study(2, seed="before"))
    await rig.node.reload(rig.settings(both + rule("new")))
    await rig.accepted(*study(3, seed="after"))
    await rig.node.resume_lane("old")
    await rig.wait_for({"done": 5})
    assert (len(old.objects), len(new.objects)) == (2, 3)


@pytest.mark.req("R-2", "F20")
@pytest.mark.req("R-3")
async def test_a_reload_in_the_middle_of_a_batch_leaves_it_to_one_configuration(rig: Rig) -> None:
    sink = await rig.sink()
    places = destination("a", sink.port) + destination("b", sink.port)
    await rig.start(places + rule("a"))
    router = rig.node.router
    first, head_of = router.routing, router._head_of

    async def reloads(arrival: Arrival, data: bytes | None = None) -> Head:
        router.routing = replace(first, revision=first.revision + 1)
        return await head_of(arrival, data)

    router._head_of = reloads
    await rig.accepted(TINY)
    ((number,),) = await rig.rows("SELECT id FROM arrival")
    again = await rig.node.database.read(arrivals.by_id(number))
    assert again is not None
    router.arrived(Acknowledged(arrival=again, known=True, data=TINY.data_set))
    await router.settled()
    assert router.routing.revision == first.revision + 1
    assert await rig.rows("SELECT config FROM arrival") == [(first.revision,)]


async def test_a_reload_that_cannot_work_changes_nothing(rig: Rig, tmp_path: Path) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate\n")
    broken = destination("a", sink.port, f'tls = {{ ca = "{bad}" }}') + TO_A
    before = rig.node.settings
    with pytest.raises(ConfigError, match=r"bad\.pem"):
        await rig.node.reload(rig.settings(broken))
    assert rig.node.settings is before
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})


@pytest.mark.req("R-3")
async def test_a_reload_while_an_object_hangs_leaves_it_to_the_new_lane(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.app.node.GRACE_S", 0.1)
    silent, good = await rig.sink(Sink(script=lambda _: SILENT)), await rig.sink()
    await rig.start(destination("a", silent.port) + TO_A)
    await rig.accepted(*study(3))
    await until(lambda: silent.objects)
    await rig.node.reload(rig.settings(destination("a", good.port) + TO_A))
    await rig.wait_for({"done": 3})
    assert sorted(good.uids()) == sorted(one.sop_instance for one in study(3))


async def test_a_new_title_of_ours_is_used_by_every_lane(rig: Rig) -> None:
    sink = await rig.sink()
    config = destination("a", sink.port) + TO_A
    await rig.start(config)
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    await rig.node.reload(rig.settings(config, 'ae_title = "RENAMED"'))
    call_title = replace(rig.remote(), ae_title="RENAMED")
    call = await call_to(call_title, [BIG])
    assert (await store(call, BIG)).status == 0
    await call.release()
    await rig.wait_for({"done": 2})
    assert [one.calling_ae for one in sink.objects] == ["WAYSTATION", "RENAMED"]


# pause and stop


@pytest.mark.req("R-59")
async def test_a_pause_survives_a_restart_and_shows_its_author(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.node.pause_lane("a", "Ada")
    await rig.accepted(*study(3))
    await asyncio.sleep(0.05)
    assert await rig.states() == {"waiting": 3}
    await rig.restart()
    belt = rig.node.belts["a"]
    health, why = belt.lane.describe(belt.now())
    assert (health.value, why) == ("paused", "by Ada")
    await asyncio.sleep(0.05)
    assert await rig.states() == {"waiting": 3}
    await rig.node.resume_lane("a")
    await rig.wait_for({"done": 3})


@pytest.mark.req("R-59")
async def test_a_pause_holds_back_the_next_object_of_a_batch(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    lane = rig.node.belts["a"].lane

    def pausing(_: object) -> int:
        lane.pause("test")
        return 0

    sink.script = pausing
    await rig.accepted(*study(10))
    await until(lambda: sink.objects)
    await asyncio.sleep(0.1)
    assert len(sink.objects) <= 2
    lane.resume()
    sink.script = lambda _: 0
    rig.node.belts["a"].wake()
    await rig.wait_for({"done": 10})


@pytest.mark.req("S-73", "F18")
async def test_a_stop_under_load_loses_nothing_that_was_acknowledged(rig: Rig) -> None:
    sink = await rig.sink()
    config = destination("a", sink.port) + TO_A
    await rig.start(config)
    acknowledged: list[str] = []

    async def sender(seed: int) -> None:
        objects = study(200, seed=seed, kind="tiny" if seed % 2 else "small")
        call = await rig.call(*objects[:1])
        try:
            for one in objects:
                if (await store(call, one)).status == 0:
                    acknowledged.append(one.sop_instance)
        except LostError:
            call.abort()

    senders = [asyncio.create_task(sender(n)) for n in range(4)]
    await until(lambda: len(acknowledged) > 60)
    await rig.stop()
    await asyncio.gather(*senders)
    assert acknowledged
    await rig.start(config)
    rows = await rig.rows("SELECT sop_instance FROM arrival")
    assert {row[0] for row in rows} >= set(acknowledged)
    await rig.wait_for({"done": len(rows)})
    assert set(sink.uids()) >= set(acknowledged)


@pytest.mark.req("S-73")
async def test_a_stop_does_not_wait_for_a_destination_that_hangs(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.app.node.GRACE_S", 0.2)
    sink = await rig.sink(Sink(script=lambda _: SILENT))
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(*study(3))
    await until(lambda: sink.objects)
    async with asyncio.timeout(30):
        await rig.stop()
    sink.script = lambda _: 0
    await rig.start()
    await rig.wait_for({"done": 3})


# sweep


@pytest.mark.req("R-12", "S-18")
@pytest.mark.parametrize("state", ["waiting", "sending", "held", "done", "discarded"])
@pytest.mark.parametrize("one", [TINY, CT], ids=["in the tables", "in a file"])
async def test_only_what_has_ended_is_swept(rig: Rig, state: str, one: Stored) -> None:
    await rig.start(destination("a", 1) + TO_A, keep="0s")
    await rig.node.pause_lane("a", "test")
    await rig.accepted(one)
    await rig.node.database.write(
        lambda t: t.run(
            "UPDATE delivery SET state = :state, ended_at = :ended, lease_until = 9e9,"
            " by_rule = :rule",
            {
                "state": state,
                "ended": 1.0 if state in ("done", "discarded") else None,
                "rule": "x" if state == "discarded" else None,
            },
        )
    )
    await asyncio.sleep(0.02)
    dropped = await rig.node.sweep.once()
    kept = len(rig.blobs()) + len(await rig.rows("SELECT arrival FROM parcel"))
    assert (dropped, kept) == ((1, 0) if state in ("done", "discarded") else (0, 1))
    rows = await rig.rows("SELECT blob_gone FROM arrival")
    assert [row[0] for row in rows] == [dropped]


@pytest.mark.req("R-12", "S-18")
async def test_nothing_is_swept_before_its_time(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(CT, TINY)
    await rig.wait_for({"done": 2})
    assert await rig.node.sweep.once() == 0
    clock = rig.node.clock()
    rig.node.sweep._clock = lambda: clock + 86_500.0
    assert await rig.node.sweep.once() == 2
    assert rig.blobs() == []


@pytest.mark.req("R-11", "S-15")
async def test_the_books_show_a_lost_row(rig: Rig) -> None:
    await rig.start(destination("a", 1) + TO_A)
    await rig.accepted(*study(3))
    assert await rig.node.sweep.account() == 0
    await rig.node.database.write(
        lambda t: t.run("DELETE FROM arrival WHERE id = (SELECT min(id) FROM arrival)")
    )
    assert await rig.node.sweep.account() == 1
    await rig.stop()
