"""DICOMweb side by side: QIDO-RS and metadata of ours and of Orthanc with its plug-in (W-142).

Both servers hold the same objects and run at the same time; each request is sent to one, then to
the other, over a connection that stays open.  ``first`` is the first request ever for a study,
``again`` the median of those that follow.
"""

import base64
import http.client
import json
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.contenders import fresh
from benchmarks.figures import OURS, Figure, Samples, against_each
from benchmarks.inputs import kept
from benchmarks.plan import Bench
from tests.objects.files import Stored
from tests.objects.full_ct import full_ct
from tests.objects.samples import as_file
from tests.objects.study import Study, uid_of
from tests.peers.dicomweb import DicomWebOrthanc
from tests.peers.node import Node, rule_to
from tests.peers.program import HOST, wait_until
from waystation.dicom.head import Head
from waystation.dicom.tags import PATIENT_ID
from waystation.dicom.tree import encode, parse

ORTHANC = "orthanc"
LOGIN = ("bench", "bench")
PIXELS = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 512) + bytes(512)
STUDIES, QUICK_STUDIES = 100, 10
LARGE, QUICK_LARGE = 100, 20
LARGEST, QUICK_LARGEST = 1000, 60
FIRSTS = 5
TIMES, QUICK_TIMES = 30, 5
AS_GOOD, TWICE = 1.0, 0.5
WARM_S = 0.5


class Asker:
    """One open connection to a server; counts nothing that does not come back whole."""

    def __init__(self, url: str, login: tuple[str, str] | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
        self._root = parts.path
        self.headers = {"Accept": "application/dicom+json"}
        if login is not None:
            word = base64.b64encode(":".join(login).encode()).decode()
            self.headers["Authorization"] = f"Basic {word}"

    def _timed(self, path: str) -> tuple[float, http.client.HTTPResponse, bytes]:
        began = time.perf_counter()
        self._connection.request("GET", self._root + path, headers=self.headers)
        answer = self._connection.getresponse()
        body = answer.read()
        return (time.perf_counter() - began) * 1000, answer, body

    def ms(self, path: str, expected: int) -> float:
        """Return how long one request took; there must be as many data sets as expected."""
        try:
            took, answer, body = self._timed(path)
        except http.client.RemoteDisconnected:
            # Closed since the last request; the next one opens it again.
            took, answer, body = self._timed(path)
        found = json.loads(body) if answer.status == 200 else []
        if len(found) != expected:
            raise RuntimeError(f"{path}: {answer.status}, {len(found)} instead of {expected}")
        return took


def small(number: int, seed: str) -> Stored:
    """Return a CT image with all its attributes and few pixels; each study has its patient."""
    whole = full_ct(number, seed=seed)
    tree = parse(Head.from_bytes(whole.data_set, whole.transfer_syntax))
    tree.put(PATIENT_ID, "LO", patient(seed).encode())
    return Stored(
        sop_class=whole.sop_class,
        sop_instance=whole.sop_instance,
        transfer_syntax=whole.transfer_syntax,
        data_set=encode(tree) + PIXELS,
    )


def patient(seed: str) -> str:
    """Return the Patient ID of a study."""
    return seed.replace(" ", "-").upper()


def objects(bench: Bench, studies: int, large: int, largest: int) -> Study:
    """Return many small studies, some of ``large`` images and one of ``largest``."""
    counts = {f"small {n}": 2 for n in range(studies - FIRSTS - 1)}
    counts |= {f"large {n}": large for n in range(FIRSTS)} | {"largest": largest}

    def make(folder: Path) -> Study:
        folder.mkdir(parents=True)
        files = []
        for place, (seed, count) in enumerate(counts.items()):
            for number in range(count):
                files.append(folder / f"{place:04}-{number:05}.dcm")
                files[-1].write_bytes(as_file(small(number, seed)))
        return Study(folder=folder, study_uid="", files=tuple(files), digests={})

    return kept(bench.inputs / f"dicomweb-{studies}-{large}-{largest}", make)


def dicomweb(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures; none without our node."""
    if not bench.with_ours:
        return []
    full = bench.amounts.warm_up
    studies, large, largest = (
        (STUDIES, LARGE, LARGEST) if full else (QUICK_STUDIES, QUICK_LARGE, QUICK_LARGEST)
    )
    files = objects(bench, studies, large, largest)
    with ExitStack() as stack:
        folder = fresh(bench.run)
        node = stack.enter_context(Node(folder / "ours", rule_to("archive")))
        peer = stack.enter_context(DicomWebOrthanc(folder / "orthanc", login=LOGIN))
        for title, port in (("WAYSTATION", node.port), ("ORTHANC", peer.port)):
            say(f"dicomweb: filling {title}")
            sent = node.command("send", f"{title}@{HOST}:{port}", str(files.folder))
            if sent.returncode:
                raise RuntimeError(sent.stderr[-2000:])
        ours, theirs = Asker(node.web + "/dicom-web"), Asker(peer.url, LOGIN)
        wait_until(lambda: _holds(ours, studies), "the archive", within_s=60)
        say("dicomweb: asking")
        return _figures({OURS: ours, ORTHANC: theirs}, studies, large, largest, full=full)


def _holds(asker: Asker, studies: int) -> bool:
    try:
        return asker.ms("/studies?limit=1000", studies) > 0
    except RuntimeError:
        return False


def _figures(
    askers: dict[str, Asker], studies: int, large: int, largest: int, *, full: bool
) -> list[Figure]:
    times = TIMES if full else QUICK_TIMES
    first = Samples()
    for number in range(FIRSTS):
        path = f"/studies/{uid_of(f'large {number}', 'study')}/metadata"
        for name, asker in askers.items():
            first.add(name, asker.ms(path, large))
    whole = Samples()
    for name, asker in askers.items():
        whole.add(name, asker.ms(f"/studies/{uid_of('largest', 'study')}/metadata", largest))
    one = f"/studies/{uid_of('large 0', 'study')}"
    rows = [
        ("qido_studies", f"/studies?limit={studies}", studies, AS_GOOD),
        ("qido_patient", f"/studies?PatientID={patient('large 0')}", 1, TWICE),
        ("qido_study", f"/studies?StudyInstanceUID={one[9:]}", 1, TWICE),
        ("qido_series", f"{one}/series", 1, AS_GOOD),
        (f"metadata_{large}_again", f"{one}/metadata", large, TWICE),
        (
            f"metadata_{largest}_again",
            f"/studies/{uid_of('largest', 'study')}/metadata",
            largest,
            TWICE,
        ),
    ]
    found = _against(f"metadata_{large}_first", first, AS_GOOD)
    found += _against(f"metadata_{largest}_first", whole, AS_GOOD)
    for name, path, expected, bar in rows:
        samples = _interleaved(askers, path, expected, times if "1000" not in name else 5)
        found += _against(name, samples, bar)
        if name == f"metadata_{largest}_again" and full:
            ours = (samples.median(OURS) or 0.0) / 1000
            found.append(
                Figure(name=f"dicomweb.{name}", unit="s", ours=ours, bar=WARM_S, higher=False)
            )
    return found


def _interleaved(askers: dict[str, Asker], path: str, expected: int, times: int) -> Samples:
    samples = Samples()
    for number in range(times + 2):
        for name, asker in askers.items():
            took = asker.ms(path, expected)
            if number >= 2:
                samples.add(name, took)
    return samples


def _against(name: str, samples: Samples, bar: float) -> list[Figure]:
    return against_each(f"dicomweb.{name}", "ms", samples, bars={ORTHANC: bar}, higher=False)
