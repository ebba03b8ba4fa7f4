"""What a C-MOVE or C-GET asks for: the unique keys of its level and of those above (T-41).

Contract: pure; nothing is retrieved without a value in every unique key that the level demands, so
that no empty or missing key can mean "everything".  A wild card is no value.  A list of UIDs is
taken at every level; further keys are left alone.  PS3.4 C.4.2.1.4.1, C.4.3.1.3.1.
"""

from dataclasses import dataclass

from waystation.dicom import tags
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.uids import is_uid

LEVEL = 0x00080052
UNIQUE = {
    "PATIENT": tags.PATIENT_ID,
    "STUDY": tags.STUDY_INSTANCE_UID,
    "SERIES": tags.SERIES_INSTANCE_UID,
    "IMAGE": tags.SOP_INSTANCE_UID,
}
LEVELS = tuple(UNIQUE)
_NAMES = {
    tags.PATIENT_ID: "PatientID",
    tags.STUDY_INSTANCE_UID: "StudyInstanceUID",
    tags.SERIES_INSTANCE_UID: "SeriesInstanceUID",
    tags.SOP_INSTANCE_UID: "SOPInstanceUID",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to retrieve: all of the values of each level that is named.  Empty: not narrowed."""

    level: str
    patient_ids: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """Why an identifier cannot be served: A900, the offending element, and a sentence."""

    tag: int
    comment: str


def read_wanted(
    identifier: bytes, transfer_syntax_uid: str, *, patient_root: bool, relational: bool
) -> Wanted | Unfit:
    """Return what the identifier asks for, or what is wrong with it."""
    try:
        head = Head.from_bytes(identifier, transfer_syntax_uid)
        level = head.text(LEVEL)
    except DatasetError:
        return Unfit(tag=LEVEL, comment="the identifier cannot be read")
    levels = LEVELS if patient_root else LEVELS[1:]
    if level not in levels:
        return Unfit(tag=LEVEL, comment="no QueryRetrieveLevel of this information model")
    found: dict[str, tuple[str, ...]] = {}
    for name in levels[: levels.index(level) + 1]:
        tag = UNIQUE[name]
        values = _values(head, tag)
        comment = _fault(tag, values, needed=name == level or not relational)
        if comment:
            return Unfit(tag=tag, comment=comment)
        found[name] = values
    return Wanted(
        level=level,
        patient_ids=found.get("PATIENT", ()),
        studies=found.get("STUDY", ()),
        series=found.get("SERIES", ()),
        instances=found.get("IMAGE", ()),
    )


def _values(head: Head, tag: int) -> tuple[str, ...]:
    values = [str(value).strip() for value in head.values(_NAMES[tag]) or []]
    return tuple(dict.fromkeys(value for value in values if value))


def _fault(tag: int, values: tuple[str, ...], *, needed: bool) -> str:
    name = _NAMES[tag]
    if not values:
        return f"{name} needs a value" if needed else ""
    if any("*" in value or "?" in value for value in values):
        return f"{name} must not hold wild cards"
    if tag != tags.PATIENT_ID and not all(map(is_uid, values)):
        return f"{name} holds no UID"
    return ""
