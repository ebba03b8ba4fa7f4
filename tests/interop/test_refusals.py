"""What a caller sees when we do not let it in, read off the wire (R-15, R-17, S-9, E13 to E15)."""

from dataclasses import replace

import pytest

from tests.interop.conftest import StartNode
from tests.objects.elements import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from tests.objects.files import Stored
from tests.objects.samples import ENCAPSULATED, sample
from tests.objects.study import CT_IMAGE, MR_IMAGE
from tests.peers.dcmtk import echoscu, storescu
from tests.peers.node import Node
from tests.peers.pynetdicom_scu import ECHO, Refused, Scu
from tests.peers.raw import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    DATA,
    RawClient,
    associate_request,
    pdu,
)

pytestmark = pytest.mark.peer

KNOWN = """
[peer.ct1]
ae_title = "CT1"
address = ["127.0.0.1"]
"""
HOLD = '\n[routing]\notherwise = "hold"\n'


@pytest.fixture
def guarded(start_node: StartNode) -> Node:
    return start_node(KNOWN + HOLD, dicom='peers = "known"')


@pytest.fixture
def open_node(start_node: StartNode) -> Node:
    return start_node(HOLD)


@pytest.mark.req("R-15", "E13", "S-43")
def test_unknown_titles_and_addresses_are_rejected_1_1_3_and_known_ones_let_in(
    guarded: Node,
) -> None:
    with pytest.raises(Refused):
        Scu(guarded.port, calling="STRANGER")
    with RawClient(guarded.port) as raw:
        assert raw.associate(calling="STRANGER") == (ASSOCIATE_RJ, bytes([0, 1, 1, 3]))
    with RawClient(guarded.port, source="127.0.0.2") as elsewhere:
        answer = elsewhere.associate(calling="CT1")
        # Outside every peer's addresses the socket may be closed before a byte is read.
        assert answer is None or answer == (ASSOCIATE_RJ, bytes([0, 1, 1, 3]))
    assert "Calling AE Title Not Recognized" in echoscu(guarded.port, calling="X").text
    assert echoscu(guarded.port, calling="CT1").exit_code == 0


@pytest.mark.req("R-15", "E13")
def test_a_wrong_called_title_is_rejected_1_1_7(open_node: Node) -> None:
    with pytest.raises(Refused):
        Scu(open_node.port, called="SOMEBODY")
    with RawClient(open_node.port) as raw:
        assert raw.associate(called="SOMEBODY") == (ASSOCIATE_RJ, bytes([0, 1, 1, 7]))
    assert "Called AE Title Not Recognized" in echoscu(open_node.port, called="ELSE").text


@pytest.mark.req("E14")
def test_a_wrong_application_context_and_version_are_rejected(open_node: Node) -> None:
    contexts = [(ECHO, [IMPLICIT_LITTLE])]
    with RawClient(open_node.port) as raw:
        raw.send(associate_request(contexts, application_context="1.2.3.4"))
        assert raw.read_pdu() == (ASSOCIATE_RJ, bytes([0, 1, 1, 2]))
    with RawClient(open_node.port) as raw:
        raw.send(associate_request(contexts, version=2))
        assert raw.read_pdu() == (ASSOCIATE_RJ, bytes([0, 1, 2, 2]))


@pytest.mark.req("R-16", "R-17", "E14")
def test_a_refused_class_and_an_unfit_syntax_fail_their_own_context_only(
    start_node: StartNode,
) -> None:
    node = start_node(HOLD, dicom='refuse = ["MRImageStorage"]')
    wanted = [
        (MR_IMAGE, [EXPLICIT_LITTLE]),
        (ECHO, [ENCAPSULATED["JPEG baseline"]]),
        (CT_IMAGE, [EXPLICIT_LITTLE]),
    ]
    with Scu(node.port, wanted) as scu:
        assert scu.results == [3, 4, 0]


