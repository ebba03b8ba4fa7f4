"""Windows of a running node: nothing leaves while one is shut, and a reload opens it."""

import asyncio
from pathlib import Path

import pytest

from tests.flows.rig import TO_A, Rig, destination
from tests.net.sink import until_async
from tests.objects.samples import study
from waystation.app import serving
from waystation.app.faults import ConfigFaults
from waystation.app.read import load

HOLIDAY = (
    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20200101\r\n"
    "RRULE:FREQ=YEARLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
ALL_YEAR = (
    '[schedule.hours]\nopen = "00:00-24:00; holiday 00:00-24:00"\nholidays = ["holidays.ics"]\n'
)


async def sent_nothing(rig: Rig, count: int) -> None:
    await rig.node.router.settled()
    belt = rig.node.belts["a"]
    for _ in range(3):
        belt.wake()
    assert await rig.states() == {"waiting": count}


@pytest.mark.req("R-39", "RT-6")
async def test_a_calendar_that_cannot_be_read_sends_nothing_until_it_can(rig: Rig) -> None:
    sink = await rig.sink()
    config = destination("a", sink.port, 'window = "hours"') + TO_A + ALL_YEAR
    await rig.start(config)
    await rig.accepted(*study(3))
    await sent_nothing(rig, 3)
    assert sink.associations == 0
    assert list(rig.node.windows.problems(rig.node.clock())) == [
        ("hours", "holidays.ics cannot be read: No such file or directory")
    ]
    (rig.folder / "holidays.ics").write_text(HOLIDAY)
    await rig.node.reload(rig.settings(config))
    await rig.wait_for({"done": 3})
    assert list(rig.node.windows.problems(rig.node.clock())) == []


@pytest.mark.req("R-3")
async def test_a_schedule_that_changes_opens_the_lanes_that_name_it(rig: Rig) -> None:
    sink = await rig.sink()
    config = destination("a", sink.port, 'window = "hours"') + TO_A
    await rig.start(config + '[schedule.hours]\nopen = "never"\n')
    await rig.accepted(*study(2))
    await sent_nothing(rig, 2)
    await rig.node.reload(rig.settings(config + '[schedule.hours]\nopen = "always"\n'))
    await rig.wait_for({"done": 2})


@pytest.mark.req("N-17")
@pytest.mark.parametrize(
    "text",
    [
        *("24:00-07:00", "8-12", "08.00-12.00", "08:00-12:00,", "M10 < 5", "m0 < 5", "m10<=5"),
        *("08:00–12:00", "00:00-24:00 # all", "m10<5, 19:00-07:00", "m10<-5", "mm10<5", "Always"),
    ],
)
async def test_a_broken_window_is_not_put_in_force_and_sends_nothing(rig: Rig, text: str) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'window = "never"') + TO_A)
    await rig.accepted(*study(1))
    with pytest.raises(ConfigFaults, match=r"destination.a.window"):
        rig.settings(destination("a", sink.port, f'window = "{text}"') + TO_A)
    await sent_nothing(rig, 1)
    assert sink.associations == 0


@pytest.mark.req("R-39")
async def test_a_calendar_is_read_again_when_its_content_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, calendar = tmp_path / "waystation.toml", tmp_path / "holidays.ics"
    config.write_text(
        f'[node]\ndata = "{tmp_path / "data"}"\n[dicom]\nport = 0\n[web]\nenabled = false\n'
        + ALL_YEAR
    )
    monkeypatch.setattr(serving, "LOOK_S", 0.01)
    life = serving.Serving(config, load(config, {}), "")
    await life.node.start()
    try:
        watcher = asyncio.create_task(life._watch_file())
        assert not life.node.windows.of("hours").is_open(life.node.clock())
        calendar.write_text(HOLIDAY)

        async def opened() -> bool:
            return life.node.windows.of("hours").is_open(life.node.clock())

        await until_async(opened, 5.0)
        calendar.unlink()

        async def shut() -> bool:
            return not await opened()

        await until_async(shut, 5.0)
        watcher.cancel()
    finally:
        await life.node.stop()
