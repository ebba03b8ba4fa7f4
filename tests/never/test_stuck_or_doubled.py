"""Defects of shipped routers that must not happen here: stuck, endless, doubled (N-8 to N-21)."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from tests.flows.rig import CT, TINY, TO_A, Rig, destination, rule
from tests.journal.making import claim_next
from tests.net.sink import until
from tests.objects.samples import study
from waystation.destinations.base import Cargo
from waystation.destinations.dicom import DicomDestination
from waystation.model.delivery import Delivery
from waystation.model.outcome import Outcome


@pytest.mark.req("R-47", "N-8", "N-9")
async def test_a_destination_that_raises_on_every_call_fails_for_itself_alone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = DicomDestination.send

    async def raising(
        self: DicomDestination, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        if self.name == "bad":
            raise RuntimeError("always")
        async for found in send(self, batch, cargo):
            yield found

    monkeypatch.setattr(DicomDestination, "send", raising)
    sinks = [await rig.sink() for _ in range(3)]
    names = ("bad", "b", "c")
    config = "".join(destination(n, s.port) for n, s in zip(names, sinks, strict=True))
    await rig.start(config + rule(*names))
    await rig.accepted(*study(6))
    await rig.wait_for({"done": 6}, to="b")
    await rig.wait_for({"done": 6}, to="c")
    await rig.wait_for({"held:object-refused": 6}, to="bad")
    for sink in sinks[1:]:
        assert sink.uids() == [one.sop_instance for one in study(6)]


@pytest.mark.req("N-9")
async def test_foreign_files_in_every_folder_stop_nobody(rig: Rig) -> None:
    sink = await rig.sink()
    config = destination("a", sink.port) + TO_A
    await rig.start(config)
    await rig.accepted(*study(2, seed="before"))
    await rig.stop()
    for folder in (rig.data, *[path for path in rig.data.rglob("*") if path.is_dir()]):
        (folder / "Thumbs.db").write_bytes(b"not ours")
        (folder / "lost+found").mkdir(exist_ok=True)
        (folder / ".hidden").write_bytes(b"")
    await rig.start(config)
    await rig.accepted(*study(3, seed="after"), CT)
    await rig.wait_for({"done": 6})
    await rig.node.sweep.once()
    assert len(sink.objects) == 6


@pytest.mark.req("N-10")
@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
async def test_a_warning_is_delivered_once(rig: Rig, status: int) -> None:
    sink = await rig.sink()
    sink.script = lambda _: status
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(*study(4))
    await rig.wait_for({"done": 4})
    await asyncio.sleep(0.2)
    assert len(sink.objects) == 4
    assert await rig.counter("warned.a") == 4


@pytest.mark.req("N-11")
async def test_two_claimers_never_get_the_same_delivery(rig: Rig) -> None:
    await rig.start(destination("a", 1) + TO_A)
    await rig.node.pause_lane("a", "test")
    await rig.accepted(*(one for n in range(40) for one in study(5, seed=n)))
    claimed: Counter[int] = Counter()

    async def claimer() -> None:
        while True:
            now = rig.node.clock()
            job = claim_next("a", now=now, lease_until=now + 60, limit=3)
            found = await rig.node.database.write(job, urgent=False)
            if not found:
                return
            claimed.update(one.id for one in found)

    await asyncio.gather(*(claimer() for _ in range(8)))
    assert len(claimed) == 200
    assert set(claimed.values()) == {1}


@pytest.mark.req("N-12", "O5")
async def test_an_object_refused_for_good_does_not_block_the_rest(rig: Rig) -> None:
    objects = study(10)
    bad = objects[0].sop_instance
    sink = await rig.sink()
    sink.script = lambda c: 0xA900 if c.sop_instance_uid == bad else 0
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(*objects)
    await rig.wait_for({"done": 9, "held:object-refused": 1})
    await asyncio.sleep(0.2)
    assert sink.uids().count(bad) == 3


@pytest.mark.req("N-15")
async def test_a_slow_destination_does_not_slow_the_sender(rig: Rig) -> None:
    sink = await rig.sink()
    sink.script = lambda _: "silent"
    await rig.start(destination("a", sink.port) + TO_A)
    async with asyncio.timeout(15):
        await rig.accepted(*study(30))
    await until(lambda: sink.objects)
    assert len(sink.objects) == 1


@pytest.mark.req("N-16", "R-52")
async def test_an_idle_lane_sends_at_once(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await asyncio.sleep(0.1)
    await rig.accepted(TINY)
    await until(lambda: sink.objects, within_s=5.0)


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.req("N-20", "S-39", "R-7")
@pytest.mark.parametrize("title", ["..", ".", "../x", "/etc", "$(id)", "%n", "'; --", "CON"])
async def test_no_title_becomes_a_path(rig: Rig, title: str) -> None:
    sink = await rig.sink()
    out = rig.folder / "out"
    folder = (
        f'[destination.f]\nkind = "folder"\npath = "{out}"\ncreate = true\n'
        'name = "{calling_ae}/{SOPInstanceUID}.dcm"\n'
    )
    await rig.start(folder + destination("a", sink.port) + rule("f", "a"))
    before = set(_children(rig.folder))
    await rig.accepted(TINY, CT, calling_ae=title)
    await rig.wait_for({"done": 4})
    assert set(_children(rig.folder)) - before <= {out}
    names = [path.name for path in _files(rig.data)]
    assert not [name for name in names if title in name and len(title) > 2]
    written = _files(out)
    assert len(written) == 2
    assert all(len(path.relative_to(out).parts) == 2 for path in written)
