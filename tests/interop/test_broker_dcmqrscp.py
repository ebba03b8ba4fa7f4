"""The broker's retrievals from dcmqrscp: C-GET, C-MOVE, compressed objects, a sudden end."""

import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.flows.broker_rig import BrokerRig, all_of, path_of
from tests.objects.study import KINDS, make_study
from tests.peers.dcmqrscp import QrScp
from tests.peers.dcmtk import storescu
from tests.peers.program import free_port

pytestmark = pytest.mark.peer
JPEG_LS = "1.2.840.10008.1.2.4.80"
PRESSED = replace(KINDS["small"], transfer_syntax=JPEG_LS, compressed_bytes=3000)
PACS = """
[pacs.old]
ae_title = "QRSCP"
host = "127.0.0.1"
port = {port}
retrieve = "{way}"
[pacs.old.timeouts]
quiet = "100ms"
[pacs.old.retry]
attempts = 1
"""


class Place:
    """A dcmqrscp that sends to the node's port.

    Of what is proposed it takes the first context of a class, whatever the object: over a C-GET
    it can send only native objects, and with -xt over a C-MOVE only those in JPEG-LS.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node_port = free_port()
        self.plain = make_study(folder / "plain", "small", 12, seed="plain")
        self.pressed = make_study(folder / "pressed", PRESSED, 3, seed="pressed")
        kind = replace(PRESSED, compressed_bytes=200_000)
        self.big = {
            "get": make_study(folder / "big", "ct", 60, seed="big"),
            "move": make_study(folder / "tight", kind, 60, seed="tight"),
        }
        self.start()

    def start(self) -> None:
        to = {"WAYSTATION": self.node_port}
        shutil.rmtree(self.folder / "pacs", ignore_errors=True)
        self.pacs = QrScp(self.folder / "pacs", destinations=to, options=["+xt", "-xt"])
        native, pressed = (self.plain, self.big["get"]), (self.pressed, self.big["move"])
        for study, more in [*((one, []) for one in native), *((one, ["-xt"]) for one in pressed)]:
            done = storescu(self.pacs.port, study.folder, called=self.pacs.ae_title, options=more)
            assert done.exit_code == 0, done.text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("qrscp"))
    try:
        yield made
    finally:
        made.pacs.close()


@pytest.fixture
async def rig(place: Place, tmp_path: Path) -> AsyncIterator[BrokerRig]:
    made = BrokerRig(tmp_path)
    made.port = place.node_port
    try:
        yield made
    finally:
        await made.stop()


async def begin(rig: BrokerRig, place: Place, way: str) -> None:
    rig.config = PACS.format(port=place.pacs.port, way=way)
    await rig.run()
    upstream = rig.brokerage._upstreaming.upstreams.get("old")
    assert upstream is not None
    await upstream.probe()


@pytest.mark.req("W-107", "W-112", "WT-12")
async def test_studies_come_byte_for_byte_by_c_get_or_else_by_c_move(
    rig: BrokerRig, place: Place
) -> None:
    await begin(rig, place, "auto")
    for study, way in ((place.plain, "get"), (place.pressed, "move")):
        reading = await rig.broker.want("old", path_of(study.study_uid))
        found = await all_of(reading)
        assert {one.sop_instance_uid: one.sha256 for one in found} == study.digests
        assert reading.verified == "uids"
        for one in found:
            assert len(await rig.bytes_of(one)) == one.size_bytes
        await rig.settled()
        assert rig.broker.progress()[0].way == way
    assert {one.transfer_syntax_uid for one in found} == {JPEG_LS}
    assert await rig.rows("SELECT DISTINCT way_in, fetched_from FROM arrival") == [("fetch", "old")]


@pytest.mark.req("W-90", "W-113", "WT-8")
@pytest.mark.parametrize("way", ["get", "move"])
async def test_a_pacs_that_is_killed_in_the_middle_never_looks_complete(
    rig: BrokerRig, place: Place, way: str
) -> None:
    await begin(rig, place, way)
    study = place.big[way]
    failure, got = await rig.failure(study.study_uid, then=lambda: end(place))
    assert failure.status == 502
    await rig.settled()
    assert 0 < len(got) < len(study.files)
    assert await rig.broker.whole("old", path_of(study.study_uid)) is None
    assert rig.broker.progress()[0].state == "incomplete"
    # Not in another thread: it would end with that.
    place.start()


def end(place: Place) -> None:
    """Kill it, and those of its processes that serve associations."""
    pid = place.pacs.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    place.pacs.kill()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
