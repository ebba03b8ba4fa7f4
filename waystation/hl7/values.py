"""Parts of HL7 fields as values of DICOM attributes.

Contract: pure; each function takes what stands in the message and gives the text that an attribute
of that VR holds, "" if there is nothing in it.  A date or time that is none raises ValueError with
a sentence.  Names: HL7 data types XPN, XCN and NDL into PN (PS3.5 section 6.2.1).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final

from waystation.hl7.message import DELETED, Segment

_STAMP: Final = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?",
    re.ASCII,
)
_NAMES: Final = {"PID": {5, 6, 9}, "NK1": {2}, "GT1": {3}}
_GROUPS: Final = {"A": 0, "I": 1, "P": 2}
# Name types that are not the patient's own name of today: alias, maiden, nickname ...
_OTHER_NAMES: Final = {"A", "M", "N", "S", "I", "K", "P", "T", "U"}
_DIVIDES: Final = str.maketrans({"^": " ", "=": " ", "\\": " ", "\r": " ", "\n": " "})
Item = Mapping[str, str]


def stamp(text: str, zone: tzinfo | None = None) -> tuple[str, str]:
    """Return date (DA) and time (TM) of a time stamp, in the zone; a missing part is "".

    A year or month alone is no date that an attribute could hold: both parts are "".  Raises
    ValueError if it is no time stamp.
    """
    found = _STAMP.fullmatch(text.strip())
    if found is None:
        raise ValueError("is no date and time (YYYYMMDDHHMM)")
    if found[3] is None:
        return "", ""
    year, month, day, hour, minute, second = (int(one or 0) for one in found.groups()[:6])
    micros = int((found[7] or "0").ljust(6, "0"))
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), micros)
    except ValueError:
        raise ValueError("is a date or time that does not exist") from None
    if second > 60:
        raise ValueError("is a date or time that does not exist")
    if found[8] and found[4] and zone is not None:
        moment = moment.replace(tzinfo=_offset(found[8]))
        try:
            moment = moment.astimezone(zone)
        except OverflowError:
            raise ValueError("is a date or time that does not exist") from None
    date = moment.strftime("%Y%m%d")
    if found[4] is None:
        return date, ""
    clock = moment.strftime("%H%M%S")
    return date, clock + (f".{micros:06d}" if micros else "")


def _offset(text: str) -> timezone:
    minutes = int(text[1:3]) * 60 + int(text[3:])
    if minutes >= 24 * 60:
        raise ValueError("has an offset that does not exist")
    return timezone(timedelta(minutes=minutes if text[0] == "+" else -minutes))


def instant(text: str, zone: tzinfo | None = None) -> str:
    """Return a time stamp to sort by: 20 digits, ``YYYYMMDDHHMMSSFFFFFF``; "" if it is none."""
    try:
        date, clock = stamp(text, zone)
    except ValueError:
        return ""
    whole, _, fraction = clock.partition(".")
    if not date:
        return ""
    return date + whole.ljust(6, "0") + fraction.ljust(6, "0")


def person(segment: Segment, field: int, repetitions: Iterable[str]) -> str:
    """Return a PN out of the repetitions of a field; `DELETED` if it says so.

    Repetitions that name their representation (alphabetic, ideographic, phonetic) become the
    groups of one name; of those that do not, the first counts.
    """
    groups = ["", "", ""]
    for repetition in repetitions:
        if repetition.strip() == DELETED:
            return DELETED
        name, kind, representation = _one(segment, field, repetition)
        at = _GROUPS.get(representation, 0)
        if name and not groups[at] and not (kind in _OTHER_NAMES and not representation):
            groups[at] = name
    return "=".join(groups).rstrip("=")


def _one(segment: Segment, field: int, repetition: str) -> tuple[str, str, str]:
    """Return name, type and representation of one repetition."""
    if field in _NAMES.get(segment.name, ()):
        parts = [segment.part(repetition, number) for number in range(1, 9)]
        family, given, middle, suffix, prefix, _, kind, representation = parts
        return _pn(family, given, middle, prefix, suffix), kind.upper(), representation.upper()
    if segment.name == "OBR" and field in (32, 33, 34, 35):
        code, family, given, middle, suffix, prefix = (
            segment.part(repetition, 1, number) for number in range(1, 7)
        )
        return _pn(family, given, middle, prefix, suffix) or _pn(code, "", "", "", ""), "", ""
    code, family, given, middle, suffix, prefix = (
        segment.part(repetition, number) for number in range(1, 7)
    )
    kind, representation = segment.part(repetition, 10), segment.part(repetition, 15)
    name = _pn(family, given, middle, prefix, suffix) or _pn(code, "", "", "", "")
    return name, kind.upper(), representation.upper()


def _pn(*components: str) -> str:
    plain = (one.translate(_DIVIDES).strip() for one in components)
    return "^".join("" if one == DELETED else one for one in plain).rstrip("^")


def code_item(segment: Segment, repetition: str, first: int = 1) -> Item | None:
    """Return the item of a code sequence out of identifier, text and system from ``first`` on."""
    code, meaning, system = (segment.part(repetition, first + n) for n in range(3))
    if not code or code == DELETED:
        return None
    return {
        "CodeValue": code[:16],
        "CodingSchemeDesignator": (system or "L")[:16],
        "CodeMeaning": (meaning or code)[:64],
    }


def number_of(text: str) -> float | None:
    """Return a plain decimal number, None if it is none."""
    plain = text.strip().replace(",", ".")
    if not re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", plain, re.ASCII):
        return None
    return float(plain)


_KILOGRAMS: Final = {"": 1.0, "kg": 1.0, "g": 0.001, "lb": 0.45359237, "[lb_av]": 0.45359237}
_METRES: Final = {"": 0.01, "cm": 0.01, "m": 1.0, "mm": 0.001, "in": 0.0254, "[in_i]": 0.0254}


def kilograms(text: str, unit: str) -> str:
    """Return a weight in kilograms as DS."""
    return _measure(text, _KILOGRAMS.get(unit.strip().lower()))


def metres(text: str, unit: str) -> str:
    """Return a height in metres as DS; without a unit it is in centimetres."""
    return _measure(text, _METRES.get(unit.strip().lower()))


def _measure(text: str, factor: float | None) -> str:
    found = number_of(text)
    return "" if found is None or factor is None else f"{found * factor:.6g}"


def divided(texts: Sequence[str]) -> tuple[str, ...]:
    """Return values without those that repeat, each without a backslash."""
    return tuple(dict.fromkeys(one.replace("\\", "/") for one in texts if one))
