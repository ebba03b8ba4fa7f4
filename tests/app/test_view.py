"""A running node as the web faces see it, with a real node behind it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.journal.making import NOW, adopted, arrival, held_plan, plan_to
from tests.peers.program import free_port
from waystation.app import pulse
from waystation.app.node import Node
from waystation.app.pulse import Reason
from waystation.app.read import load_text
from waystation.app.view import View
from waystation.flows.route import Acknowledged
from waystation.journal.decisions import Action
from waystation.journal.entries import Chosen
from waystation.model.errors import StorageError
from waystation.model.plan import Plan
from waystation.timing.window import read_schedule
from waystation.web.view import ActionAsked

CONFIG = """
[node]
data = "{data}"
[dicom]
port = 0
[web]
port = 0
[spool]
min_free = "1MB"
[destination.pacs]
kind = "dicom"
host = "127.0.0.1"
port = {port}
ae_title = "PACS"
window = "never"
[[rule]]
name = "all"
send = ["pacs"]
"""


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    text = CONFIG.format(data=tmp_path / "data", port=free_port())
    started = Node(load_text(text, None, {}).settings)
    await started.start()
    yield started
    await started.stop()


async def no_faults() -> list[str]:
    return []


@pytest.fixture
def view(node: Node) -> View:
    return View(node, no_faults)


async def received(node: Node, plan: Plan, *, study: str = "1.1", n: int = 1) -> None:
    """Put ``n`` arrivals with their plan into the journal, behind the router's back."""
    for _ in range(n):
        one = arrival(node.ids.next(), study=study)
        await node.database.write(adopted(node.ids, (one, plan), now=node.clock(), data=b"x"))


def order(action: Action, **fields: object) -> ActionAsked:
    values: dict[str, object] = {"chosen": Chosen(), "user": "ann", "because": "test"}
    return ActionAsked(action=action, **values | fields)  # type: ignore[arg-type]


async def test_a_lane_without_deliveries_is_shown_and_one_that_is_gone_too(
    node: Node, view: View
) -> None:
    await received(node, plan_to("old"))
    lanes = {lane.counts.destination: lane for lane in (await view.lanes()).lanes}
    assert (lanes["pacs"].state, lanes["pacs"].kind) == ("flowing", "dicom")
    assert (lanes["old"].state, lanes["old"].counts.waiting) == ("gone", 1)


