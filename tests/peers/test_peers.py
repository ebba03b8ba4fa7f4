"""The harness itself, before it judges anything: peers against peers, without our node."""

from pathlib import Path

import pytest

from tests.objects.samples import IMPLICIT_LITTLE, as_file, in_syntax, sample
from tests.objects.study import PRIVATE_CLASS, make_study
from tests.peers import program
from tests.peers.dcmtk import StoreScp, dcmsend, echoscu, storescu
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.pynetdicom_scp import ABORT, ScriptedScp
from tests.peers.pynetdicom_scu import Refused, Rejection, Scu
from tests.peers.raw import RawClient

pytestmark = pytest.mark.peer


def test_no_port_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    first = program.free_port()
    monkeypatch.setattr(program, "PORTS", range(first, first + 20))
    given = [program.free_port() for _ in range(5)]
    assert len({first, *given}) == 6


def test_storescu_to_storescp_keeps_every_byte(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", "tiny", 3)
    with StoreScp(tmp_path / "scp") as scp:
        assert storescu(scp.port, study.folder, called="STORESCP").exit_code == 0
        assert dcmsend(scp.port, study.folder, called="STORESCP").exit_code == 0
        assert echoscu(scp.port, called="STORESCP").exit_code == 0
        assert scp.digests() == study.digests


def test_orthanc_keeps_and_sends_every_byte(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", "tiny", 2)
    with StoreScp(tmp_path / "scp", ae_title="SINK") as sink:
        modality = Modality(name="sink", ae_title="SINK", port=sink.port)
        with Orthanc(tmp_path / "orthanc", modalities=[modality]) as orthanc:
            assert storescu(orthanc.port, study.folder, called="ORTHANC").exit_code == 0
            assert orthanc.digests() == study.digests
            orthanc.send("sink", orthanc.instances())
            assert sink.digests() == study.digests


def test_the_scripted_scp_answers_its_script() -> None:
    item = sample()
    with ScriptedScp([0xA700, 0xB000]) as scp:
        with Scu(scp.port, [(item.sop_class, [item.transfer_syntax])], called="X") as scu:
            answers = [scu.store(item) for _ in range(3)]
        assert [answer.status for answer in answers] == [0xA700, 0xB000, 0x0000]
        assert answers[0].comment == "scripted"
        assert scp.seen.attempts == [item.sop_instance] * 3
        assert scp.digests() == {item.sop_instance: item.digest}


def test_the_scripted_scp_aborts_when_told() -> None:
    item = sample()
    with ScriptedScp([ABORT]) as scp, RawClient(scp.port) as raw:
        raw.associate([(item.sop_class, [item.transfer_syntax])])
        assert raw.store(item) is None
        assert scp.count() == 0


def test_the_raw_client_stores_and_echoes(tmp_path: Path) -> None:
    private = sample("private")
    implicit = in_syntax(IMPLICIT_LITTLE, seed=1)
    contexts = [
        ("1.2.840.10008.1.1", [IMPLICIT_LITTLE]),
        (private.sop_class, [private.transfer_syntax]),
        (implicit.sop_class, [IMPLICIT_LITTLE]),
    ]
    with ScriptedScp(extra_classes=[PRIVATE_CLASS]) as scp, RawClient(scp.port) as raw:
        answer = raw.associate(contexts)
        assert answer is not None
        assert answer[0] == 2
        assert raw.echo(context=1) == 0
        assert raw.store(private, context=3) == 0
        assert raw.store(implicit, context=5, message_id=2) == 0
        raw.release()
        assert scp.digests() == {
            private.sop_instance: private.digest,
            implicit.sop_instance: implicit.digest,
        }


def test_a_refusing_storescp_gives_its_rejection(tmp_path: Path) -> None:
    with StoreScp(tmp_path / "scp", options=["--refuse"]) as scp:
        with pytest.raises(Refused) as refused:
            Scu(scp.port, called="STORESCP")
        assert refused.value.rejection == Rejection(result=1, source=1, reason=1)


def test_a_paused_peer_hangs_and_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "one.dcm"
    file.write_bytes(as_file(sample()))
    with StoreScp(tmp_path / "scp", fork=False) as scp:
        scp.pause()
        assert storescu(scp.port, file, options=["-ta", "1"]).exit_code != 0
        scp.resume()
        assert storescu(scp.port, file).exit_code == 0
        assert scp.count() == 1
