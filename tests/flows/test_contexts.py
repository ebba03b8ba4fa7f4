"""A running node and receivers that do not take everything (R-62 to R-64)."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.flows.rig import Rig, destination, rule
from tests.net.sink import Sink, until
from tests.objects import public
from tests.objects.samples import compressed, in_syntax, study
from tests.peers.pynetdicom_scp import ScriptedScp

VIDEO = "1.2.840.10008.1.2.4.100"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path)
    yield made
    await made.close()


@pytest.mark.peer
@pytest.mark.req("R-62", "R-63", "N-22")
async def test_what_left_in_another_syntax_is_in_the_ledger_with_its_digest(rig: Rig) -> None:
    stored = in_syntax(public.BIG, seed="ledger")
    with ScriptedScp(syntaxes=[public.IMPLICIT]) as scp:
        await rig.start(destination("a", scp.port) + rule("a"))
        await rig.accepted(stored)
        await rig.wait_for({"done": 1})
        (got,) = scp.seen.stored
    assert public.values(got) == public.values(stored)
    (row,) = await rig.rows("SELECT sent_syntax, sent_sha256 FROM delivery")
    assert row[0] == public.IMPLICIT
    assert bytes(row[1]) == hashlib.sha256(got.data_set).digest()
    (attempt,) = await rig.rows("SELECT detail FROM attempt")
    assert attempt[0] == "Explicit VR Big Endian sent as Implicit VR Little Endian"


@pytest.mark.req("R-63")
async def test_what_left_as_it_is_stored_needs_no_second_digest(rig: Rig) -> None:
    sink = await rig.sink(Sink())
    await rig.start(destination("a", sink.port) + rule("a"))
    (stored,) = study(1)
    await rig.accepted(stored)
    await rig.wait_for({"done": 1})
    assert sink.objects[0].data_set == stored.data_set
    assert [tuple(r) for r in await rig.rows("SELECT sent_syntax, sent_sha256 FROM delivery")] == [
        ("", None)
    ]


@pytest.mark.peer
@pytest.mark.req("R-64", "O8")
async def test_a_refusal_outlives_a_restart_and_an_edit_that_helps_lets_everything_go(
    rig: Rig,
) -> None:
    objects = [replace(one) for one in study(4, seed="edit")]
    with ScriptedScp(syntaxes=[public.IMPLICIT]) as scp:
        config = destination("a", scp.port, 'transcode = "never"') + rule("a")
        await rig.start(config)
        await rig.accepted(*objects[:3])
        await rig.wait_for({"held:no-context": 3})
        assert scp.seen.attempts == []
        await rig.restart()
        await rig.accepted(objects[3])
        await rig.wait_for({"held:no-context": 4})
        refused = rig.node.contexts.refused("a")
        assert list(refused) == [(objects[0].sop_class, objects[0].transfer_syntax)]
        text = destination("a", scp.port, 'transcode = "uncompressed"') + rule("a")
        await rig.node.reload(rig.settings(text))
        await rig.wait_for({"done": 4})
        assert len(scp.seen.stored) == 4
        assert rig.node.contexts.refused("a") == {}
        assert rig.node.contexts.seen("a")[objects[0].sop_class, public.IMPLICIT]


@pytest.mark.peer
@pytest.mark.req("R-64")
async def test_after_a_day_it_is_asked_again_and_let_go_when_it_is_accepted(rig: Rig) -> None:
    (stored,) = study(1, seed="a day")
    with ScriptedScp(syntaxes=[VIDEO]) as scp:
        await rig.start(destination("a", scp.port) + rule("a"))
        await rig.accepted(stored)
        await rig.wait_for({"held:no-context": 1})
        belt = rig.node.belts["a"]
        port = scp.port
    # Longer than the lane lingers: what was agreed with the one before must not count any more.
    await asyncio.sleep(0.5)
    with ScriptedScp(port=port, syntaxes=[public.EXPLICIT]) as scp:
        rig.node.contexts._wake.set()
        assert rig.node.contexts.refused("a")
        later = rig.node.clock() + 86_500.0
        rig.node.contexts._clock = lambda: later
        rig.node.contexts._wake.set()
        await until(lambda: not rig.node.contexts.refused("a"))
        await rig.wait_for({"done": 1})
        assert scp.digests() == {stored.sop_instance: stored.digest}
        assert belt is rig.node.belts["a"]


@pytest.mark.peer
@pytest.mark.req("R-64")
async def test_planning_for_a_destination_that_refuses_it_warns_at_once_and_once(rig: Rig) -> None:
    objects = study(3, seed="warn")
    with ScriptedScp(syntaxes=[VIDEO]) as scp:
        await rig.start(destination("a", scp.port) + rule("a"))
        await rig.accepted(objects[0])
        await rig.wait_for({"held:no-context": 1})
        with capture_logs() as logs:
            await rig.accepted(*objects[1:])
        await rig.wait_for({"held:no-context": 3})
    warned = [line for line in logs if line["event"].startswith("planned for")]
    assert len(warned) == 1
    assert warned[0]["sop_class"] == "CT Image Storage"
    assert warned[0]["log_level"] == "warning"


@pytest.mark.peer
@pytest.mark.req("R-62", "F27")
async def test_pixels_that_no_codec_reads_hold_one_object_and_the_lane_goes_on(rig: Rig) -> None:
    bad = compressed("1.2.840.10008.1.2.4.90", seed="bad pixels")
    good = public.public()["MR_small_RLE.dcm"]
    with ScriptedScp(syntaxes=[public.EXPLICIT]) as scp:
        await rig.start(destination("a", scp.port, 'transcode = "decompress"') + rule("a"))
        await rig.accepted(bad)
        await rig.accepted(good)
        await rig.wait_for({"held:no-context": 1, "done": 1})
        assert scp.seen.attempts == [good.sop_instance]
    assert rig.node.belts["a"].lane.health(rig.node.belts["a"].now()).value == "flowing"
    await rig.stop()
    assert not (rig.data / "codecs").exists()
