"""Files become arrivals: a folder that is watched, ``waystation import``, a ZIP archive."""

import json
import shutil
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.objects.study import make_study
from tests.peers.node import Node
from tests.peers.program import wait_until

pytestmark = [pytest.mark.peer, pytest.mark.slow]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("intake")
    config = ""
    for name, after in (("share", "keep"), ("drop", "delete")):
        (folder / name).mkdir()
        config += f'\n[inbox.{name}]\npath = "{folder / name}"\nafter = "{after}"\n'
        config += 'settle = "100ms"\ncalling_ae = "SHARE"\n'
    config += '[[rule]]\nname = "shared"\nwhen = { calling_ae = "SHARE" }\nsend = ["archive"]\n'
    config += '[[rule]]\nname = "others"\nwhen = { way_in = "stow" }\nsend = ["archive"]\n'
    with Node(folder / "node", config) as started:
        yield started


def archived(node: Node) -> int:
    """Return how many objects searches find."""
    with urllib.request.urlopen(f"{node.web}/dicom-web/instances") as answer:
        return len(json.load(answer))


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.req("R-19")
def test_a_folder_is_emptied_into_the_rules_and_what_is_no_image_is_told(node: Node) -> None:
    share = node.folder.parent / "share"
    study = make_study(node.folder / "one", "tiny", 3, seed="inbox")
    before = archived(node)
    (share / "deep").mkdir()
    shutil.copy(study.files[0], share / "a.dcm")
    shutil.copy(study.files[1], share / "deep" / "b")
    shutil.copy(study.files[2], share / "c.dcm.part")
    shutil.copy(study.files[2], share / ".hidden")
    (share / "notes.txt").write_text("no image")
    (share / "virus.dcm").write_bytes(b"MZ" + study.files[2].read_bytes()[2:])
    (share / "link.dcm").symlink_to(study.files[2])
    wait_until(lambda: not (share / "virus.dcm").exists(), "the folder to be emptied")
    wait_until(lambda: archived(node) == before + 2, "two objects in the archive")
    assert names(share / "done") == ["a.dcm", "deep/b"]
    assert names(share / "failed") == [
        "notes.txt",
        "notes.txt.why.txt",
        "virus.dcm",
        "virus.dcm.why.txt",
    ]
    told = (share / "failed" / "virus.dcm.why.txt").read_text()
    assert told == "C010 the file begins as a program does\n"
    assert {path.name for path in share.iterdir()} == {
        *("done", "failed", "deep", "c.dcm.part", ".hidden", "link.dcm")
    }
    # The same object once more, under a name that is taken: nothing is overwritten.
    shutil.copy(study.files[0], share / "a.dcm")
    wait_until(lambda: (share / "done" / "a.dcm.2").exists(), "the second copy to be put away")
    assert archived(node) == before + 2


@pytest.mark.req("R-19")
def test_a_folder_whose_files_are_deleted_keeps_those_that_failed(node: Node) -> None:
    drop = node.folder.parent / "drop"
    study = make_study(node.folder / "two", "tiny", 1, seed="drop")
    before = archived(node)
    (drop / "broken.dcm").write_bytes(study.files[0].read_bytes()[:400])
    shutil.copy(study.files[0], drop / "whole.dcm")
    wait_until(lambda: not (drop / "whole.dcm").exists(), "the file to be taken")
    wait_until(lambda: not (drop / "broken.dcm").exists(), "the broken one to be put away")
    assert names(drop) == ["failed/broken.dcm", "failed/broken.dcm.why.txt"]
    wait_until(lambda: archived(node) == before + 1, "the object in the archive")


@pytest.mark.req("R-19")
def test_import_takes_files_folders_and_archives_and_names_what_failed(node: Node) -> None:
    study = make_study(node.folder / "three", "tiny", 4, seed="import")
    packed = node.folder / "packed.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../outside.dcm", study.files[2].read_bytes())
        archive.writestr("folder/", "")
        archive.writestr("folder/4", study.files[3].read_bytes())
        archive.writestr("README", "no image")
    for path in study.files[2:]:
        path.unlink()
    (study.folder / "README").write_text("left out")
    before = archived(node)
    done = node.command("import", str(study.folder), str(packed), "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert (told["taken"], told["failed"]) == (4, 1)
    assert [one["path"] for one in told["failures"]] == [str(packed)]
    assert "left out: 1 files" in done.stderr
    wait_until(lambda: archived(node) == before + 4, "four objects in the archive")
    assert not list(node.folder.rglob("outside.dcm"))


@pytest.mark.req("R-19")
def test_import_without_a_node_is_exit_code_3_and_without_a_file_2(
    node: Node, tmp_path: Path
) -> None:
    missing = node.command("import", str(tmp_path / "nothing"))
    assert missing.returncode == 2
    assert "no such file or folder" in missing.stderr
    alone = Node(tmp_path / "alone", "", start=False)
    assert alone.command("import", str(tmp_path)).returncode == 3
