"""What a key may hold, by VR: which kinds of matching there are, and which values are bad (T-14).

Contract: `fault_of` judges one key and `first_fault` a whole query, before anything is searched;
what they say names the key and the form of its values, never a value, in at most 64 characters.
PS3.4 C.2.2.2, PS3.5 6.2.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from waystation.dicom.tags import format_tag, keyword_of
from waystation.matching.spans import HIGH, LOW, key_moments, key_span
from waystation.matching.wildcard import STAR, is_wild
from waystation.model.query import Key, Options

WILD: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
RANGES: Final = frozenset({"DA", "TM", "DT"})
NUMBERS: Final = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})
# Bulk data, and what nobody can compare.
OPAQUE: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
EMPTY_VALUE: Final = '""'
A900: Final = 0xA900
COMMENT: Final = 64

_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,12}", re.ASCII)
_AGE = re.compile(r"\d{3}[DWMY]", re.ASCII)
_CODE = re.compile(r"[A-Z0-9 _*?]{0,16}", re.ASCII)
# Characters a value may have; with wild cards it may be shorter or longer than what it finds.
_LENGTHS: Final = {"AE": 16, "CS": 16, "SH": 16, "LO": 64, "PN": 194, "ST": 1024, "LT": 10240}
FORMS: Final = {
    "DA": "YYYYMMDD or a range of it",
    "TM": "HHMMSS or a range of it",
    "DT": "YYYYMMDDHHMMSS or a range of it",
    "UI": "UIDs of digits and dots",
    "IS": "a whole number",
    "DS": "a number",
    "AS": "an age as 018Y",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadIdentifier:
    """A request that cannot be answered.

    status: A900.  element: the Offending Element (0000,0901), 0 if none is to blame.
    comment: Error Comment, at most 64 characters, never with a value.
    kind: ``value`` (the peer may be set to hear "nothing found" instead), ``key``, ``form``.
    """

    comment: str
    element: int = 0
    kind: str = "value"
    status: int = A900


def bad(tag: int, problem: str, kind: str = "value") -> BadIdentifier:
    """Return the refusal that names a key; a long problem gives way to the name."""
    return BadIdentifier(comment=f"{name_of(tag)}: {problem}"[:COMMENT], element=tag, kind=kind)


def name_of(tag: int) -> str:
    """Return the keyword of a key, or its tag."""
    return keyword_of(tag) or format_tag(tag)


def is_universal(key: Key) -> bool:
    """Tell whether a key only asks for its attribute (T-3, T-10)."""
    if key.vr == "SQ":
        return all(is_universal(one) for one in key.keys)
    return not any(key.values) or (key.values == (STAR,) and key.vr in WILD)


def asks_for_empty(key: Key, options: Options) -> bool:
    """Tell whether a key asks for records without a value (T-12)."""
    return options.empty_value and key.vr != "SQ" and key.values == (EMPTY_VALUE,)


def first_fault(
    keys: Iterable[Key], options: Options, *, strict: bool = False
) -> BadIdentifier | None:
    """Return what is wrong with the first bad key, at any depth; None if all are good."""
    for key in keys:
        fault = fault_of(key, options, strict=strict)
        if fault is None and key.keys:
            fault = first_fault(key.keys, options, strict=strict)
        if fault:
            return fault
    return None


def fault_of(key: Key, options: Options, *, strict: bool = False) -> BadIdentifier | None:
    """Return what is wrong with one key; ``strict``: characters and lengths of its VR too."""
    if is_universal(key) or asks_for_empty(key, options) or key.vr == "SQ":
        return None
    if key.vr in OPAQUE:
        return bad(key.tag, f"VR {key.vr} cannot be searched", "key")
    if key.vr not in WILD and any(is_wild(value) for value in key.values):
        return bad(key.tag, f"no wild card in VR {key.vr}")
    asks_for_each = options.multiple_values and len(key.values) > 1
    if asks_for_each and key.vr in WILD and any(is_wild(value) for value in key.values):
        return bad(key.tag, "no wild card among several values")
    if not all(_is_good(value, key.vr) for value in key.values if value):
        return bad(key.tag, f"write {FORMS[key.vr]}" if key.vr in FORMS else f"no {key.vr}")
    if strict and not all(_is_strict(value, key.vr) for value in key.values):
        return bad(key.tag, f"characters or length that {key.vr} does not allow")
    return None


def _is_good(value: str, vr: str) -> bool:
    if vr == "DT":
        return key_moments(value) is not None
    if vr in RANGES:
        return value.count("-") <= 1 and key_span(value, vr) is not None
    if vr == "UI":
        return _UID.fullmatch(value) is not None
    if vr == "IS":
        return _INTEGER.fullmatch(value) is not None
    return vr not in NUMBERS or is_number(value)


def _is_strict(value: str, vr: str) -> bool:
    if vr == "CS":
        return _CODE.fullmatch(value) is not None
    if vr == "AS":
        return _AGE.fullmatch(value) is not None
    if vr == "PN":
        return all(len(group) <= 64 for group in value.split("="))
    if any(one < " " and one not in "\t\n\f\r" for one in value):
        return False
    return len(value) <= _LENGTHS.get(vr, len(value))


def is_number(text: str) -> bool:
    """Tell whether a text is a decimal number as IS and DS write it."""
    return _NUMBER.fullmatch(text) is not None


def is_reversed_date(key: Key) -> bool:
    """Tell whether a date range ends before it begins, so that it finds nothing (T-7)."""
    if key.vr not in RANGES or key.vr == "TM":
        return False
    return any(_is_reversed(value, key.vr) for value in key.values)


def _is_reversed(value: str, vr: str) -> bool:
    if vr == "DA":
        span = key_span(value, vr)
        return span is not None and span.low > span.high
    ends = key_moments(value)
    first, last = ends if ends else (None, None)
    low = first.span.low if first else LOW
    return low > (last.span.high if last else HIGH)
