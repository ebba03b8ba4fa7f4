"""One action for each element: the table's codes, the options, and the types of the IOD.

Contract: `code_of` gives the code that counts for a row under a set of options (PS3.15 section
E.3.10: of several columns on one row C beats K), `resolve` makes a single action of a code that
leaves a choice (table E.1-1a).  Pure look-ups; what an action does to a value is not known here.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from waystation.transforms import deid_options, deid_table
from waystation.transforms.iod_types import type_of

# The profile and its options: code and meaning in CID 7050 (PS3.16), coding scheme DCM.
PROFILE: Final = ("113100", "Basic Application Confidentiality Profile")
OPTIONS: Final = {
    "clean_pixel_data": ("113101", "Clean Pixel Data Option"),
    "clean_recognizable_visual_features": (
        "113102",
        "Clean Recognizable Visual Features Option",
    ),
    "clean_graphics": ("113103", "Clean Graphics Option"),
    "clean_structured_content": ("113104", "Clean Structured Content Option"),
    "clean_descriptors": ("113105", "Clean Descriptors Option"),
    "retain_full_dates": (
        "113106",
        "Retain Longitudinal Temporal Information Full Dates Option",
    ),
    "retain_modified_dates": (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    ),
    "retain_patient_characteristics": ("113108", "Retain Patient Characteristics Option"),
    "retain_device_identity": ("113109", "Retain Device Identity Option"),
    "retain_uids": ("113110", "Retain UIDs Option"),
    "retain_safe_private": ("113111", "Retain Safe Private Option"),
    "retain_institution_identity": ("113112", "Retain Institution Identity Option"),
}
UITEMS: Final = "UITEMS"
_COMPOUND: Final = frozenset({"Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"})
# What keeps an object valid, by the type of the attribute: the first that a code offers.
_VALID: Final = {"1": ("D", UITEMS, "Z"), "2": ("Z", "D"), "3": ("X", "Z", "D")}
# Source images of a derivation are listed in Referenced Series Sequence as well, which must not
# be there without them (PS3.3 section C.12.2): they are type 2, and cannot be emptied all the same.
_LISTED: Final = (0x00089124, 0x00082112)


def code_of(row: int, options: Iterable[str]) -> tuple[str, str]:
    """Return the code of a row of the table under options, and the option it comes from.

    The option is '' where the basic profile decides.  Options without a column do nothing here.
    """
    kept = ""
    for option in options:
        cell = deid_options.COLUMNS.get(option, {}).get(row)
        if cell == "C":
            return "C", option
        if cell == "K":
            kept = kept or option
    return ("K", kept) if kept else (deid_table.ACTIONS[row], "")


@lru_cache(maxsize=65536)
def resolve(code: str, sop_class_uid: str, path: tuple[int, ...]) -> str:
    """Return the one action of a code for an attribute that is present: X, Z, D, K, C, U, UITEMS.

    path: the tags of the sequences from the data set down, then that of the attribute.
    ``UITEMS`` keeps the items of a sequence and maps the UIDs in them.  A code with a choice
    gives the leftmost action that keeps the object valid: 1C and 2C count as 1 and 2, because
    the attribute is there.  For a SOP class that the tables do not know it is the rightmost,
    which leaves the object readable and keeps nothing of the value.
    """
    if code not in _COMPOUND:
        return code
    choices = [UITEMS if word == "U*" else word for word in code.split("/")]
    kind = type_of(sop_class_uid, path)
    if kind is None or (path[-2:] == _LISTED and kind[0] == "2"):
        return choices[-1]
    return next(action for action in _VALID[kind[0]] if action in choices)
