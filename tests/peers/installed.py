"""Waystation installed from its own wheel, with no checkout in reach.

Contract: the wheel is built from the checkout and unpacked into a new virtual environment, which
borrows third-party packages from the environment of the tests: by a path alone, so that the
editable installation there is not followed.  Its command is made from the wheel's entry point.
"""

import configparser
import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.source import REPOSITORY

LAUNCHER = "#!{python}\nimport sys\n\nfrom {module} import {name}\n\nsys.exit({name}())\n"


@dataclass(frozen=True, slots=True)
class Installed:
    """wheel: the file.  packages: where it was unpacked.  elsewhere: an empty folder to work in."""

    wheel: Path
    packages: Path
    python: Path
    command: Path
    elsewhere: Path

    def run(self, *words: object, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run the installed command, away from any checkout and without settings of ours."""
        return self._run(str(self.command), *words, timeout_s=timeout_s)

    def run_python(self, code: str) -> subprocess.CompletedProcess[str]:
        return self._run(str(self.python), "-P", "-c", code, timeout_s=60.0)

    def _run(self, *words: object, timeout_s: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in words],
            cwd=self.elsewhere,
            env={"PATH": os.defpath},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


def build_wheel(folder: Path) -> Path:
    """Return the wheel of this checkout, built in ``folder`` without a network."""
    if importlib.util.find_spec("hatchling") is None:
        text = "hatchling, which builds the wheel, is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    done = subprocess.run(
        [*command, "--directory", str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(folder: Path) -> Installed:
    """Return the wheel installed under ``folder``."""
    wheel = build_wheel(folder / "wheel")
    home = folder / "environment"
    venv.create(home, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(home)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    borrowed = sysconfig.get_path("purelib")
    (packages / "borrowed.pth").write_text(f"{borrowed}\n")
    python, command = home / "bin" / "python", home / "bin" / "waystation"
    module, name = _entry_point(packages).split(":")
    command.write_text(LAUNCHER.format(python=python, module=module, name=name))
    command.chmod(0o755)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Installed(wheel, packages, python, command, elsewhere)


def _entry_point(packages: Path) -> str:
    (told,) = packages.glob("waystation-*.dist-info/entry_points.txt")
    points = configparser.ConfigParser()
    points.read(told)
    return points["console_scripts"]["waystation"]
