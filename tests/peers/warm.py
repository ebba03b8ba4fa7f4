"""Our own program, begun by a process that has imported it already.

Contract: `start` gives what ``subprocess.Popen`` gives of ``waystation WORDS``: a process of its
own with its own folder, environment and output, that dies with this one.  Only the second of
importing is saved, at every start.  The process that forks has one thread and imports nothing
that starts others.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
LARGEST = 1 << 20
# What `serve` and the commands import; nothing in here may bring numpy along.
MODULES = (
    "uvloop",
    "uvicorn.protocols.http.h11_impl",
    "waystation.cli.main",
    "waystation.cli.api",
    "waystation.cli.queue",
    "waystation.app.serving",
    "waystation.web.site",
)
# What counts when an interpreter begins cannot be told to one that runs.
COLD = ("PYTHON", "LD_")


class Warm:
    """A process that was begun so; as much of ``Popen`` as the tests use."""

    def __init__(self, pid: int, end: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._end = end

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raises ``subprocess.TimeoutExpired``."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("waystation", timeout or 0)
        return code

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._end], [], [], timeout)[0]:
            told = os.read(self._end, 16)
            os.close(self._end)
            self.returncode = int(told) if told else -signal.SIGKILL
        return self.returncode


def takes(environment: Mapping[str, str]) -> bool:
    """Return whether a program with this environment may be begun so."""
    testing = "PYTEST_CURRENT_TEST" in os.environ
    return testing and not any(name.startswith(COLD) for name in environment)


def start(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    out: IO[bytes],
    err: IO[bytes],
) -> Warm:
    """Begin ``waystation WORDS``."""
    ours, theirs = os.pipe()
    try:
        with open(os.devnull, "rb") as nothing:
            asked = {"words": list(words), "folder": str(folder), "env": dict(environment)}
            files = [nothing.fileno(), out.fileno(), err.fileno(), theirs]
            line = _mother(os.getpid()).line
            socket.send_fds(line, [json.dumps(asked).encode()], files)
            return Warm(int(line.recv(16)), ours)
    finally:
        os.close(theirs)


class _Mother:
    """The process that forks for this one.  line: to it."""

    def __init__(self) -> None:
        self.line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.peers.warm", str(theirs.fileno())],
            cwd=Path(__file__).parents[2],
            pass_fds=[theirs.fileno()],
            preexec_fn=_die_with_parent,
        )
        theirs.close()
        atexit.register(self._close)

    def _close(self) -> None:
        self.line.close()
        self._process.wait()


@cache
def _mother(_pid: int) -> _Mother:
    return _Mother()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _serve(line: socket.socket) -> list[str] | None:
    """Fork for each request until the line ends; return the words in the child."""
    running: dict[int, tuple[int, int]] = {}
    while True:
        ready = select.select([line.fileno(), *running], [], [])[0]
        for handle in ready:
            if handle in running:
                _tell(handle, *running.pop(handle))
                continue
            words = _answer(line, running)
            if words is not None or line.fileno() < 0:
                return words


def _answer(line: socket.socket, running: dict[int, tuple[int, int]]) -> list[str] | None:
    data, files, _, _ = socket.recv_fds(line, LARGEST, 4)
    if not data:
        line.close()
        return None
    asked = json.loads(data)
    pid = os.fork()
    if pid == 0:
        _become(asked, files)
        line.close()
        for handle, (_, end) in running.items():
            os.close(handle)
            os.close(end)
        words: list[str] = asked["words"]
        return words
    for file in files[:3]:
        os.close(file)
    running[os.pidfd_open(pid)] = (pid, files[3])
    line.send(str(pid).encode())
    return None


def _tell(handle: int, pid: int, end: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        os.write(end, str(code).encode())
    os.close(end)
    os.close(handle)


def _become(asked: Mapping[str, object], files: Sequence[int]) -> None:
    _die_with_parent()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for target, file in enumerate(files[:3]):
        os.dup2(file, target)
    for file in files:
        os.close(file)
    os.chdir(str(asked["folder"]))
    environment = asked["env"]
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    random.seed()


def main() -> None:
    """Import, then fork."""
    line = socket.socket(fileno=int(sys.argv[1]))
    for name in MODULES:
        importlib.import_module(name)
    assert "numpy" not in sys.modules
    gc.collect()
    gc.freeze()
    words = _serve(line)
    if words is None:
        return
    sys.argv = [str(Path(sys.executable).parent / "waystation"), *words]
    from waystation.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
