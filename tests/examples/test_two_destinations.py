"""One PACS that must get everything, one place that may: Orthanc and DCMTK (R-46, R-90)."""

import sqlite3
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.examples.making import ExampleNode, peer_values
from tests.objects.study import make_study
from tests.peers.dcmtk import StoreScp, storescu
from tests.peers.orthanc import Orthanc

pytestmark = pytest.mark.peer


@pytest.mark.req("R-46", "R-90")
def test_the_optional_one_that_is_down_holds_and_alarms_nothing(
    tmp_path: Path, stack: ExitStack
) -> None:
    pacs = stack.enter_context(Orthanc(tmp_path / "pacs", ae_title="PACS"))
    teaching = stack.enter_context(StoreScp(tmp_path / "teaching", ae_title="TEACHING", fork=False))
    values = {
        **peer_values("pacs", pacs.port, "PACS"),
        **peer_values("teaching", teaching.port, "TEACHING"),
        "destination.teaching.optional_for": '"4s"',
    }
    node = stack.enter_context(ExampleNode(tmp_path / "node", "two-destinations", values))
    stack.callback(lambda: print(node.log[-6000:]))
    first = make_study(tmp_path / "first", "small", 4, seed="first")
    second = make_study(tmp_path / "second", "small", 4, seed="second")
    assert storescu(node.port, first.folder).exit_code == 0
    node.wait_for({"done": 8})

    teaching.kill()
    assert storescu(node.port, second.folder).exit_code == 0
    node.wait_for({"done": 8}, to="pacs")
    assert pacs.digests() == first.digests | second.digests
    node.wait_for({"done": 4, "discarded": 4}, to="teaching")
    assert {row["by_rule"] for row in node.deliveries() if row["state"] == "discarded"} == {
        "optional expired"
    }
    assert teaching.digests() == first.digests
    journal = sqlite3.connect(f"file:{node.data / 'journal.db'}?mode=ro", uri=True)
    stack.callback(journal.close)
    assert journal.execute("SELECT count(*) FROM incident").fetchone() == (0,)
    assert journal.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
