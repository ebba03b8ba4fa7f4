"""Chromium without a window, and the OHIF package that it shows."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.peers.npm import package
from tests.peers.program import need

CHROMIUM = "/usr/bin/chromium"
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)


def ohif() -> Path:
    """Return the package as a file; it is fetched once."""
    return package("@ohif/app")


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


def text_of(url: str, folder: Path, *, wait_ms: int = 20_000) -> str:
    """Return a page in the end, as markup."""
    command = [
        *(need(CHROMIUM), *OPTIONS, f"--user-data-dir={folder / 'profile'}"),
        *("--dump-dom", f"--virtual-time-budget={wait_ms}", url),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout
