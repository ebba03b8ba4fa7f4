"""Faults at one system call, by strace: kill before it, or let it fail (S-28).

Contract: `record` counts the calls of each thread while some work runs; `Injector` attaches to
chosen threads only, so that the n-th call of one thread can be hit whatever the others do (strace
counts per thread).  ``--seccomp-bpf`` is not used: with it the kernels we met drop the signal.
"""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers.program import wait_until

STRACE = shutil.which("strace")
CALLS = (
    *("openat", "write", "writev", "pwrite64", "fsync", "fdatasync", "ftruncate"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "close"),
    *("sendto", "sendmsg"),
)
LINE = re.compile(r"^(\d+)\s+(?:<\.\.\. )?(\w+)(\(| resumed)")
ENDED_S = 10.0


def unavailable() -> str:
    """Return why nothing can be injected here, or ""."""
    if STRACE is None:
        return "strace is not installed"
    tried = subprocess.run([STRACE, "-qq", "-e", "trace=none", "true"], capture_output=True)
    return "" if tried.returncode == 0 else "ptrace is denied"


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """The n-th call of one thread; threads are numbered in the order of their creation."""

    thread: int
    call: str
    n: int
    on_blob: bool = False


def threads(pid: int) -> list[int]:
    """Return the ids of a process's threads, oldest first."""
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))


def record(pid: int, file: Path, work: Callable[[], object]) -> list[Point]:
    """Return every point that ``work`` makes the process pass."""
    order = threads(pid)
    with Tracer(["-f", "-y", "-e", f"trace={','.join(CALLS)}", "-p", str(pid)], file, order):
        work()
    return points_in(file.read_text(errors="replace"), order)


def points_in(text: str, order: Sequence[int]) -> list[Point]:
    """Return the points of a trace; threads that are not in ``order`` are left out."""
    counts: Counter[tuple[int, str]] = Counter()
    found = []
    for line in text.splitlines():
        match = LINE.match(line)
        if match is None or match[3] != "(" or int(match[1]) not in order:
            continue
        thread, call = order.index(int(match[1])), match[2]
        counts[thread, call] += 1
        found.append(Point(thread, call, counts[thread, call], "/blobs/" in line))
    return found


def traced(thread: int) -> bool:
    """Return whether a thread has a tracer, or is gone."""
    try:
        return "TracerPid:\t0\n" not in Path(f"/proc/{thread}/status").read_text()
    except OSError:
        return True


class Tracer:
    """One strace at work; ends with the block, or with the process it looks at."""

    def __init__(self, options: Sequence[str], file: Path, awaited: Sequence[int]) -> None:
        assert STRACE is not None
        self._command = [STRACE, "-q", "-o", str(file), *options]
        self._awaited = awaited
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Tracer":
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: all(map(traced, self._awaited)), "strace attached")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(ENDED_S)


def injector(
    pid: int, places: Sequence[int], calls: Sequence[str], what: str, when: str, file: Path
) -> Tracer:
    """Return a tracer that does ``what`` at the calls of some threads.

    places: numbers of threads.  what: like ``signal=KILL`` or ``error=EIO``.  when: like ``3``
    or ``1+`` (that call and all later ones), counted for each thread and call.
    """
    order = threads(pid)
    chosen = [order[place] for place in places if place < len(order)]
    joined = ",".join(calls)
    options = ["-e", f"trace={joined}", "-e", f"inject={joined}:{what}:when={when}"]
    for thread in chosen:
        options += ["-p", str(thread)]
    return Tracer(options, file, chosen)


def under_injection(call: str, what: str, when: int, file: Path) -> list[str]:
    """Return the words to put before a command so that it is traced from its first call on."""
    assert STRACE is not None
    options = ["-e", f"trace={call}", "-e", f"inject={call}:{what}:when={when}"]
    return [STRACE, "-f", "-q", "-o", str(file), *options]


def recording(file: Path) -> list[str]:
    """Return the words to put before a command to see all its calls."""
    assert STRACE is not None
    return [STRACE, "-f", "-q", "-y", "-o", str(file), "-e", f"trace={','.join(CALLS)}"]


def spread(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most ``most`` points, of as many threads and calls as possible; 0 returns all."""
    if not most or len(points) <= most:
        return list(points)
    groups: dict[tuple[int, str], list[Point]] = {}
    for point in points:
        groups.setdefault((point.thread, point.call), []).append(point)
    kinds = list(groups.values())
    if most < len(kinds):
        kinds = [kinds[place * len(kinds) // most] for place in range(most)]
    share = most // len(kinds)
    chosen = []
    for group in kinds:
        step = max(1.0, len(group) / share)
        chosen += [group[int(place * step)] for place in range(min(share, len(group)))]
    return chosen
