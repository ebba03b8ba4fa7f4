"""Whether what somebody entered can be kept: by VR, length in characters, and character set (T-62).

Contract: `faults` gives one sentence for each value that cannot be kept, in words and without the
value; () if all can.  `unreadable` names what a station's character set does not have, so that a
form can warn before a modality shows question marks.  PS3.5 6.2 for the VRs.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from waystation.dicom import tags
from waystation.dicom.charsets import IN_CHARSET, Charset, fits
from waystation.dicom.uids import is_uid
from waystation.matching.entry_data import texts_in, vr_of
from waystation.matching.keys import is_number
from waystation.matching.spans import date_span, moment, time_span
from waystation.model.step import Fault, Values

LENGTHS: Final = {
    "AE": 16,
    "AS": 4,
    "CS": 16,
    "DS": 16,
    "IS": 12,
    "LO": 64,
    "SH": 16,
    "LT": 10240,
    "ST": 1024,
    "UC": 10240,
    "UR": 1024,
    "UT": 65_536,
}
# One value, in which a backslash is an ordinary character.
WHOLE: Final = frozenset({"LT", "ST", "UT", "UR"})
NUMBERS: Final = {"US": (0, 65_535), "SS": (-32_768, 32_767), "UL": (0, 2**32 - 1)}
GROUP: Final = 64
DEEPEST: Final = 4
_CODE = re.compile(r"[A-Z0-9 _]*", re.ASCII)
_AGE = re.compile(r"\d{3}[DWMY]", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,12}", re.ASCII)


def faults(values: Values) -> tuple[Fault, ...]:
    """Return what is wrong with the values of a draft or of a change."""
    return tuple(_faults(values, "", 0))


def _faults(values: Values, within: str, depth: int) -> list[Fault]:
    found: list[Fault] = []
    for keyword, said in values.items():
        name = within + keyword
        text = _fault_of(keyword, said)
        if text:
            found.append(Fault(keyword=name, text=text))
        elif vr_of(tags.tag_for(keyword)) == "SQ":
            if depth == DEEPEST:
                found.append(Fault(keyword=name, text="is nested too deeply"))
                continue
            for number, item in enumerate(said):
                assert isinstance(item, Mapping)
                found += _faults(item, f"{name}[{number}].", depth + 1)
    return found


def _fault_of(keyword: str, said: Any) -> str:
    try:
        tag = tags.tag_for(keyword)
    except ValueError as error:
        return str(error)
    if tag == tags.SPECIFIC_CHARACTER_SET:
        return "follows the text and is not entered"
    if tags.is_private(tag) or tag >> 16 < 8:
        return "cannot be part of an entry"
    vr = vr_of(tag)
    if vr == "SQ":
        is_items = not isinstance(said, str) and isinstance(said, Sequence)
        good = is_items and all(isinstance(item, Mapping) for item in said)
        return "" if good else "expected a list of items"
    if not isinstance(said, str) and not _are_texts(said):
        return "expected a text, or a list of texts"
    texts = [said] if isinstance(said, str) else list(said)
    if len(texts) > 1 and (vr in WHOLE or not tags.holds_several(tag)):
        return "can have one value only"
    return next(filter(None, (fault_of_value(text, vr) for text in texts)), "")


def _are_texts(said: Any) -> bool:
    return isinstance(said, Sequence) and all(isinstance(one, str) for one in said)


def fault_of_value(text: str, vr: str) -> str:
    """Return what is wrong with one value, "" if nothing is."""
    if not text:
        return ""
    if any(one < " " and (vr not in WHOLE or one not in "\t\n\f\r") for one in text):
        return "holds a control character"
    if "\\" in text and vr not in WHOLE:
        return "may not hold a backslash; give several values as a list"
    longest = LENGTHS.get(vr)
    if longest is not None and len(text) > longest:
        return f"has {len(text)} characters, {longest} are allowed"
    return _form_of(text, vr)


def _form_of(text: str, vr: str) -> str:
    if vr == "PN":
        return _name(text)
    if vr == "DA":
        return "" if date_span(text) else "is no date; write it as YYYYMMDD"
    if vr == "TM":
        return "" if time_span(text) else "is no time of day; write it as HHMM or HHMMSS"
    if vr == "DT":
        return "" if moment(text) else "is no date and time; write it as YYYYMMDDHHMMSS"
    if vr == "UI":
        return "" if is_uid(text) else "is no UID: digits and dots, at most 64"
    if vr == "CS":
        return "" if _CODE.fullmatch(text) else "allows capital letters, digits, blank and _ only"
    if vr == "AS":
        return "" if _AGE.fullmatch(text) else "is no age; write it as 018Y"
    if vr == "IS":
        return "" if _INTEGER.fullmatch(text) else "is no whole number"
    if vr == "DS":
        return "" if is_number(text) else "is no number"
    if vr == "AE":
        return "" if text.isascii() and text.strip() else "is no AE title: ASCII, not only blanks"
    return _number(text, vr)


def _number(text: str, vr: str) -> str:
    bounds = NUMBERS.get(vr)
    if bounds is None:
        return "" if vr in LENGTHS else f"cannot be entered: its VR is {vr}"
    if not _INTEGER.fullmatch(text) or not bounds[0] <= int(text) <= bounds[1]:
        return f"is no whole number from {bounds[0]} to {bounds[1]}"
    return ""


def _name(text: str) -> str:
    groups = text.split("=")
    if len(groups) > 3:
        return "has more than three groups: alphabetic=ideographic=phonetic"
    for group in groups:
        if len(group) > GROUP:
            return f"has a group of {len(group)} characters, {GROUP} are allowed"
        if group.count("^") > 4:
            return "has more than five parts: family^given^middle^prefix^suffix"
    return ""


def unreadable(values: Values, charset: str) -> tuple[Fault, ...]:
    """Return which texts a character set cannot say, with the characters."""
    terms = Charset.parse(charset)
    found = []
    for keyword, said in values.items():
        texts = texts_in({keyword: said})
        lost = [
            one
            for vr, text in texts
            for one in text
            if vr in IN_CHARSET and not fits(one, terms, vr)
        ]
        if lost:
            shown = "".join(dict.fromkeys(lost))[:16]
            text = f"{shown} cannot be shown in {charset or 'ASCII'}"
            found.append(Fault(keyword=keyword, text=text))
    return tuple(found)
