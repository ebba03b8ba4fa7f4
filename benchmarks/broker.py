"""The broker beside plain DIMSE: what a viewer waits for, against movescu and findscu.

The old PACS is DCMTK's dcmqrscp, asked by C-MOVE.  The peer is movescu, which has the same PACS
send the same study to a storescp, and findscu; the start of those programs (some 20 ms) is
included, as the whole HTTP request is for us.  ``first_byte`` is compared with the moment when
storescp has its first file whole.  storescp promises nothing: ``movescu to disk`` is the
same movescu with a node of ours as its destination, which seals each image before it says Success,
as the broker does.  Before each round the cache forgets the study.
"""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from benchmarks.contenders import fresh
from benchmarks.figures import OURS, Figure, Samples, against_each
from benchmarks.inputs import study
from benchmarks.plan import Bench
from tests.objects.study import Study
from tests.peers.dcmqrscp import FINDSCU, MOVESCU, QrScp, ask
from tests.peers.dcmtk import StoreScp
from tests.peers.node import Node, rule_to
from tests.peers.program import HOST, free_port, wait_until

MOVE, DURABLE, FIND, FIRST, ARCHIVE = (
    "movescu",
    "movescu to disk",
    "findscu",
    "first request",
    "archive",
)
STAR = 'multipart/related; type="application/dicom"; transfer-syntax=*'
IMAGES, QUICK_IMAGES = 100, 20
ROUNDS, QUICK_ROUNDS = 7, 2
READERS = 50
SOON, WHOLE, AGAIN, AS_FAST, SEARCH = 1.2, 1.1, 0.2, 0.9, 1.3
UNKNOWN_MS = 50.0
LOOK_S = 0.0003


@dataclass(frozen=True, slots=True)
class Answer:
    """Milliseconds to the first byte and to the last, and the images that came."""

    first_ms: float
    whole_ms: float
    images: int


class Viewer:
    """Asks our node over connections that stay open."""

    def __init__(self, node: Node, files: Study) -> None:
        self._node = node
        self._address = urlsplit(node.web)
        self._study = files.study_uid
        self._connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        assert self._address.hostname is not None
        return http.client.HTTPConnection(self._address.hostname, self._address.port, timeout=600)

    def get(self, source: str, *, connection: http.client.HTTPConnection | None = None) -> Answer:
        """Retrieve the study."""
        line = connection or self._connection
        path = f"/dicom-web/sources/{source}/studies/{self._study}"
        began = time.perf_counter()
        line.request("GET", path, headers={"Accept": STAR})
        answer = line.getresponse()
        images = len(answer.read(1)) - 1
        first = time.perf_counter()
        while piece := answer.read(1 << 20):
            images += piece.count(b"\r\nContent-Location: ")
        ended = time.perf_counter()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        return Answer((first - began) * 1000, (ended - began) * 1000, images)

    def many(self, n: int) -> list[Answer]:
        """Retrieve the study so often at the same time."""
        with ThreadPoolExecutor(n) as threads:
            return list(
                threads.map(lambda _: self.get("old", connection=self._connect()), range(n))
            )

    def search_ms(self, source: str) -> float:
        """Search for the study."""
        path = f"/dicom-web/sources/{source}/studies?StudyInstanceUID={self._study}"
        began = time.perf_counter()
        self._connection.request("GET", path, headers={"Accept": "application/dicom+json"})
        found = json.loads(self._connection.getresponse().read())
        took = (time.perf_counter() - began) * 1000
        if len(found) != 1:
            raise RuntimeError(f"{path}: {len(found)} studies")
        return took

    def unknown_ms(self) -> float:
        """Ask for a study that is not there."""
        began = time.perf_counter()
        self._connection.request("GET", "/dicom-web/sources/old/studies/1.2.3.4.99")
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 404:
            raise RuntimeError(f"an unknown study: {answer.status}")
        return (time.perf_counter() - began) * 1000

    def api(self, method: str, path: str) -> dict[str, object]:
        """Ask the API."""
        body = json.dumps({"user": "bench"}) if method == "DELETE" else None
        headers = {"Content-Type": "application/json"}
        line = self._connect()
        line.request(method, f"/api/v1/{path}", body, headers)
        answer = line.getresponse()
        found: dict[str, object] = json.loads(answer.read()) | {"code": answer.status}
        return found

    def forget(self) -> None:
        """Have the cache drop the study."""
        gone = f"cache/old/{self._study}"
        wait_until(lambda: self.api("DELETE", gone)["code"] == 200, "the cache forgets")


def moved(pacs: QrScp, scp: StoreScp, files: Study) -> tuple[float, float]:
    """Have movescu move the study; return milliseconds to the first whole file and to the end."""
    for file in scp.received.iterdir():
        file.unlink()
    size = min(file.stat().st_size for file in files.files) - 2000
    first: list[float] = []
    began = time.perf_counter()

    def watch() -> None:
        while not any(file.stat().st_size >= size for file in _files(scp.received)):
            time.sleep(LOOK_S)
        first.append(time.perf_counter())

    watcher = Thread(target=watch)
    watcher.start()
    keys = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={files.study_uid}")
    done = ask(MOVESCU, pacs.port, "-S", "-aem", scp.ae_title, keys=keys, called=pacs.ae_title)
    ended = time.perf_counter()
    watcher.join(10)
    if done.exit_code or not first:
        raise RuntimeError(done.text[-500:])
    return (first[0] - began) * 1000, (ended - began) * 1000


