"""``waystation explain``: one study in ten states, and who the patient is stays hidden."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.explain_states import CONFIG, COUNT, NARROW, STATES, STUDY, Stage, head_bytes
from tests.journal.making import CT, EXPLICIT, NOW, MemoryJournal
from waystation.app.explaining import Explainer
from waystation.app.past_rules import PastRules
from waystation.blobs.reading import BlobReader
from waystation.cli.explain_text import lines
from waystation.dicom.part10 import file_meta
from waystation.journal import configs

GOLDEN = Path(__file__).parent.parent / "golden_explain"
SECRETS = ("SECRET-1", "DOE", "JANE", "19700101", "SECRET-*", "20000101")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    journal = MemoryJournal(tmp_path)
    yield Stage(journal, tmp_path)
    journal.close()


def told(stage: Stage, what: str = STUDY, *, names: bool = False) -> dict[str, Any]:
    """Return the JSON of the answer."""
    rules = PastRules(stage.journal.run, stage.folder, None, {"TZ": "UTC"})
    explainer = Explainer(
        stage.journal.run,
        BlobReader(stage.folder / "blobs"),
        rules,
        stage.standing(),
        names=names,
    )
    found = explainer.about(what)
    assert found is not None
    document: dict[str, Any] = found.model_dump(mode="json")
    return document


@pytest.mark.req("R-76", "R-24", "RT-14")
@pytest.mark.parametrize("name", list(STATES))
def test_a_study_reads_as_it_is_written_down(name: str, stage: Stage) -> None:
    STATES[name](stage)
    text = "\n".join(lines(told(stage))) + "\n"
    assert text == (GOLDEN / f"{name}.txt").read_text("utf-8")


@pytest.mark.req("R-76", "R-79")
@pytest.mark.parametrize("name", list(STATES))
def test_no_answer_tells_who_the_patient_is_unless_asked(name: str, stage: Stage) -> None:
    STATES[name](stage)
    text = json.dumps(told(stage))
    assert not [secret for secret in SECRETS if secret in text]


def test_with_names_the_clauses_quote_the_patient(stage: Stage) -> None:
    STATES["gathering"](stage)
    document = told(stage, names=True)
    assert document["patient"] == {"id": "SECRET-1", "name": "DOE^JANE"}
    own = next(rule for rule in document["rules"] if rule["rule"] == "own-patients")
    assert 'PatientID "SECRET-1" ~ SECRET-*' in own["clauses"][0]["clause"]


@pytest.mark.parametrize(
    ("what", "level", "objects"),
    [(STUDY, "study", COUNT), (f"{STUDY}.0", "series", COUNT), (f"{STUDY}.2", "instance", 1)],
)
def test_a_uid_of_any_level_is_found(what: str, level: str, objects: int, stage: Stage) -> None:
    STATES["gathering"](stage)
    document = told(stage, what)
    assert (document["level"], document["objects"]) == (level, objects)
    assert document["study"] == STUDY


def test_an_id_of_an_arrival_or_a_delivery_is_found(stage: Stage) -> None:
    STATES["gathering"](stage)
    by_arrival = told(stage, "2")
    assert (by_arrival["level"], by_arrival["objects"]) == ("arrival", 1)
    ((number,),) = stage.journal.rows(
        "SELECT id FROM delivery WHERE arrival = 2 AND destination = 'pacs'"
    )
    assert told(stage, f"{number:x}")["ways"] == by_arrival["ways"]


def test_rules_are_those_of_the_time_of_the_arrival(stage: Stage) -> None:
    STATES["gathering"](stage)
    stage.journal.run(configs.take_up(NARROW, NOW + 50))
    assert told(stage)["rules"][0]["rule"] == "all-to-pacs"


def test_a_text_that_cannot_be_read_any_more_leaves_what_is_written(stage: Stage) -> None:
    STATES["gathering"](stage)
    stage.journal.execute("UPDATE config_text SET text = '[nonsense]'")
    document = told(stage)
    assert "cannot be read any more" in document["notes"][0]
    matched = {rule["rule"]: rule["matched"] for rule in document["rules"]}
    assert matched == {"all-to-pacs": 4, "chest-out": 4, "own-patients": 4, "first-image": 1}


# the command


@pytest.fixture
def data(stage: Stage, config: Path) -> Path:
    """The journal of a stopped node, on disk."""
    STATES["choosing"](stage)
    config.write_text(config.read_text().partition("[destination.pacs]")[0] + CONFIG)
    folder = config.parent / "data"
    folder.mkdir()
    stage.journal.save(folder / "journal.db")
    return folder


@pytest.mark.req("R-76")
def test_the_command_reads_the_journal_of_a_stopped_node(
    data: Path, config: Path, run: Run
) -> None:
    done = run("explain", STUDY, "--config", config)
    assert (done.code, "not running" in done.err) == (0, True)
    assert done.out.startswith(f"study {STUDY}  CT  4 objects  from ct1")
    assert "why not now: the node is not running" in done.out
    document = json.loads(run("explain", STUDY, "--json", "--config", config).out)
    assert (document["running"], document["judged"]) == (False, COUNT)
    assert "SECRET" not in json.dumps(document)
    named = run("explain", STUDY, "--names", "--config", config)
    assert "patient SECRET-1  DOE^JANE" in named.out


def test_the_command_says_that_nothing_is_known(data: Path, config: Path, run: Run) -> None:
    done = run("explain", "9.9", "--config", config)
    assert (done.code, done.out, "nothing is known of 9.9" in done.err) == (1, "", True)
    assert run("explain", "no/such/file", "--config", config).code == 1


@pytest.mark.req("R-76")
def test_what_is_stored_may_be_supposed_to_come_from_somebody_else(
    data: Path, config: Path, run: Run
) -> None:
    done = run("explain", STUDY, "--from", "US7", "--json", "--config", config)
    document = json.loads(done.out)
    assert document["hypothetical"] is True
    chest = next(rule for rule in document["rules"] if rule["rule"] == "chest-out")
    assert chest["clauses"][0]["clause"] == 'calling_ae "US7" is not ~ CT1*'
    assert {way["would"] for way in document["ways"]} == {"would be sent"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An object that was never sent."""
    path = tmp_path / "one.dcm"
    path.write_bytes(file_meta(CT, "1.2.3.4", EXPLICIT) + head_bytes(1))
    return path


