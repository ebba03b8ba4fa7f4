"""OHIF in Chromium over a whole node: a study list, and a CT that can be seen."""

from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests.interop.conftest import StartNode
from tests.interop.test_query import fill
from tests.objects.files import Stored
from tests.objects.pictures import picture
from tests.objects.study import uid_of
from tests.peers.chromium import CHROMIUM, ohif, screenshot
from tests.peers.node import rule_to
from tests.peers.program import free_port, need, wait_until
from waystation.app.viewer_install import install

SIDE, SLICES = 256, 3


def slices() -> list[Stored]:
    """Return a CT of a body with two lungs and a spine."""
    down, right = np.mgrid[0:SIDE, 0:SIDE]
    body = np.hypot(right - 128, (down - 128) * 1.3) < 100
    air = (np.hypot(right - 95, down - 120) < 22) | (np.hypot(right - 161, down - 120) < 22)
    bone = np.hypot(right - 128, down - 165) < 11
    pixels = np.where(bone, 700, np.where(air, -800, np.where(body, 40, -1000))).astype(np.int16)
    return [
        picture(
            pixels,
            ("viewer", number),
            study="viewer",
            StudyDate="20260401",
            StudyTime="101500",
            StudyID="1",
            StudyDescription="CT PHANTOM",
            SeriesNumber=1,
            InstanceNumber=number + 1,
            FrameOfReferenceUID=uid_of("viewer frame"),
            ImagePositionPatient=[-125.0, -125.0, float(number * 5)],
            ImageOrientationPatient=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            PixelSpacing=[1.0, 1.0],
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            RescaleSlope="1",
            RescaleIntercept="0",
            WindowCenter="40",
            WindowWidth="400",
        )
        for number in range(SLICES)
    ]


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.req("W-141", "W-88")
def test_ohif_lists_a_study_and_shows_its_images(start_node: StartNode, tmp_path: Path) -> None:
    need(CHROMIUM)
    port = free_port()
    install(tmp_path / "viewer", ohif())
    extra = f'\n[web.viewer]\npath = "{tmp_path / "viewer" / "viewer"}"\nport = {port}\n'
    node = start_node(rule_to("archive") + extra)
    fill(node, tmp_path / "files", slices())
    url = f"http://127.0.0.1:{port}"
    found = f"{url}/dicom-web/instances"
    wait_until(lambda: len(httpx2.get(found).json()) == SLICES, "the archive")
    rows = screenshot(url + "/", tmp_path)[212:252]
    assert (rows > 150).sum() > 200
    study = uid_of("picture study", "viewer")
    shown = screenshot(f"{url}/viewer?StudyInstanceUIDs={study}", tmp_path)[180:660, 480:1080]
    grey = ((shown > 90) & (shown < 170)).mean()
    assert 0.3 < grey < 0.9
    assert (shown > 240).mean() > 0.005
    assert (shown < 10).mean() > 0.1
