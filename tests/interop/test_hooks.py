"""Programs that a whole node runs, on the event loop that it really has."""

import stat
from pathlib import Path

import pytest

from tests.interop.conftest import StartNode
from tests.objects.files import stored_digests
from tests.objects.study import make_study
from tests.peers.dcmtk import storescu
from tests.peers.node import QUICK_RETRY, rule_to

pytestmark = pytest.mark.peer


def hook(folder: Path, text: str, *, extra: str = "") -> str:
    script = folder / "hook.sh"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(stat.S_IRWXU)
    return (
        f'\n[destination.hook]\nkind = "command"\ncommand = ["{script}", "{{file}}"]\n'
        f"{QUICK_RETRY}\n{extra}\n"
    )


def test_a_program_gets_every_object_byte_for_byte(tmp_path: Path, start_node: StartNode) -> None:
    study = make_study(tmp_path / "study", "small", 5, seed="hook")
    big = make_study(tmp_path / "big", "ct", 2, seed="hook big")
    out = tmp_path / "out"
    out.mkdir()
    text = f'cp "$1" "{out}/$WAYSTATION_SOP_INSTANCE_UID"'
    node = start_node(hook(tmp_path, text) + rule_to("hook"))
    assert storescu(node.port, study.folder, big.folder).exit_code == 0
    node.wait_for({"done": 7})
    assert stored_digests(out) == study.digests | big.digests
    assert not [path for path in (node.data / "hooks").rglob("*") if path.is_file()]


@pytest.mark.req("O5")
def test_a_program_that_hangs_or_fails_loses_nothing(tmp_path: Path, start_node: StartNode) -> None:
    study = make_study(tmp_path / "study", "small", 3, seed="hook fails")
    first = tmp_path / "first"
    text = f"[ -e {first} ] || {{ touch {first}; sleep 60 & wait; }}\nexit 3"
    node = start_node(hook(tmp_path, text, extra='timeout = "300ms"') + rule_to("hook"))
    assert storescu(node.port, study.folder).exit_code == 0
    node.wait_for({"held": 3})
    story = node.command("queue", "list", "--held").stdout
    assert "exit code 3" in story