@pytest.mark.req("R-76")
def test_of_a_file_it_tells_what_would_happen(file: Path, config: Path, run: Run) -> None:
    config.write_text(config.read_text().partition("[destination.pacs]")[0] + CONFIG)
    text = run("explain", file, "--from", "CT1A", "--config", config)
    assert text.code == 0
    assert "rule chest-out       match" in text.out
    assert "would be sent once the study is complete (rule chest-out)" in text.out
    assert "reading/reader-a" in text.out
    assert not [secret for secret in SECRETS if secret in text.out]


def test_of_a_file_the_windows_of_another_time_count(file: Path, config: Path, run: Run) -> None:
    shut = CONFIG.replace('ae_title = "PACS"', 'ae_title = "PACS"\nwindow = "Mon-Fri 08:00-19:59"')
    config.write_text(config.read_text().partition("[destination.pacs]")[0] + shut)
    for at, would in (("2026-04-01 12:00", "would be sent"), ("2026-04-01 21:00", "would wait")):
        done = run("explain", file, "--at", at, "--json", "--config", config)
        ways = {way["destination"]: way["would"] for way in json.loads(done.out)["ways"]}
        assert ways["pacs"].startswith(would)


def test_a_file_that_no_rule_takes_would_be_held(file: Path, config: Path, run: Run) -> None:
    config.write_text(config.read_text().partition("[destination.pacs]")[0] + NARROW)
    done = run("explain", file, "--config", config)
    assert "1 object held no-rule" in done.out
    assert "PatientID (value hidden" not in done.out
