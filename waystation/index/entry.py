"""What the archive notes about one object, taken from its head once.

Contract: pure, and cheap: the objects of a series say the same of their patient, study and
series, and what was worked out for one of them serves the others.
"""

from dataclasses import dataclass

from waystation.dicom.head import Head
from waystation.index import levels
from waystation.index.described import attributes, sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One object.  study, series: its attributes of that level; number: for the order of answers.

    study_uid: "" for the classes that belong to no study.  regions: items of codes (PS3.3 10.30).
    """

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    modality: str
    number: int
    study: bytes
    series: bytes
    regions: bytes = b""


def entry_of(head: Head) -> Entry:
    """Return what the archive notes about the object."""
    text = head.text
    region = levels.ANATOMIC_REGION
    return Entry(
        study_uid=text(levels.STUDY_UID),
        series_uid=text(levels.SERIES_UID),
        sop_instance_uid=text(levels.SOP_INSTANCE_UID),
        sop_class_uid=text(levels.SOP_CLASS_UID),
        modality=(head.raw(levels.MODALITY) or b"").decode("latin-1").strip("\0 "),
        number=number(text(levels.INSTANCE_NUMBER)),
        study=attributes(head, "STUDY"),
        series=attributes(head, "SERIES"),
        regions=sequence(head, region) if region in head.elements else b"",
    )


def number(text: str) -> int:
    """Return an integer string as a number, `levels.FAR` if it is none (PS3.5 6.2, VR IS)."""
    digits = text.removeprefix("+")
    if len(digits) > 12 or not digits.removeprefix("-").isdecimal() or not digits.isascii():
        return levels.FAR
    return int(digits)
