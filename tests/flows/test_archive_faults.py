"""What becomes of an archived object whose bytes were found damaged, and of the copy that follows."""

from pathlib import Path

import pytest

from tests.flows.asking import STUDY, ask, counts, study_of
from tests.flows.rig import Rig
from tests.objects.files import Stored
from tests.objects.samples import sample
from waystation.wire.commands import C_MOVE_RQ

BIG = sample("ct", seed="spoilt")


async def spoilt(rig: Rig, stored: Stored) -> Path:
    """Flip a bit of the file that holds an object; return the file."""
    await rig.node.router.settled()
    ((name,),) = await rig.rows(
        f"SELECT blob FROM arrival WHERE sop_instance = '{stored.sop_instance}'"  # noqa: S608
    )
    path: Path = rig.data / "blobs" / name
    content = bytearray(path.read_bytes())
    content[len(stored.data_set) // 2] ^= 1
    path.write_bytes(content)
    return path


async def fetched(rig: Rig) -> tuple[int, tuple[int | None, ...]]:
    answers = await ask(rig, C_MOVE_RQ, "STUDY", {STUDY: study_of(BIG)}, to="SINK")
    return answers[-1].status, counts(answers[-1])


@pytest.mark.parametrize("damage", ["flipped", "gone"])
@pytest.mark.req("S-13", "S-17", "T-48")
async def test_a_good_copy_that_comes_after_a_damaged_one_was_found_is_kept(
    rig: Rig, damage: str
) -> None:
    sink = await rig.sink()
    place = f'store_at = {{ host = "127.0.0.1", port = {sink.port} }}\n'
    await rig.start(f'[peer.sink]\nae_title = "SINK"\n{place}', keep="0s")
    await rig.send(BIG)
    # What came a moment ago would not be read.
    await rig.restart()
    path = await spoilt(rig, BIG)
    if damage == "gone":
        path.unlink()
    assert await fetched(rig) == (0xA702, (None, 0, 1, 0))
    await rig.send(BIG)
    await rig.node.router.settled()
    await rig.node.sweep.once()
    assert await fetched(rig) == (0, (None, 1, 0, 0))
    assert [one.data_set for one in sink.objects] == [BIG.data_set]
