"""``waystation queue`` and ``reload`` against a node that runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.objects.study import make_study
from tests.peers.dcmtk import storescu
from tests.peers.node import Node, destination, rule_to
from tests.peers.program import free_port, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.slow]
SHUT = 'window = "never"'


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node with four deliveries that wait and two arrivals that no rule takes."""
    folder = tmp_path / "node"
    config = destination("pacs", free_port(), ae_title="PACS", extra=SHUT)
    config += rule_to("pacs", when='{ Modality = "CT" }')
    with Node(folder, config) as started:
        make_study(folder / "tiny", "tiny", 4, seed="queue")
        make_study(folder / "other", "private", 2, seed="other")
        assert storescu(started.port, folder / "tiny").exit_code == 0
        sent = started.command(
            "send", f"WAYSTATION@127.0.0.1:{started.port}", str(folder / "other")
        )
        assert sent.returncode == 0, sent.stderr
        wait_until(lambda: queue(started)["held"] == {"no-rule": 2}, "two held arrivals")
        yield started


def queue(node: Node, *words: str) -> dict[str, Any]:
    done = node.command("queue", "list", *words, "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def decide(node: Node, *words: str) -> dict[str, Any]:
    done = node.command("queue", *words, "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def states(node: Node) -> dict[str, int]:
    lane = queue(node)["lanes"][0]
    return {name: lane[name] for name in ("waiting", "held", "discarded") if lane[name]}


def test_a_life_in_the_queue(node: Node) -> None:
    assert queue(node)["running"] is True
    assert states(node) == {"waiting": 4}
    assert decide(node, "hold", "--to", "pacs")["changed"] == 4
    first = queue(node, "--to", "pacs")["deliveries"][0]
    assert (first["state"], first["reason"]) == ("held", "operator")
    assert decide(node, "release", first["id"])["changed"] == 1
    discarded = decide(node, "discard", first["id"], "--because", "test image")
    assert (discarded["matching"], discarded["changed"]) == (1, 1)
    assert states(node) == {"held": 3, "discarded": 1}
    again = decide(node, "discard", first["id"], "--because", "test image")
    assert (again["changed"], again["left"]) == (0, {"discarded": 1})
    assert decide(node, "retry", "--to", "pacs", "--preview")["matching"] == 3
    assert decide(node, "retry", "--reason", "operator")["changed"] == 3
    assert states(node) == {"waiting": 3, "discarded": 1}
    story = json.loads(node.command("queue", "show", first["id"], "--json").stdout)
    assert story["deliveries"][0]["by_user"]
    assert story["deliveries"][0]["why"] == "test image"


def test_a_wrong_option_of_a_replay_exits_2_and_names_it(node: Node) -> None:
    for words, said in (
        (
            ["--where", "True", "--to", "nosuch"],
            'waystation: --to: no destination or group "nosuch"',
        ),
        (["--where", "Modality === 1"], "waystation: --where: column"),
    ):
        done = node.command("replay", "--since", "1h", *words)
        assert done.returncode == 2
        assert done.stderr.startswith(said), done.stderr


def test_held_arrivals_are_planned_again_by_the_rules_of_today(node: Node) -> None:
    text = node.config_file.read_text()
    node.config_file.write_text(text.replace('when = { Modality = "CT" }', ""))
    assert node.command("reload").returncode == 0
    waiting = queue(node)["lanes"][0]["waiting"]
    assert decide(node, "retry", "--reason", "no-rule")["changed"] == 2
    wait_until(lambda: queue(node)["lanes"][0]["waiting"] == waiting + 2, "two more deliveries")
    assert queue(node)["held"].get("no-rule", 0) == 0


def test_many_want_a_yes(node: Node, tmp_path: Path) -> None:
    make_study(tmp_path / "many", "tiny", 101, seed="many")
    assert storescu(node.port, tmp_path / "many").exit_code == 0
    wait_until(lambda: queue(node)["lanes"][0]["waiting"] > 100, "more than a hundred")
    asked = node.command("queue", "hold", "--to", "pacs")
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    assert queue(node)["lanes"][0]["held"] == 0
    assert decide(node, "hold", "--to", "pacs", "--yes")["changed"] > 100
    assert decide(node, "discard", "--all", "--because", "done with it", "--yes")["changed"] > 100


def test_a_paused_lane_stays_paused_over_a_restart(node: Node) -> None:
    assert node.command("queue", "pause", "pacs").returncode == 0
    node.restart()
    assert queue(node)["lanes"][0]["state"] == "paused"
    assert node.command("queue", "resume", "pacs").returncode == 0
    assert queue(node)["lanes"][0]["state"] != "paused"
    unknown = node.command("queue", "pause", "nope")
    assert (unknown.returncode, "no such destination" in unknown.stderr) == (1, True)


def test_a_broken_file_changes_nothing_and_exits_2(node: Node) -> None:
    text = node.config_file.read_text()
    node.config_file.write_text(text + "\n[nonsense]\n")
    done = node.command("reload")
    node.config_file.write_text(text)
    assert done.returncode == 2
    assert "nonsense" in done.stdout
    assert node.command("reload").returncode == 0


def test_after_a_crash_the_list_reads_the_journal_itself(node: Node) -> None:
    node.kill()
    document = queue(node)
    assert (document["running"], document["lanes"][0]["waiting"]) == (False, 4)
    assert node.command("queue", "retry", "--all").returncode == 3


@pytest.mark.req("R-76", "R-79")
def test_a_node_explains_and_keeps_quiet_about_the_patient(node: Node) -> None:
    study = queue(node, "--to", "pacs")["deliveries"][0]["study"]
    done = node.command("explain", study, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["running"], told["objects"], told["patient"]) == (True, 4, None)
    assert told["ways"][0]["states"] == {"waiting": 4}
    assert told["ways"][0]["why_not_now"][0].startswith("window shut")
    named = json.loads(node.command("explain", study, "--names", "--json").stdout)
    assert named["patient"]["id"]
    assert named["ways"][0]["why_not_now"] == told["ways"][0]["why_not_now"]
    assert named["patient"]["id"] not in done.stdout
    assert node.command("explain", "9.9.9").returncode == 1


@pytest.mark.req("R-78", "R-59")
def test_expressions_choose_from_the_command_line(node: Node) -> None:
    where = "InstanceNumber <= 2"
    listed = queue(node, "--where", where, "--to", "pacs")["deliveries"]
    assert len(listed) == 2
    assert decide(node, "hold", "--where", where, "--to", "pacs")["changed"] == 2
    assert states(node) == {"waiting": 2, "held": 2}
    words = ("replay", "--where", where, "--since", "1h", "--again", "--json")
    done = json.loads(node.command(*words).stdout)
    assert (done["arrivals"], done["made"], done["already"], done["held"]) == (2, 0, 2, 2)
    assert node.command("lane", "pause", "pacs").returncode == 0
    assert queue(node)["lanes"][0]["state"] == "paused"
    bad = node.command("replay", "--where", "Nonsense", "--since", "1h")
    assert (bad.returncode, "Nonsense" in bad.stderr) == (2, True)


@pytest.mark.req("R-77")
def test_a_simulation_runs_beside_the_node(node: Node, tmp_path: Path) -> None:
    other = tmp_path / "new.toml"
    text = node.config_file.read_text()
    other.write_text(text)
    same = node.command("simulate", "--with", str(other))
    assert (same.returncode, same.stdout) == (0, "2 studies: no difference\n")
    other.write_text(text.replace('when = { Modality = "CT" }', 'when = { Modality = "MG" }'))
    changed = json.loads(node.command("simulate", "--with", str(other), "--json").stdout)
    assert (changed["no_longer"], changed["nowhere"]) == ({"pacs": 1}, {"no-rule": 1})
