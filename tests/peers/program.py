"""One peer program as a child process: started, awaited, stopped by its own process id.

Contract: a `Program` dies with the process that started it (Linux parent-death signal), and
`close` ends it in any state, a stopped one too.  Its output goes to a file in its folder.
"""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import pytest

from tests.peers import warm
from tests.peers.warm import Warm

WAYSTATION = Path(sys.executable).parent / "waystation"
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
HOST = "127.0.0.1"
PORTS = range(15_000, 32_000)


class PeerFailed(Exception):
    """A peer program ended, or did not answer in time; the text ends with its log."""


def need(program: str, *, access: int = os.X_OK) -> str:
    """Return ``program``; skip the test if it is not installed, but fail in CI."""
    if not os.access(program, access):
        if os.environ.get("CI") == "true":
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return program


def free_port() -> int:
    """Return a TCP port that nobody uses, from below those the system gives to callers.

    Those above may be taken by an outgoing connection before the peer has bound them.  A port is
    given to one process of all on this machine, which keeps it to its end: its claim is a name
    among the abstract sockets of Linux.
    """
    while True:
        port = secrets.choice(PORTS)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0waystation-test-port-{port}")
            # Not every peer would bind one that is still in TIME_WAIT, and some bind all addresses.
            with socket.socket() as probe:
                probe.bind(("", port))
        except OSError:
            claim.close()
            continue
        # Open to the end of the process.
        claim.detach()
        return port


def answers(port: int) -> bool:
    """Return whether something accepts connections on ``port``."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def wait_until(condition: Callable[[], bool], what: str, *, within_s: float = 60.0) -> None:
    """Return as soon as ``condition`` holds; raise `PeerFailed` with ``what`` if it never does."""
    limit = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > limit:
            raise PeerFailed(f"not within {within_s} s: {what}")
        time.sleep(0.02)


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Program:
    """A running child process and its log."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        name: str = "",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name or Path(command[0]).name
        self.folder = folder
        self.log_file = folder / f"{self.name}.log"
        whole = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | Warm
        with self.log_file.open("ab") as log:
            if Path(command[0]) == WAYSTATION and warm.takes(environment or {}):
                self._process = warm.start(command[1:], folder, whole, log.fileno(), log.fileno())
                return
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env=whole,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def peak_kib(self) -> int:
        """Return the largest resident size so far (VmHWM), in KiB."""
        return memory_kib(self.pid, "VmHWM")

    def resident_kib(self) -> int:
        """Return the resident size now (VmRSS), in KiB."""
        return memory_kib(self.pid, "VmRSS")

    def wait_for_port(self, port: int, *, within_s: float = 60.0) -> None:
        """Return when ``port`` accepts connections; raise `PeerFailed` if the program ends."""

        def up() -> bool:
            if self.exit_code is not None:
                raise PeerFailed(f"{self.name} ended with {self.exit_code}:\n{self.log[-2000:]}")
            return answers(port)

        wait_until(up, f"{self.name} on port {port}", within_s=within_s)

    def wait(self, *, within_s: float = 60.0) -> int:
        """Return the exit code once the program has ended by itself."""
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired as error:
            raise PeerFailed(f"{self.name} still runs after {within_s} s") from error

    def signal(self, number: signal.Signals) -> None:
        if self.exit_code is None:
            os.kill(self.pid, number)

    def pause(self) -> None:
        """Stop the program in its tracks: it hangs, its connections stay open."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def close(self, *, grace_s: float = 5.0) -> None:
        """End it politely, or at once when it does not listen."""
        self.resume()
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def command(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    timeout_s: float = 60.0,
) -> subprocess.CompletedProcess[str]:
    """Run a command of the product to its end; raises ``subprocess.TimeoutExpired``."""
    if not warm.takes(environment or {}):
        return subprocess.run(
            [str(WAYSTATION), *words],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        whole = {**os.environ, **(environment or {})}
        process = warm.start(words, folder, whole, out.fileno(), err.fileno())
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            raise
        texts = [_text(file) for file in (out, err)]
    return subprocess.CompletedProcess(["waystation", *words], code, *texts)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def memory_kib(pid: int, field: str) -> int:
    """Return one size from the status of a process, in KiB; 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return 0
