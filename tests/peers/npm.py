"""Packages of npm that tests need: fetched once, kept as files, never built."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

KEPT = Path.home() / ".cache" / "waystation-peers"


def package(name: str, version: str = "") -> Path:
    """Return a package as a file; without npm or network: skip, or fail in CI."""
    pattern = f"{name.removeprefix('@').replace('/', '-')}-{version or '*'}.tgz"
    found = sorted(KEPT.glob(pattern))
    if found:
        return found[-1]
    npm = shutil.which("npm")
    why = "npm is not installed"
    if npm is not None:
        KEPT.mkdir(parents=True, exist_ok=True)
        wanted = f"{name}@{version}" if version else name
        command = [npm, "pack", wanted, "--pack-destination", str(KEPT), "--silent"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        found = sorted(KEPT.glob(pattern))
        if found:
            return found[-1]
        why = done.stderr.strip()[-200:] or "npm fetched nothing"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not here: {why}")
    pytest.skip(f"{name} is not here: {why}")
