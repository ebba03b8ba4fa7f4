"""DICOMweb with much of everything: many frames, many instances, large uploads (WT-17, WT-18).

What a request costs is read from the kernel's own books: bytes that the node has read, and the
most memory that it ever had.
"""

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.objects.huge import SIDE, make_multiframe
from tests.objects.samples import as_file
from tests.objects.samples import study as small_study
from tests.objects.study import uid_of
from tests.peers.node import Node, rule_to
from tests.peers.program import memory_kib, wait_until
from tests.torture.books import Row
from tests.web.living import path_of

FRAME_BYTES = SIDE * SIDE
KIND = 'multipart/related; type="application/dicom"; boundary=torture'
FRAME = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
OBJECT = "application/dicom; transfer-syntax=*"
JSON = "application/dicom+json"
PIECE = 1 << 20
# A frame, and what is read beside it: rows of the database, pieces of shared files.
MOST_READ = 4 * FRAME_BYTES
MOST_GROWTH_KIB = 64 << 10
WARM = 3


def frames_and_metadata(folder: Path, *, seed: int, frames: int = 200, instances: int = 300) -> Row:
    """The last frame of many costs what the first one costs; metadata leave piece by piece."""
    row = Row(row="WT-17", runs=2, attempted=1 + instances)
    files = folder / "files"
    files.mkdir(parents=True)
    make_multiframe(files / "film.dcm", frames * FRAME_BYTES, seed=f"film {seed}")
    many = small_study(instances, seed=f"many {seed}")
    with Node(folder / "node", rule_to("archive")) as node:
        _store(node, [files / "film.dcm"])
        for one in many:
            (files / f"{one.sop_instance}.dcm").write_bytes(as_file(one))
        _store(node, [files / f"{one.sop_instance}.dcm" for one in many])
        wait_until(lambda: _count(node) == 1 + instances, "the archive", within_s=60)
        path = _path(f"film {seed}")
        for _ in range(WARM):
            _get(node, f"{path}/frames/1", FRAME)
        costs = {}
        for number in (1, frames - 1):
            before, began = _read_bytes(node.pid), time.monotonic()
            size, _ = _get(node, f"{path}/frames/{number}", FRAME)
            costs[number] = _read_bytes(node.pid) - before
            row.notes.append(f"frame {number}: {(time.monotonic() - began) * 1000:.1f} ms")
            row.acked += size > FRAME_BYTES
        if max(costs.values()) > MOST_READ:
            row.faults.append(f"one frame of {FRAME_BYTES} bytes made it read {costs}")
        base = memory_kib(node.pid, "VmHWM")
        study = path_of(many[0], "study")
        for _ in range(WARM):
            _, body = _get(node, f"{study}/metadata", JSON, keep=True)
            row.delivered = len(json.loads(body))
        grown = memory_kib(node.pid, "VmHWM") - base
        if row.delivered != instances or grown > MOST_GROWTH_KIB:
            row.faults.append(f"metadata: {row.delivered} of {instances}, {grown} KiB more memory")
    return row


def large_upload(folder: Path, *, seed: int, parts: int = 4, part_mib: int = 64) -> Row:
    """A body of many gigabytes fits into little memory, and is whole after a kill."""
    row = Row(row="WT-18", runs=1, attempted=parts)
    files = [folder / f"{number}.dcm" for number in range(parts)]
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [f"upload {seed} {number}" for number in range(parts)]
    for file, name in zip(files, seeds, strict=True):
        make_multiframe(file, part_mib << 20, seed=name)
    with Node(folder / "node", rule_to("archive")) as node:
        _store(node, [_warm(folder, seed)])
        base = memory_kib(node.pid, "VmHWM")
        began = time.monotonic()
        _store(node, files)
        took = time.monotonic() - began
        grown = memory_kib(node.pid, "VmHWM") - base
        node.kill()
        row.acked = parts
        node.start()
        wait_until(lambda: _count(node) == 1 + parts, "the archive", within_s=60)
        for file, name in zip(files, seeds, strict=True):
            size, _ = _get(node, _path(name), OBJECT)
            row.delivered += 1
            row.lost += size < file.stat().st_size - 1024
        row.notes.append(f"{parts * part_mib} MiB in {took:.1f} s, {grown} KiB more memory")
        if grown > MOST_GROWTH_KIB:
            row.faults.append(f"an upload of {parts * part_mib} MiB took {grown} KiB of memory")
        if row.lost:
            row.faults.append(f"{row.lost} objects are not what was answered for")
    return row


def _warm(folder: Path, seed: int) -> Path:
    """Return an object that makes the node load what it needs for every other."""
    file = folder / "warm.dcm"
    make_multiframe(file, 8 << 20, seed=f"warm {seed}")
    return file


def _path(seed: str) -> str:
    study, series = uid_of(seed, "study"), uid_of(seed, "series")
    return f"/studies/{study}/series/{series}/instances/{uid_of(seed, 'instance')}"


def _connection(node: Node) -> http.client.HTTPConnection:
    parts = urlsplit(node.web)
    assert parts.hostname is not None
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=900)


def _get(node: Node, path: str, accept: str, *, keep: bool = False) -> tuple[int, bytes]:
    """Return the size of a body, and the body itself where it is wanted."""
    connection = _connection(node)
    connection.request("GET", "/dicom-web" + path, headers={"Accept": accept})
    answer = connection.getresponse()
    size, kept = 0, bytearray()
    while piece := answer.read(PIECE):
        size += len(piece)
        if keep:
            kept += piece
    connection.close()
    if answer.status != 200:
        raise OSError(f"{path}: {answer.status}")
    return size, bytes(kept)


def _count(node: Node) -> int:
    return len(json.loads(_get(node, "/instances?limit=5000", JSON, keep=True)[1]))


def _store(node: Node, files: Sequence[Path]) -> None:
    """Store files with one POST; everything must be taken."""
    head = b"--torture\r\nContent-Type: application/dicom\r\n\r\n"
    end = b"--torture--\r\n"
    size = sum(file.stat().st_size + len(head) + 2 for file in files) + len(end)

    def body() -> Iterator[bytes]:
        for file in files:
            yield head
            with file.open("rb") as stream:
                while piece := stream.read(PIECE):
                    yield piece
            yield b"\r\n"
        yield end

    connection = _connection(node)
    headers = {"Content-Type": KIND, "Content-Length": str(size), "Accept": JSON}
    connection.request("POST", "/dicom-web/studies", body(), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise OSError(f"STOW-RS: {answer.status} {text[:300]!r}")


def _read_bytes(pid: int) -> int:
    """Return how many bytes a process has read so far, from wherever."""
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("rchar:"):
            return int(line.split()[1])
    raise OSError("no rchar")
