"""What the rules cost for one arrival: 200 and 1,000 of three conditions each (R-22).

A mix as a large site writes it: most rules name a sender or a modality, some only look into
texts, numbers and dates; a few have an expression.  Some ten of them match each object.  The head
is at hand, as when an object has just come in; planning includes the building of the plan.
"""

import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from typing import Any

from benchmarks.figures import Figure
from benchmarks.plan import Bench
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.rules.facts import Facts
from waystation.rules.plan import plan
from waystation.rules.read import RuleSet, read_rules

BAR_US = 1000.0
COUNTS = (200, 1000)
CT = "1.2.840.10008.5.1.4.1.1.2"
DESTINATIONS = [f"d{n}" for n in range(20)]
MODALITIES = ("CT", "MR", "DX", "MG", "US", "XA", "NM", "PT")
PARTS = ("CHEST", "HEAD", "KNEE", "SPINE", "PELVIS")


def head() -> Head:
    """Return the head of one CT image."""
    values = (
        (0x00080008, b"CS", b"ORIGINAL\\PRIMARY\\AXIAL "),
        (0x00080016, b"UI", CT.encode() + b"\0"),
        (0x00080020, b"DA", b"20260329"),
        (0x00080060, b"CS", b"CT"),
        (0x00081030, b"LO", b"CT CHEST WITH CONTRAST"),
        (0x00100020, b"LO", b"P0012345"),
        (0x00180015, b"CS", b"CHEST "),
        (0x00180050, b"DS", b"1.25"),
        (0x00280010, b"US", struct.pack("<H", 512)),
    )
    data = b"".join(
        struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value
        for tag, vr, value in values
    )
    return Head.from_bytes(data, EXPLICIT_VR_LE)


def table(n: int) -> dict[str, Any]:
    """Return the ``n``-th rule of the mix."""
    modality, part = MODALITIES[n % len(MODALITIES)], PARTS[n % len(PARTS)]
    kinds: list[dict[str, Any]] = [
        {"when": {"calling_ae": f"AE{n % 97}", "Modality": modality, "hour": "8..18"}},
        {"when": {"Modality": [modality, "OT"], "BodyPartExamined": part, "Rows": {"ge": 512}}},
        {"when": {"StudyDescription": f"*{part}*", "Modality": modality, "StudyDate": "2026"}},
        {"when": {"calling_ae": f"AE{n % 97}*", "Rows": {"ge": 256 + n}, "tls": True}},
        {
            "when": {"Modality": modality, "PatientID": f"P{n:04}*"},
            "if": "SliceThickness < 2 and 'CONTRAST' in StudyDescription",
        },
        {"when": {"peer": f"site{n % 50}"}, "if": f"Modality == '{modality}' and Rows > {n}"},
    ]
    return {"name": f"rule {n}", "send": [DESTINATIONS[n % 19]], **kinds[n % len(kinds)]}


def ruleset(count: int) -> RuleSet:
    """Return ``count`` rules of the mix."""
    read = read_rules([table(n) for n in range(count)], destinations=DESTINATIONS)
    assert not read.faults
    return read.ruleset


def arrival() -> Facts:
    """Return where the object came from."""
    at = datetime(2026, 4, 1, 10, 15, tzinfo=UTC).timestamp()
    return Facts(received_at=at, calling_ae="AE8", peer="site5", address="10.1.2.14")


def microseconds(rules: RuleSet, rounds: int = 7, times: int = 60) -> float:
    """Return what one arrival costs in processor time, the median of some rounds."""
    found, facts = head(), arrival()
    samples = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            plan(found, facts, rules, sop_class_uid=CT)
        samples.append((time.process_time() - began) / times * 1e6)
    return median(samples)


def rules(_bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures of both amounts."""
    figures = []
    for count in COUNTS:
        say(f"rules: {count}")
        cost = microseconds(ruleset(count))
        name = f"rules.plan_{count}"
        figures.append(Figure(name=name, unit="us", ours=cost, bar=BAR_US, higher=False))
    return figures
