"""An archive full of small studies: sent to anybody, or copied into the index of a stopped node.

Contract: study ``n`` belongs to patient ``n``; its objects are made while they are sent and carry
little more than what a C-FIND asks for.  `widen` copies what an index knows of its studies, as
many times as wanted; the copies belong to other patients.
"""

import os
import sqlite3
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Receiver, database_in
from tests.objects.files import Stored
from tests.peers.raw import RawClient
from waystation.dicom.compose import Elements, compose
from waystation.dicom.uids import EXPLICIT_VR_LE

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ROOT = "1.2.826.0.1.3680043.10.1338.7"
SENDERS = 4
PER_ASSOCIATION = 1000
SIZE = 24


class StoreFailed(Exception):
    """An object was not taken: the run is worth nothing."""


@dataclass(frozen=True, slots=True)
class Fill:
    """What one sender stores: studies from ``first`` on, ``step`` apart, below ``end``."""

    port: int
    called: str
    first: int
    end: int
    step: int
    per_study: int


def patient_of(number: int) -> str:
    return f"P{number:07}"


def small_object(study: int, number: int) -> Stored:
    """Return one object of a study."""
    study_uid = f"{ROOT}.{study + 1}"
    uid = f"{study_uid}.1.{number + 1}"
    elements: Elements = {
        0x00080016: ("UI", SECONDARY_CAPTURE),
        0x00080018: ("UI", uid),
        0x00080020: ("DA", f"20{study % 25 + 1:02}{study % 12 + 1:02}{study % 28 + 1:02}"),
        0x00080030: ("TM", f"{study % 24:02}3000"),
        0x00080050: ("SH", f"A{study:07}"),
        0x00080060: ("CS", "OT"),
        0x00081030: ("LO", f"Study {study}"),
        0x00100010: ("PN", f"FAMILY{study % 997}^GIVEN{study}"),
        0x00100020: ("LO", patient_of(study)),
        0x00100030: ("DA", f"19{study % 90 + 10}0101"),
        0x00100040: ("CS", "O"),
        0x0020000D: ("UI", study_uid),
        0x0020000E: ("UI", f"{study_uid}.1"),
        0x00200010: ("SH", f"S{study}"),
        0x00200011: ("IS", "1"),
        0x00200013: ("IS", str(number + 1)),
        0x00280002: ("US", (1).to_bytes(2, "little")),
        0x00280004: ("CS", "MONOCHROME2"),
        0x00280010: ("US", SIZE.to_bytes(2, "little")),
        0x00280011: ("US", SIZE.to_bytes(2, "little")),
        0x00280100: ("US", (8).to_bytes(2, "little")),
        0x00280101: ("US", (8).to_bytes(2, "little")),
        0x00280102: ("US", (7).to_bytes(2, "little")),
        0x00280103: ("US", (0).to_bytes(2, "little")),
        0x7FE00010: ("OB", bytes(SIZE * SIZE)),
    }
    return Stored(
        sop_class=SECONDARY_CAPTURE,
        sop_instance=uid,
        transfer_syntax=EXPLICIT_VR_LE,
        data_set=compose(elements, EXPLICIT_VR_LE),
    )


def store_part(fill: Fill) -> None:
    """Store one sender's studies, many to an association."""
    wanted = [
        (study, number)
        for study in range(fill.first, fill.end, fill.step)
        for number in range(fill.per_study)
    ]
    for start in range(0, len(wanted), PER_ASSOCIATION):
        with RawClient(fill.port) as client:
            client.associate([(SECONDARY_CAPTURE, (EXPLICIT_VR_LE,))], called=fill.called)
            for place, which in enumerate(wanted[start : start + PER_ASSOCIATION]):
                client.send(client.store_request(small_object(*which), message_id=place + 1))
                status = client.status()
                if status:
                    raise StoreFailed(f"{which}: status {status}")
            client.release()


def fill(receiver: Receiver, studies: int, per_study: int, *, senders: int = SENDERS) -> float:
    """Store so many studies over several associations at once; return objects per second."""
    parts = [
        Fill(receiver.port, receiver.ae_title, first, studies, senders, per_study)
        for first in range(senders)
    ]
    began = time.perf_counter()
    with ProcessPoolExecutor(senders) as pool:
        list(pool.map(store_part, parts))
    return studies * per_study / (time.perf_counter() - began)


NEW = "-(number.n * 10000000 + (SELECT place FROM place_of WHERE old = {}))"
COPIED = {
    "patient": {"id": NEW.format("old.id"), "patient_id": "old.patient_id || '.' || number.n"},
    "study": {
        "id": NEW.format("old.id"),
        "uid": "old.uid || '.' || number.n",
        "patient": NEW.format("old.patient"),
        "patient_id": "old.patient_id || '.' || number.n",
        "accession": "old.accession || '.' || number.n",
    },
    "series": {
        "id": NEW.format("old.id"),
        "uid": "old.uid || '.' || number.n",
        "study": NEW.format("old.study"),
    },
    "term": {"value": "old.value || '.' || number.n", "study": NEW.format("old.study")},
    "level": {"id": NEW.format("old.id")},
}
NUMBERS = "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)"


def widen(data: Path, copies: int) -> None:
    """Copy each study of a stopped node's index so many times."""
    with closing(sqlite3.connect(database_in(data), isolation_level=None)) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute("BEGIN")
        database.execute("CREATE TEMP TABLE place_of (old INTEGER PRIMARY KEY, place INTEGER)")
        database.execute("INSERT INTO place_of SELECT id, row_number() OVER () FROM level")
        for table, changed in COPIED.items():
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(changed.get(name, f"old.{name}") for name in names)
            database.execute(
                f"{NUMBERS} INSERT INTO {table} ({', '.join(names)})"
                f" SELECT {values} FROM number, (SELECT * FROM {table}) AS old",
                (copies,),
            )
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database_in(data).open("rb") as file:
        os.fsync(file.fileno())
