"""What follows each status of the policy table (S-21, R-55), by a receiver that is told to.

One node, one destination for each status; the calling title chooses the destination.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.objects.samples import sample
from tests.peers.node import Node, destination, rule_to
from tests.peers.program import wait_until
from tests.peers.pynetdicom_scp import ABORT, ScriptedScp
from tests.peers.raw import RawClient

pytestmark = pytest.mark.peer

WARNINGS = (0xB000, 0xB006, 0xB007, 0xB123, 0x0001, 0x0107, 0x0116, 0x0111)
TRANSIENT = (0xA700, 0xA701)
OBJECT = (0xA900, 0xC000, 0xC123, 0x0105, 0x0106, 0x0110, 0x0112, 0x0117, 0x0122, 0x1234, 0xD000)
PROTOCOL = (0x0210, 0x0211, 0x0212)
PEER = (0x0124, 0x0214)
TRIES = 3
ALWAYS = 50


@dataclass(frozen=True, slots=True)
class Case:
    """One scripted receiver and the object that was sent through to it."""

    scp: ScriptedScp
    sop_instance: str


@dataclass(frozen=True, slots=True)
class Table:
    node: Node
    cases: dict[str, Case]

    def attempts(self, name: str) -> int:
        return len(self.cases[name].scp.seen.attempts)


SCRIPTS: dict[str, list[int]] = {
    "GOOD": [],
    **{f"W{status:04X}": [status] for status in WARNINGS},
    **{f"T{status:04X}": [status] for status in TRANSIENT},
    **{f"O{status:04X}": [status] * ALWAYS for status in OBJECT},
    **{f"R{status:04X}": [status] * ALWAYS for status in PROTOCOL},
    **{f"P{status:04X}": [status] * ALWAYS for status in PEER},
    "ABORT": [ABORT],
    "ONCE": [0xC000],
    "ONCE0210": [0x0210],
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    folder = tmp_path_factory.mktemp("policy")
    with ExitStack() as stack:
        receivers = {
            name: stack.enter_context(ScriptedScp(script)) for name, script in SCRIPTS.items()
        }
        config = ""
        for name, scp in receivers.items():
            config += destination(name.lower(), scp.port, ae_title=name)
            config += rule_to(name.lower(), when=f'{{ calling_ae = "{name}" }}')
        node = stack.enter_context(Node(folder, config))
        stack.callback(lambda: print(node.log[-12_000:]))
        cases = {}
        for name, scp in receivers.items():
            item = sample(seed=f"policy {name}")
            with RawClient(node.port) as raw:
                raw.associate([(item.sop_class, [item.transfer_syntax])], calling=name)
                assert raw.store(item) == 0
                raw.release()
            cases[name] = Case(scp, item.sop_instance)
        yield Table(node, cases)


@pytest.mark.req("O1")
def test_success_is_done_with_one_attempt(table: Table) -> None:
    table.node.wait_for({"done": 1}, to="good")
    assert table.attempts("GOOD") == 1


@pytest.mark.req("O2", "N-10", "F8")
@pytest.mark.parametrize("status", WARNINGS, ids=lambda status: f"{status:04X}")
def test_a_warning_is_done_and_never_sent_again(table: Table, status: int) -> None:
    name = f"W{status:04X}"
    table.node.wait_for({"done": 1}, to=name.lower())
    assert table.attempts(name) == 1


@pytest.mark.req("O3", "F8")
@pytest.mark.parametrize("status", TRANSIENT, ids=lambda status: f"{status:04X}")
def test_lack_of_resources_is_tried_again_until_it_passes(table: Table, status: int) -> None:
    name = f"T{status:04X}"
    table.node.wait_for({"done": 1}, to=name.lower())
    assert table.attempts(name) == 2


@pytest.mark.req("O4", "F8")
def test_an_abort_is_followed_by_a_new_association(table: Table) -> None:
    table.node.wait_for({"done": 1}, to="abort")
    assert table.attempts("ABORT") == 2
    assert len(table.cases["ABORT"].scp.seen.associations) >= 2


@pytest.mark.req("O5", "N-12", "F8")
@pytest.mark.parametrize("status", OBJECT, ids=lambda status: f"{status:04X}")
def test_a_refused_object_is_held_after_its_tries(table: Table, status: int) -> None:
    name = f"O{status:04X}"
    table.node.wait_for({"held": 1}, to=name.lower())
    assert table.attempts(name) == TRIES
    (row,) = (row for row in table.node.deliveries() if row["destination"] == name.lower())
    assert "object-refused" in str(row)


@pytest.mark.req("O5")
def test_an_object_refused_once_is_delivered_by_the_next_try(table: Table) -> None:
    table.node.wait_for({"done": 1}, to="once")
    assert table.attempts("ONCE") == 2


@pytest.mark.req("O6", "F8")
@pytest.mark.parametrize("status", PROTOCOL, ids=lambda status: f"{status:04X}")
def test_a_protocol_fault_gets_one_more_try_then_a_person(table: Table, status: int) -> None:
    name = f"R{status:04X}"
    table.node.wait_for({"held": 1}, to=name.lower())
    assert table.attempts(name) == 2
    assert len(table.cases[name].scp.seen.associations) >= 2


@pytest.mark.req("O6")
def test_a_protocol_fault_may_pass_on_a_fresh_association(table: Table) -> None:
    table.node.wait_for({"done": 1}, to="once0210")
    assert table.attempts("ONCE0210") == 2


@pytest.mark.req("O7", "N-12", "F8")
@pytest.mark.parametrize("status", PEER, ids=lambda status: f"{status:04X}")
def test_a_refusing_peer_blocks_its_lane_and_charges_nobody(table: Table, status: int) -> None:
    name = f"P{status:04X}"
    wait_until(lambda: table.attempts(name) >= 1, "the first attempt")
    table.node.wait_for({"waiting": 1}, to=name.lower())
    assert table.attempts(name) == 1


@pytest.mark.req("O7")
def test_an_edit_of_a_blocked_destination_probes_it_at_once(table: Table) -> None:
    scp = ScriptedScp(port=0)
    with scp:
        old = table.cases["P0124"].scp.port
        text = table.node.config_file.read_text()
        wait_until(lambda: table.attempts("P0124") == 1, "the blocked attempt")
        table.node.config_file.write_text(text.replace(f"port = {old}\n", f"port = {scp.port}\n"))
        wait_until(lambda: scp.count() == 1, "delivered after the edit")
