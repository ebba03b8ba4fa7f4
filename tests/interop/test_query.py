"""A node as archive, asked by DCMTK and Orthanc; our own client asking Orthanc and ourselves."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.objects.files import Stored, stored_digests
from tests.objects.samples import as_file, in_syntax, study
from tests.peers.dcmqrscp import FINDSCU, GETSCU, MOVESCU, ask
from tests.peers.dcmtk import StoreScp
from tests.peers.node import Node
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.program import HOST, free_port, wait_until
from waystation.dicom.head import Head
from waystation.dicom.tags import STUDY_INSTANCE_UID

PICTURES = study(4, "pictures")
# What getscu has to be told to propose a syntax.
SYNTAXES = {
    "1.2.840.10008.1.2": "+xi",
    "1.2.840.10008.1.2.1": "+xe",
    "1.2.840.10008.1.2.2": "+xb",
    "1.2.840.10008.1.2.1.99": "+xd",
    "1.2.840.10008.1.2.4.50": "+xy",
    "1.2.840.10008.1.2.4.51": "+xx",
    "1.2.840.10008.1.2.4.70": "+xs",
    "1.2.840.10008.1.2.4.80": "+xt",
    "1.2.840.10008.1.2.4.81": "+xu",
    "1.2.840.10008.1.2.4.90": "+xv",
    "1.2.840.10008.1.2.4.91": "+xw",
    "1.2.840.10008.1.2.5": "+xr",
}


def study_of(stored: Stored) -> str:
    return Head.from_bytes(stored.data_set, stored.transfer_syntax).text(STUDY_INSTANCE_UID)


def fill(node: Node, folder: Path, objects: list[Stored]) -> None:
    folder.mkdir()
    for number, one in enumerate(objects):
        (folder / f"{number}.dcm").write_bytes(as_file(one))
    sent = node.command("send", f"WAYSTATION@{HOST}:{node.port}", str(folder))
    assert sent.returncode == 0, sent.stderr


def digests(objects: list[Stored]) -> dict[str, str]:
    return {one.sop_instance: one.digest for one in objects}


def peer(name: str, title: str, port: int) -> str:
    place = f'store_at = {{ host = "127.0.0.1", port = {port} }}\n'
    return f'[peer.{name}]\nae_title = "{title}"\n{place}'


class Place:
    """One node for all: PICTURES are in it; MOVESCP and ME take what it sends."""

    def __init__(self, folder: Path) -> None:
        self.scp = StoreScp(folder / "scp", ae_title="MOVESCP")
        self.port = free_port()
        self.peers = peer("scp", "MOVESCP", self.scp.port) + peer("me", "ME", self.port)
        self.node = Node(folder / "node", self.peers)
        self.files = folder / "files"
        fill(self.node, self.files, PICTURES)
        self.target = f"WAYSTATION@{HOST}:{self.node.port}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("place"))
    with made.scp, made.node:
        yield made
        print(made.node.log[-6000:])


@pytest.mark.peer
@pytest.mark.req("T-37", "T-42", "T-43")
def test_findscu_and_movescu_find_and_move(place: Place) -> None:
    node, scp = place.node, place.scp
    uid = study_of(PICTURES[0])
    level = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid}")
    found = ask(FINDSCU, node.port, "-S", keys=(*level, "NumberOfStudyRelatedInstances"))
    assert found.exit_code == 0
    assert "(0020,1208) IS [4 ]" in found.text
    moved = ask(MOVESCU, node.port, "-S", "-aem", "MOVESCP", keys=level)
    assert moved.exit_code == 0, moved.text
    wait_until(lambda: scp.digests() == digests(PICTURES), "what was moved")
    nowhere = ask(MOVESCU, node.port, "-S", "-aem", "NOWHERE", keys=level)
    assert "MoveDestinationUnknown" in nowhere.text
    bad = ("QueryRetrieveLevel=STUDY", "StudyInstanceUID=")
    nothing = ask(MOVESCU, node.port, "-S", "-aem", "MOVESCP", keys=bad)
    assert "DataSetDoesNotMatchSOPClass" in nothing.text


@pytest.mark.peer
@pytest.mark.req("TT-25", "T-43", "T-44")
def test_each_syntax_comes_back_by_c_get(place: Place, tmp_path: Path) -> None:
    objects = [in_syntax(syntax, seed=syntax) for syntax in SYNTAXES]
    node = place.node
    fill(node, tmp_path / "files", objects)
    uids = tmp_path / "uids"
    uids.write_text("\n".join(study_of(one) for one in objects))
    own = node.command(
        *("get", place.target, "--uids", str(uids), "--output", str(tmp_path / "own"), "--json")
    )
    document = json.loads(own.stdout)
    assert (own.returncode, document["completed"], document["failed"]) == (0, len(objects), 0)
    assert stored_digests(tmp_path / "own") == digests(objects)
    for one in objects:
        folder = tmp_path / "got" / one.transfer_syntax
        folder.mkdir(parents=True)
        keys = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study_of(one)}")
        options = (SYNTAXES[one.transfer_syntax], "-od", str(folder))
        got = ask(GETSCU, node.port, "-S", *options, keys=keys)
        assert got.exit_code == 0, got.text
        assert list(stored_digests(folder)) == [one.sop_instance], got.text


@pytest.mark.peer
@pytest.mark.req("T-44")
def test_what_getscu_cannot_take_is_listed_as_failed(place: Place, tmp_path: Path) -> None:
    jpeg = in_syntax("1.2.840.10008.1.2.4.50", seed="noise")
    node = place.node
    fill(node, tmp_path / "files", [jpeg])
    keys = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study_of(jpeg)}")
    got = ask(GETSCU, node.port, "-S", "+xi", "-od", str(tmp_path), keys=keys)
    assert "Refused: OutOfResourcesSubOperations" in got.text
    assert "Number of Failed Suboperations    : 1" in got.text


@pytest.mark.peer
@pytest.mark.req("T-42", "T-43")
def test_orthanc_queries_and_retrieves(place: Place, tmp_path: Path) -> None:
    us = Modality(name="node", ae_title="WAYSTATION", port=place.node.port)
    with Orthanc(tmp_path / "orthanc", modalities=[us]) as orthanc:
        place.node.write_config(place.peers + peer("orthanc", "ORTHANC", orthanc.port))
        assert place.node.command("reload").returncode == 0
        retrieve_by(orthanc)


def retrieve_by(orthanc: Orthanc) -> None:
    asked = json.loads(
        orthanc.ask(
            "/modalities/node/query",
            {"Level": "Study", "Query": {"StudyInstanceUID": study_of(PICTURES[0])}},
        )
    )
    answers = json.loads(orthanc.ask(f"{asked['Path']}/answers"))
    assert len(answers) == 1
    orthanc.ask(f"{asked['Path']}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
    assert orthanc.count() == len(PICTURES)


@pytest.mark.peer
@pytest.mark.req("T-49", "T-76")
def test_the_doctor_climbs_to_the_top_and_commit_hears_the_promise(
    place: Place, tmp_path: Path
) -> None:
    node = place.node
    words = (place.target, "--calling", "ME", "--port", str(place.port), "--json")
    done = node.command("doctor", *words, "--store")
    document = json.loads(done.stdout)
    verdicts = {rung["name"]: rung["verdict"] for rung in document["rungs"]}
    assert (done.returncode, document["verdict"]) == (0, "ok"), done.stdout
    assert verdicts.pop("tls") == "skipped"
    assert set(verdicts) == {
        *("name", "port", "association", "echo", "contexts", "find", "store", "move", "commit")
    }
    assert set(verdicts.values()) == {"ok"}
    promised = node.command("commit", *words, str(place.files))
    assert json.loads(promised.stdout)["committed"] == len(PICTURES)
    assert promised.returncode == 0
    (tmp_path / "other.dcm").write_bytes(as_file(study(1, "never sent")[0]))
    refused = node.command("commit", *words, str(tmp_path / "other.dcm"))
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["failed"][0]["reason"].startswith("0112")
