"""A node in front of old PACS, DCMTK's dcmqrscp and Orthanc: DICOMweb that they do not have."""

import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from tests.interop.test_query import peer, study_of
from tests.interop.test_viewer import SLICES, slices
from tests.objects.files import Stored, read_stored, stored_digests
from tests.objects.samples import as_file, in_syntax, study
from tests.objects.study import uid_of
from tests.peers.chromium import CHROMIUM, ohif, screenshot
from tests.peers.dcmqrscp import FINDSCU, GETSCU, MOVESCU, QrScp, ask
from tests.peers.dcmtk import StoreScp
from tests.peers.node import Node
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.program import free_port, need, wait_until
from tests.web.living import parts_of, path_of
from waystation.app.viewer_install import install

STAR = 'multipart/related; type="application/dicom"; transfer-syntax=*'
BOTH = study(6, "broker both")
ONLY = study(3, "broker only")
MANY = study(40, "broker many")
BIG = study(30, "broker big", "ct")
PRESSED = [in_syntax("1.2.840.10008.1.2.4.80", seed=f"broker {n}") for n in range(2)]
LENT = study(7, "broker lent")
GIVEN = study(4, "broker given")
CURL = "/usr/bin/curl"


def pacs(name: str, title: str, port: int, extra: str = "") -> str:
    return f'[pacs.{name}]\nae_title = "{title}"\nhost = "127.0.0.1"\nport = {port}\n{extra}\n'


def write(folder: Path, some: Sequence[Stored]) -> list[Path]:
    """Write objects as files."""
    folder.mkdir(parents=True)
    files = [folder / f"{number}.dcm" for number in range(len(some))]
    for file, one in zip(files, some, strict=True):
        file.write_bytes(as_file(one))
    return files


class Place:
    """A dcmqrscp and an Orthanc, and one node in front; each PACS by C-GET and by C-MOVE."""

    def __init__(self, folder: Path) -> None:
        port, self.viewer = free_port(), free_port()
        self.qrscp = QrScp(folder / "qrscp", destinations={"WAYSTATION": port})
        self.orthanc = Orthanc(
            folder / "orthanc",
            modalities=[Modality(name="node", ae_title="WAYSTATION", port=port)],
        )
        write(folder / "old", [*ONLY, *MANY, *BOTH, *LENT, *GIVEN])
        self.qrscp.load(folder / "old")
        self.orthanc.upload(*write(folder / "young", [*BOTH, *PRESSED, *slices()]))
        old, young = self.qrscp.port, self.orthanc.port
        alone = "federate = false\n"
        tables = [
            pacs("old", "QRSCP", old, 'retrieve = "get"\npriority = 5\n'),
            pacs("old-move", "QRSCP", old, f'retrieve = "move"\n{alone}'),
            pacs("young", "ORTHANC", young, 'retrieve = "get"\n'),
            pacs("young-move", "ORTHANC", young, f'retrieve = "move"\n{alone}'),
            pacs("auto", "QRSCP", old, alone),
        ]
        self.workstation = StoreScp(folder / "ws", ae_title="MOVESCP")
        tables += [peer("ws", "MOVESCP", self.workstation.port), "[archive]\nfederate = true\n"]
        config = "".join(tables) + f"[web.viewer]\nport = {self.viewer}\n"
        self.node = Node(folder / "node", config, start=False)
        self.node.port = port
        self.node.write_config(config)

    def get(self, path: str, *, source: str = "old", accept: str = "*/*") -> httpx2.Response:
        root = f"{self.node.web}/dicom-web" + (f"/sources/{source}" if source else "")
        headers = {"accept": accept, "accept-encoding": "identity"}
        return httpx2.get(root + path, headers=headers, timeout=60)

    def fetches(self, source: str, one: Stored) -> list[dict[str, Any]]:
        """Return how the retrievals of a study came to their end."""
        found = httpx2.get(f"{self.node.web}/api/v1/fetches").json()["fetches"]
        return [
            each
            for each in found
            if (each["source"], each["study"]) == (source, study_of(one)) and each["way"]
        ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("broker"))
    with made.qrscp, made.orthanc, made.workstation, made.node:
        made.node.start()
        yield made
        print(made.node.log[-6000:])


