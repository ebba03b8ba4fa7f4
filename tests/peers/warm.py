"""Our own program, begun by a process that has imported it already.

Contract: `start` gives what ``subprocess.Popen`` gives of ``waystation WORDS``: a process of its
own with its own folder, environment and output, that dies with this one.  Only the second of
importing is saved, at every start.  The process that forks has one thread and imports nothing
that starts others.

As a script it is the other end for programs that are no Python: ``python -S warm.py NAME WORDS``.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

LARGEST = 1 << 20
# What counts when an interpreter begins cannot be told to one that runs.
COLD = ("PYTHON", "LD_")


def takes(environment: Mapping[str, str]) -> bool:
    """Return whether a program with this environment may be begun so."""
    testing = "PYTEST_CURRENT_TEST" in os.environ
    return testing and not any(name.startswith(COLD) for name in environment)


class Warm:
    """A process that was begun so; as much of ``Popen`` as the tests use.

    name: of the socket of whoever forks.  files: its input, output and error.
    """

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        folder: str,
        environment: Mapping[str, str],
        files: Sequence[int],
    ) -> None:
        self.returncode: int | None = None
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
        self._line.connect(f"\0{name}")
        asked = {"words": list(words), "folder": folder, "env": dict(environment)}
        socket.send_fds(self._line, [json.dumps(asked).encode()], list(files))
        self.pid = int(self._line.recv(16))

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
        if self.returncode is None and select.select([self._line], [], [], timeout)[0]:
            told = self._line.recv(16)
            self._line.close()
            self.returncode = int(told) if told else -signal.SIGKILL
        return self.returncode


_MOTHERS: dict[int, tuple["subprocess.Popen[bytes]", str]] = {}


def mother() -> str:
    """Return the name of the socket of the process that forks for this one."""
    if os.getpid() not in _MOTHERS:
        name = f"waystation-warm-{os.getpid()}-{os.urandom(4).hex()}"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.peers.warm_mother", name, str(os.getpid())],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.stdout.close()
        _MOTHERS[os.getpid()] = process, name
        atexit.register(_end, process)
    return _MOTHERS[os.getpid()][1]


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def start(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], out: int, err: int
) -> Warm:
    """Begin ``waystation WORDS``."""
    with open(os.devnull, "rb") as nothing:
        return Warm(mother(), words, str(folder), environment, (nothing.fileno(), out, err))


if __name__ == "__main__":
    sys.exit(Warm(sys.argv[1], sys.argv[2:], os.getcwd(), os.environ, (0, 1, 2)).wait())
