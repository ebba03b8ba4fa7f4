"""Every kind of receiver gets exactly the bytes that were sent to us."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.conftest import StartNode
from tests.objects.study import Study, make_study
from tests.peers.dcmtk import StoreScp, storescu
from tests.peers.node import destination, rule_to
from tests.peers.orthanc import Orthanc
from tests.peers.program import free_port, wait_until
from tests.peers.pynetdicom_scp import ScriptedScp

pytestmark = pytest.mark.peer


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path / "study", "small", 6, seed="destinations")


@pytest.mark.req("R-63")
def test_one_study_reaches_three_receivers_byte_for_byte(
    tmp_path: Path, stack: ExitStack, start_node: StartNode, study: Study
) -> None:
    storescp = stack.enter_context(StoreScp(tmp_path / "scp", ae_title="SCP"))
    orthanc = stack.enter_context(Orthanc(tmp_path / "orthanc"))
    pynetdicom = stack.enter_context(ScriptedScp(ae_title="PYNETDICOM"))
    node = start_node(
        destination("scp", storescp.port, ae_title="SCP")
        + destination("orthanc", orthanc.port, ae_title="ORTHANC")
        + destination("py", pynetdicom.port, ae_title="PYNETDICOM")
        + rule_to("scp", "orthanc", "py")
    )
    assert storescu(node.port, study.folder).exit_code == 0
    node.wait_for({"done": 18})
    assert storescp.digests() == study.digests
    assert orthanc.digests() == study.digests
    assert pynetdicom.digests() == study.digests


@pytest.mark.req("R-47", "R-57", "N-9")
def test_one_dead_destination_of_three_delays_nobody_and_gets_all_when_it_rises(
    tmp_path: Path, stack: ExitStack, start_node: StartNode, study: Study
) -> None:
    first = stack.enter_context(StoreScp(tmp_path / "first", ae_title="FIRST"))
    second = stack.enter_context(ScriptedScp(ae_title="SECOND"))
    dead_port = free_port()
    node = start_node(
        destination("dead", dead_port, ae_title="DEAD")
        + destination("first", first.port, ae_title="FIRST")
        + destination("second", second.port, ae_title="SECOND")
        + rule_to("dead", "first", "second")
    )
    assert storescu(node.port, study.folder).exit_code == 0
    wait_until(lambda: first.digests() == study.digests, "all at the first")
    wait_until(lambda: second.digests() == study.digests, "all at the second")
    assert node.states("dead") == {"waiting": 6}
    risen = stack.enter_context(StoreScp(tmp_path / "risen", ae_title="DEAD", port=dead_port))
    wait_until(lambda: risen.digests() == study.digests, "all at the risen one")
    node.wait_for({"done": 18})


@pytest.mark.req("R-53")
def test_the_sender_s_title_passes_through_where_asked(
    stack: ExitStack, start_node: StartNode, study: Study
) -> None:
    scp = stack.enter_context(ScriptedScp())
    fixed = stack.enter_context(ScriptedScp())
    own = stack.enter_context(ScriptedScp())
    node = start_node(
        destination("pass", scp.port, ae_title="A", extra='calling_ae = "passthrough"')
        + destination("fixed", fixed.port, ae_title="B", extra='calling_ae = "fixed:OTHER"')
        + destination("own", own.port, ae_title="C")
        + rule_to("pass", "fixed", "own")
    )
    assert storescu(node.port, study.folder, calling="CT1").exit_code == 0
    node.wait_for({"done": 18})
    assert set(scp.seen.associations) == {"CT1"}
    assert set(fixed.seen.associations) == {"OTHER"}
    assert set(own.seen.associations) == {"WAYSTATION"}


@pytest.mark.req("R-20", "N-7")
def test_every_matching_rule_sends(
    stack: ExitStack, start_node: StartNode, study: Study, tmp_path: Path
) -> None:
    everything = stack.enter_context(ScriptedScp())
    only_ct = stack.enter_context(ScriptedScp())
    ct = make_study(tmp_path / "ct", "tiny", 2, seed="rules")
    node = start_node(
        destination("all", everything.port, ae_title="ALL")
        + destination("ct", only_ct.port, ae_title="CT")
        + rule_to("all")
        + rule_to("ct", when='{ Modality = "CT" }')
    )
    assert storescu(node.port, study.folder, ct.folder).exit_code == 0
    node.wait_for({"done": 10})
    assert everything.digests() == study.digests | ct.digests
    assert only_ct.digests() == ct.digests


@pytest.mark.req("R-61")
def test_a_receiver_with_the_smallest_pdu_gets_pieces_that_fit(
    tmp_path: Path, stack: ExitStack, start_node: StartNode
) -> None:
    ct = make_study(tmp_path / "ct", "ct", 2, seed="small pdu")
    scp = stack.enter_context(StoreScp(tmp_path / "scp", ae_title="SCP", options=["-pdu", "4096"]))
    node = start_node(destination("scp", scp.port, ae_title="SCP") + rule_to("scp"))
    assert storescu(node.port, ct.folder).exit_code == 0
    wait_until(lambda: scp.digests() == ct.digests, "all received in small pieces")
