"""A node in front of dcmqrscp and Orthanc: QIDO-RS over C-FIND, federation, and the doctor."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.objects.files import Stored
from tests.objects.samples import as_file, study
from tests.peers.dcmqrscp import FINDSCU, QrScp, ask
from tests.peers.dcmtk import storescu
from tests.peers.node import Node
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.program import HOST, free_port, wait_until
from waystation.dicom.head import Head, identity

AT_QR, AT_BOTH, AT_ORTHANC = study(3, "at-qr"), study(2, "at-both"), study(4, "at-orthanc")
OPEN = {f"DicomAlwaysAllow{service}": True for service in ("Find", "Get", "Move")}
STUDY, SERIES, IMAGE, FROM = "0020000D", "0020000E", "00080018", "00080054"


def uids(one: Stored) -> tuple[str, str, str]:
    who = identity(Head.from_bytes(one.data_set, one.transfer_syntax))
    return who.study_uid, who.series_uid, who.sop_instance_uid


class Broker:
    """A node, and two PACS of which only one knows where it is."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.qr = stack.enter_context(QrScp(folder / "qr"))
        self.orthanc = Orthanc(folder / "orthanc", settings=OPEN)
        stack.enter_context(self.orthanc)
        for title, port, stored in (
            ("QRSCP", self.qr.port, [*AT_QR, *AT_BOTH]),
            ("ORTHANC", self.orthanc.port, [*AT_BOTH, *AT_ORTHANC]),
        ):
            files = folder / title
            files.mkdir()
            for number, one in enumerate(stored):
                (files / f"{number}.dcm").write_bytes(as_file(one))
            sent = storescu(port, files, called=title, options=["-R"])
            assert sent.exit_code == 0, sent.text
        config = "".join(
            f'[pacs.{name}]\nae_title = "{title}"\nhost = "{HOST}"\nport = {port}\n'
            for name, title, port in (
                ("qr", "QRSCP", self.qr.port),
                ("orthanc", "ORTHANC", self.orthanc.port),
            )
        )
        self.node = stack.enter_context(Node(folder / "node", config))

    def found(self, path: str) -> list[dict[str, Any]]:
        request = urllib.request.Request(f"{self.node.web}/dicom-web{path}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            rows: list[dict[str, Any]] = json.loads(answer.read())
            return rows

    def values(self, path: str, tag: str) -> set[str]:
        return {row[tag]["Value"][0] for row in self.found(path)}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with ExitStack() as stack:
        made = Broker(tmp_path_factory.mktemp("broker"), stack)
        yield made
        print(made.node.log[-6000:])


@pytest.mark.peer
@pytest.mark.req("W-20", "W-21", "W-22", "W-23", "W-24", "W-25", "W-26", "W-151")
@pytest.mark.parametrize("source", ["qr", "orthanc"])
def test_every_level_of_a_real_pacs_is_found(broker: Broker, source: str) -> None:
    own = {"qr": [*AT_QR, *AT_BOTH], "orthanc": [*AT_ORTHANC, *AT_BOTH]}[source]
    root = f"/sources/{source}"
    held = {uids(one) for one in own}
    one, series, _ = uids(own[0])
    here = {each for each in held if each[0] == one}
    assert broker.values(f"{root}/studies", STUDY) == {each[0] for each in held}
    assert broker.values(f"{root}/studies/{one}/series", SERIES) == {each[1] for each in here}
    instances = {each[2] for each in here if each[1] == series}
    path = f"{root}/studies/{one}/series/{series}/instances"
    assert broker.values(path, IMAGE) == instances
    assert broker.values(f"{root}/studies/{one}/instances", IMAGE) == {each[2] for each in here}
    assert broker.values(f"{root}/series", SERIES) == {each[1] for each in held}
    assert broker.values(f"{root}/instances", IMAGE) == {each[2] for each in held}
    head = Head.from_bytes(own[0].data_set, own[0].transfer_syntax)
    patient = head.text(0x00100020)
    assert broker.values(f"{root}/studies?PatientID={patient}", STUDY) == {
        uids(each)[0]
        for each in own
        if Head.from_bytes(each.data_set, each.transfer_syntax).text(0x00100020) == patient
    }
    assert broker.found(f"{root}/studies?PatientID=NOBODY") == []
    assert broker.values(f"{root}/studies?StudyInstanceUID={one},1.2.3", STUDY) == {one}


@pytest.mark.peer
@pytest.mark.req("W-20", "W-151")
def test_the_broker_finds_what_findscu_finds(broker: Broker) -> None:
    keys = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientName", "StudyDate"]
    told = ask(FINDSCU, broker.qr.port, "-S", keys=keys, called="QRSCP")
    rows = broker.found("/sources/qr/studies")
    for row in rows:
        assert row[STUDY]["Value"][0] in told.text
        assert row["00100010"]["Value"][0]["Alphabetic"] in told.text
    assert told.text.count("QueryRetrieveLevel") - 1 >= len(rows)


@pytest.mark.peer
@pytest.mark.req("W-126", "W-127", "W-128", "W-151")
def test_both_are_one_on_the_plain_root(broker: Broker) -> None:
    rows = broker.found("/studies")
    held = {row[STUDY]["Value"][0]: row[FROM]["Value"] for row in rows}
    assert held == {
        uids(AT_QR[0])[0]: ["qr"],
        uids(AT_BOTH[0])[0]: ["orthanc", "qr"],
        uids(AT_ORTHANC[0])[0]: ["orthanc"],
    }
    assert {row["00080056"]["Value"][0] for row in rows} == {"NEARLINE"}
    series = broker.values(f"/studies/{uids(AT_ORTHANC[0])[0]}/series", SERIES)
    assert series == {uids(one)[1] for one in AT_ORTHANC}
    health = {one["name"]: one["health"] for one in broker.found("/sources")}
    assert health == {"archive": "ok", "qr": "ok", "orthanc": "ok"}


@pytest.mark.peer
@pytest.mark.req("W-7")
def test_the_doctor_says_what_a_pacs_lacks(broker: Broker, tmp_path: Path) -> None:
    port = free_port()
    done = diagnosed(tmp_path, "QRSCP", broker.qr.port, port, "--json")
    rungs = {rung["name"]: rung for rung in json.loads(done.stdout)["rungs"]}
    assert done.returncode == 1, done.stdout
    assert rungs["originator"]["verdict"] == "bad"
    assert "A801" in rungs["originator"]["text"]
    advice = rungs["originator"]["advice"]
    assert f"AE title WAYSTATION, host 127.0.0.1, port {port}" in advice
    for name in ("services", "relational", "find", "list", "wildcard", "images", "charset"):
        assert rungs[name]["verdict"] == "ok", rungs[name]
    assert "C-GET is taken" in rungs["services"]["text"]
    assert "for C-MOVE know WAYSTATION" in rungs["register"]["text"]
    assert rungs["quirks"]["verdict"] == "ok"


def diagnosed(
    folder: Path, title: str, port: int, own: int, *words: str
) -> subprocess.CompletedProcess[str]:
    """Run the doctor for a PACS, with a listener of ours that does not run."""
    node = Node(folder / "none", "", start=False)
    node.config_file.write_text(
        f'[dicom]\nport = {own}\n[pacs.here]\nae_title = "{title}"\nhost = "{HOST}"\n'
        f"port = {port}\n"
    )
    return node.command("doctor", "here", *words)


@pytest.mark.peer
@pytest.mark.req("W-7")
def test_the_doctor_has_an_image_come_back_where_it_can(
    broker: Broker, tmp_path: Path, stack: ExitStack
) -> None:
    port = free_port()
    orthanc = stack.enter_context(
        Orthanc(
            tmp_path / "orthanc",
            modalities=[Modality(name="us", ae_title="WAYSTATION", port=port)],
            settings=OPEN,
        )
    )
    file = tmp_path / "one.dcm"
    file.write_bytes(as_file(AT_QR[0]))
    orthanc.upload(file)
    wait_until(lambda: orthanc.count() == 1, "the image in Orthanc")
    done = diagnosed(tmp_path, "ORTHANC", orthanc.port, port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "names the C-MOVE that it answers" in done.stdout, done.stdout