async def test_more_than_one_piece_is_carried_out_whole(
    node: Node, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.app.acting.PIECE", 3)
    await received(node, plan_to("pacs"), n=8)
    chosen = Chosen(destination="pacs")
    preview = await view.act(order(Action.HOLD, chosen=chosen, preview=True))
    assert (preview.matching, preview.changed) == (8, 0)
    done = await view.act(order(Action.HOLD, chosen=chosen))
    assert (done.matching, done.changed, done.left) == (8, 8, {})
    again = await view.act(order(Action.HOLD, chosen=chosen))
    assert (again.matching, again.changed, again.left) == (0, 0, {"held": 8})


async def test_a_released_delivery_wakes_its_lane(node: Node, view: View) -> None:
    await received(node, plan_to("pacs"))
    await view.act(order(Action.HOLD))
    woken: list[str] = []
    node.belts["pacs"].wake = lambda *_: woken.append("pacs")  # type: ignore[method-assign]
    await view.act(order(Action.RELEASE))
    assert woken


async def test_a_held_arrival_is_planned_again_by_the_router(node: Node, view: View) -> None:
    one = replace(arrival(node.ids.next()), received_at=NOW)
    await node.database.write(adopted(node.ids, (one, held_plan()), now=NOW, data=b"x"))
    handed: list[Acknowledged] = []
    node.router.arrived = handed.append  # type: ignore[method-assign, assignment]
    done = await view.act(order(Action.RETRY, chosen=Chosen(reason="no-rule")))
    assert (done.matching, done.changed) == (1, 1)
    assert handed == [Acknowledged(arrival=one, known=True)]


async def test_resending_ends_although_what_it_makes_may_be_done_at_once(
    node: Node, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.app.acting.PIECE", 1)
    await received(node, plan_to("pacs"), n=3)
    await node.database.write(
        lambda t: t.run("UPDATE delivery SET state = 'done', ended_at = :now", {"now": NOW})
    )
    done = await view.act(order(Action.RESEND))
    assert done.changed == 3
    assert len(await view.deliveries(Chosen())) == 6


@pytest.mark.req("R-41")
async def test_a_lane_whose_window_is_shut_shows_when_it_opens(node: Node, view: View) -> None:
    assert (await view.lanes()).lanes[0].why == "window shut, never opens"
    belt = node.belts["pacs"]
    night = read_schedule("20:00-07:59", zone=UTC)
    belt.settings = replace(belt.settings, window=night)
    node.clock = lambda: datetime(2026, 1, 12, 16, 48, tzinfo=UTC).timestamp()
    shown = (await view.lanes()).lanes[0].why
    assert shown == "window shut, opens Mon 20:00 (in 3 h 12 min)"


async def test_a_paused_lane_shows_its_author(node: Node, view: View) -> None:
    assert await view.pause_lane("pacs", "ann")
    lane = (await view.lanes()).lanes[0]
    assert (lane.state, lane.why) == ("paused", "by ann")
    assert await view.resume_lane("pacs", "bob")
    assert (await view.lanes()).lanes[0].state == "flowing"
    assert not await view.pause_lane("nope", "ann")
    assert not await view.resume_lane("nope", "ann")


@pytest.mark.req("R-11")
async def test_metrics_and_status_tell_what_the_node_knows(node: Node, view: View) -> None:
    await received(node, plan_to("pacs"), n=2)
    await node.database.write(lambda t: t.run("INSERT INTO counter VALUES ('purged.x', 3)"))
    assert await node.sweep.account() == 3
    node.config_problem = "broken"
    text = (await view.metrics_text()).decode()
    assert 'waystation_queue_deliveries{destination="pacs",priority="normal"} 2.0' in text
    assert "waystation_unaccounted 3.0" in text
    assert "waystation_config_ok 0.0" in text
    status = await view.status()
    assert (status.config_ok, status.unaccounted, status.draining) == (False, 3, False)
    assert status.free_bytes > 0


async def test_a_story_is_found_by_delivery_and_by_arrival(node: Node, view: View) -> None:
    await received(node, plan_to("pacs"))
    entry = (await view.deliveries(Chosen()))[0]
    by_delivery, by_arrival = await view.delivery(entry.id), await view.arrival(entry.arrival)
    assert by_delivery is not None
    assert by_delivery == by_arrival
    assert await view.delivery(1) is None


@pytest.mark.req("S-72")
async def test_ready_is_proven_and_each_reason_is_a_word_of_the_list(
    node: Node, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await view.ready() == []
    node.draining = True
    node.sweep.stopped_why = "volume 99% used"
    assert await view.ready() == [Reason.DRAINING.value, Reason.FULL.value]
    node.draining, node.sweep.stopped_why = False, ""

    def broken(_path: Path) -> None:
        raise OSError(5, "Input/output error", "/secret/path")

    monkeypatch.setattr(pulse, "FRESH_S", -1.0)
    monkeypatch.setattr(pulse, "write_and_sync", broken)
    assert await view.ready() == [Reason.VOLUME.value]
    monkeypatch.undo()
    node._tasks[0].cancel()
    await asyncio.wait(node._tasks[:1])
    assert Reason.BELT.value in await view.ready()


async def test_a_journal_that_cannot_be_written_is_not_ready(
    node: Node, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise StorageError("database: disk full")

    with monkeypatch.context() as patched:
        patched.setattr(node.database, "write", refused)
        assert await view.ready() == [Reason.JOURNAL.value]


async def test_the_disk_is_asked_once_however_many_want_to_know(
    view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(pulse, "write_and_sync", asked.append)
    for _ in range(5):
        assert await view.ready() == []
    assert len(asked) == 1
