"""Rendered images per second of ours and of Orthanc with its plug-in (W-86, W-142).

Both servers hold the same CT images of 512 by 512 pixels; both give JPEG.  Each image is asked for
from one, then from the other, over connections that stay open.
"""

import http.client
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.contenders import fresh
from benchmarks.dicomweb import LOGIN, ORTHANC, Asker
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

SEED = "rendered"
IMAGES, QUICK_IMAGES = 200, 20
JPEG = "image/jpeg"


class Viewer:
    """One open connection that asks for pictures."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        self._root = parts.path
        self._headers = {**headers, "Accept": JPEG}

    def ms(self, one: Stored) -> float:
        """Return how long one picture took."""
        study, series = uid_of(SEED, "study"), uid_of(SEED, "series")
        path = f"/studies/{study}/series/{series}/instances/{one.sop_instance}/rendered"
        began = time.perf_counter()
        self._connection.request("GET", self._root + path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200 or not body.startswith(b"\xff\xd8"):
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return took


def rendered(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures; none without our node."""
    if not bench.with_ours:
        return []
    count = IMAGES if bench.amounts.warm_up else QUICK_IMAGES
    images = [full_ct(number, seed=SEED) for number in range(count)]
    files = kept(bench.inputs / f"rendered-{count}", lambda folder: _written(folder, images))
    with ExitStack() as stack:
        folder = fresh(bench.run)
        node = stack.enter_context(Node(folder / "ours", rule_to("archive")))
        peer = stack.enter_context(DicomWebOrthanc(folder / "orthanc", login=LOGIN))
        for title, port in (("WAYSTATION", node.port), ("ORTHANC", peer.port)):
            sent = node.command("send", f"{title}@{HOST}:{port}", str(files.folder))
            if sent.returncode:
                raise RuntimeError(sent.stderr[-2000:])
        ours, theirs = Asker(node.web + "/dicom-web"), Asker(peer.url, LOGIN)
        wait_until(lambda: ours.ms("/studies", 1) > 0, "the archive")
        for asker in (ours, theirs):
            # What either of them does with new objects is done by then.
            asker.ms(f"/studies/{uid_of(SEED, 'study')}/metadata", count)
        say("rendered: asking")
        return _figures(
            {
                OURS: Viewer(node.web + "/dicom-web", ours.headers),
                ORTHANC: Viewer(peer.url, theirs.headers),
            },
            images,
        )


def _written(folder: Path, images: list[Stored]) -> Study:
    folder.mkdir(parents=True)
    files = [folder / f"{number:05}.dcm" for number in range(len(images))]
    for file, one in zip(files, images, strict=True):
        file.write_bytes(as_file(one))
    return Study(folder=folder, study_uid="", files=tuple(files), digests={})


def _figures(viewers: dict[str, Viewer], images: list[Stored]) -> list[Figure]:
    samples = Samples()
    for number, one in enumerate(images):
        for name, viewer in viewers.items():
            took = viewer.ms(one)
            if number >= 2:
                samples.add(name, took)
    return against_each("dicomweb.rendered", "ms", samples, bars={ORTHANC: 1.0}, higher=False)
