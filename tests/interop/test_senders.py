"""Every sender gets Success and its data sets come out byte for byte at the other end."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.objects.files import read_stored
from tests.objects.study import Study, make_study
from tests.peers.dcmtk import StoreScp, dcmsend, echoscu, storescu
from tests.peers.node import Node, destination, rule_to
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.program import wait_until
from tests.peers.pynetdicom_scu import ECHO, Scu

pytestmark = pytest.mark.peer


@dataclass(frozen=True, slots=True)
class Line:
    """A node that relays everything to a storescp."""

    node: Node
    sink: StoreScp


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("line")
    with ExitStack() as stack:
        sink = stack.enter_context(StoreScp(folder / "sink", ae_title="SINK", options=["-v"]))
        to_sink = destination("sink", sink.port, ae_title="SINK") + rule_to("sink")
        node = stack.enter_context(Node(folder / "node", to_sink))
        stack.callback(lambda: print(node.log[-6000:]))
        yield Line(node, sink)


def arrived(line: Line, study: Study) -> None:
    """Return once the whole study is at the sink, and equal."""
    wanted = study.digests.items()
    wait_until(lambda: line.sink.digests().items() >= wanted, "the study at the sink, equal")


@pytest.mark.req("R-6", "S-3", "R-63")
@pytest.mark.parametrize("tuned", [True, False], ids=["tuned", "untuned"])
def test_storescu_is_relayed_byte_for_byte(line: Line, tmp_path: Path, tuned: bool) -> None:
    study = make_study(tmp_path, "small", 8, seed=f"storescu-{tuned}")
    sent = storescu(line.node.port, study.folder, tuned=tuned)
    assert sent.exit_code == 0, sent.text
    arrived(line, study)


def test_dcmsend_is_relayed_byte_for_byte(line: Line, tmp_path: Path) -> None:
    study = make_study(tmp_path, "small", 8, seed="dcmsend")
    sent = dcmsend(line.node.port, study.folder)
    assert sent.exit_code == 0, sent.text
    arrived(line, study)


def test_objects_larger_than_any_buffer_are_relayed_byte_for_byte(
    line: Line, tmp_path: Path
) -> None:
    study = make_study(tmp_path, "ct", 4, seed="large")
    assert storescu(line.node.port, study.folder, options=["--max-send-pdu", "4096"]).exit_code == 0
    arrived(line, study)


def test_pynetdicom_is_relayed_byte_for_byte(line: Line, tmp_path: Path) -> None:
    study = make_study(tmp_path, "tiny", 4, seed="pynetdicom")
    objects = [read_stored(file.read_bytes()) for file in study.files]
    with Scu(line.node.port, [(objects[0].sop_class, [objects[0].transfer_syntax])]) as scu:
        assert [scu.store(item).status for item in objects] == [0] * 4
    arrived(line, study)


def test_orthanc_is_relayed_byte_for_byte(line: Line, tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", "small", 6, seed="orthanc")
    modality = Modality(name="ours", ae_title="WAYSTATION", port=line.node.port)
    with Orthanc(tmp_path / "orthanc", modalities=[modality]) as orthanc:
        instances = orthanc.upload(*study.files)
        orthanc.send("ours", instances)
        arrived(line, study)


def test_echo_is_answered_to_dcmtk_and_pynetdicom(line: Line) -> None:
    assert echoscu(line.node.port).exit_code == 0
    with Scu(line.node.port, [(ECHO, ["1.2.840.10008.1.2"])]) as scu:
        assert scu.echo() == 0


@pytest.mark.req("R-48")
def test_a_study_goes_out_over_one_association(line: Line, tmp_path: Path) -> None:
    study = make_study(tmp_path, "tiny", 5, seed="one association")
    before = line.sink.log.count("Association Received")
    assert storescu(line.node.port, study.folder).exit_code == 0
    arrived(line, study)
    assert line.sink.log.count("Association Received") - before == 1


@pytest.mark.req("R-14")
def test_what_was_acknowledged_survives_kill_9_and_is_delivered(
    tmp_path: Path, stack: ExitStack
) -> None:
    study = make_study(tmp_path / "study", "small", 12, seed="kill")
    sink = stack.enter_context(StoreScp(tmp_path / "sink", ae_title="SINK"))
    sink.close()
    config = destination("sink", sink.port, ae_title="SINK") + rule_to("sink")
    node = stack.enter_context(Node(tmp_path / "node", config))
    assert storescu(node.port, study.folder).exit_code == 0
    node.kill()
    again = stack.enter_context(StoreScp(tmp_path / "again", ae_title="SINK", port=sink.port))
    node.start()
    wait_until(lambda: again.digests() == study.digests, "all delivered after the crash")
    node.wait_for({"done": 12})


def test_the_digests_of_the_harness_are_those_of_the_files(tmp_path: Path) -> None:
    study = make_study(tmp_path, "tiny", 1)
    stored = read_stored(study.files[0].read_bytes())
    assert study.digests == {stored.sop_instance: hashlib.sha256(stored.data_set).hexdigest()}
