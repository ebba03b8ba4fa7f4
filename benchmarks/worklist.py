"""The worklist beside wlmscpfs: one entry, a station's day and all its days, HL7 messages (T-82).

Both hold the same entries: stations times days, each pair the same number.  A raw client asks one
query after the other over one association; the requests are made before the clock starts, and
every answer is read.  Figures are milliseconds of the median query; that of messages is what one
connection gets acknowledged, each after its commit.
"""

import asyncio
import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.contenders import fresh
from benchmarks.figures import OURS, Figure, Samples, against_each
from benchmarks.plan import FULL, Bench
from tests.hl7.building import order
from tests.objects.elements import element
from tests.peers.node import Node
from tests.peers.raw import COMMAND, DATA_SET, LAST, RawClient, command_set, data_pdus
from tests.peers.wlmscpfs import WlmScpFs
from waystation.db.engine import Database
from waystation.db.migrate import migrate
from waystation.dicom.compose import Elements, compose
from waystation.dicom.part10 import file_meta
from waystation.dicom.uids import EXPLICIT_VR_LE, MODALITY_WORKLIST_FIND
from waystation.flows.steps import Steps
from waystation.hl7.frames import Frames, framed
from waystation.journal.ids import IdSource
from waystation.model.step import Author, StepDraft

WLMSCPFS, AREA = "wlmscpfs", "BENCH"
STATIONS, DAYS = 20, 10
C_FIND_RQ, PENDING = 0x0020, 0xFF00
LEVELS = {True: (1000, 10_000), False: (200, 1000)}
QUERIES = {True: 30, False: 6}
MESSAGES = {True: 2000, False: 200}
BAR_DAY, BAR_ONE_MS, BAR_DAYS_MS, BAR_MESSAGES = 1 / 20, 10.0, 100.0, 100.0
CONFIG = f'[worklist.area.bench]\nae_title = ["{AREA}"]\n[worklist.hl7]\nport = 0\n'
FILLER = Author(kind="file", name="benchmark")


class WrongAnswer(Exception):
    """Somebody did not find what it has: the run is worth nothing."""


def entry(number: int) -> bytes:
    """Return the data set of one entry."""
    station, day = number % STATIONS, number // STATIONS % DAYS
    step: Elements = {
        0x00080060: ("CS", "CT"),
        0x00400001: ("AE", f"CT{station}"),
        0x00400002: ("DA", f"204003{1 + day:02}"),
        0x00400003: ("TM", f"{8 + number % 10:02}{number % 60:02}00"),
        0x00400007: ("LO", "CT head"),
        0x00400009: ("SH", f"S{number}"),
    }
    whole: Elements = {
        0x00080005: ("CS", "ISO_IR 100"),
        0x00080050: ("SH", f"A{number}"),
        0x00100010: ("PN", f"Family{number}^Given"),
        0x00100020: ("LO", f"P{number}"),
        0x00100030: ("DA", "19700101"),
        0x00100040: ("CS", "F"),
        0x0020000D: ("UI", f"1.2.826.0.1.3680043.10.1.{number}"),
        0x00321060: ("LO", "CT head"),
        0x00400100: ("SQ", [step]),
        0x00401001: ("SH", f"R{number}"),
    }
    return compose(whole, EXPLICIT_VR_LE)


def request(message_id: int, *, patient: str = "", station: str = "", day: str = "") -> bytes:
    """Return the PDUs of one worklist query."""
    asked: Elements = {
        0x00080050: ("SH", ""),
        0x00100010: ("PN", ""),
        0x00100020: ("LO", patient),
        0x0020000D: ("UI", ""),
        0x00321060: ("LO", ""),
        0x00400100: (
            "SQ",
            [
                {
                    0x00080060: ("CS", ""),
                    0x00400001: ("AE", station),
                    0x00400002: ("DA", day),
                    0x00400003: ("TM", ""),
                    0x00400009: ("SH", ""),
                }
            ],
        ),
        0x00401001: ("SH", ""),
    }
    command = command_set(
        element(0x00000002, "UI", MODALITY_WORKLIST_FIND, implicit=True),
        element(0x00000100, "US", C_FIND_RQ, implicit=True),
        element(0x00000110, "US", message_id, implicit=True),
        element(0x00000700, "US", 0, implicit=True),
        element(0x00000800, "US", DATA_SET, implicit=True),
    )
    identifier = compose(asked, EXPLICIT_VR_LE)
    return data_pdus(1, COMMAND | LAST, command) + data_pdus(1, LAST, identifier)


def asked(port: int, requests: list[bytes], wanted: int) -> float:
    """Return the median of the milliseconds that each of these queries takes."""
    took = []
    with RawClient(port) as client:
        client.associate(
            [(MODALITY_WORKLIST_FIND, (EXPLICIT_VR_LE,))], called=AREA, calling="ASKER"
        )
        for number, one in enumerate(requests):
            began = time.perf_counter()
            client.send(one)
            found = 0
            while (status := client.status()) == PENDING:
                found += 1
                client.read_message()
            if status or found != wanted:
                raise WrongAnswer(f"status {status:04X}, {found} entries instead of {wanted}")
            # The first one pays for what is loaded late.
            if number:
                took.append((time.perf_counter() - began) * 1000)
        client.release()
    return median(took)