@pytest.mark.req("E6", "R-8")
@pytest.mark.parametrize("field", ["sop_instance", "sop_class"])
def test_uids_of_command_and_data_set_that_differ_are_answered_a900(
    open_node: Node, field: str
) -> None:
    item = sample(seed=field)
    other_instance, other_class = (
        replace(item, sop_instance="1.2.3"),
        replace(item, sop_class=MR_IMAGE),
    )
    lying = other_instance if field == "sop_instance" else other_class
    with Scu(open_node.port, [(lying.sop_class, [item.transfer_syntax])]) as scu:
        answer = scu.store(lying)
        assert answer.status == 0xA900
        assert 0 < len(answer.comment) <= 64
        assert scu.established


def without_instance_uid(item: Stored) -> Stored:
    """Return the object without (0008,0018)."""
    at = item.data_set.index(b"\x08\x00\x18\x00UI")
    length = int.from_bytes(item.data_set[at + 6 : at + 8], "little")
    return replace(item, data_set=item.data_set[:at] + item.data_set[at + 8 + length :])


@pytest.mark.req("E7", "R-5", "R-8", "S-36")
def test_cut_and_incomplete_data_sets_are_answered_c000_and_the_association_lives(
    open_node: Node,
) -> None:
    item = sample(seed="cut")
    cut = replace(item, data_set=item.data_set[:-10])
    with Scu(open_node.port, [(item.sop_class, [item.transfer_syntax])]) as scu:
        assert scu.store(cut).status == 0xC000
        assert scu.store(without_instance_uid(item)).status == 0xC000
        assert scu.store(item).status == 0x0000
    open_node.stop()
    assert open_node.blob_bytes() <= len(item.data_set) + 1024


@pytest.mark.req("E7", "R-8")
def test_an_empty_data_set_is_answered_c000_and_the_association_lives(open_node: Node) -> None:
    item = sample(seed="empty")
    with RawClient(open_node.port) as raw:
        raw.associate([(item.sop_class, [item.transfer_syntax])])
        assert raw.store(replace(item, data_set=b"")) == 0xC000
        assert raw.store(item, message_id=2) == 0x0000
        raw.release()


@pytest.mark.req("R-34")
def test_no_rule_and_otherwise_refuse_is_answered_0124(start_node: StartNode) -> None:
    item = sample(seed="refused")
    node = start_node('[routing]\notherwise = "refuse"\n' + NOBODY)
    with Scu(node.port, [(item.sop_class, [item.transfer_syntax])]) as scu:
        assert scu.store(item).status == 0x0124


NOBODY = """
[destination.nowhere]
kind = "dicom"
host = "127.0.0.1"
port = 1
ae_title = "NOWHERE"

[[rule]]
name = "nobody"
when = { Modality = "NOBODY" }
send = ["nowhere"]
"""


@pytest.mark.req("E15", "L1", "L3")
def test_unknown_oversized_and_out_of_sequence_pdus_are_aborted(open_node: Node) -> None:
    with RawClient(open_node.port) as raw:
        raw.send(pdu(0x09, bytes(4)))
        assert raw.read_pdu() == (ABORT, bytes([0, 0, 2, 1]))
    with RawClient(open_node.port) as raw:
        answer = raw.associate()
        assert answer is not None
        assert answer[0] == ASSOCIATE_AC
        raw.send(bytes([DATA, 0]) + (1 << 30).to_bytes(4, "big"))
        assert raw.read_pdu() == (ABORT, bytes([0, 0, 2, 6]))
    with RawClient(open_node.port) as raw:
        raw.associate()
        raw.send(associate_request([(ECHO, [IMPLICIT_LITTLE])]))
        assert raw.read_pdu() == (ABORT, bytes([0, 0, 2, 2]))
    assert echoscu(open_node.port).exit_code == 0


def test_storescu_reports_our_refusal_of_a_stranger(guarded: Node) -> None:
    sent = storescu(guarded.port, guarded.folder, calling="STRANGER")
    assert sent.exit_code != 0
