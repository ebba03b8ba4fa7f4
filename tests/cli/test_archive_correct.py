"""``waystation archive correct`` and ``undo`` against a node that runs."""

import json
from pathlib import Path

import pytest

from tests.objects.study import make_study
from tests.peers.node import Node
from tests.peers.program import wait_until


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.req("T-32")
def test_the_studies_of_a_patient_move_to_another_and_back(tmp_path: Path) -> None:
    with Node(tmp_path / "node", "[archive]\nenabled = true\n") as node:

        def said(*words: str, code: int = 0) -> str:
            done = node.command("archive", *words)
            assert done.returncode == code, done.stdout + done.stderr
            return done.stdout

        make_study(tmp_path / "files", "tiny", 2, seed="moved")
        sent = node.command("send", f"WAYSTATION@127.0.0.1:{node.port}", str(tmp_path / "files"))
        assert sent.returncode == 0, sent.stderr
        wait_until(lambda: bool(said("list", "--json")), "the study is on file")
        old = json.loads(said("list", "--json"))
        uid, patient = old["StudyInstanceUID"][0], old["PatientID"][0]
        words = ("--set", "PatientID=RIGHT", "--because", "wrong entry chosen")
        assert said("correct", "--of-patient", patient, *words) == "1 studies corrected\n"
        assert json.loads(said("list", "--json"))["PatientID"] == ["RIGHT"]
        assert "PatientID=RIGHT  by" in said("corrections", uid)
        said("correct", uid, "--set", "Modality=MR", "--because", "x", code=1)
        assert said("undo", uid, "--because", "was right") == "1 studies as received again\n"
        assert json.loads(said("list", "--json"))["PatientID"] == [patient]