def moved_to_disk_ms(pacs: QrScp, title: str, files: Study) -> float:
    """Have movescu move the study to a node of ours."""
    keys = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={files.study_uid}")
    began = time.perf_counter()
    done = ask(MOVESCU, pacs.port, "-S", "-aem", title, keys=keys, called=pacs.ae_title)
    if done.exit_code:
        raise RuntimeError(done.text[-500:])
    return (time.perf_counter() - began) * 1000


def _files(folder: Path) -> Iterator[Path]:
    yield from (file for file in folder.iterdir() if file.is_file())


def found_ms(pacs: QrScp, files: Study) -> float:
    """Have findscu find the study."""
    keys = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={files.study_uid}", "PatientName")
    began = time.perf_counter()
    done = ask(FINDSCU, pacs.port, "-S", keys=keys, called=pacs.ae_title)
    if done.exit_code:
        raise RuntimeError(done.text[-500:])
    return (time.perf_counter() - began) * 1000


def broker(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures; none without our node."""
    if not bench.with_ours:
        return []
    full = bench.amounts.warm_up
    images, rounds = (IMAGES, ROUNDS) if full else (QUICK_IMAGES, QUICK_ROUNDS)
    files = study(bench, "ct", images)
    with ExitStack() as stack:
        folder, port = fresh(bench.run), free_port()
        scp = stack.enter_context(StoreScp(folder / "scp"))
        plain = stack.enter_context(
            Node(folder / "plain", rule_to("archive"), dicom='called_ae = "any"')
        )
        destinations = {"WAYSTATION": port, scp.ae_title: scp.port, "PLAIN": plain.port}
        pacs = stack.enter_context(QrScp(folder / "old", destinations=destinations))
        table = f'[pacs.old]\nae_title = "QRSCP"\nhost = "{HOST}"\nport = {pacs.port}\n'
        node = Node(
            folder / "ours", f'{table}retrieve = "move"\n' + rule_to("archive"), start=False
        )
        node.port = port
        node.write_config(f'{table}retrieve = "move"\n' + rule_to("archive"))
        node.start()
        stack.enter_context(node)
        say("broker: filling the PACS and the archive")
        pacs.load(files.folder)
        sent = node.command("send", f"WAYSTATION@{HOST}:{port}", str(files.folder))
        if sent.returncode:
            raise RuntimeError(sent.stderr[-2000:])
        viewer = Viewer(node, files)
        wait_until(lambda: _is_there(viewer, images), "the archive", within_s=60)
        say("broker: asking")
        return [
            *_retrieving(viewer, pacs, scp, files, rounds),
            *_others(viewer, pacs, files, rounds),
        ]


def _is_there(viewer: Viewer, images: int) -> bool:
    try:
        return viewer.get("archive").images == images
    except RuntimeError:
        return False


def _retrieving(
    viewer: Viewer, pacs: QrScp, scp: StoreScp, files: Study, rounds: int
) -> list[Figure]:
    first, whole, again, rate = Samples(), Samples(), Samples(), Samples()
    for number in range(rounds + 1):
        peer_first, peer_whole = moved(pacs, scp, files)
        fetched = viewer.get("old")
        durable = moved_to_disk_ms(pacs, "PLAIN", files)
        cached = [viewer.get("old").whole_ms for _ in range(3)]
        archived = [viewer.get("archive").whole_ms for _ in range(3)]
        if fetched.images != len(files.files):
            raise RuntimeError(f"{fetched.images} images of {len(files.files)}")
        viewer.forget()
        if not number:
            continue
        for samples, ours, name, theirs in (
            (first, fetched.first_ms, MOVE, peer_first),
            (whole, fetched.whole_ms, MOVE, peer_whole),
            (whole, fetched.whole_ms, DURABLE, durable),
            (again, min(cached), FIRST, fetched.whole_ms),
            (rate, 1000 / min(cached), ARCHIVE, 1000 / min(archived)),
        ):
            samples.add(OURS, ours)
            samples.add(name, theirs)
    return [
        *_against("first_byte", "ms", first, MOVE, SOON),
        *_against("whole_study", "ms", whole, MOVE, WHOLE, DURABLE),
        *_against("from_the_cache", "ms", again, FIRST, AGAIN),
        *_against("cache_rate", "studies/s", rate, ARCHIVE, AS_FAST, higher=True),
    ]


def _others(viewer: Viewer, pacs: QrScp, files: Study, rounds: int) -> list[Figure]:
    search, unknown = Samples(), Samples()
    for _ in range(rounds * 3):
        search.add(FIND, found_ms(pacs, files))
        search.add(OURS, viewer.search_ms("old"))
        unknown.add(OURS, viewer.unknown_ms())
    before = _transfers(viewer)
    answers = viewer.many(READERS)
    if {answer.images for answer in answers} != {len(files.files)}:
        raise RuntimeError("not everybody got everything")
    transfers = _transfers(viewer) - before
    return [
        *_against("search", "ms", search, FIND, SEARCH),
        Figure(
            name="broker.unknown_study",
            unit="ms",
            ours=unknown.median(OURS),
            bar=UNKNOWN_MS,
            higher=False,
        ),
        Figure(
            name=f"broker.transfers_for_{READERS}",
            unit="",
            ours=float(transfers),
            bar=1.0,
            higher=False,
        ),
    ]


def _transfers(viewer: Viewer) -> int:
    found = viewer.api("GET", "fetches")["fetches"]
    assert isinstance(found, list)
    return sum(1 for one in found if one["way"])


def _against(
    name: str, unit: str, samples: Samples, peer: str, bar: float, *more: str, higher: bool = False
) -> list[Figure]:
    bars = dict.fromkeys((peer, *more), bar)
    return against_each(f"broker.{name}", unit, samples, bars=bars, higher=higher)
