"""The golden questions to a query/retrieve server, asked of a node that holds their data (T-81)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.conftest import StartNode
from tests.peers.program import free_port

ARCHIVE = """
[archive]
patient_study_only = true

[peer.dest]
ae_title = "DESTAE"
store_at = {{ host = "127.0.0.1", port = {port} }}
"""


@pytest.mark.peer
@pytest.mark.req("T-81", "TT-4", "TT-6", "T-37", "T-41", "T-42")
def test_every_golden_question_is_answered_as_the_standard_or_better_says(
    golden: Path, start_node: StartNode, tmp_path: Path
) -> None:
    port = free_port()
    node = start_node(ARCHIVE.format(port=port), dicom='aliases = ["GOLD"]\n')
    sent = node.command("send", f"GOLD@127.0.0.1:{node.port}", str(golden / "qr" / "data"))
    assert sent.returncode == 0, sent.stderr
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            *(
                sys.executable,
                str(golden / "compare.py"),
                str(golden / "qr"),
                "127.0.0.1",
                str(node.port),
            ),
            *("--gate", "S,D", "--move-port", str(port), "--json", str(report)),
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(report.read_text())
