"""What the archive notes about one object, taken from its head once.

Contract: pure, and cheap: the objects of a series say the same of their patient, study and
series, and what was worked out for one of them serves the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from waystation.dicom.charsets import DEFAULT_GUESSES, ESC, IN_CHARSET, read
from waystation.dicom.head import Head
from waystation.index import levels
from waystation.index.described import attributes, sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One object.  study, series: its attributes of that level; number: for the order of answers.

    study_uid: "" for the classes that belong to no study.  regions: items of codes (PS3.3 10.30).
    read_as: character set by which it is read if it names none, "" for as usual.
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
    read_as: str = ""


def guessed(head: Head, guesses: Sequence[str]) -> str:
    """Return by which term to read an object that names no character set (T-25).

    guesses: those of its sender, in order; the first that fits all texts, else the last.  Returns
    "" where nothing depends on it, and where any sender's guess would do.
    """
    if tuple(guesses) == DEFAULT_GUESSES or head.charset(""):
        return ""
    texts = [
        (raw, vr)
        for tag in head.elements
        if (vr := head.vr(tag)) in IN_CHARSET
        and (raw := head.raw(tag))
        and (ESC in raw or not raw.isascii())
    ]
    if not texts:
        return ""
    fitting = (term for term in guesses if not any(read(raw, term, vr).faults for raw, vr in texts))
    return next(fitting, guesses[-1])


def entry_of(head: Head, read_as: str = "") -> Entry:
    """Return what the archive notes about the object; ``read_as`` as `guessed` says."""
    text = head.text
    region = levels.ANATOMIC_REGION
    return Entry(
        study_uid=text(levels.STUDY_UID),
        series_uid=text(levels.SERIES_UID),
        sop_instance_uid=text(levels.SOP_INSTANCE_UID),
        sop_class_uid=text(levels.SOP_CLASS_UID),
        modality=(head.raw(levels.MODALITY) or b"").decode("latin-1").strip("\0 "),
        number=number(text(levels.INSTANCE_NUMBER)),
        study=attributes(head, "STUDY", read_as),
        series=attributes(head, "SERIES", read_as),
        regions=sequence(head, region) if region in head.elements else b"",
        read_as=read_as,
    )


def number(text: str) -> int:
    """Return an integer string as a number, `levels.FAR` if it is none (PS3.5 6.2, VR IS)."""
    digits = text.removeprefix("+")
    if len(digits) > 12 or not digits.removeprefix("-").isdecimal() or not digits.isascii():
        return levels.FAR
    return int(digits)
