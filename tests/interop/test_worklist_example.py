"""DCMTK's own example of a worklist, step by step, against a node (T-57).

The steps are those of the READMEs beside the example files: dumps into ``.wl`` files of the area
OFFIS with its lockfile, dumps into queries, a server, and findscu with each query.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.peers.dcmtk import run
from tests.peers.node import Node
from tests.peers.program import command, need, wait_until

EXAMPLES = Path("/usr/share/doc/dcmtk/examples")
DUMP2DCM, FINDSCU = "/usr/bin/dump2dcm", "/usr/bin/findscu"
CONFIG = """
[worklist.area.offis]
ae_title = ["OFFIS"]
folder = {{ path = "{folder}", mode = "watch", every = "200ms" }}

[worklist.area.ours]
ae_title = ["OURS"]
"""
QUERIES = 13


@pytest.fixture(scope="module")
def dumps(golden: Path) -> Path:
    """Return DCMTK's entries as dumps: those of the package, else those that were kept."""
    packaged = EXAMPLES / "wlistdb" / "OFFIS"
    return packaged if packaged.is_dir() else golden / "wlm" / "data" / "OFFIS"


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory, golden: Path) -> list[Path]:
    """Step two: the example queries as files."""
    folder = tmp_path_factory.mktemp("wlistqry")
    made = []
    for number in range(QUERIES):
        target = folder / f"wlistqry{number}.dcm"
        dump = EXAMPLES / "wlistqry" / f"wlistqry{number}.dump"
        if dump.exists():
            done = run([need(DUMP2DCM), "-q", str(dump), str(target)])
            assert done.exit_code == 0, done.text
        else:
            shutil.copy(golden / "wlm" / "queries" / f"dcmtk-wlistqry{number}.dcm", target)
        made.append(target)
    return made


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, dumps: Path) -> Iterator[Node]:
    """Steps one and three: the entries as files in the area's folder, and a server."""
    folder = tmp_path_factory.mktemp("wlistdb") / "OFFIS"
    folder.mkdir()
    for dump in sorted(dumps.glob("*.dump")):
        target = folder / dump.with_suffix(".wl").name
        done = run([need(DUMP2DCM), "-q", "-g", str(dump), str(target)])
        assert done.exit_code == 0, done.text
        os.utime(target, (1_600_000_000, 1_600_000_000))
    (folder / "lockfile").touch()
    with ExitStack() as stack:
        started = stack.enter_context(
            Node(tmp_path_factory.mktemp("node"), CONFIG.format(folder=folder))
        )
        stack.callback(lambda: print(started.log[-4000:]))
        wait_until(lambda: len(answers(started, "OFFIS", None, folder)) == 10, "the ten entries")
        yield started


def answers(node: Node, called: str, query: Path | None, folder: Path) -> list[Dataset]:
    """Step four: ask with findscu; return what it wrote down."""
    into = folder / "answers"
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    words = [need(FINDSCU), "-W", "-q", "-X", "--call", called, "127.0.0.1", str(node.port)]
    asked = [str(query)] if query else ["-k", "PatientName"]
    before = Path.cwd()
    os.chdir(into)
    try:
        done = run([*words, *asked])
    finally:
        os.chdir(before)
    assert done.exit_code == 0, done.text
    found: list[Dataset] = []
    found += [pydicom.dcmread(file, force=True) for file in sorted(into.glob("rsp*.dcm"))]
    shutil.rmtree(into)
    return found


def recorded(golden: Path, number: int) -> list[Mapping[str, Any]]:
    """Return the answers of wlmscpfs."""
    file = golden / "wlm" / "answers" / f"dcmtk-wlistqry{number}.json"
    return [match["values"] for match in json.loads(file.read_text())["matches"]]


def flat(data: Dataset, before: str = "") -> dict[str, Any]:
    """Return a data set as the recorded answers have it."""
    found: dict[str, Any] = {}
    for element in data:
        name = before + element.keyword
        if element.VR == "SQ":
            found[name] = len(element.value)
            for at, item in enumerate(element.value):
                found |= flat(item, f"{name}[{at}].")
        else:
            values = element.value if element.VM > 1 else [element.value]
            found[name] = "\\".join(str("" if one is None else one) for one in values).strip()
    return found


def compared(found: Sequence[Dataset], wanted: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what of the recorded answers is not among ours, in any order."""
    ours = [flat(one) for one in found]
    missing = []
    for want in wanted:
        said = {k: v for k, v in want.items() if k != "SpecificCharacterSet" and v not in ("", 0)}
        match = next((one for one in ours if said.items() <= one.items()), None)
        if match is None:
            missing.append(str(said))
        else:
            ours.remove(match)
    return missing


@pytest.mark.peer
@pytest.mark.req("T-57", "T-56")
@pytest.mark.parametrize("number", range(QUERIES))
def test_each_example_query_is_answered_as_by_wlmscpfs(
    node: Node, queries: list[Path], golden: Path, tmp_path: Path, number: int
) -> None:
    wanted = recorded(golden, number)
    found = answers(node, "OFFIS", queries[number], tmp_path)
    assert len(found) == len(wanted)
    assert compared(found, wanted) == []


@pytest.mark.peer
@pytest.mark.req("T-57", "T-61")
def test_the_same_goes_with_our_own_commands(
    node: Node, dumps: Path, golden: Path, tmp_path: Path
) -> None:
    files = []
    for dump in sorted(dumps.glob("*.dump")):
        target = tmp_path / dump.with_suffix(".wl").name
        if dump.name != "wklist1.dump":
            shutil.copy(dump, tmp_path)
            continue
        done = command(["from-dump", str(dump), str(target)], tmp_path)
        assert done.returncode == 0, done.stderr
        files.append(target)
    done = node.command("worklist", "import", "--area", "ours", "--json", str(tmp_path))
    assert done.returncode == 0, done.stderr
    # They are there already, in the other area: the same entries are the same steps.
    imported = json.loads(done.stdout)
    assert len(imported["same"]) + len(imported["changed"]) == 10
    query = golden / "wlm" / "queries" / "dcmtk-wlistqry3.dcm"
    peer = f"OFFIS@127.0.0.1:{node.port}"
    asked = node.command("find", peer, str(query), "--model", "worklist", "--json")
    assert asked.returncode == 0, asked.stderr
    assert len(asked.stdout.splitlines()) == len(recorded(golden, 3))
