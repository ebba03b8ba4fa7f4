"""Two readers by hour and price, with real DCMTK and Orthanc in their places (RT-7)."""

import sqlite3
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.examples.making import ExampleNode, peer_values
from tests.objects.study import Study, make_study
from tests.peers.dcmtk import StoreScp, storescu
from tests.peers.orthanc import Orthanc
from tests.peers.program import wait_until

pytestmark = pytest.mark.peer
SWITCH_AFTER_S = 2.0
OPEN, SHUT = '"always"', '"never"'
# A study of 16 small images takes some seconds at this pace.
SLOW = '{ rate = "24KiB/s" }'
Reader = StoreScp | Orthanc


class Scene:
    """The example's node between DCMTK (day) and Orthanc (night)."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self.day = stack.enter_context(StoreScp(folder / "day", ae_title="DAYREADER", fork=False))
        self.night = stack.enter_context(Orthanc(folder / "night", ae_title="NIGHTREADER"))
        self.values = {
            **peer_values("day-reader", self.day.port, "DAYREADER"),
            **peer_values("night-reader", self.night.port, "NIGHTREADER"),
            "group.reading.switch_after": f'"{SWITCH_AFTER_S:.0f}s"',
        }
        self.node: ExampleNode
        self._stack = stack

    def start(self, **values: str) -> None:
        """Start the node; day, night: the two schedules."""
        self.values |= hours(**values)
        self.node = self._stack.enter_context(
            ExampleNode(self._folder / "node", "day-night-reader", self.values)
        )
        self._stack.callback(
            lambda: print(self.node.command("queue").stdout, self.node.log[-6000:])
        )

    def change(self, **values: str) -> None:
        self.values |= hours(**values)
        self.node.change(self.values)

    def study(self, name: str, images: int) -> Study:
        return make_study(self._folder / name, "small", images, seed=name)

    def send(self, *files: Path) -> None:
        assert storescu(self.node.port, *files, called="READING").exit_code == 0

    def done(self, images: int) -> None:
        """Wait until so many deliveries are done, and nothing else is there."""
        self.node.wait_for({"done": images}, within_s=40)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        journal = sqlite3.connect(f"file:{self.node.data / 'journal.db'}?mode=ro", uri=True)
        try:
            return journal.execute(sql).fetchall()
        finally:
            journal.close()


def hours(**values: str) -> dict[str, str]:
    return {f"schedule.{name}.open": text for name, text in values.items()}


@pytest.fixture
def scene(tmp_path: Path, stack: ExitStack) -> Scene:
    return Scene(tmp_path, stack)


def around_now() -> tuple[str, str]:
    """Return hours (UTC) that are open for two hours around now, and those that are not."""
    now, minute = datetime.now(UTC), timedelta(minutes=1)
    before, after = now - timedelta(hours=1), now + timedelta(hours=1)
    return (
        f'"{before:%H:%M}-{after:%H:%M}"',
        f'"{after + minute:%H:%M}-{before - minute:%H:%M}"',
    )


@pytest.mark.req("R-42", "R-43", "R-90", "RT-7")
def test_the_hour_chooses_the_reader_and_a_study_stays_with_its_own(scene: Scene) -> None:
    now, not_now = around_now()
    scene.values |= {"schedule.day.zone": '"UTC"', "schedule.night.zone": '"UTC"'}
    scene.start(day=now, night=not_now)
    first, second = scene.study("first", 5), scene.study("second", 3)
    scene.send(*first.files[:3])
    scene.done(3)
    scene.change(day=not_now, night=now)
    scene.send(*second.files)
    scene.send(*first.files[3:])
    scene.done(8)
    assert scene.day.digests() == first.digests
    assert scene.night.digests() == second.digests


@pytest.mark.req("R-42", "R-43", "R-90", "RT-7")
def test_where_both_have_their_hours_the_price_decides_for_new_studies_only(scene: Scene) -> None:
    scene.start(day=OPEN, night=OPEN)
    first, second = scene.study("first", 5), scene.study("second", 3)
    scene.send(*first.files[:3])
    scene.done(3)
    scene.node.text = scene.node.text.replace("cost = 4", "cost = 2")
    scene.change()
    scene.send(*second.files)
    scene.send(*first.files[3:])
    scene.done(8)
    assert scene.night.digests() == first.digests
    assert scene.day.digests() == second.digests


@pytest.mark.req("R-42", "R-44", "R-90", "RT-7")
@pytest.mark.parametrize("on_duty", ["day", "night"])
def test_a_reader_that_dies_in_mid_study_leaves_the_whole_study_to_the_other(
    scene: Scene, on_duty: str
) -> None:
    scene.values[f"destination.{on_duty}-reader.limits"] = SLOW
    scene.start(day=OPEN if on_duty == "day" else SHUT, night=OPEN if on_duty == "night" else SHUT)
    readers: list[Reader] = [scene.day, scene.night]
    dies, takes_over = readers if on_duty == "day" else reversed(readers)
    study = scene.study("broken", 16)
    scene.send(study.folder)
    wait_until(lambda: dies.count() >= 3, "three images at the reader")
    dies.kill()
    killed_at = time.time()
    wait_until(lambda: takes_over.count() == 16, "the whole study at the other one", within_s=60)
    scene.node.wait_for({"done": 16}, to=other(on_duty))
    assert takes_over.digests() == study.digests

    # What is owed to the first one is closed: what it took is done, the rest went with the study.
    states = scene.node.states(f"{on_duty}-reader")
    assert set(states) == {"done"}
    assert 2 <= states["done"] < 16
    rows = scene.rows(
        "SELECT origin, count(*) FROM delivery WHERE destination <> 'reading' GROUP BY origin"
    )
    assert {row[0]: row[1] for row in rows} == {"rule": 16, "switch": states["done"]}
    ((began, why),) = scene.rows("SELECT chosen_at, why FROM choice")
    assert float(began) - killed_at <= SWITCH_AFTER_S + 5
    assert f"{on_duty}-reader down for" in why
    assert "backup" in why
    assert "group switched" in scene.node.log


def other(on_duty: str) -> str:
    return "night-reader" if on_duty == "day" else "day-reader"
