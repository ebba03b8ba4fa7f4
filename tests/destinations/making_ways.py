"""Destinations over HTTP and hooks, with what has arrived there."""

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.destinations.making import Way
from tests.net.http_sink import Answer, HttpSink, serving
from tests.objects.files import read_stored
from waystation.destinations.command import CommandDestination, CommandSettings
from waystation.destinations.stow import StowDestination, StowSettings
from waystation.net.http import HttpSettings, HttpWaits

QUICK = HttpSettings(waits=HttpWaits(connect_s=2.0, progress_s=2.0, response_s=0.5))


class StowWay(Way):
    """Two objects in a request, so that five of them take three."""

    destination: StowDestination

    def __init__(self, sink: HttpSink, **settings: object) -> None:
        self.sink = sink
        values = {"url": f"{sink.url}/dicom-web", "http": QUICK, "max_objects": 2, **settings}
        self.destination = StowDestination("x", StowSettings(**values))  # type: ignore[arg-type]

    def arrived(self) -> dict[str, bytes]:
        return self.sink.kept()

    async def break_down(self) -> None:
        self.sink.script = lambda _: Answer(status=503)


KEEP = """#!/bin/sh
set -e
[ ! -e "{out}/broken" ] || exit 75
cp "$1" "{out}/$WAYSTATION_SOP_INSTANCE_UID.dcm"
"""


def program(path: Path, text: str) -> Path:
    """Write a program that only we may change."""
    path.write_text(text)
    path.chmod(stat.S_IRWXU)
    return path


class CommandWay(Way):
    def __init__(self, folder: Path) -> None:
        self.out = folder / "out"
        self.out.mkdir()
        keep = program(folder / "keep.sh", KEEP.replace("{out}", str(self.out)))
        settings = CommandSettings(command=(str(keep), "{file}"), work=folder / "work")
        self.destination = CommandDestination("x", settings)

    def arrived(self) -> dict[str, bytes]:
        found = [read_stored(path.read_bytes()) for path in self.out.glob("*.dcm")]
        return {one.sop_instance: one.data_set for one in found}

    async def break_down(self) -> None:
        (self.out / "broken").touch()


@asynccontextmanager
async def stow_way(_folder: Path) -> AsyncIterator[Way]:
    async with serving() as sink:
        way = StowWay(sink)
        try:
            yield way
        finally:
            await way.destination.close()


@asynccontextmanager
async def command_way(folder: Path) -> AsyncIterator[Way]:
    yield CommandWay(folder)
