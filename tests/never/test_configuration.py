"""Defects of shipped routers that must not happen here: configuration (N-19)."""

import os
import time
from pathlib import Path

import pytest

from tests.peers.node import Node
from tests.peers.program import wait_until
from waystation.app.read import load_text

HOSTILE = r"""100% # not a comment; = $HOME ${HOME} %(x)s { } \ " '"""


@pytest.mark.req("N-19")
def test_no_sign_in_a_value_means_anything_but_itself(tmp_path: Path) -> None:
    quoted = HOSTILE.replace("\\", "\\\\").replace('"', '\\"')
    text = (
        f'[node]\nname = "{quoted}"\n'
        f'[[rule]]\nname = "{quoted}"\nthen = "hold"\nwhen = {{ StudyDescription = "{quoted}" }}\n'
    )
    settings = load_text(text, tmp_path / "waystation.toml", {}).settings
    assert settings.node.name == HOSTILE
    assert settings.rule[0].name == HOSTILE
    assert settings.rule[0].when == {"StudyDescription": HOSTILE}


@pytest.mark.req("N-19")
@pytest.mark.parametrize("word", ["info", "INFO", "Info"])
def test_the_case_of_a_log_level_breaks_nothing(word: str, tmp_path: Path) -> None:
    text = f'[log]\nlevel = "{word}"\n'
    assert load_text(text, tmp_path / "waystation.toml", {}).settings.log.level == "info"


@pytest.mark.req("N-19", "R-2", "RT-1")
def test_an_older_file_is_taken_and_a_broken_one_is_told(tmp_path: Path) -> None:
    """The time of a file says nothing: its content does."""
    with Node(tmp_path / "node", '[routing]\notherwise = "hold"\n') as node:
        file = node.config_file
        good = file.read_text(encoding="utf-8")
        file.write_text(good + '\n[[rule]]\nname = "x"\nsend = ["nowhere"]\n', encoding="utf-8")
        wait_until(lambda: "waystation_config_ok 0" in metrics(node), "the fault to show")
        file.write_text(good.replace('"hold"', '"discard"'), encoding="utf-8")
        an_hour_ago = time.time() - 3600.0
        os.utime(file, (an_hour_ago, an_hour_ago))
        wait_until(lambda: "waystation_config_ok 1" in metrics(node), "the older file in force")


def metrics(node: Node) -> str:
    """Return the metrics of a node."""
    from urllib.request import urlopen

    with urlopen(f"{node.web}/metrics", timeout=10) as answer:
        return str(answer.read().decode())
