"""``waystation import-config``: what is printed where, and how it ends."""

import contextlib
from pathlib import Path

import pytest

from tests.app.importing.setups import endpoint, forward_with_retry, two_sites, write
from tests.cli.conftest import Run
from tests.objects.study import make_study
from tests.peers.node import Node
from tests.peers.pynetdicom_scp import ScriptedScp


@pytest.mark.req("R-83", "RT-16")
def test_the_text_goes_to_stdout_and_the_list_to_stderr(tmp_path: Path, run: Run) -> None:
    done = run("import-config", "dicomflowrouter", two_sites(tmp_path / "router"))
    assert done.code == 1
    assert done.out.startswith("# Made by")
    assert "[destination.remote]" in done.out
    assert "kept     " not in done.out
    where = tmp_path / "router" / "remote" / "config.ini"
    assert f'kept     {where}:8  scheduled "m10 < 5"' in done.err
    assert done.err.splitlines()[-1] == "11 kept, 2 changed, 1 dropped"


@pytest.mark.req("R-83", "RT-16")
def test_it_ends_with_0_if_nothing_differs(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path / "router", {"": "[DICOM]\nae_title = R\n", "pacs": endpoint("h")})
    assert run("import-config", "dicomflowrouter", folder).code == 0


@pytest.mark.req("RT-16")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["orthank", "."], 'did you mean "orthanc"?'),
        (["dicomflowrouter", "nowhere"], "nowhere: cannot be read: No such file or directory"),
        (["orthanc", "nowhere.json"], "nowhere.json: cannot be read"),
        (["mercure", "broken.json"], "broken.json:3: expected a comma or }"),
        (["orthanc", "broken.json"], "broken.json:3: expected a comma or }"),
        (["mercure", "list.json"], "list.json:1: expected a table in braces"),
        (["orthanc", "broken.json", "--queue"], "only the queue of dicomflowrouter"),
        (["dicomflowrouter", ".", "--move"], "give both"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_and_2(
    words: list[str], said: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.json").write_text('{\n  "Name" : "X"\n  "DicomPort" : 1\n}\n')
    (tmp_path / "list.json").write_text("[1, 2]")
    done = run("import-config", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.req("RT-16")
def test_a_queue_without_its_destinations_is_refused_after_the_text(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "waystation.toml").write_text("")
    done = run("import-config", "dicomflowrouter", forward_with_retry(tmp_path / "r"), "--queue")
    assert done.code == 2
    assert "[destination.endpoint]" in done.out
    assert "has no [destination.endpoint]: save the text above" in done.err


@pytest.mark.req("RT-16")
@pytest.mark.peer
def test_an_imported_queue_goes_out_with_its_calling_titles(tmp_path: Path, run: Run) -> None:
    study = make_study(tmp_path / "study", "tiny", 2)
    with ScriptedScp() as scp, contextlib.ExitStack() as closing:
        folder = write(
            tmp_path / "router",
            {
                "": "[DICOM]\nae_title = ROUTER\n",
                "pacs": endpoint("127.0.0.1", port=str(scp.port), title="PACS"),
            },
        )
        for title, file in zip(("CT1", "MR2"), study.files, strict=True):
            (folder / "pacs" / title).mkdir()
            (folder / "pacs" / title / file.name).write_bytes(file.read_bytes())
        imported = run("import-config", "dicomflowrouter", folder).out
        tables = imported[imported.index("[destination.pacs]") :]
        node = closing.enter_context(Node(tmp_path / "node", tables, start=False))
        words = ["dicomflowrouter", folder, "--queue", "--move", "--config", node.config_file]
        done = run("import-config", *words)
        assert "queue: 2 taken over, 0 known before" in done.err
        assert "2 renamed" in done.err
        node.start()
        node.wait_for({"done": 2})
        assert scp.digests() == study.digests
        assert {"CT1", "MR2"} == set(scp.seen.associations)
