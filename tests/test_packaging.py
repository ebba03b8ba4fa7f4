"""What is released works by itself: the wheel without a checkout, the image if one is named.

No container engine is needed: what the image promises (no network, read-only, no rights) is asked
of a node from the wheel.  WAYSTATION_IMAGE names an image that was built from deploy/Dockerfile;
then the demonstrations run from that too.
"""

import ast
import os
import re
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import waystation
from tests.peers import shut_in
from tests.peers.installed import Installed, install
from tests.peers.node import READY
from tests.peers.program import PeerFailed, Program, wait_until
from tests.source import PACKAGE, REPOSITORY, package_files, parse
from tests.test_licences import closure

STORIES = ("retry", "schedule")
IMAGE = os.environ.get("WAYSTATION_IMAGE", "")
IMAGES = 4
CONFIG = """
[node]
data = "{data}"

[spool]
min_free = "100MB"

[dicom]
port = 0

[web]
port = 0

[destination.kept]
kind = "folder"
path = "{data}/kept"
create = true

[[rule]]
name = "all"
send = ["kept"]
"""
# Alembic alone can run its own script.
IMPORT_ALL = """
import importlib, pkgutil, sys, waystation
for module in pkgutil.walk_packages(waystation.__path__, "waystation."):
    if module.name != "waystation.db.migrations.env":
        importlib.import_module(module.name)
print(*waystation.__path__)
print(*sys.path, sep="|")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(tmp_path_factory.mktemp("released"))


@pytest.mark.req("N-25")
def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(installed: Installed) -> None:
    ours = {
        file.relative_to(REPOSITORY).as_posix()
        for file in PACKAGE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    with zipfile.ZipFile(installed.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == ours
    assert any("/db/migrations/versions/" in name for name in names)


@pytest.mark.req("N-25")
def test_every_module_is_found_with_no_checkout_on_the_path(installed: Installed) -> None:
    done = installed.run_python(IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    home, path = done.stdout.splitlines()
    assert Path(home) == installed.packages / "waystation"
    assert str(REPOSITORY) not in path.split("|")


@pytest.mark.req("N-25")
def test_the_package_imports_only_what_its_extras_bring_along() -> None:
    # What only the tests need is in reach of every other test, and missing from the image.
    homes = packages_distributions()
    names = {name for file in package_files() for name in imported(parse(file))}
    used = {canonicalize_name(home) for name in names for home in homes.get(name, [])}
    assert used > {"sqlalchemy", "asyncssh", "obstore"}
    assert used <= set(closure("waystation", "all"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the top names of everything that is imported, late imports included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


@pytest.mark.req("N-25")
def test_the_command_of_the_wheel_knows_its_version_and_a_configuration(
    installed: Installed, tmp_path: Path
) -> None:
    done = installed.run("--version")
    assert (done.returncode, done.stdout) == (0, f"waystation {waystation.__version__}\n")
    file = tmp_path / "waystation.toml"
    file.write_text(CONFIG.format(data=tmp_path))
    done = installed.run("check", "--config", file)
    assert done.returncode == 0, done.stdout + done.stderr
    file.write_text("[nodes]\n")
    assert installed.run("check", "--config", file).returncode == 2


@pytest.mark.req("N-25")
@pytest.mark.parametrize("story", STORIES)
def test_both_demonstrations_run_from_the_wheel(
    installed: Installed, tmp_path: Path, story: str
) -> None:
    done = installed.run("demo", story, "--folder", tmp_path / "demo", timeout_s=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("as promised\n")


@contextmanager
def shut_in_node(installed: Installed, folder: Path) -> Iterator[tuple[Program, Path]]:
    """A node from the wheel in a read-only world of its own, and its configuration."""
    if not shut_in.is_possible():
        text = "this machine makes no namespaces for us"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    data = folder / "data"
    data.mkdir()
    file = folder / "waystation.toml"
    file.write_text(CONFIG.format(data=data))
    words = [str(installed.command), "serve", "--config", str(file)]
    program = Program(shut_in.shut_in(data, *words), folder, name="node")
    try:
        wait_until(lambda: is_ready(program), "the ready line", within_s=60)
        yield program, file
    finally:
        program.close()


def is_ready(program: Program) -> bool:
    if program.exit_code is not None:
        raise PeerFailed(f"serve ended with {program.exit_code}:\n{program.log[-3000:]}")
    return READY.search(program.log) is not None


def beside(program: Program, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        shut_in.beside(program.pid, *(str(word) for word in words)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.req("N-26")
def test_a_node_works_read_only_without_rights_home_or_network(
    installed: Installed, tmp_path: Path
) -> None:
    with shut_in_node(installed, tmp_path) as (node, file):
        assert_confined(node, installed)
        ready = beside(node, installed.command, "health", "--config", file)
        assert (ready.returncode, ready.stdout) == (0, "ready\n"), ready.stderr
        line = READY.search(node.log)
        assert line is not None
        target = f"WAYSTATION@127.0.0.1:{line['port']}"
        words = ("simulate-peer", "modality", target, "--images", IMAGES, "--config", file)
        sent = beside(node, installed.command, *words)
        assert sent.returncode == 0, sent.stdout + sent.stderr
        kept = tmp_path / "data" / "kept"
        wait_until(lambda: len(list(kept.rglob("*.dcm"))) == IMAGES, "every image in the folder")
        node.signal(signal.SIGTERM)
        assert node.wait(within_s=20) == 0
    gone = installed.run("health", "--config", file)
    assert (gone.returncode, gone.stdout) == (3, "")
    assert "no node is running" in gone.stderr


def assert_confined(node: Program, installed: Installed) -> None:
    """The node stands as we claim, seen from outside."""
    here = Path(f"/proc/{node.pid}")
    assert (here / "uid_map").read_text().split()[0] == str(shut_in.UID)
    status = (here / "status").read_text()
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    names = [word.partition("=")[0] for word in (here / "environ").read_text().split("\0")]
    assert "HOME" not in names
    devices = (here / "net" / "dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices] == ["lo"]
    for folder in (installed.packages, Path("/"), Path("/tmp")):
        refused = beside(node, "/usr/bin/touch", folder / "written")
        assert "Read-only file system" in refused.stderr


if IMAGE:
    # A run without a container engine is whole without this: it is no peer that is missing.

    @pytest.mark.req("N-25", "N-26")
    @pytest.mark.slow
    @pytest.mark.parametrize("story", STORIES)
    def test_both_demonstrations_run_from_the_image(story: str) -> None:
        engine = shutil.which("docker") or shutil.which("podman")
        assert engine is not None, "there is an image, but no container engine"
        strict = ["--rm", "--read-only", "--network=none", "--cap-drop=ALL", "--tmpfs=/tmp"]
        done = subprocess.run(
            [engine, "run", *strict, IMAGE, "waystation", "demo", story],
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith("as promised\n")
