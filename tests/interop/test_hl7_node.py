"""HL7 over TLS into a running node, and out again at the modality (T-60, T-61)."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import trustme

from tests.hl7.building import message, msh, order
from tests.peers.node import Node
from waystation.hl7.frames import Frames, framed
from waystation.hl7.message import Message, parse

CONFIG = """
[worklist.hl7]
port = 0
tls = {{ certificate = "{folder}/node.pem", key = "{folder}/node.key" }}
map = {{ ScheduledStationAETitle = ["IPC-9", "rooms(PV1-3.1)", "aes(Modality)"] }}
table = {{ rooms = "{folder}/rooms.csv", aes = "{folder}/aes.csv" }}

[worklist.hl7.sender.ris]
address = ["127.0.0.1"]
charset = "8859/2"
authority = "CITY"
"""


class Sender:
    """One MLLP connection over TLS."""

    def __init__(self, port: int, authority: trustme.CA) -> None:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        plain = socket.create_connection(("127.0.0.1", port), 10)
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        self._frames = Frames()

    def ask(self, raw: bytes) -> Message:
        """Send a message; return its answer."""
        self._socket.sendall(framed(raw))
        while (answer := self._frames.next()) is None:
            data = self._socket.recv(1 << 16)
            assert data, "the connection was closed"
            self._frames.feed(data)
        return parse(answer)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("papers")
    issued = authority.issue_cert("localhost")
    (folder / "node.pem").write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(folder / "node.key"))
    (folder / "rooms.csv").write_text("HL7,DICOM\nROOM7,CT_SEVEN\n")
    (folder / "aes.csv").write_text("CT,CT_ANY\n*,OTHER\n")
    with ExitStack() as stack:
        started = stack.enter_context(
            Node(tmp_path_factory.mktemp("node"), CONFIG.format(folder=folder))
        )
        stack.callback(lambda: print(started.log[-4000:]))
        yield started


@pytest.fixture
def sender(node: Node, authority: trustme.CA) -> Iterator[Sender]:
    port = json.loads((node.data / "node.json").read_text())["hl7_port"]
    opened = Sender(port, authority)
    yield opened
    opened.close()


def scheduled(node: Node, key: str) -> list[dict[str, object]]:
    """Return what a modality sees."""
    target = f"WAYSTATION@127.0.0.1:{node.port}"
    asked = node.command("find", target, "-k", key, "--model", "worklist", "--json")
    assert asked.returncode == 0, asked.stderr
    return [json.loads(line) for line in asked.stdout.splitlines()]


def city(raw: bytes) -> bytes:
    """Return a message of patients of the configured authority."""
    return raw.replace(b"^^^HOSP", b"^^^HOSP~C1^^^CITY")


@pytest.mark.req("T-60", "T-61")
def test_an_order_over_tls_is_what_the_modality_sees(node: Node, sender: Sender) -> None:
    assert sender.ask(city(order(1))).value("MSA", 1) == "AA"
    (entry,) = scheduled(node, "PatientID=C1")
    assert "CT_ANY" in json.dumps(entry)
    moved = city(order(1, verb="XO", at="20260101130000")).replace(b"ROOM1", b"ROOM7")
    assert sender.ask(moved).value("MSA", 1) == "AA"
    (entry,) = scheduled(node, "PatientID=C1")
    assert "CT_SEVEN" in json.dumps(entry)
    assert sender.ask(city(order(1, verb="CA", at="20260101140000"))).value("MSA", 1) == "AA"
    assert scheduled(node, "PatientID=C1") == []


@pytest.mark.req("T-61")
def test_text_without_msh_18_is_read_by_the_senders_setting(node: Node, sender: Sender) -> None:
    raw = message(
        msh(control="cs", charset=""),
        "PID|1||X2^^^CITY||Dvořák^Božena",
        "ORC|NW|PL-CS",
        "OBR|1|PL-CS||CT^Head||||||||||||||||||||CT",
        codec="iso8859-2",
    )
    assert sender.ask(raw).value("MSA", 1) == "AA"
    shown = node.command("worklist", "messages", "--json", "--limit", "1")
    (kept,) = json.loads(shown.stdout)["messages"]
    assert (kept["code"], kept["peer"]) == ("AA", "ris")
    assert "made" in kept["effects"][0]


@pytest.mark.req("T-60", "T-64")
def test_a_refused_message_waits_and_is_replayed(node: Node, sender: Sender) -> None:
    before = node.config_file.read_text()
    raw = order(7).replace(b"^^^HOSP", b"^^^TOWN")
    answer = sender.ask(raw)
    assert (answer.value("MSA", 1), answer.value("ERR", 1)) == ("AE", "PID")
    listed = node.command("worklist", "messages", "--refused", "--json")
    (kept,) = json.loads(listed.stdout)["messages"]
    assert "authority" in kept["why"]
    assert node.command("worklist", "replay", kept["id"]).returncode == 1
    node.config_file.write_text(before.replace('authority = "CITY"\n', ""))
    assert node.command("reload").returncode == 0
    done = node.command("worklist", "replay", kept["id"])
    assert done.returncode == 0, done.stderr
    assert len(scheduled(node, "AccessionNumber=ACC7")) == 1
    node.config_file.write_text(before)
    assert node.command("reload").returncode == 0


@pytest.mark.req("T-61")
def test_who_speaks_no_tls_is_not_heard(node: Node) -> None:
    port = json.loads((node.data / "node.json").read_text())["hl7_port"]
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        plain.sendall(framed(order(3)))
        plain.settimeout(15)
        assert b"MSA" not in plain.recv(4096)


@pytest.mark.req("T-60")
def test_a_hundred_messages_flow_over_one_connection(node: Node, sender: Sender) -> None:
    began = time.monotonic()
    for n in range(100, 200):
        assert sender.ask(city(order(n))).value("MSA", 1) == "AA"
    print(f"{100 / (time.monotonic() - began):.0f} messages a second")
