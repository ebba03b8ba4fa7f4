"""Text of an element's value, and the bytes of a text, as strictly as a receiver may be.

Contract: `encoded` gives bytes that fit the VR, its length and the value multiplicity of the
dictionary, or raises `HeldError` (rule-error) that names the element and never the value.  Values
of binary VRs are numbers written as text.  Lengths of text count characters (PS3.5 6.2, T-28).
"""

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache

import re2

from waystation.dicom import dictionary
from waystation.dicom.charsets import IN_CHARSET
from waystation.dicom.tags import format_tag, is_private, keyword_of
from waystation.dicom.tree import Elem, Tree
from waystation.dicom.values import NUMBERS, SINGLE, TEXT, decode_values
from waystation.transforms.edit_charset import encode_text
from waystation.transforms.held import misfit

# Longest value in characters, of each component group for PN; all others have no limit.
LONGEST = {
    **dict.fromkeys(("AE", "CS", "DS", "SH"), 16),
    **dict.fromkeys(("LO", "PN", "UI"), 64),
}
LONGEST |= {"AS": 4, "DA": 8, "DT": 26, "IS": 12, "LT": 10240, "ST": 1024, "TM": 14}
_FORMS = {
    "AS": r"[0-9]{3}[DWMY]",
    "CS": r"[A-Z0-9 _]*",
    "DA": r"[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])",
    "DS": r" *[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)? *",
    "DT": r"[0-9]{4}([0-9]{2}){0,5}(\.[0-9]{1,6})?([+-][0-9]{4})?",
    "IS": r" *[+-]?[0-9]+ *",
    "TM": r"([01][0-9]|2[0-3])([0-5][0-9](([0-5][0-9]|60)(\.[0-9]{1,6})?)?)?",
    "UI": r"[0-9]+(\.[0-9]+)*",
}
FORMS: dict[str, Callable[[str], object]] = {
    vr: re2.compile(form).fullmatch for vr, form in _FORMS.items()
}
# Control characters that text of several lines may hold.
LINES = frozenset("\t\n\f\r")
INTEGERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV"})
LARGEST_IS = 2**31


def name_of(tag: int) -> str:
    """Return the keyword of a tag, or the tag where the dictionary has none."""
    return keyword_of(tag) or format_tag(tag)


def texts(elem: Elem, charset: str) -> list[str]:
    """Return the values of an element as text, without padding; [] for what has none."""
    if elem.value is None:
        return []
    found = decode_values(elem.value, elem.vr, charset, big_endian=elem.is_big_endian)
    return [one if isinstance(one, str) else f"{one:g}" if one != int(one) else str(int(one))
            for one in found]  # fmt: skip


def encoded(tree: Tree, tag: int, vr: str, values: Sequence[str]) -> bytes | None:
    """Return the bytes of a value; None if the character set of ``tree`` cannot say it.

    Raises `HeldError` for a value that does not fit.
    """
    given = [] if list(values) == [""] else list(values)
    if vr in SINGLE:
        given = ["\\".join(given)] if given else []
    _check_number(tag, len(given))
    for value in given:
        _check(tag, vr, value)
    if vr in NUMBERS:
        return _packed(tree, tag, vr, given)
    if vr not in TEXT:
        raise misfit(f"{name_of(tag)}: a value of VR {vr} cannot be written as text")
    return encode_text("\\".join(given), vr, tree.charset)


def _packed(tree: Tree, tag: int, vr: str, values: Sequence[str]) -> bytes:
    form = (">" if tree.form == 2 else "<") + NUMBERS[vr]
    try:
        numbers = [int(one) if vr in INTEGERS else float(one) for one in values]
        return b"".join(struct.pack(form, number) for number in numbers)
    except (ValueError, OverflowError, struct.error) as error:
        raise misfit(f"{name_of(tag)}: the value is no number that fits {vr}") from error


def _check(tag: int, vr: str, value: str) -> None:
    if vr in NUMBERS or not value:
        return
    where = name_of(tag)
    longest = LONGEST.get(vr)
    if vr == "PN":
        _check_name(where, value)
    elif longest is not None and len(value) > longest:
        raise misfit(f"{where}: {vr} holds {longest} characters, the value has {len(value)}")
    form = FORMS.get(vr)
    if form is not None and not form(value):
        raise misfit(f"{where}: the value is no {vr}")
    if vr == "IS" and not -LARGEST_IS <= int(value) < LARGEST_IS:
        raise misfit(f"{where}: the value is no {vr}")
    allowed = LINES if vr in ("LT", "ST", "UT") else frozenset()
    if any((letter < " " or letter == "\x7f") and letter not in allowed for letter in value):
        raise misfit(f"{where}: the value holds a control character")
    if vr not in SINGLE and "\\" in value:
        raise misfit(f"{where}: a backslash separates values; give a list instead")
    if vr not in IN_CHARSET and not value.isascii():
        raise misfit(f"{where}: {vr} takes characters of ISO 646 only")


def _check_name(where: str, value: str) -> None:
    groups = value.split("=")
    if len(groups) > 3 or any(group.count("^") > 4 for group in groups):
        raise misfit(f"{where}: a name has at most three groups of five components")
    if any(len(group) > 64 for group in groups):
        raise misfit(f"{where}: a group of a name holds 64 characters")


def _check_number(tag: int, number: int) -> None:
    low, high, step = multiplicity(tag)
    if number and (number < low or (high and number > high) or (number - low) % step):
        raise misfit(f"{name_of(tag)}: takes {_words(low, high)}, not {number}")


def _words(low: int, high: int) -> str:
    if low == high:
        return "one value" if low == 1 else f"{low} values"
    return f"{low} to {high} values" if high else f"at least {low} values"


@lru_cache(maxsize=4096)
def multiplicity(tag: int) -> tuple[int, int, int]:
    """Return fewest, most (0: any) and step of the number of values, as the dictionary has it."""
    if is_private(tag):
        return 1, 0, 1
    try:
        text = dictionary.entry_of(tag)[1]
    except KeyError:
        return 1, 0, 1
    low, _, high = text.partition("-")
    if not high:
        return int(low), int(low), 1
    if high.endswith("n"):
        return int(low), 0, int(high[:-1] or 1)
    return int(low), int(high), 1
