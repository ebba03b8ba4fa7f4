"""Many at once, silent ones, broken ones: the service goes on and nothing is left behind."""

import os
import time
from contextlib import ExitStack

import pytest

from tests.interop.conftest import StartNode
from tests.objects.samples import sample
from tests.peers.dcmtk import echoscu
from tests.peers.node import Node
from tests.peers.program import wait_until
from tests.peers.raw import ABORT, ASSOCIATE_AC, ASSOCIATE_RJ, RawClient

pytestmark = pytest.mark.peer

HOLD = '\n[routing]\notherwise = "hold"\n'
LIMIT = "max_associations = 200\nmax_associations_per_peer = 200"


@pytest.mark.req("L17", "F15")
def test_200_associations_at_once_all_store_and_the_next_is_rejected_2_3_2(
    start_node: StartNode, stack: ExitStack
) -> None:
    node = start_node(HOLD, dicom=LIMIT)
    clients = []
    items = [sample(seed=f"crowd {number}") for number in range(200)]
    for item in items:
        client = stack.enter_context(RawClient(node.port))
        clients.append(client)
        answer = client.associate([(item.sop_class, [item.transfer_syntax])])
        assert answer is not None
        assert answer[0] == ASSOCIATE_AC
    with RawClient(node.port) as late:
        assert late.associate() == (ASSOCIATE_RJ, bytes([0, 2, 3, 2]))
    for client, item in zip(clients, items, strict=True):
        client.send(client.store_request(item))
    assert [client.status() for client in clients] == [0] * 200
    clients[0].release()
    wait_until(lambda: echoscu(node.port).exit_code == 0, "a freed place")


@pytest.mark.req("L18", "N-23", "F16")
def test_300_idle_sockets_do_not_stop_an_echo(start_node: StartNode, stack: ExitStack) -> None:
    node = start_node(HOLD)
    for number in range(300):
        source = f"127.0.1.{number // 40 + 1}"
        stack.enter_context(RawClient(node.port, source=source))
    assert echoscu(node.port).exit_code == 0
    # One address alone may not fill the place of the others.
    for _ in range(300):
        stack.enter_context(RawClient(node.port, source="127.0.2.1"))
    assert echoscu(node.port).exit_code == 0


@pytest.mark.req("L15")
def test_a_silent_socket_is_closed_when_its_time_is_over(start_node: StartNode) -> None:
    node = start_node(HOLD, dicom='timeouts = { request = "1s" }')
    with RawClient(node.port) as silent:
        assert silent.read_pdu() is None


@pytest.mark.req("L16")
def test_an_idle_association_is_aborted_when_its_time_is_over(start_node: StartNode) -> None:
    node = start_node(HOLD, dicom='timeouts = { idle = "1s" }')
    with RawClient(node.port) as idle:
        idle.associate()
        answer = idle.read_pdu()
        assert answer is not None
        assert answer[0] == ABORT


GREETINGS = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": bytes.fromhex("160301020001000001fc0303"),
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "PROXY": b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
    "zeros": bytes(64),
    "noise": bytes(range(256)) * 8,
    "huge request": b"\x01\x00\x7f\xff\xff\xff",
}


@pytest.mark.req("S-38")
def test_strange_greetings_are_closed_or_aborted_and_the_service_goes_on(
    start_node: StartNode,
) -> None:
    node = start_node(HOLD)
    for name, greeting in GREETINGS.items():
        with RawClient(node.port, timeout_s=5) as raw:
            raw.send(greeting)
            answer = raw.read_pdu()
            assert answer is None or answer[0] in (ABORT, ASSOCIATE_RJ), name
    assert echoscu(node.port).exit_code == 0


def half_sent(node: Node, *, abort: bool) -> None:
    """Send half of a CT slice and vanish, with an A-ABORT or without a word."""
    item = sample("ct", seed=f"half {abort}")
    with RawClient(node.port) as raw:
        raw.associate([(item.sop_class, [item.transfer_syntax])])
        request = raw.store_request(item)
        raw.send(request[: len(request) // 2])
        time.sleep(0.1)
        if abort:
            raw.send(bytes.fromhex("07000000000400000000"))


@pytest.mark.req("F24", "R-8", "N-1")
@pytest.mark.parametrize("abort", [False, True], ids=["vanishes", "aborts"])
def test_a_sender_cut_off_in_mid_object_leaves_nothing(start_node: StartNode, abort: bool) -> None:
    node = start_node(HOLD)
    assert echoscu(node.port).exit_code == 0
    before = node.blob_bytes()
    half_sent(node, abort=abort)
    wait_until(lambda: node.blob_bytes() == before, "no byte of the half object")
    assert node.deliveries() == []
    assert node.stop() == 0
    assert node.blob_bytes() == 0


@pytest.mark.req("L16", "F16")
def test_a_sender_that_stalls_in_mid_object_is_aborted_and_leaves_nothing(
    start_node: StartNode,
) -> None:
    node = start_node(HOLD, dicom='timeouts = { progress = "1s" }')
    item = sample("ct", seed="stall")
    with RawClient(node.port) as raw:
        raw.associate([(item.sop_class, [item.transfer_syntax])])
        request = raw.store_request(item)
        raw.send(request[: len(request) // 2])
        answer = raw.read_pdu()
        assert answer is None or answer[0] == ABORT
    wait_until(lambda: node.blob_bytes() == 0, "no byte of the stalled object")


@pytest.mark.req("S-73", "F18")
def test_sigterm_ends_with_exit_0_and_leaves_no_process(start_node: StartNode) -> None:
    node = start_node(HOLD)
    pid = node.pid
    assert node.stop() == 0
    assert not os.path.exists(f"/proc/{pid}/task")
