"""Receivers that refuse, abort, sleep, hang or are down: tried again, nothing lost, others served.

All faulty receivers stand behind one node; the calling title chooses.  Each is later replaced
by a good one on the same port.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.objects.study import Study, make_study
from tests.peers.dcmtk import StoreScp, storescu
from tests.peers.node import Node, destination, rule_to
from tests.peers.program import wait_until

pytestmark = pytest.mark.peer

TIMEOUTS = 'timeouts = { connect = "2s", associate = "2s", response = "2s", release = "1s" }'
FAULTS = {
    "ABORTDURING": ["--abort-during"],
    "ABORTAFTER": ["--abort-after"],
    "SLEEPDURING": ["--sleep-during", "60"],
    "SLEEPAFTER": ["--sleep-after", "60"],
    "REFUSE": ["--refuse"],
    "HANG": [],
}
HEALED = [name for name in FAULTS if name != "REFUSE"]
COUNT = 3


@dataclass(frozen=True, slots=True)
class Yard:
    """The node, what was sent to each faulty receiver, and the good ones in their places."""

    node: Node
    studies: dict[str, Study]
    faulty: dict[str, StoreScp]
    healed: dict[str, StoreScp]
    states_before: dict[str, dict[str, int]]

    def digests(self, name: str) -> dict[str, str]:
        """Return what reached the good one, or the faulty one before it failed."""
        return self.faulty[name].digests() | self.healed[name].digests()


def contacted(faulty: dict[str, StoreScp]) -> bool:
    """Return whether each one that can tell has seen an association."""
    return all("Association Received" in scp.log for name, scp in faulty.items() if name != "HANG")


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    folder = tmp_path_factory.mktemp("faults")
    with ExitStack() as stack:
        faulty = {
            name: stack.enter_context(
                StoreScp(folder / name, ae_title=name, options=["-v", *options], fork=False)
            )
            for name, options in FAULTS.items()
        }
        faulty["HANG"].pause()
        config = ""
        for name, scp in faulty.items():
            config += destination(name.lower(), scp.port, ae_title=name, extra=TIMEOUTS)
            config += rule_to(name.lower(), when=f'{{ calling_ae = "{name}" }}')
        node = stack.enter_context(Node(folder / "node", config))
        stack.callback(lambda: print(node.log[-12_000:]))
        studies = {}
        for name in FAULTS:
            studies[name] = make_study(folder / "in" / name, "tiny", COUNT, seed=name)
            assert storescu(node.port, studies[name].folder, calling=name).exit_code == 0
        wait_until(lambda: contacted(faulty), "each faulty receiver called")
        before = {name: node.states(name.lower()) for name in FAULTS}
        healed = {}
        for name in HEALED:
            faulty[name].kill()
            healed[name] = stack.enter_context(
                StoreScp(folder / f"{name}-good", ae_title=name, port=faulty[name].port)
            )
        yield Yard(node, studies, faulty, healed, before)


@pytest.mark.req("F9", "F10", "R-55", "R-57")
@pytest.mark.parametrize("name", HEALED)
def test_a_faulty_receiver_gets_everything_once_it_is_well(yard: Yard, name: str) -> None:
    yard.node.wait_for({"done": COUNT}, to=name.lower())
    assert yard.digests(name) == yard.studies[name].digests


@pytest.mark.req("F9", "F10")
@pytest.mark.parametrize("name", FAULTS)
def test_nothing_counts_as_delivered_while_the_receiver_fails(yard: Yard, name: str) -> None:
    before = yard.states_before[name]
    assert set(before) <= {"waiting", "sending", "done"}
    assert sum(before.values()) == COUNT
    # storescp sleeps "after" behind its response: that one object is truly there.
    assert before.get("done", 0) == (1 if name == "SLEEPAFTER" else 0)


@pytest.mark.req("O7", "F10")
def test_a_permanent_rejection_blocks_the_destination_and_holds_nothing(yard: Yard) -> None:
    yard.node.wait_for({"waiting": COUNT}, to="refuse")


@pytest.mark.req("R-14", "F10")
def test_an_abort_in_every_object_repeats_no_more_than_what_was_in_flight(
    tmp_path: Path, stack: ExitStack
) -> None:
    study = make_study(tmp_path / "study", "tiny", 4, seed="repeat")
    faulty = stack.enter_context(
        StoreScp(tmp_path / "bad", ae_title="SINK", options=["-v", "--abort-after"], fork=False)
    )
    config = destination("sink", faulty.port, ae_title="SINK") + rule_to("sink")
    node = stack.enter_context(Node(tmp_path / "node", config))
    stack.callback(lambda: print(node.log[-6000:]))
    assert storescu(node.port, study.folder).exit_code == 0
    wait_until(lambda: "Association Received" in faulty.log, "a first attempt")
    faulty.kill()
    good = stack.enter_context(StoreScp(tmp_path / "good", ae_title="SINK", port=faulty.port))
    wait_until(lambda: good.digests() == study.digests, "all delivered")
    node.wait_for({"done": 4})
