"""Which left sides show who the patient is, and how to keep quiet about them (R-79, N-24).

Contract: names of persons, what stands in the patient's own group but is no measure of the body,
and the numbers under which other systems file the patient identify; nothing else does.  A
`discreet` look gets clauses without the value and without what the rule compares it to: where
both are equal the one tells the other.  That there is no value at all may be said.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from waystation.dicom.paths import parse_path
from waystation.rules.subjects import FACTS, Kind, Subject

HIDDEN = "(value hidden, --names shows it)"
PATIENT_GROUP = 0x0010
# Sex, age, size, weight, pregnancy, smoking, species: measures of the body, shared by thousands.
BODY = frozenset({0x00100040, 0x00101010, 0x00101020, 0x00101030, 0x001021C0, 0x001021A0})
SPECIES = frozenset({0x00102201, 0x00102202, 0x00102203, 0x00102292, 0x00102293})
# Accession Number, Admission ID, Study ID, Requested Procedure ID, Placer and Filler Order Number.
FILED_UNDER = frozenset({0x00080050, 0x00380010, 0x00200010, 0x00401001, 0x00402016, 0x00402017})


@lru_cache(maxsize=4096)
def identifying(left: Subject) -> bool:
    """Tell whether the values of ``left`` show who the patient is."""
    if left.name in FACTS or left.name.startswith("study."):
        return False
    return left.kind is Kind.NAME or any(map(_identifies, _tags(left.name)))


def _tags(name: str) -> list[int]:
    return [step.tag for step in parse_path(name) if not step.creator]


def _identifies(tag: int) -> bool:
    if tag in FILED_UNDER:
        return True
    return tag >> 16 == PATIENT_GROUP and tag not in BODY and tag not in SPECIES


def concealed(
    explain: Callable[[Any, bool], str], read: Iterable[Subject]
) -> Callable[[Any, bool], str]:
    """Return ``explain``, quiet to a discreet look about what it ``read`` if that identifies."""
    private: Sequence[Subject] = [left for left in dict.fromkeys(read) if identifying(left)]
    if not private:
        return explain
    words = f"{', '.join(left.name for left in private)} {HIDDEN}"

    def discreetly(seen: Any, held: bool) -> str:
        if not seen.discreet:
            return explain(seen, held)
        there = [(seen.found.get(left.name) or seen.read(left)).size for left in private]
        return words if any(there) else explain(seen, held)

    return discreetly
