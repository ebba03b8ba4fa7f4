"""``queue fix`` and ``queue show --names``: a person looks, corrects, and sends (R-59, R-66)."""

import json
from pathlib import Path

import pytest

from tests.objects.study import make_study
from tests.peers.dcmtk import StoreScp, storescu
from tests.peers.node import Node, destination, rule_to
from tests.peers.program import wait_until
from waystation.dicom.head import Head

pytestmark = [pytest.mark.peer, pytest.mark.slow]

IDS = '[validate.ids]\npatterns = { PatientID = "[0-9]{7}" }\n'


@pytest.mark.req("R-59", "R-66", "R-68")
def test_a_held_object_is_looked_at_fixed_and_sent(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    with StoreScp(tmp_path / "scp") as scp:
        rule = rule_to("pacs") + 'validate = ["ids"]\n'
        config = destination("pacs", scp.port, ae_title="STORESCP") + rule + IDS
        with Node(folder, config) as node:
            make_study(folder / "tiny", "tiny", 1, seed="fix")
            assert storescu(node.port, folder / "tiny").exit_code == 0

            def held() -> list[dict[str, str]]:
                done = node.command("queue", "list", "--held", "--json")
                found: list[dict[str, str]] = json.loads(done.stdout)["deliveries"]
                return found

            wait_until(lambda: len(held()) == 1, "one held delivery")
            (entry,) = held()
            assert (entry["reason"], entry["help"][:10]) == ("validation", "queue show")
            plain = node.command("queue", "show", entry["id"]).stdout
            assert "steps      validate ids" in plain
            names = node.command("queue", "show", entry["id"], "--names").stdout
            (side,) = [line for line in names.splitlines() if "PatientID: here" in line]
            value = side.split("here ")[1].split(",")[0]
            assert value not in plain
            wrong = node.command("queue", "fix", entry["id"], "--set", "Rows=5")
            assert (wrong.returncode, "cannot be edited" in wrong.stderr) == (1, True)
            fixed = node.command("queue", "fix", entry["id"], "--set", "PatientID=1234567")
            assert fixed.returncode == 0, fixed.stderr
            wait_until(lambda: scp.count() == 1, "the corrected object")
            (got,) = scp.stored()
            head = Head.from_bytes(got.data_set, got.transfer_syntax)
            assert head.text(0x00100020) == "1234567"
            told = json.loads(node.command("queue", "show", entry["id"], "--json").stdout)
            assert told["steps"][entry["id"]]["changed"] == ["PatientID"]
            assert value not in json.dumps(told)
            why = node.command("explain", entry["id"]).stdout
            assert "steps: validate ids" in why
