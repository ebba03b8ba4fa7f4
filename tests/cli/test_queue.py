"""``waystation queue`` with the node stopped: it reads, and says what it cannot do."""

import json
import sqlite3
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.journal.making import NOW, adopted, arrival, held_plan, plan_to
from waystation.app import read
from waystation.app.read import load
from waystation.cli import api
from waystation.cli.api import data_folder
from waystation.cli.queue_text import print_delivery
from waystation.db.migrate import migrate
from waystation.db.statement import Transaction
from waystation.journal.ids import IdSource

DOCUMENT = ["lanes", "held", "unplanned", "gathering", "gathers", "today"]
DOCUMENT += ["unverified", "running"]


@pytest.fixture
def journal(config: Path) -> Path:
    """Three deliveries that wait and one held arrival, left by a node that was stopped."""
    path = config.parent / "data" / "journal.db"
    path.parent.mkdir()
    migrate(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    transaction = Transaction(connection.cursor(), "sqlite")
    ids = IdSource(1000)
    for number in (1, 2, 3):
        one = arrival(number, study=f"1.{number % 2}")
        adopted(ids, (one, plan_to("pacs")), now=NOW)(transaction)
    adopted(ids, (arrival(4), held_plan()), now=NOW)(transaction)
    connection.commit()
    connection.close()
    return path


def test_the_list_has_its_keys_with_the_node_stopped(journal: Path, config: Path, run: Run) -> None:
    done = run("queue", "list", "--json", "--config", config)
    document = json.loads(done.out)
    assert (done.code, list(document)) == (0, DOCUMENT)
    lane = document["lanes"][0]
    assert (lane["destination"], lane["state"], lane["waiting"]) == ("pacs", "stopped", 3)
    assert (document["held"], document["running"]) == ({"no-rule": 1}, False)


def test_queue_alone_is_the_list(journal: Path, config: Path, run: Run) -> None:
    alone = run("queue", "--config", config)
    assert alone.code == 0
    assert "pacs" in alone.out
    assert "held 1: no-rule 1" in alone.out
    assert "not running" in alone.err


@pytest.mark.parametrize(
    ("words", "deliveries", "arrivals"),
    [
        (["--deliveries"], 3, 1),
        (["--to", "pacs"], 3, 0),
        (["--to", "pacs", "--limit", "2"], 2, 0),
        (["--study", "1.0"], 1, 0),
        (["--state", "waiting"], 3, 0),
        (["--held"], 0, 1),
        (["--reason", "no-rule"], 0, 1),
        (["--to", "nope"], 0, 0),
    ],
)
def test_filters_list_deliveries_and_held_arrivals(
    words: list[str], deliveries: int, arrivals: int, journal: Path, config: Path, run: Run
) -> None:
    document = json.loads(run("queue", "list", *words, "--json", "--config", config).out)
    assert len(document["deliveries"]) == deliveries
    assert len(document["arrivals"]) == arrivals


def test_many_pages_become_one_list(
    journal: Path, config: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.cli.sources.PAGE", 1)
    done = run("queue", "list", "--to", "pacs", "--json", "--config", config)
    ids = [entry["id"] for entry in json.loads(done.out)["deliveries"]]
    assert len(ids) == len(set(ids)) == 3


def test_show_tells_a_story_by_either_id(journal: Path, config: Path, run: Run) -> None:
    listed = run("queue", "list", "--to", "pacs", "--json", "--config", config)
    entry = json.loads(listed.out)["deliveries"][0]
    for number in (entry["id"], entry["arrival"]):
        story = json.loads(run("queue", "show", number, "--json", "--config", config).out)
        assert story["arrival"]["id"] == entry["arrival"]
        assert [one["id"] for one in story["deliveries"]] == [entry["id"]]
    text = run("queue", "show", entry["id"], "--config", config).out
    assert f"delivery {entry['id']} to pacs: waiting" in text


def test_no_output_names_the_patient(journal: Path, config: Path, run: Run) -> None:
    for words in (["list", "--deliveries"], ["list", "--deliveries", "--json"], ["show", "1"]):
        done = run("queue", *words, "--config", config)
        assert "SECRET-ID" not in done.out + done.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["show", "ffff"], 1, "no delivery or arrival ffff"),
        (["show", "xyz"], 2, "hexadecimal"),
        (["list", "--state", "lost"], 2, "no state"),
        (["retry"], 2, "say which"),
        (["retry", "zz"], 2, "hexadecimal"),
        (["discard", "--to", "pacs"], 2, "--because"),
        (["retry", "--to", "pacs"], 3, "no node is running"),
        (["discard", "--to", "pacs", "--because", "x"], 3, "no node is running"),
        (["pause", "pacs"], 3, "no node is running"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(
    words: list[str], code: int, said: str, journal: Path, config: Path, run: Run
) -> None:
    done = run("queue", *words, "--config", config)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_reading_leaves_the_journal_as_it_is(journal: Path, config: Path, run: Run) -> None:
    before = journal.read_bytes()
    run("queue", "list", "--deliveries", "--config", config)
    assert journal.read_bytes() == before


def test_a_folder_without_a_journal_is_said(config: Path, run: Run) -> None:
    done = run("queue", "list", "--config", config)
    assert (done.code, "no node has run there yet" in done.err) == (1, True)


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        "{}",
        '{"pid": 1, "dicom": "", "web": "http://127.0.0.1:1"}',
        '{"pid": 1, "dicom": "", "web": "off"}',
        '{"pid": 1, "dicom": "", "web": "file:///etc/passwd"}',
    ],
)
def test_a_file_left_by_a_crash_does_not_count_as_a_node(
    content: str, journal: Path, config: Path, run: Run
) -> None:
    (journal.parent / "node.json").write_text(content)
    document = json.loads(run("queue", "list", "--json", "--config", config).out)
    assert document["running"] is False


