"""Chromium without a window, and the OHIF package that it shows."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.peers.program import need

CHROMIUM = "/usr/bin/chromium"
PACKAGE = "@ohif/app"
KEPT = Path.home() / ".cache" / "waystation-peers"
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)


def ohif() -> Path:
    """Return the package as a file; it is fetched once."""
    found = sorted(KEPT.glob("ohif-app-*.tgz"))
    if found:
        return found[-1]
    npm = shutil.which("npm")
    why = "npm is not installed"
    if npm is not None:
        KEPT.mkdir(parents=True, exist_ok=True)
        command = [npm, "pack", PACKAGE, "--pack-destination", str(KEPT), "--silent"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        found = sorted(KEPT.glob("ohif-app-*.tgz"))
        if found:
            return found[-1]
        why = done.stderr.strip()[-200:] or "npm fetched nothing"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{PACKAGE} is not here: {why}")
    pytest.skip(f"{PACKAGE} is not here: {why}")


def screenshot(url: str, folder: Path, *, wait_ms: int = 30_000) -> Any:
    """Return what a page looks like in the end: grey, shape (800, 1280)."""
    picture = folder / "screenshot.png"
    command = [
        *(need(CHROMIUM), *OPTIONS, "--window-size=1280,800"),
        *(f"--user-data-dir={folder / 'profile'}", f"--screenshot={picture}"),
        *(f"--virtual-time-budget={wait_ms}", url),
    ]
    nowhere = subprocess.DEVNULL
    subprocess.run(command, stdout=nowhere, stderr=nowhere, timeout=240, check=False)
    return np.asarray(Image.open(picture).convert("L"))
