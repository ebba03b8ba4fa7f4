"""Filters that look into the object: what its sender hears, and what stays kept (R-18, RT-4)."""

from pathlib import Path

import pytest

from tests.interop.conftest import StartNode
from tests.objects.samples import sample
from tests.objects.study import make_study
from tests.peers.dcmtk import storescu
from tests.peers.node import destination, rule_to
from tests.peers.program import free_port
from tests.peers.pynetdicom_scu import Scu

pytestmark = pytest.mark.peer

PEERS = """
[peer.ct1]
ae_title = "CT1"
address = ["127.0.0.1"]
refuse_when = { Modality = "CT", calling_ae = "CT1" }

[peer.ct2]
ae_title = "CT2"
address = ["127.0.0.1"]
otherwise = "refuse"

[peer.mr1]
ae_title = "MR1"
address = ["127.0.0.1"]
"""


@pytest.mark.req("R-18", "R-8")
def test_an_object_that_a_peers_filter_refuses_is_answered_0124_and_never_a7xx(
    tmp_path: Path, start_node: StartNode
) -> None:
    study = make_study(tmp_path / "study", "tiny", 1, seed="filtered")
    node = start_node(PEERS, dicom='peers = "known"')
    refused = storescu(node.port, study.folder, calling="CT1", options=["-d"])
    assert "0x0124" in refused.text
    assert "0xa7" not in refused.text.lower()
    assert storescu(node.port, study.folder, calling="MR1").exit_code == 0
    item = sample(seed="filtered")
    with Scu(node.port, [(item.sop_class, [item.transfer_syntax])], calling="CT1") as scu:
        answer = scu.store(item)
        assert (answer.status, answer.comment) == (0x0124, "refused by peer.ct1.refuse_when")
        assert scu.established


@pytest.mark.req("R-18")
def test_a_filter_of_the_listener_is_for_everybody(start_node: StartNode) -> None:
    node = start_node("", dicom='refuse_when = [{ Modality = "MR" }, { Rows = { lt = 20 } }]')
    item = sample(seed="small rows")
    with Scu(node.port, [(item.sop_class, [item.transfer_syntax])]) as scu:
        answer = scu.store(item)
        assert (answer.status, answer.comment) == (0x0124, "refused by dicom.refuse_when")


def test_the_priority_that_the_sender_asks_for_is_a_fact(
    tmp_path: Path, start_node: StartNode
) -> None:
    node = start_node("", dicom='refuse_when = { priority = "low" }')
    item = sample(seed="priority")
    with Scu(node.port, [(item.sop_class, [item.transfer_syntax])]) as low:
        assert low.store(item).status == 0x0124
    study = make_study(tmp_path / "study", "tiny", 1, seed="priority")
    assert storescu(node.port, study.folder).exit_code == 0


@pytest.mark.req("R-34")
def test_a_peer_may_have_what_no_rule_takes_refused(start_node: StartNode) -> None:
    node = start_node(
        PEERS
        + destination("nowhere", free_port(), ae_title="NOWHERE")
        + rule_to("nowhere", when='{ Modality = "NOBODY" }'),
        dicom='peers = "known"',
    )
    item = sample(seed="override")
    contexts = [(item.sop_class, [item.transfer_syntax])]
    with Scu(node.port, contexts, calling="CT2") as scu:
        assert scu.store(item).status == 0x0124
    with Scu(node.port, contexts, calling="MR1") as scu:
        assert scu.store(item).status == 0x0000


@pytest.mark.req("R-18", "R-11")
def test_what_every_destination_filters_is_held_and_not_lost(start_node: StartNode) -> None:
    node = start_node(
        destination("pacs", free_port(), ae_title="PACS", extra='refuse_when = { Modality = "CT" }')
        + rule_to("pacs")
    )
    item = sample(seed="all filter")
    with Scu(node.port, [(item.sop_class, [item.transfer_syntax])]) as scu:
        assert scu.store(item).status == 0x0000
    node.wait_for({"discarded": 1})
    (row,) = node.deliveries()
    assert row["by_rule"] == 'pacs.refuse_when Modality "CT" is "CT"'
    assert "no-rule" in node.command("queue").stdout
