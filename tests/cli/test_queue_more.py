"""The rest of the queue's commands with the node stopped: ages, shares, lanes, expressions."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_queue import journal

__all__ = ["journal"]


@pytest.mark.req("R-79")
def test_the_table_shows_ages_and_what_became_of_today(
    journal: Path, config: Path, run: Run
) -> None:
    text = run("queue", "--config", config).out
    for word in ("lane", "window", "<5m", "<15m", "<1h", "<4h", "<1d", "more", "clears"):
        assert word in text
    assert "deliveries today" in text
    lane = json.loads(run("queue", "--json", "--config", config).out)["lanes"][0]
    assert sum(lane["ages"].values()) == lane["waiting"] == 3


@pytest.mark.req("R-79")
@pytest.mark.parametrize(("by", "names"), [("peer", {"ct1"}), ("rule", {"all"})])
def test_what_is_open_is_shown_by_peer_and_by_rule(
    by: str, names: set[str], journal: Path, config: Path, run: Run
) -> None:
    done = run("queue", "--by", by, "--json", "--config", config)
    document = json.loads(done.out)
    assert (document["by"], document["running"]) == (by, False)
    assert {share["name"] for share in document["shares"]} == names
    assert by in run("queue", "list", "--by", by, "--config", config).out


def test_studies_that_wait_longest_stand_first_and_a_limit_cuts(
    journal: Path, config: Path, run: Run
) -> None:
    words = ("queue", "list", "--by", "study", "--limit", "1", "--json", "--config", config)
    assert len(json.loads(run(*words).out)["shares"]) == 1
    wrong = run("queue", "--by", "patient", "--config", config)
    assert (wrong.code, "--by" in wrong.err) == (2, True)


def test_an_expression_is_read_before_anything_else(journal: Path, config: Path, run: Run) -> None:
    wrong = run("queue", "list", "--where", "Modalty == 'CT'", "--config", config)
    assert (wrong.code, "did you mean" in wrong.err) == (2, True)
    # These arrivals have neither bytes nor heads: nothing is true of them.
    done = run("queue", "list", "--where", "True", "--json", "--config", config)
    assert json.loads(done.out)["deliveries"] == []


@pytest.mark.parametrize("words", [("lane", "pause", "pacs"), ("lane", "resume", "pacs")])
def test_lane_is_another_word_for_queue(
    words: tuple[str, ...], journal: Path, config: Path, run: Run
) -> None:
    done = run(*words, "--config", config)
    assert (done.code, "no node is running" in done.err) == (3, True)


def test_replay_needs_a_node_and_a_time(journal: Path, config: Path, run: Run) -> None:
    done = run("replay", "--where", "True", "--since", "2d", "--config", config)
    assert (done.code, "no node is running" in done.err) == (3, True)
    wrong = run("replay", "--where", "True", "--since", "yesterday", "--config", config)
    assert (wrong.code, '"7d"' in wrong.err) == (2, True)


def test_fix_needs_a_node_and_an_assignment(journal: Path, config: Path, run: Run) -> None:
    done = run("queue", "fix", "1", "--set", "PatientID=X", "--config", config)
    assert (done.code, "no node is running" in done.err) == (3, True)
    wrong = run("queue", "fix", "1", "--set", "PatientID", "--config", config)
    assert (wrong.code, "KEYWORD=VALUE" in wrong.err) == (2, True)


@pytest.mark.req("R-3")
def test_a_check_tells_what_would_be_held_of_the_queue(
    journal: Path, config: Path, run: Run
) -> None:
    assert "queue:" not in run("check", "--queue", "--config", config).out
    config.write_text(config.read_text().replace("destination.pacs", "destination.other"))
    config.write_text(config.read_text().replace('["pacs"]', '["other"]'))
    done = run("check", "--queue", "--config", config)
    assert done.code == 0
    assert "queue: 3 deliveries to pacs would be held (destination-gone)" in done.out
    document = json.loads(run("check", "--queue", "--json", "--config", config).out)
    effect = {"destination": "pacs", "deliveries": 3, "becomes": "held"}
    assert document["queue"] == [effect]
    assert run("check", "--queue", "--strict", "--config", config).code == 1
    assert "queue" not in json.loads(run("check", "--json", "--config", config).out)
