"""Retrieving and storing over DICOMweb side by side with Orthanc and its plug-in (W-142, W-145).

Both servers run at the same time and hold the same objects; each request is sent to one, then to
the other, over a connection that stays open.  A study and the objects of a STOW are CT images of
half a megabyte as a scanner writes them; frames come out of one object of many.
"""

import http.client
import random
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.contenders import fresh
from benchmarks.dicomweb import LOGIN, ORTHANC, Asker
from benchmarks.figures import OURS, Figure, Samples, against_each
from benchmarks.inputs import full_ct_study, kept
from benchmarks.plan import Bench
from tests.objects.files import Stored
from tests.objects.full_ct import full_ct
from tests.objects.samples import as_file
from tests.objects.study import Study, noise, uid_of
from tests.peers.dicomweb import DicomWebOrthanc
from tests.peers.node import Node, rule_to
from tests.peers.program import HOST, wait_until
from waystation.dicom.head import Head
from waystation.dicom.tree import encode, parse

AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAME = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
JSON = "application/dicom+json"
BOUNDARY = "a-boundary-of-the-benchmark"
SIDE = 256
FRAME_BYTES = SIDE * SIDE * 2
FILM = "film"
NUMBER_OF_FRAMES, ROWS, COLUMNS = 0x00280008, 0x00280010, 0x00280011
AS_GOOD, TWICE = 1.0, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """study: images retrieved together.  frames: of one object.  stow: images stored, so many at
    once."""

    study: int
    frames: int
    stow: int
    at_once: int
    times: int


FULL = Load(study=100, frames=500, stow=1000, at_once=100, times=15)
SMALL = Load(study=30, frames=60, stow=60, at_once=20, times=6)


class Caller:
    """One open connection that counts bytes instead of keeping them."""

    def __init__(self, asker: Asker, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
        self._root = parts.path
        self._headers = asker.headers

    def took_s(self, path: str, accept: str, least: int) -> float:
        """Return how long a GET took; at least so many bytes must come."""
        began = time.perf_counter()
        self._connection.request(
            "GET", self._root + path, headers={**self._headers, "Accept": accept}
        )
        answer = self._connection.getresponse()
        size, piece = 0, bytearray(1 << 20)
        while count := answer.readinto(piece):
            size += count
        took = time.perf_counter() - began
        if answer.status != 200 or size < least:
            raise RuntimeError(f"{path}: {answer.status}, {size} bytes")
        return took

    def stored_s(self, files: Sequence[Path]) -> float:
        """Return how long it took to store files with one POST."""
        parts = list(_parts(files))
        kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
        headers = {
            **self._headers,
            "Accept": JSON,
            "Content-Type": kind,
            "Content-Length": str(sum(map(len, parts))),
        }
        # Orthanc ends a connection that nobody used for a second: the others' turn lasts longer.
        self._connection.close()
        began = time.perf_counter()
        self._connection.request("POST", self._root + "/studies", iter(parts), headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"STOW-RS: {answer.status} {body[:300]!r}")
        return took


def _parts(files: Sequence[Path]) -> Iterator[bytes]:
    for file in files:
        yield f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield file.read_bytes()
        yield b"\r\n"
    yield f"--{BOUNDARY}--\r\n".encode()


def film(frames: int, seed: str = FILM) -> Stored:
    """Return an object of many frames, not compressed."""
    whole = full_ct(0, seed=seed)
    tree = parse(Head.from_bytes(whole.data_set, whole.transfer_syntax))
    tree.put(NUMBER_OF_FRAMES, "IS", str(frames).encode())
    for tag in (ROWS, COLUMNS):
        tree.put(tag, "US", struct.pack("<H", SIDE))
    head = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, FRAME_BYTES * frames)
    return Stored(
        sop_class=whole.sop_class,
        sop_instance=whole.sop_instance,
        transfer_syntax=whole.transfer_syntax,
        data_set=encode(tree) + head + noise(FRAME_BYTES, seed) * frames,
    )


def _film(bench: Bench, frames: int) -> Study:
    def make(folder: Path) -> Study:
        folder.mkdir(parents=True)
        file = folder / "film.dcm"
        file.write_bytes(as_file(film(frames)))
        return Study(folder=folder, study_uid=uid_of(FILM, "study"), files=(file,), digests={})

    return kept(bench.inputs / f"film-{frames}", make)


def wado(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures; none without our node."""
    if not bench.with_ours:
        return []
    load = FULL if bench.amounts.warm_up else SMALL
    study, one = full_ct_study(bench, load.study), _film(bench, load.frames)
    stow = full_ct_study(bench, load.stow)
    with ExitStack() as stack:
        folder = fresh(bench.run)
        node = stack.enter_context(Node(folder / "ours", rule_to("archive")))
        peer = stack.enter_context(DicomWebOrthanc(folder / "orthanc", login=LOGIN))
        for title, port in (("WAYSTATION", node.port), ("ORTHANC", peer.port)):
            say(f"wado: filling {title}")
            for files in (study, one):
                sent = node.command("send", f"{title}@{HOST}:{port}", str(files.folder))
                if sent.returncode:
                    raise RuntimeError(sent.stderr[-2000:])
        urls = {OURS: node.web + "/dicom-web", ORTHANC: peer.url}
        askers = {OURS: Asker(urls[OURS]), ORTHANC: Asker(urls[ORTHANC], LOGIN)}
        wait_until(lambda: askers[OURS].ms("/studies", 2) > 0, "the archive", within_s=60)
        for asker in askers.values():
            asker.ms(f"/studies/{study.study_uid}/metadata", load.study)
        callers = {name: Caller(asker, urls[name]) for name, asker in askers.items()}
        say("wado: retrieving")
        found = [*_studies(callers, study, load), *_frames(callers, load)]
        say("wado: storing")
        return [*found, *_stows(callers, stow, load)]


def _studies(callers: dict[str, Caller], study: Study, load: Load) -> list[Figure]:
    samples = Samples()
    size = sum(file.stat().st_size for file in study.files)
    for number in range(load.times + 2):
        for name, caller in callers.items():
            took = caller.took_s(f"/studies/{study.study_uid}", AS_STORED, size)
            if number >= 2:
                samples.add(name, size / took / 1e6)
    return against_each("wado.study", "MB/s", samples, bars={ORTHANC: AS_GOOD})


def _frames(callers: dict[str, Caller], load: Load) -> list[Figure]:
    samples = Samples()
    study, series = uid_of(FILM, "study"), uid_of(FILM, "series")
    path = f"/studies/{study}/series/{series}/instances/{full_ct(0, seed=FILM).sop_instance}"
    choose = random.Random(1)
    for number in range(load.times * 2 + 2):
        frame = choose.randint(1, load.frames)
        for name, caller in callers.items():
            took = caller.took_s(f"{path}/frames/{frame}", FRAME, FRAME_BYTES)
            if number >= 2:
                samples.add(name, took * 1000)
    return against_each("wado.frame", "ms", samples, bars={ORTHANC: TWICE}, higher=False)


def _stows(callers: dict[str, Caller], study: Study, load: Load) -> list[Figure]:
    samples = Samples()
    for at in range(0, len(study.files), load.at_once):
        files = study.files[at : at + load.at_once]
        for name, caller in callers.items():
            samples.add(name, len(files) / caller.stored_s(files))
    return against_each("stow.ct", "objects/s", samples, bars={ORTHANC: AS_GOOD})
