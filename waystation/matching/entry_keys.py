"""Which keys of a worklist query filter, and which only ask for their value (T-15, T-52).

Contract: pure.  `filtered` gives the query as it is served: a value in a key that is no matching
key filters nothing; its attribute is answered and it is named in `Query.unknown`, so that answers
say FF01.  PS3.4 table K.6-1.
"""

from dataclasses import replace
from functools import cache
from typing import Final

from waystation.dicom.tags import tag_for
from waystation.matching.entry import STEPS
from waystation.matching.keys import is_universal, name_of
from waystation.model.query import Key, Query

_ENTRY: Final = """
    PatientName PatientID StudyInstanceUID StudyDate StudyTime AccessionNumber
    ReferringPhysicianName IssuerOfPatientID PatientBirthDate PatientSex ResponsiblePerson
    ResponsiblePersonRole RequestingPhysician RequestingService AdmissionID CurrentPatientLocation
    RequestedProcedureID RequestedProcedurePriority RequestedProcedureDescription
    PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest
"""
_STEP: Final = """
    ScheduledStationAETitle ScheduledProcedureStepStartDate ScheduledProcedureStepStartTime
    Modality ScheduledPerformingPhysicianName ScheduledProcedureStepID ScheduledProcedureStepStatus
    ScheduledProcedureStepLocation ScheduledProcedureStepDescription ScheduledStationName
"""


def filtered(query: Query) -> Query:
    """Return what of a query filters; the rest of it only asks."""
    unknown: list[tuple[int, str]] = []
    keys = tuple(_kept(key, unknown) for key in query.keys)
    if not unknown:
        return query
    return replace(query, keys=keys, unknown=(*query.unknown, *unknown))


def _kept(key: Key, unknown: list[tuple[int, str]]) -> Key:
    if key.tag == STEPS:
        inside = tuple(_asked(one, _of(_STEP), unknown, f"{name_of(STEPS)}.") for one in key.keys)
        return replace(key, keys=inside)
    return _asked(key, _of(_ENTRY), unknown, "")


def _asked(key: Key, matching: frozenset[int], unknown: list[tuple[int, str]], within: str) -> Key:
    if key.tag in matching or is_universal(key):
        return key
    unknown.append((key.tag, within + name_of(key.tag)))
    return _universal(key)


def _universal(key: Key) -> Key:
    return replace(key, values=(), keys=tuple(map(_universal, key.keys)))


@cache
def _of(words: str) -> frozenset[int]:
    return frozenset(map(tag_for, words.split()))
