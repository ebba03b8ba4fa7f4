"""Sending with storescu and a watch: one sender, or several at once on parts of a study."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import Receiver
from tests.peers.dcmtk import STORESCU, TUNED
from tests.peers.program import HOST


class SendFailed(Exception):
    """A sender did not end with 0: the run is worth nothing."""


def send(receiver: Receiver, folders: Sequence[Path], *, tuned: bool = True) -> float:
    """Send each folder over an association of its own, all at once; return the seconds.

    The time includes the start of storescu, some 20 ms, for everybody alike.
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
    said = [sender.communicate()[0] for sender in senders]
    took = time.perf_counter() - began
    for sender, text in zip(senders, said, strict=True):
        if sender.returncode != 0:
            raise SendFailed(text.decode(errors="replace")[-2000:])
    return took
