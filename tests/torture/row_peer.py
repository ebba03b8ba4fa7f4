"""F9, F10, F12, F13: destinations that hang, refuse, abort, break off, or take only little."""

import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

from tests.torture import journal
from tests.torture.books import Row
from tests.torture.crowd import LARGE, SMALL
from tests.torture.proxy import Cut, FaultProxy
from tests.torture.rig import Rig
from waystation.app.simulated_pacs import Script
from waystation.app.synthetic import Study
from waystation.dicom.uids import IMPLICIT_VR_LE, MR_IMAGE_STORAGE

IMPATIENT = 'timeouts = { connect = "1s", associate = "1s", response = "1s", release = "1s" }'


def some(seed: object, images: int, size_bytes: int = SMALL) -> Study:
    return Study(seed=str(seed), number=1, series=1, images=images, size_bytes=size_bytes)


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def hanging_sink(folder: Path, *, seed: int, images: int = 20, hang_s: float = 6.0) -> Row:
    """One sink falls silent before its response: the other is not disturbed, nothing leaks."""
    scripts = {"stuck": Script(hang_after=3), "good": Script()}
    with Rig(folder, scripts=scripts, lanes={"stuck": IMPATIENT}) as rig:
        rig.send(some(f"{seed}/1", images))
        rig.send(some(f"{seed}/2", 3, LARGE))
        limit = time.monotonic() + 20.0
        while rig.books.missing("good") and time.monotonic() < limit:
            time.sleep(0.05)
        disturbed = bool(rig.books.missing("good"))
        time.sleep(hang_s / 2)
        before = descriptors(rig.node.pid)
        time.sleep(hang_s / 2)
        leaked = descriptors(rig.node.pid) - before
        rig.sinks["stuck"].follow(Script())
        row = rig.judge("F9", allowed_repeats=0)
    if disturbed:
        row.faults.append("the other destination had to wait")
    if leaked > 4:
        row.faults.append(f"{leaked} descriptors leaked")
    return row


def unfriendly_sinks(folder: Path, *, seed: int, images: int = 20, storm_s: float = 4.0) -> Row:
    """Sinks that refuse, abort and cut: sent again, and only as often as allowed (F10)."""
    scripts = {
        "full": Script(reject="transient"),
        "rude": Script(abort_after=3),
        "lossy": Script(drop_every=4),
        "short": Script(status=0xA700, status_every=5),
    }
    with Rig(folder, scripts=scripts) as rig:
        rig.send(some(f"{seed}/1", images))
        rig.send(some(f"{seed}/2", 3, LARGE))
        time.sleep(storm_s)
        for sink in rig.sinks.values():
            sink.follow(Script())
        return rig.judge("F10", allowed_repeats=0)


def resets_towards_sink(folder: Path, *, seed: int, cuts: int = 40) -> Row:
    """Reset each association with a sink after byte k, the response's last byte included."""
    chance = random.Random(seed)
    whole = 13_500  # request, object of 12 kB, release
    places = [*chance.sample(range(1, whole), cuts - 2), 0, whole]
    wanted = [Cut(up=place) for place in places]
    wanted += [Cut(down=place) for place in range(170, 330, max(1, 160 * 4 // cuts))]
    chance.shuffle(wanted)
    with Rig(folder, start=False) as rig:
        proxy = FaultProxy(rig.sinks["sink"].port, wanted)
        rig.crowd.do(proxy.start())
        rig.ports["sink"] = proxy.port
        rig.configure({"sink": 'linger = "100ms"'})
        rig.start()
        limit = time.monotonic() + 4.0 * cuts
        number = 0
        while proxy.left and time.monotonic() < limit:
            number += 1
            rig.send(some(f"{seed}/{number}", 1))
            time.sleep(0.3)
        row = rig.judge("F12 sink", runs=len(wanted) - proxy.left, allowed_repeats=len(wanted))
        rig.crowd.do(proxy.stop())
    if proxy.left:
        row.faults.append(f"{proxy.left} of {len(wanted)} cuts were never met")
    return row


def resets_from_source(folder: Path, *, seed: int, cuts: int = 40) -> Row:
    """Reset each association of a source after byte k: what was not answered is not missed."""
    chance = random.Random(seed)
    places = [chance.randrange(1, 2 * LARGE) for _ in range(cuts // 2)]
    places += [chance.randrange(1, 2000) for _ in range(cuts - len(places))]
    wanted = [Cut(up=place) for place in places] + [Cut(down=n) for n in range(100, 400, 30)]
    with Rig(folder) as rig:
        proxy = FaultProxy(rig.port, wanted)
        rig.crowd.do(proxy.start())
        for number in range(len(wanted)):
            study = some(f"{seed}/{number}", 2, LARGE if number % 2 else SMALL)
            rig.crowd.do(rig.crowd.send(proxy.port, study))
        row = rig.judge("F12 source", runs=len(wanted), allowed_repeats=0)
        rig.crowd.do(proxy.stop())
    return row


def choosy_sinks(folder: Path, *, seed: int) -> Row:
    """Sinks with few classes or syntaxes: what they cannot take is held after one try (F13)."""
    scripts = {
        "mr only": Script(accept_class=(MR_IMAGE_STORAGE,)),
        "implicit only": Script(accept_syntax=(IMPLICIT_VR_LE,)),
        "all": Script(),
    }
    named = {name.replace(" ", "-"): script for name, script in scripts.items()}
    # Not in another syntax either: the bytes are compared.
    lanes = {"implicit-only": 'transcode = "never"'}
    with Rig(folder, scripts=named, lanes=lanes) as rig:
        rig.send(some(f"{seed}/mr", 3))
        rig.send(some(f"{seed}/ct", 3, LARGE))
        limit = time.monotonic() + 20.0
        while journal.open_rows(rig.data) and time.monotonic() < limit:
            time.sleep(0.05)
        held = {name: journal.held_instances(rig.data, name) for name in named}
        found = {name: len(uids) for name, uids in held.items()}
        everything = rig.books.acked
        row = rig.judge("F13", excused=everything, allowed_repeats=0, drain_s=5.0)
        came: Sequence[int] = [came.total() for came in rig.books.delivered.values()]
    if found != {"mr-only": 3, "implicit-only": 6, "all": 0} or list(came) != [3, 0, 6]:
        row.faults.append(f"held {found}, delivered {list(came)}")
    return row
