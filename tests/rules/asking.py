"""Heads from a few values, and one condition asked of them: what the tables of rows need."""

import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from tests.objects.elements import EXPLICIT_LITTLE, element
from waystation.dicom.head import Head
from waystation.rules.conditions import Look, condition
from waystation.rules.facts import Facts
from waystation.rules.faults import RuleFault
from waystation.rules.known import NOTHING, Known

NUMBERS = {"US": "<H", "SS": "<h", "UL": "<I", "FL": "<f", "FD": "<d"}
# Wednesday 2026-04-01 10:15:30 UTC.
ARRIVED = datetime(2026, 4, 1, 10, 15, 30, tzinfo=UTC).timestamp()
FACTS = Facts(
    received_at=ARRIVED,
    calling_ae="CT1A",
    called_ae="WAYSTATION",
    peer="ct1",
    address="10.1.2.14",
    transfer_syntax="1.2.840.10008.1.2.4.90",
    size_bytes=524288,
)

Row = tuple[Mapping[str, object], Mapping[str, Any], bool, str]


def data_set(values: Mapping[str, Any]) -> bytes:
    """Return explicit little endian elements; a list of mappings becomes a sequence."""
    parts = {}
    for keyword, value in values.items():
        if keyword.startswith("("):
            tag, vr = int(keyword[1:5] + keyword[6:10], 16), keyword[11:13]
        else:
            tag = tag_for_keyword(keyword) or 0
            vr = dictionary_VR(tag)[:2]
        parts[tag] = element(tag, vr, _bytes(vr, value))
    return b"".join(parts[tag] for tag in sorted(parts))


def _bytes(vr: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8")
    if vr == "SQ":
        items = [data_set(item) for item in value]
        return b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    numbers = value if isinstance(value, list) else [value]
    return b"".join(struct.pack(NUMBERS[vr], number) for number in numbers)


def head_of(values: Mapping[str, Any]) -> Head:
    return Head.from_bytes(data_set(values), EXPLICIT_LITTLE)


def ask(
    when: object, values: Mapping[str, Any], facts: Facts = FACTS, known: Known = NOTHING
) -> tuple[bool, str]:
    """Return the answer to ``when`` and its clause."""
    faults: list[RuleFault] = []
    compiled = condition(when, "when", faults, 0, known)
    assert not faults
    seen = Look(head_of(values), facts)
    answer = compiled.judge(seen)
    assert compiled.holds(seen) is answer[0]
    assert compiled.explain(seen, answer[0]) == answer[1]
    return answer


def faults_of(when: object) -> list[str]:
    """Return what is wrong with ``when``, as the operator reads it."""
    faults: list[RuleFault] = []
    condition(when, "when", faults)
    return [str(fault) for fault in faults]