def digests(answer: httpx2.Response) -> dict[str, str]:
    """Return SOP Instance UID → SHA-256 of the data set of the parts of an answer."""
    assert answer.status_code == 200, answer.text
    found = [read_stored(part.body) for part in parts_of(answer)]
    assert len({one.sop_instance for one in found}) == len(found)
    return expected(found)


def expected(some: Sequence[Stored]) -> dict[str, str]:
    return {one.sop_instance: one.digest for one in some}


@pytest.mark.peer
@pytest.mark.req("W-107", "W-109", "W-112", "W-119")
@pytest.mark.parametrize("source", ["old", "old-move", "young", "young-move", "auto"])
def test_a_study_comes_in_the_first_answer_and_then_from_the_cache(
    place: Place, source: str
) -> None:
    first = place.get(path_of(BOTH[0], "study"), source=source, accept=STAR)
    assert digests(first) == expected(BOTH)
    assert 'rel="status"' in first.headers["link"]
    (fetch,) = place.fetches(source, BOTH[0])
    assert fetch["way"] == ("move" if "move" in source else "get")
    wait_until(lambda: place.fetches(source, BOTH[0])[0]["state"] == "complete", "the end")
    again = place.get(path_of(BOTH[0], "study"), source=source, accept=STAR)
    assert digests(again) == expected(BOTH)
    assert again.headers["etag"]
    assert len(place.fetches(source, BOTH[0])) == 1


@pytest.mark.peer
@pytest.mark.req("W-112", "W-107", "WT-12")
@pytest.mark.parametrize("source", ["young", "young-move"])
def test_compressed_images_come_as_they_are(place: Place, source: str) -> None:
    for one in PRESSED:
        answer = place.get(path_of(one, "study"), source=source, accept=STAR)
        assert digests(answer) == expected([one])


@pytest.mark.peer
@pytest.mark.req("W-104", "W-89", "WT-6")
@pytest.mark.parametrize("source", ["old", "young", ""])
def test_what_nobody_has_is_404_and_nothing_is_moved(place: Place, source: str) -> None:
    for path in ("/studies/1.2.3.99", "/studies/1.2.3.99/series/1.2/instances/1.3/frames/1"):
        answer = place.get(path, source=source)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.peer
@pytest.mark.req("W-80", "W-65", "W-67", "W-68", "W-106")
def test_metadata_frames_and_pictures_of_one_instance_move_only_that(place: Place) -> None:
    one = ONLY[0]
    for more in ("/metadata", "/frames/1", "/rendered", "/thumbnail", "/bulkdata", ""):
        answer = place.get(path_of(one) + more, source="old-move")
        assert answer.status_code == 200, (more, answer.text)
    (fetch, *_) = place.fetches("old-move", one)
    assert fetch["received"] == 1
    found = place.get(path_of(one, "study") + "/metadata", source="old-move").json()
    assert {each["00080018"]["Value"][0] for each in found} == set(expected(ONLY))


@pytest.mark.peer
@pytest.mark.req("W-105", "W-150", "WT-12")
def test_fifty_who_ask_at_once_cause_one_transfer(place: Place) -> None:
    with ThreadPoolExecutor(50) as callers:
        answers = list(
            callers.map(lambda _: place.get(path_of(MANY[0], "study"), accept=STAR), range(50))
        )
    wanted = expected(MANY)
    assert all(digests(answer) == wanted for answer in answers)
    (fetch,) = place.fetches("old", MANY[0])
    assert fetch["received"] == len(MANY)


@pytest.mark.peer
@pytest.mark.req("W-131", "W-126")
def test_the_plain_root_has_the_studies_of_both_each_instance_once(place: Place) -> None:
    for some in (BOTH, ONLY):
        answer = place.get(path_of(some[0], "study"), source="", accept=STAR)
        assert digests(answer) == expected(some)
        rows = place.get(f"/studies?StudyInstanceUID={study_of(some[0])}", source="").json()
        assert len(rows) == 1


