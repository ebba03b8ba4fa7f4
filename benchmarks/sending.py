"""Sending with storescu and a watch: one sender, or several at once on parts of a study."""

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import Receiver
from tests.peers.dcmtk import STORESCU, TUNED
from tests.peers.program import HOST


class SendFailed(Exception):
    """A sender did not end with 0: the run is worth nothing."""


class FirstByte:
    """When the first of some senders opened its connection; `at` is seconds since the epoch."""

    def __init__(self) -> None:
        self.at = 0.0

    def watch(self, senders: Sequence["subprocess.Popen[bytes]"]) -> None:
        """Return once one of them has a socket, or none of them runs any more."""
        while any(sender.poll() is None for sender in senders):
            if any(has_socket(sender.pid) for sender in senders):
                break
            time.sleep(0.0005)
        self.at = time.time()


def has_socket(pid: int) -> bool:
    """Return whether a process has opened a socket."""
    folder = f"/proc/{pid}/fd"
    try:
        return any(
            os.readlink(f"{folder}/{name}").startswith("socket:") for name in os.listdir(folder)
        )
    except OSError:
        return False


def send(
    receiver: Receiver,
    folders: Sequence[Path],
    *,
    tuned: bool = True,
    first: FirstByte | None = None,
) -> float:
    """Send each folder over an association of its own, all at once; return the seconds.

    The time includes the start of storescu, some 20 ms, for everybody alike; ``first`` learns
    when that was over.
    """
    command = [STORESCU, "-aec", receiver.ae_title, "+sd", "+r", HOST, str(receiver.port)]
    environment = TUNED if tuned else {}
    began = time.perf_counter()
    senders = [
        subprocess.Popen(
            [*command, str(folder)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for folder in folders
    ]
    if first is not None:
        threading.Thread(target=first.watch, args=(senders,), daemon=True).start()
    said = [sender.communicate()[0] for sender in senders]
    took = time.perf_counter() - began
    for sender, text in zip(senders, said, strict=True):
        if sender.returncode != 0:
            raise SendFailed(text.decode(errors="replace")[-2000:])
    return took
