"""``find``, ``get`` and ``move`` against DCMTK's dcmqrscp."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.objects.files import stored_digests
from tests.objects.samples import as_file, study
from tests.peers.dcmqrscp import QrScp
from tests.peers.program import free_port

COUNT = 5


class Archive:
    """A dcmqrscp with two studies; we may be reached on ``port`` as US."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.scp = QrScp(folder / "qr", destinations={"US": self.port})
        self.objects = [*study(COUNT, "one"), *study(2, "two")]
        files = folder / "files"
        files.mkdir()
        for number, stored in enumerate(self.objects):
            (files / f"{number}.dcm").write_bytes(as_file(stored))
        assert self.scp.load(files).exit_code == 0
        self.target = f"QRSCP@127.0.0.1:{self.scp.port}"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    made = Archive(tmp_path_factory.mktemp("archive"))
    with made.scp:
        yield made


@pytest.fixture
def studies(archive: Archive, run: Run) -> list[str]:
    done = run("find", archive.target, "-k", "StudyInstanceUID", "--only-keys", "--json")
    return [json.loads(line)["0020000D"]["Value"][0] for line in done.out.splitlines()]


def digests(archive: Archive, count: int = 0) -> dict[str, str]:
    return {one.sop_instance: one.digest for one in archive.objects[: count or None]}


@pytest.mark.peer
@pytest.mark.req("T-74")
def test_find_prints_lines_of_dicom_json_rows_or_a_table(archive: Archive, run: Run) -> None:
    found = run("find", archive.target, "-k", "PatientID", "--json")
    assert (found.code, len(found.out.splitlines())) == (0, 2)
    assert all("0020000D" in json.loads(line) for line in found.out.splitlines())
    rows = list(csv.DictReader(io.StringIO(run("find", archive.target, "--csv").out)))
    assert len(rows) == 2
    assert rows[0]["StudyInstanceUID"]
    table = run("find", archive.target)
    assert (table.code, table.err) == (0, "2 found\n")
    assert "StudyInstanceUID" in table.out


@pytest.mark.peer
def test_nothing_found_is_an_empty_success(archive: Archive, run: Run) -> None:
    found = run("find", archive.target, "-k", "PatientID=NOBODY", "--json")
    assert (found.code, found.out) == (0, "")


@pytest.mark.peer
def test_a_limit_cancels_the_query(archive: Archive, run: Run, studies: list[str]) -> None:
    series = run(
        *("find", archive.target, "--level", "series", "-k", f"StudyInstanceUID={studies[0]}"),
        *("--json", "--only-keys", "-k", "SeriesInstanceUID"),
    )
    series_uid = json.loads(series.out.splitlines()[0])["0020000E"]["Value"][0]
    keys = ("-k", f"StudyInstanceUID={studies[0]}", "-k", f"SeriesInstanceUID={series_uid}")
    found = run("find", archive.target, "--level", "image", *keys, "--limit", "1", "--json")
    assert (found.code, len(found.out.splitlines())) == (0, 1)


@pytest.mark.peer
@pytest.mark.req("T-75")
def test_refusals_tell_status_comment_and_exit_code(archive: Archive, run: Run) -> None:
    refused = run("find", archive.target, "-k", "QueryRetrieveLevel=BANANA")
    assert refused.code == 1
    assert refused.err.startswith("0 found\nfind: C000")
    worklist = run("find", archive.target, "--model", "worklist")
    assert (worklist.code, worklist.out) == (1, "")
    assert "not accepted by the peer" in worklist.err
    assert run("find", f"QRSCP@127.0.0.1:{free_port()}").code == 3
    assert run("find", archive.target, "-k", "Foo=1").code == 2
    assert run("find", archive.target, "--model", "worklist", "--level", "study").code == 2


@pytest.mark.peer
def test_answers_are_kept_as_files(archive: Archive, run: Run, tmp_path: Path) -> None:
    assert run("find", archive.target, "--extract", tmp_path / "answers").code == 0
    kept = sorted((tmp_path / "answers").iterdir())
    assert [path.name for path in kept] == ["answer-00001.dcm", "answer-00002.dcm"]
    again = run("find", archive.target, kept[0], "--only-keys", "--json")
    assert len(again.out.splitlines()) == 1


@pytest.mark.peer
@pytest.mark.req("T-74")
def test_get_writes_what_was_stored(
    archive: Archive, studies: list[str], run: Run, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    words = ("get", archive.target, "--output", output, "--uids", tmp_path / "uids", "--json")
    (tmp_path / "uids").write_text("\n".join(studies))
    done = run(*words)
    document = json.loads(done.out)
    assert (done.code, document["completed"], document["failed"]) == (0, COUNT + 2, 0)
    assert document["files"] == COUNT + 2
    assert stored_digests(output) == digests(archive)
    again = run(*words)
    assert again.code == 0
    assert stored_digests(output) == digests(archive)


@pytest.mark.peer
def test_names_of_files_come_from_a_template(
    archive: Archive, studies: list[str], run: Run, tmp_path: Path
) -> None:
    words = ("get", archive.target, "-k", f"StudyInstanceUID={studies[0]}", "--output", tmp_path)
    assert run(*words, "--name", "{Modality}/{InstanceNumber:04}.dcm").code == 0
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.dcm")}
    assert "CT/0001.dcm" in names or any(name.endswith("/0001.dcm") for name in names)
    assert run(*words, "--name", "../{SOPInstanceUID}").code == 2


@pytest.mark.peer
def test_move_brings_objects_to_ourselves(
    archive: Archive, studies: list[str], run: Run, tmp_path: Path
) -> None:
    words = ("move", archive.target, "-k", f"StudyInstanceUID={studies[0]}", "--json")
    ours = ("--output", tmp_path / "out", "--port", archive.port, "--calling", "US")
    done = run(*words, *ours)
    assert done.code == 0
    found = stored_digests(tmp_path / "out")
    assert len(found) == json.loads(done.out)["completed"] in (2, COUNT)
    assert found.items() <= digests(archive).items()


@pytest.mark.peer
@pytest.mark.req("T-75")
def test_an_unknown_destination_is_told_with_what_to_configure(
    archive: Archive, studies: list[str], run: Run, tmp_path: Path
) -> None:
    words = ("move", archive.target, "-k", f"StudyInstanceUID={studies[0]}")
    assert run(*words, "--to", "NOWHERE").code == 1
    ours = ("--output", tmp_path / "out", "--port", free_port(), "--calling", "STRANGER")
    told = run(*words, *ours)
    assert told.code == 1
    assert "A801 move destination unknown" in told.err
    assert "add STRANGER = 127.0.0.1:" in told.err


@pytest.mark.peer
def test_what_would_ask_for_everything_is_not_asked(
    archive: Archive, run: Run, tmp_path: Path
) -> None:
    for keys in ((), ("-k", "StudyInstanceUID=")):
        refused = run("get", archive.target, *keys, "--output", tmp_path / "out")
        assert (refused.code, "StudyInstanceUID" in refused.err) == (2, True)
    assert run("move", archive.target, "-k", "StudyInstanceUID=1").code == 2
    assert run("move", archive.target, "-k", "StudyInstanceUID=1", "--output", tmp_path).code == 2
