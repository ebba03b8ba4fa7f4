"""Orthanc asked whether it has what it got: by storage commitment, and by C-FIND (R-60)."""

import asyncio
from pathlib import Path

import pytest

from tests.flows.rig import TO_A, Rig, destination
from tests.net.sink import until_async
from tests.objects.samples import study
from tests.peers.orthanc import Modality, Orthanc
from waystation.flows import verify

PICTURES = study(3, "asked", "small")


@pytest.mark.req("R-60", "T-49")
@pytest.mark.parametrize("how", ["commitment", "query"])
async def test_orthanc_confirms_what_it_has(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "LOOK_S", 0.05)
    monkeypatch.setattr(verify, "QUIET_S", 0.2)
    rig = Rig(tmp_path)
    await rig.start("[archive]\nenabled = false\n")
    us = Modality(name="us", ae_title="WAYSTATION", port=rig.node.dicom_port)
    orthanc = await asyncio.to_thread(Orthanc, tmp_path / "orthanc", modalities=[us])
    try:
        table = destination("a", orthanc.port, f'verify = "{how}"').replace("SINK", "ORTHANC")
        peer = '[peer.orthanc]\nae_title = "ORTHANC"\n[peer.ct]\nae_title = "CT1"\n'
        await rig.node.reload(rig.settings(f"[archive]\nenabled = false\n{peer}{table}{TO_A}"))
        await rig.accepted(*PICTURES)

        async def verified() -> bool:
            rows = await rig.rows("SELECT 1 FROM verification WHERE state = 'verified'")
            return len(rows) == len(PICTURES)

        await until_async(verified, 20.0)
        assert await rig.states() == {"done": len(PICTURES)}
    finally:
        await rig.close()
        await asyncio.to_thread(orthanc.close)
