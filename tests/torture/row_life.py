"""F18, F19, F22: ends in order, a second process on the same folder, little memory."""

import asyncio
import random
import subprocess
import threading
import time
from pathlib import Path

from tests.peers.program import WAYSTATION, memory_kib
from tests.torture.books import Row
from tests.torture.crowd import LARGE
from tests.torture.rig import Rig
from tests.torture.row_peer import some

BIG = 24_000_000
HEADROOM = 128 << 20


def terminated_under_load(folder: Path, *, seed: int, times: int = 5, sources: int = 4) -> Row:
    """SIGTERM while sources send: exit 0 in time, nothing lost, nothing repeated (F18, S-73)."""
    chance = random.Random(seed)
    codes = []
    with Rig(folder) as rig:
        until = threading.Event()
        senders = [
            rig.crowd.begin(rig.crowd.keep_sending(lambda: rig.port, f"{seed}/{n}", until=until))
            for n in range(sources)
        ]
        for _ in range(times):
            time.sleep(chance.uniform(0.3, 1.5))
            codes.append(rig.node.stop(within_s=20.0))
            rig.start()
        until.set()
        for sender in senders:
            sender.result(60)  # type: ignore[call-arg]
        row = rig.judge("F18", runs=times, allowed_repeats=0)
    if any(codes):
        row.faults.append(f"exit codes {codes}")
    return row


def second_process(folder: Path, *, seed: int) -> Row:
    """A second process on the data folder exits 1 and names the holder (F19, S-11)."""
    faults = []
    with Rig(folder) as rig:
        rig.send(some(f"{seed}/1", 3))
        second = subprocess.run(
            [str(WAYSTATION), "serve", "--config", str(rig.node.config_file)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if second.returncode != 1:
            faults.append(f"the second process ended with {second.returncode}")
        if str(rig.node.pid) not in second.stderr:
            faults.append("it does not name the holder")
        rig.send(some(f"{seed}/2", 3))
        row = rig.judge("F19", allowed_repeats=0)
    row.faults += faults
    return row


def little_memory(folder: Path, *, seed: int, senders: int = 12) -> Row:
    """With a limit on its address space it takes many large objects: no buffer grows (F22)."""
    with Rig(folder) as rig:

        async def everybody(what: str, images: int, size_bytes: int) -> None:
            studies = [some(f"{what}/{n}", images, size_bytes) for n in range(senders)]
            await asyncio.gather(*(rig.crowd.send(rig.port, study) for study in studies))

        # Threads and their stacks count as address space: let them all come into being.
        rig.crowd.do(everybody(f"{seed}/warm", 3, 2 * LARGE))
        rig.drain()
        size = memory_kib(rig.node.pid, "VmPeak") * 1024
        rig.node.stop()
        rig.node.prefix = ["prlimit", f"--as={size + HEADROOM}"]
        rig.start()
        rig.crowd.do(everybody(f"{seed}/big", 2, BIG), within_s=300.0)
        survived = rig.node.alive
        peak = memory_kib(rig.node.pid, "VmHWM") // 1024
        row = rig.judge("F22", runs=senders, allowed_repeats=0 if survived else None)
    if not survived:
        row.notes.append("the node ran out of memory and was started again")
    if row.acked < row.attempted:
        row.faults.append(f"only {row.acked} of {row.attempted} were accepted")
    row.notes.append(f"peak {peak} MiB, {2 * senders * BIG // 10**6} MB sent")
    return row
