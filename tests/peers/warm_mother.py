"""The process that has imported our program and forks at each request (see `warm`)."""

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
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.peers.warm import LARGEST

PR_SET_PDEATHSIG = 1
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


class _Mother:
    """running: handle of a child's process → child, and the line that waits for its end."""

    def __init__(self, name: str) -> None:
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door.bind(f"\0{name}")
        self._door.listen(16)
        self._running: dict[int, tuple[int, socket.socket]] = {}

    def serve(self) -> list[str]:
        """Fork for each request; return its words, in the child."""
        while True:
            door = self._door.fileno()
            for handle in select.select([door, *self._running], [], [])[0]:
                if handle != door:
                    self._tell(handle)
                elif words := self._answer():
                    return words

    def _answer(self) -> list[str] | None:
        line = self._door.accept()[0]
        data, files, _, _ = socket.recv_fds(line, LARGEST, 4)
        asked = json.loads(data)
        pid = os.fork()
        if pid == 0:
            self._door.close()
            for handle, (_, other) in self._running.items():
                os.close(handle)
                other.close()
            line.close()
            _become(asked["folder"], asked["env"], files)
            words: list[str] = asked["words"]
            return words
        for file in files:
            os.close(file)
        self._running[os.pidfd_open(pid)] = pid, line
        line.send(str(pid).encode())
        return None

    def _tell(self, handle: int) -> None:
        pid, line = self._running.pop(handle)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with contextlib.suppress(BrokenPipeError), line:
            line.send(str(code).encode())
        os.close(handle)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _become(folder: str, environment: Mapping[str, str], files: Sequence[int]) -> None:
    _die_with_parent()
    for target, file in enumerate(files):
        os.dup2(file, target)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    random.seed()


def main() -> None:
    """Import, then fork."""
    _die_with_parent()
    if os.getppid() != int(sys.argv[2]):
        return
    for name in MODULES:
        importlib.import_module(name)
    assert "numpy" not in sys.modules
    mother = _Mother(sys.argv[1])
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    words = mother.serve()
    # Programs are called by what they were begun as.
    sys.modules["__main__"].__package__ = None
    sys.argv = [str(Path(sys.executable).parent / "waystation"), *words]
    from waystation.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
