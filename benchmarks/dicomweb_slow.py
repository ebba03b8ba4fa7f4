"""What a server needs while a large study goes to slow readers (W-14, W-149).

One study of large objects is held by our node and by Orthanc with its plug-in.  Several readers
take it at 100 kB/s each, first from one server, then from the other; meanwhile a search is asked
again and again.  Counted are the growth of resident memory and the 95th percentile of the search,
compared with that before and after.
"""

import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.contenders import fresh
from benchmarks.dicomweb import LOGIN, ORTHANC, Asker
from benchmarks.dicomweb_wado import AS_STORED, film
from benchmarks.figures import OURS, Figure, Samples, against_each, percentile
from benchmarks.inputs import kept
from benchmarks.plan import Bench
from tests.objects.samples import as_file
from tests.objects.study import Study, uid_of
from tests.peers.dicomweb import DicomWebOrthanc
from tests.peers.node import Node, rule_to
from tests.peers.program import HOST, Program, wait_until
from waystation.dicom.head import Head
from waystation.dicom.tags import SOP_INSTANCE_UID
from waystation.dicom.tree import encode, parse

SEED = "slow readers"
FRAMES = 1000
RATE = 100_000
PIECE = 10_000
BUFFER = 64 * 1024
BAR_MIB, BAR_P95 = 200.0, 1.2
PAUSE_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """objects: of 131 MB, in one study.  seconds: how long each server is read from."""

    objects: int
    readers: int
    seconds: float


FULL = Load(objects=16, readers=20, seconds=20.0)
SMALL = Load(objects=2, readers=5, seconds=4.0)


def _study(bench: Bench, objects: int) -> Study:
    def make(folder: Path) -> Study:
        folder.mkdir(parents=True)
        one = film(FRAMES, SEED)
        head = Head.from_bytes(one.data_set, one.transfer_syntax)
        pixels = one.data_set[head.pixel_offset :]
        files = []
        for number in range(objects):
            tree = parse(head)
            uid = uid_of(SEED, "instance", number)
            tree.put(SOP_INSTANCE_UID, "UI", uid.encode())
            files.append(folder / f"{number:03}.dcm")
            made = replace(one, sop_instance=uid, data_set=encode(tree) + pixels)
            files[-1].write_bytes(as_file(made))
        return Study(folder=folder, study_uid="", files=tuple(files), digests={})

    return kept(bench.inputs / f"slow-{objects}", make)


def _request(asker: Asker, url: str) -> bytes:
    parts = urlsplit(url)
    fields = {**asker.headers, "Accept": AS_STORED, "Host": parts.netloc}
    path = f"{parts.path}/studies/{uid_of(SEED, 'study')}"
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _read(address: tuple[str, int], request: bytes, over: Any, received: Any, place: int) -> None:
    """Read an answer slowly until it is told to stop."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        connection.settimeout(60)
        connection.connect(address)
        connection.sendall(request)
        # Who gets nothing for so long has not been answered, and stops.
        with suppress(TimeoutError):
            while not over.wait(PIECE / RATE):
                received[place] += len(connection.recv(PIECE))


def _crowd(address: tuple[str, int], request: bytes, begun: Any, over: Any, received: Any) -> None:
    crowd = [
        threading.Thread(target=_read, args=(address, request, over, received, place), daemon=True)
        for place in range(len(received))
    ]
    for one in crowd:
        one.start()
    begun.set()
    for one in crowd:
        one.join()


@contextmanager
def _reading(asker: Asker, url: str, readers: int) -> Iterator[Any]:
    """Read in a process of their own: they must not slow the one that measures."""
    parts = urlsplit(url)
    context = multiprocessing.get_context("spawn")
    begun, over, received = context.Event(), context.Event(), context.Array("q", readers)
    address = parts.hostname, parts.port
    crowd = context.Process(
        target=_crowd, args=(address, _request(asker, url), begun, over, received), daemon=True
    )
    crowd.start()
    begun.wait(60)
    try:
        yield received
    finally:
        over.set()
        crowd.join(timeout=60)


def slow(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures; none without our node."""
    if not bench.with_ours:
        return []
    load = FULL if bench.amounts.warm_up else SMALL
    files = _study(bench, load.objects)
    memory, before, during = Samples(), Samples(), Samples()
    with ExitStack() as stack:
        folder = fresh(bench.run)
        node = stack.enter_context(Node(folder / "ours", rule_to("archive")))
        peer = stack.enter_context(DicomWebOrthanc(folder / "orthanc", login=LOGIN))
        for title, port in (("WAYSTATION", node.port), ("ORTHANC", peer.port)):
            say(f"slow readers: filling {title}")
            sent = node.command("send", f"{title}@{HOST}:{port}", str(files.folder))
            if sent.returncode:
                raise RuntimeError(sent.stderr[-2000:])
        servers: dict[str, tuple[Asker, str, Program]] = {
            OURS: (Asker(node.web + "/dicom-web"), node.web + "/dicom-web", node.program),
            ORTHANC: (Asker(peer.url, LOGIN), peer.url, peer),
        }
        wait_until(lambda: servers[OURS][0].ms("/studies", 1) > 0, "the archive", within_s=60)
        for name, (asker, url, program) in servers.items():
            say(f"slow readers: {name}")
            quiet, _ = _asked(asker, program, load.seconds / 4)
            base = program.resident_kib()
            with _reading(asker, url, load.readers) as received:
                asked, most = _asked(asker, program, load.seconds)
                if not all(received):
                    say(f"slow readers: {name} has not answered all of them yet")
            # Both sides of it: a machine that has other work has it now and then.
            quiet += _asked(asker, program, load.seconds / 4)[0]
            memory.add(name, (most - base) / 1024)
            before.add(name, percentile(quiet, 0.95))
            during.add(name, percentile(asked, 0.95))
    return _figures(memory, before, during)


def _asked(asker: Asker, program: Program, seconds: float) -> tuple[list[float], int]:
    """Search at a steady pace; return how long each took (ms), and the most memory (KiB)."""
    took, most, ends = [], 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        took.append(asker.ms("/studies", 1))
        most = max(most, program.resident_kib())
        time.sleep(PAUSE_S)
    return took, most


def _figures(memory: Samples, before: Samples, during: Samples) -> list[Figure]:
    grown = Figure(
        name="wado.slow.growth", unit="MiB", ours=memory.median(OURS), bar=BAR_MIB, higher=False
    )
    search = Figure(
        name="wado.slow.search_p95",
        unit="ms",
        ours=during.median(OURS),
        peer=before.median(OURS),
        bar=BAR_P95,
        higher=False,
    )
    return [
        grown,
        *against_each("wado.slow.growth", "MiB", memory, higher=False),
        search,
        *against_each("wado.slow.search_p95", "ms", during, higher=False),
    ]
