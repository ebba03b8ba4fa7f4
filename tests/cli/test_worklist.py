"""The worklist and MPPS on the command line, against a running node."""

import csv
import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest

from tests.cli.conftest import Ran, Run
from tests.peers.node import Node
from waystation.cli.worklist_values import read_values, written
from waystation.model.errors import ConfigError

Ask = Callable[..., Ran]
STEP = (
    *("PatientName=M\u00fcller^J\u00f6rg", "Modality=CT"),
    *("ScheduledStationAETitle=CT1", "ScheduledStationAETitle=CT2"),
    *("ScheduledProcedureStepStartDate=20260301", "ScheduledProcedureStepStartTime=0900"),
    *("RequestedProcedureDescription=Head", "ScheduledProcedureStepDescription=head"),
    "RequestedProcedureCodeSequence.CodeValue=1",
    "RequestedProcedureCodeSequence.CodingSchemeDesignator=L",
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with Node(tmp_path_factory.mktemp("cli-worklist"), "") as started:
        yield started


@pytest.fixture
def ask(run: Run, node: Node) -> Ask:
    def asked(*words: object) -> Ran:
        return run("worklist", *words, "--config", node.config_file)

    return asked


def made(ask: Ask, *words: str, patient: str = "1") -> str:
    done = ask("add", *STEP, f"PatientID={patient}", *words, "--json")
    assert done.code == 0, done.err
    return str(json.loads(done.out)["id"])


@pytest.mark.req("T-64")
def test_a_step_is_added_listed_shown_and_edited(ask: Ask) -> None:
    number = made(ask)
    listed = ask("list", "--day", "20260301", "--text", "muller", "--station", "CT2")
    assert listed.code == 0
    assert "M\u00fcller^J\u00f6rg" in listed.out
    assert ask("edit", number, "PatientName=Doe^Joe", "--version", "1").code == 0
    late = ask("edit", number, "PatientName=Roe^Jane", "--version", "1")
    assert (late.code, late.out) == (1, "")
    assert "changed meanwhile" in late.err
    wrong = ask("edit", number, "Modality=ct")
    assert wrong.code == 1
    assert "Modality: allows capital letters" in wrong.err
    assert ask("edit", number, "Modality").code == 2
    shown = ask("show", number)
    assert "PatientName: M\u00fcller^J\u00f6rg -> Doe^Joe" in shown.out
    assert "RequestedProcedureCodeSequence[0].CodeValue: 1" in shown.out


@pytest.mark.req("T-64", "T-62")
def test_cancelling_hides_a_step_and_why_says_so(ask: Ask) -> None:
    number = made(ask, "ScheduledStationName=Room 1")
    assert ask("state", number, "arrived").out == f"{number}: arrived\n"
    assert ask("cancel", number, "--because", "went home").code == 0
    found = ask("why", number, "CT1")
    assert found.code == 1
    assert "- the step is cancelled" in found.out
    listed = json.loads(ask("list", "--json").out)["steps"]
    assert number not in [one["id"] for one in listed]
    every = json.loads(ask("list", "--all", "--json").out)["steps"]
    assert number in [one["id"] for one in every]


@pytest.mark.req("T-64")
def test_a_deleted_step_comes_back(ask: Ask) -> None:
    number = made(ask)
    assert ask("delete", number).code == 0
    assert ask("delete", number, "--undo").code == 0
    assert json.loads(ask("show", number, "--json").out)["deleted"] is False


@pytest.mark.req("T-64")
def test_a_table_that_was_exported_can_be_imported(ask: Ask, tmp_path: Path) -> None:
    made(ask, patient="=1+1")
    path = tmp_path / "steps.csv"
    assert ask("export", path, "--all").code == 0
    rows = list(csv.DictReader(StringIO(path.read_text(encoding="utf-8"))))
    (row,) = [one for one in rows if "1+1" in one["PatientID"]]
    assert row["PatientID"] == "'=1+1"
    assert row["ScheduledStationAETitle"] == "CT1\\CT2"
    lines = tmp_path / "steps.json"
    assert ask("export", lines, "--all").code == 0
    assert len(lines.read_text(encoding="utf-8").splitlines()) == len(rows)
    assert ask("export", tmp_path / "steps.xml").code == 2


@pytest.mark.req("T-62", "T-58")
def test_a_modality_asks_performs_and_the_step_is_over(ask: Ask, run: Run, node: Node) -> None:
    number = made(ask, "StudyInstanceUID=1.2.3.77", patient="perform")
    target = f"WAYSTATION@127.0.0.1:{node.port}"
    found = run("find", target, "--model", "worklist", "-k", "PatientID=perform", "--json")
    assert (found.code, len(found.out.splitlines())) == (0, 1)
    seen = json.loads(ask("preview", "CT1", "--json").out)["entries"]
    assert isinstance(seen, list)
    step_id = json.loads(ask("show", number, "--json").out)["values"]["ScheduledProcedureStepID"]
    order = "ScheduledStepAttributesSequence"
    begun = run(
        *("mpps", target, "create", f"{order}.StudyInstanceUID=1.2.3.77"),
        f"{order}.ScheduledProcedureStepID={step_id}",
    )
    assert begun.code == 0, begun.err
    uid = begun.out.strip()
    assert json.loads(ask("show", number, "--json").out)["state"] == "started"
    assert run("mpps", target, "set", "--uid", uid, "--completed").code == 0
    assert json.loads(ask("show", number, "--json").out)["state"] == "completed"
    again = run("mpps", target, "set", "--uid", uid, "--completed", "--json")
    assert (again.code, json.loads(again.out)["status"]) == (1, "0110")
    assert "may no longer be updated" in again.err
    assert run("mpps", target, "set").code == 2


def test_words_and_values_are_the_same_thing() -> None:
    words = ["A=1", "A=2", "B.C=x", "B[1].C=y=z", "D="]
    values = {"A": ["1", "2"], "B": [{"C": "x"}, {"C": "y=z"}], "D": ""}
    assert read_values(words) == values
    assert written(values) == [
        ("A", "1\\2"),
        ("B[0].C", "x"),
        ("B[1].C", "y=z"),
        ("D", ""),
    ]
    for wrong in ("A", "=1", "A[0]=1", "B[2].C=1", "B..C=1"):
        with pytest.raises(ConfigError):
            read_values([wrong])