def test_reload_without_a_node_is_unreachable(config: Path, run: Run) -> None:
    assert run("reload", "--config", config).code == 3


def test_reload_of_a_file_that_is_no_toml_prints_where(config: Path, run: Run) -> None:
    config.write_text("[node\n")
    done = run("reload", "--config", config)
    assert done.code == 2
    assert done.out.startswith(f"{config}:1")
    assert "stays" in done.err


def test_the_queue_is_at_hand_while_the_rules_are_broken(
    journal: Path, config: Path, run: Run
) -> None:
    config.write_text(config.read_text() + "\n[nonsense]\n")
    assert run("queue", "list", "--config", config).code == 0


@pytest.mark.parametrize("data", ["var", "./here/../there", "/elsewhere"])
def test_the_data_folder_is_the_one_that_the_node_uses(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "waystation.toml"
    path.write_text(f'[node]\ndata = "{data}"\n')
    assert data_folder(path) == load(path, {}).settings.node.data
    monkeypatch.chdir(tmp_path)
    assert data_folder(None) == load(Path("waystation.toml"), {}).settings.node.data
    environ = {"WAYSTATION__NODE__DATA": "stated"}
    monkeypatch.setenv("WAYSTATION__NODE__DATA", "stated")
    assert data_folder(path) == load(path, environ).settings.node.data


def test_the_configuration_is_looked_for_in_the_same_places() -> None:
    assert api.PLACES == read.PLACES


@pytest.mark.parametrize(("later_s", "words"), [(-60.0, "due since"), (60.0, "next attempt")])
def test_a_time_that_is_over_is_not_called_the_next_attempt(
    later_s: float, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = dict.fromkeys(("reason", "by_user", "by_rule", "help", "ended_at"))
    entry = {"id": "1", "destination": "pacs", "group": "", "state": "waiting", "origin": "rule"}
    print_delivery(told | entry | {"due": time.time() + later_s}, [])
    assert f"  {words} 2" in capsys.readouterr().out