@pytest.mark.peer
@pytest.mark.req("T-43", "T-44", "T-47")
def test_a_workstation_sees_one_pacs_by_c_find_c_move_and_c_get(
    place: Place, tmp_path: Path
) -> None:
    port, scp = place.node.port, place.workstation
    for some in (LENT, BOTH):
        level = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study_of(some[0])}")
        found = ask(FINDSCU, port, "-S", keys=level)
        assert found.text.count("Find Response: ") == 1
        moved = ask(MOVESCU, port, "-S", "-aem", "MOVESCP", keys=level)
        assert moved.exit_code == 0, moved.text
    wanted = expected([*LENT, *BOTH])
    wait_until(lambda: scp.digests() == wanted, "what was moved")
    level = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study_of(GIVEN[0])}")
    got = ask(GETSCU, port, "-S", "-od", str(tmp_path), keys=level)
    assert got.exit_code == 0, got.text
    assert stored_digests(tmp_path) == expected(GIVEN)
    level = ("QueryRetrieveLevel=STUDY", "StudyInstanceUID=1.2.3.99")
    nothing = ask(MOVESCU, port, "-S", "-aem", "MOVESCP", keys=level)
    assert nothing.exit_code == 0


@pytest.mark.peer
@pytest.mark.req("W-151", "W-1")
def test_the_curl_lines_of_the_readme_of_dcmrs_broker_get_the_images_at_once(place: Place) -> None:
    def curl(path: str, accept: str) -> bytes:
        command = [need(CURL), "-sS", "--fail", "-H", f"Accept: {accept}", place.node.web + path]
        return subprocess.run(command, capture_output=True, timeout=60, check=True).stdout

    found = httpx2.Response(200, content=curl("/qido-rs/studies", "application/json")).json()
    uids = {each["0020000D"]["Value"][0] for each in found}
    assert {study_of(BOTH[0]), study_of(ONLY[0]), study_of(MANY[0])} <= uids
    accept = 'multipart/related; type="application/dicom"'
    body = curl(f"/wado-rs/studies/{study_of(ONLY[0])}", accept)
    assert body.count(b"Content-Type: application/dicom;") == len(ONLY)
    assert all(one.sop_instance.encode() in body for one in ONLY)


@pytest.mark.peer
@pytest.mark.req("W-90", "W-16", "WT-8")
def test_a_pacs_that_dies_meanwhile_breaks_the_answer(tmp_path: Path) -> None:
    node_itself = Modality(name="node", ae_title="WAYSTATION", port=free_port())
    with Orthanc(tmp_path / "orthanc", modalities=[node_itself]) as dying:
        dying.upload(*write(tmp_path / "files", BIG))
        table = pacs("old", "ORTHANC", dying.port, "retry = { attempts = 1 }\n")
        with Node(tmp_path / "node", table) as node:
            url = f"{node.web}/dicom-web/sources/old{path_of(BIG[0], 'study')}"
            with httpx2.stream("GET", url, timeout=60) as answer:
                assert answer.status_code == 200, answer.read()
                pieces = answer.iter_raw(65_536)
                next(pieces)
                dying.kill()
                with pytest.raises(httpx2.RemoteProtocolError):
                    all(pieces)
            assert httpx2.get(url, timeout=60).status_code in (502, 503, 504)


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.req("W-141", "W-151")
def test_ohif_shows_a_study_that_only_the_old_pacs_has(place: Place, tmp_path: Path) -> None:
    need(CHROMIUM)
    install(place.node.data, ohif())
    place.node.restart()
    url = f"http://127.0.0.1:{place.viewer}"
    study_uid = uid_of("picture study", "viewer")
    page = screenshot(f"{url}/viewer?StudyInstanceUIDs={study_uid}", tmp_path)
    # The body of the thumbnail in the list of series.
    assert (page[200:310, 10:135] > 24).mean() > 0.2
    shown = page[180:660, 480:1080]
    grey = ((shown > 90) & (shown < 170)).mean()
    assert 0.3 < grey < 0.9
    assert (shown > 240).mean() > 0.005
    assert np.less(shown, 10).mean() > 0.1
    states = [one for one in place.fetches("young", slices()[0]) if one["received"] == SLICES]
    assert states