def measured(port: int, entries: int, queries: int) -> dict[str, float]:
    """Return the milliseconds for one entry, for a station's day, and for all days of a station."""
    chosen = random.Random(entries)
    ones = [request(n + 1, patient=f"P{chosen.randrange(entries)}") for n in range(queries + 1)]
    some = range(queries // 3 + 2)
    days = [
        request(n + 1, station=f"CT{n % STATIONS}", day=f"204003{1 + n % DAYS:02}") for n in some
    ]
    all_days = [request(n + 1, station=f"CT{n % STATIONS}", day="20400301-20400331") for n in some]
    return {
        "one": asked(port, ones, 1),
        "day": asked(port, days, entries // (STATIONS * DAYS)),
        "days": asked(port, all_days, entries // STATIONS),
    }


def fill_files(folder: Path, entries: int) -> None:
    """Write the entries as wlmscpfs has them."""
    area = folder / AREA
    area.mkdir(parents=True)
    (area / "lockfile").touch()
    for number in range(entries):
        header = file_meta(MODALITY_WORKLIST_FIND, f"1.2.3.{number}", EXPLICIT_VR_LE)
        (area / f"{number:06}.wl").write_bytes(header + entry(number))


def fill_steps(data: Path, entries: int) -> None:
    """Write the entries into the worklist of a node that does not run."""
    data.mkdir(parents=True, exist_ok=True)
    path = data / "journal.db"
    migrate(path)
    database = Database(path)
    database.open()
    steps = Steps(database, IdSource(), time.time)

    async def fill() -> None:
        for batch in batches(entries, 500):
            await steps.add_all([StepDraft(data=entry(n)) for n in batch], FILLER)

    try:
        asyncio.run(fill())
    finally:
        database.close()


def batches(count: int, size: int) -> Iterator[range]:
    """Yield 0 to ``count`` in pieces."""
    for start in range(0, count, size):
        yield range(start, min(start + size, count))


def worklist(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures of the worklist."""
    full = bench.amounts.archive == FULL.archive
    figures: list[Figure] = []
    for entries in LEVELS[full]:
        found = {name: Samples() for name in ("one", "day", "days")}
        folder = fresh(bench.run)
        fill_files(folder, entries)
        with WlmScpFs(folder, ae_title=AREA) as peer:
            _add(found, WLMSCPFS, measured(peer.port, entries, QUERIES[full]))
        if bench.with_ours:
            with _our_node(fresh(bench.run), entries) as node:
                _add(found, OURS, measured(node.port, entries, QUERIES[full]))
        told = ", ".join(f"{name} {samples.of}" for name, samples in found.items())
        say(f"worklist: {entries} entries: {told} ms")
        figures += _judged(entries, found, full=full)
    return figures + (_messages(bench, say, MESSAGES[full]) if bench.with_ours else [])


def _our_node(folder: Path, entries: int) -> Node:
    node = Node(folder, CONFIG, start=False)
    fill_steps(node.data, entries)
    node.start(within_s=60)
    return node


def _add(found: dict[str, Samples], contender: str, took: dict[str, float]) -> None:
    for name, ms in took.items():
        found[name].add(contender, ms)


def _judged(entries: int, by_name: dict[str, Samples], *, full: bool) -> list[Figure]:
    largest = full and entries == LEVELS[True][-1]
    bars = {WLMSCPFS: BAR_DAY} if largest else {}
    found: list[Figure] = []
    for name, samples in by_name.items():
        beside = bars if name == "day" else {}
        row = f"worklist.{name}.{entries}"
        found += against_each(row, "ms", samples, bars=beside, higher=False)
        ours = samples.of.get(OURS)
        bar = {"one": BAR_ONE_MS, "days": BAR_DAYS_MS}.get(name)
        if ours and bar:
            found.append(
                Figure(name=f"{row}.alone", unit="ms", ours=ours[0], bar=bar, higher=False)
            )
    return found


def _messages(bench: Bench, say: Callable[[str], None], count: int) -> list[Figure]:
    """Return how many orders a second one connection gets acknowledged."""
    with ExitStack() as stack:
        node = stack.enter_context(Node(fresh(bench.run), CONFIG))
        port = json.loads((node.data / "node.json").read_text())["hl7_port"]
        wire = stack.enter_context(socket.create_connection(("127.0.0.1", port), 30))
        frames = Frames()
        took = 0.0
        for number in range(count + 20):
            raw = framed(order(number))
            began = time.perf_counter()
            wire.sendall(raw)
            while (answer := frames.next()) is None:
                frames.feed(wire.recv(1 << 16))
            if number >= 20:
                took += time.perf_counter() - began
            if b"\rMSA|AA|" not in answer:
                raise WrongAnswer(answer.decode("ascii", "replace"))
    say(f"worklist: {count / took:.0f} HL7 messages a second, each after its commit")
    return [Figure(name="worklist.hl7", unit="messages/s", ours=count / took, bar=BAR_MESSAGES)]
