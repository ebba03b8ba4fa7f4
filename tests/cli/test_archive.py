"""``waystation archive``: adding files, looking at them, and proving the index."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.objects.files import Stored
from tests.objects.samples import sample, study
from waystation.app.recovery import DataLock
from waystation.dicom.head import Head
from waystation.dicom.part10 import file_meta

CONFIG = (
    '[node]\ndata = "data"\n[web]\nenabled = false\n'
    '[spool]\nmin_free = "1KiB"\nmax_used = "100 %"\n'
)


@pytest.fixture(autouse=True)
def _small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waystation.db.engine.LOG_BYTES", 1 << 16)


@pytest.fixture
def node(tmp_path: Path) -> Path:
    path = tmp_path / "waystation.toml"
    path.write_text(CONFIG)
    return path


def write(path: Path, one: Stored, more: bytes = b"") -> Path:
    meta = file_meta(one.sop_class, one.sop_instance, one.transfer_syntax)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(meta + one.data_set + more)
    return path


@pytest.mark.req("T-35")
def test_files_are_added_listed_and_proved(run: Run, node: Path, tmp_path: Path) -> None:
    objects = [*study(3, "a"), sample("ct", seed="b")]
    for number, one in enumerate(objects):
        write(tmp_path / "files" / f"{number}.dcm", one)
    (tmp_path / "files" / "notes.txt").write_text("no image")
    done = run("archive", "add", tmp_path / "files", "--config", node, "--json")
    assert done.code == 0
    counts = json.loads(done.out)
    assert (counts["added"], counts["skipped"], counts["failures"]) == (4, 1, [])
    again = run("archive", "add", tmp_path / "files", "--config", node)
    assert again.out == "0 added, 4 there already, 1 left out: no DICOM files\n"
    listed = run("archive", "list", "--config", node, "--json").out.splitlines()
    shown = [json.loads(line)["NumberOfStudyRelatedInstances"] for line in listed]
    assert sorted(shown) == [["1"], ["3"]]
    assert run("archive", "list", "--config", node, "--modality", "XX", "--json").out == ""
    assert run("archive", "verify", "--config", node).out == (
        "4 objects of 2 studies as they should be\n"
    )


@pytest.mark.req("T-35")
def test_in_place_nothing_is_copied_and_the_digest_is_that_of_the_file(
    run: Run, node: Path, tmp_path: Path
) -> None:
    source = write(tmp_path / "files" / "1.dcm", sample("ct", seed="b"))
    assert run("archive", "add", "--in-place", source, "--config", node).code == 0
    (blob,) = [path for path in (tmp_path / "data" / "blobs").rglob("*") if path.is_file()]
    assert blob.samefile(source)
    assert run("archive", "verify", "--config", node).code == 0


@pytest.mark.req("T-35", "S-11")
def test_what_changes_the_archive_needs_the_node_to_be_stopped(
    run: Run, node: Path, tmp_path: Path
) -> None:
    source = write(tmp_path / "files" / "1.dcm", sample())
    lock = DataLock(tmp_path / "data")
    for words in (("add", source), ("rebuild",)):
        done = run("archive", *words, "--config", node)
        assert done.code == 1
        assert "is in use by process" in done.err
    lock.release()


@pytest.mark.req("T-35")
def test_an_index_that_differs_is_told_and_rebuilt(run: Run, node: Path, tmp_path: Path) -> None:
    run("archive", "add", write(tmp_path / "files" / "1.dcm", sample()), "--config", node)
    connection = sqlite3.connect(tmp_path / "data" / "journal.db")
    connection.execute("UPDATE study SET n_instances = 5")
    connection.commit()
    connection.close()
    told = run("archive", "verify", "--config", node, "--json")
    assert (told.code, json.loads(told.out)["wrong"]) == (1, 2)
    assert run("archive", "rebuild", "--config", node).code == 0
    assert run("archive", "verify", "--config", node).code == 0


def test_a_file_that_is_broken_is_told_and_the_others_go_in(
    run: Run, node: Path, tmp_path: Path
) -> None:
    write(tmp_path / "files" / "1.dcm", sample())
    write(tmp_path / "files" / "2.dcm", sample(seed=2), more=b"\x10\x00\x20")
    done = run("archive", "add", tmp_path / "files", "--config", node)
    assert done.code == 1
    assert "1 added, 1 failed" in done.out
    assert "2.dcm: L11: the data set ends inside an element" in done.err


@pytest.mark.req("T-30", "R-9")
def test_a_full_volume_takes_nothing_more(run: Run, node: Path, tmp_path: Path) -> None:
    node.write_text(CONFIG.replace("1KiB", "900TB"))
    done = run("archive", "add", write(tmp_path / "files" / "1.dcm", sample()), "--config", node)
    assert (done.code, "no room in the archive" in done.err) == (1, True)


@pytest.mark.req("T-30")
def test_retention_shows_what_would_go_and_removes_nothing(
    run: Run, node: Path, tmp_path: Path
) -> None:
    run("archive", "add", write(tmp_path / "files" / "1.dcm", sample()), "--config", node)
    assert "nothing is ever removed" in run("archive", "retention", "--config", node).out
    node.write_text(f'{CONFIG}[archive.retention.old]\nolder_than = "0s"\n')
    assert "old: 1 studies" in run("archive", "retention", "--config", node).out
    assert run("archive", "list", "--config", node, "--json").out.count("\n") == 1


@pytest.mark.req("T-36", "TT-2")
def test_what_lies_in_the_areas_of_dcmqrscp_is_taken_over(
    run: Run, node: Path, tmp_path: Path
) -> None:
    for number in range(3):
        write(tmp_path / "store" / f"{number}.dcm", sample(seed=number))
    foreign = tmp_path / "dcmqrscp.cfg"
    foreign.write_text("AETable BEGIN\nOLD store RW (2, 1mb) ANY\nAETable END\n")
    done = run("import-config", "dcmqrscp", foreign, "--store", "--config", node)
    assert "archive: 3 added" in done.err
    assert run("archive", "list", "--config", node, "--json").out.count("\n") == 3


def test_a_journal_that_is_not_there_is_told(run: Run, node: Path) -> None:
    done = run("archive", "verify", "--config", node)
    assert (done.code, "start the node once" in done.err) == (1, True)


@pytest.mark.req("T-33")
def test_what_contradicts_itself_is_told_with_its_studies(
    run: Run, node: Path, tmp_path: Path
) -> None:
    def series_of(stored: Stored) -> bytes:
        return Head.from_bytes(stored.data_set, stored.transfer_syntax).raw(0x0020000E) or b""

    one = sample("ct", seed="a")
    series = series_of(one)
    others = (sample("ct", seed=number) for number in range(100))
    two = next(each for each in others if len(series_of(each)) == len(series))
    twice = replace(two, data_set=two.data_set.replace(series_of(two), series))
    for number, each in enumerate((one, twice)):
        write(tmp_path / "files" / f"{number}.dcm", each)
    assert run("archive", "add", tmp_path / "files", "--config", node).code == 0
    said = run("archive", "doubts", "--config", node)
    assert (said.code, len(said.out.splitlines())) == (1, 2)
    assert "is also in study" in said.out
    study_uid = said.out.split()[0]
    found = json.loads(run("archive", "doubts", study_uid, "--config", node, "--json").out)
    assert (found["study"], found["kind"]) == (study_uid, "series")
    explained = run("explain", study_uid, "--config", node)
    assert "note: in doubt: series" in explained.out
