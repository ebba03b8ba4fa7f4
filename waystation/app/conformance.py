"""The page ``docs/conformance/deidentification.md``, written from the tables of the engine.

Contract: the tables N.8-7 and N.11-6 of PS3.2, with every row of table E.1-1, what each option
makes of it, and the dummy that takes the place of a value.
``python -m waystation.app.conformance`` prints the page.
"""

import sys
from collections.abc import Iterator
from typing import Final

from waystation.dicom.tags import format_tag, name_of, vr_of
from waystation.transforms import deid_options, deid_table
from waystation.transforms.deid.effects import CODE_STRINGS, DUMMIES
from waystation.transforms.deid_actions import OPTIONS, PROFILE

HEAD = """# De-identification

<!-- Written from the tables by `python -m waystation.app.conformance`; do not edit. -->

The part of the [conformance statement](../conformance.md) that PS3.2 asks for in sections
N.8.4.4 and N.11.2.6. Basic profile: PS3.15 table E.1-1, edition {edition}. Option columns: edition
{options}; rows that the Standard has added since have no option cells, and the basic action
applies there ([where the tables come from](../decisions/{decision})).

De-identification lowers the risk that somebody is recognised. It does not by itself make data
anonymous in law.
"""
DECISION: Final = "0005-deidentification-tables.md"
PROFILES = """## Attribute confidentiality profiles (table N.8-7)

| profile | option | code | AE | de-identifier | re-identifier | configurable |
|---|---|---|---|---|---|---|"""
STRATEGY = """
Options are switched on one by one in a profile, and a rule of the profile may be stricter for
single attributes; it may be looser only with a written reason, which every report repeats.

Clean Recognizable Visual Features is applied only by a named external tool or by the approval of a
person; without them the objects concerned are held.

Attributes that the table does not name: dates, times and names of persons are treated like the
listed ones, UIDs that are not registered are mapped, all at any depth. Other standard attributes
are kept unless the profile says that they are to be cleaned or removed (`unlisted`); attributes of
even groups that no dictionary knows are removed. Private attributes are removed but for those on
a list. What only a later edition names is treated as unlisted until a profile names that edition.
"""
ACTIONS = """## De-identified elements and actions (table N.11-6)

Action is the code of the basic profile; of a code with a choice, the leftmost that keeps the object
valid is taken, by the type of the attribute in the IOD and at its place. For SOP classes whose
IOD is not known, private ones included, it is the rightmost. In *options*, K is kept and C is
cleaned; where several options name an attribute, C counts before K.
{letters}
| attribute | tag | VR | action | options | encrypted | dummy |
|---|---|---|---|---|---|---|"""
UIDS = """
## Scope of UID consistency

A UID is replaced by `2.25.` and a number made of the original and of the secret key of the project
(HMAC-SHA-256, 122 bits). The same original gives the same replacement in every attribute, at every
depth, in all objects, studies and runs, on every node and after every restart, as long as the key
is the same; nothing is kept for it. Another key gives replacements that cannot be linked to the
first ones. UIDs below 1.2.840.10008 are never replaced.
"""
# One letter for each option that has a column, in the order of table E.1-1.
LETTERS: Final = {
    "retain_safe_private": "P",
    "retain_uids": "U",
    "retain_device_identity": "V",
    "retain_institution_identity": "I",
    "retain_patient_characteristics": "T",
    "retain_full_dates": "F",
    "retain_modified_dates": "M",
    "clean_descriptors": "D",
    "clean_structured_content": "S",
    "clean_graphics": "G",
}
NAMES: Final = {
    deid_table.PRIVATE: "Private Attributes",
    0x50000000: "Curve Data",
    0x60003000: "Overlay Data",
    0x60004000: "Overlay Comments",
}
PLACES: Final = {
    deid_table.PRIVATE: "odd groups",
    0x50000000: "(50xx,xxxx)",
    0x60003000: "(60xx,3000)",
    0x60004000: "(60xx,4000)",
}
# Whether replaced values can be put into the object encrypted, and restored (D-31).
RESTORES: Final = "N"


def page() -> str:
    """Return the whole page."""
    lines = [
        HEAD.format(edition=deid_table.EDITION, options=deid_options.EDITION, decision=DECISION),
        PROFILES,
        *profiles(),
        STRATEGY,
        ACTIONS.format(letters=_legend()),
        *elements(),
        UIDS,
    ]
    return "\n".join(lines).rstrip() + "\n"


def profiles() -> Iterator[str]:
    """Yield the rows of table N.8-7."""
    for code, meaning in (PROFILE, *OPTIONS.values()):
        option = "Basic Profile" if code == PROFILE[0] else meaning.removesuffix(" Option")
        configurable = "N" if code == PROFILE[0] else "Y"
        yield f"| Basic | {option} | {code} | ALL | Y | {RESTORES} | {configurable} |"


def elements() -> Iterator[str]:
    """Yield the rows of table N.11-6, in the order of tags; private attributes come first."""
    for row, code in sorted(deid_table.ACTIONS.items()):
        name = NAMES.get(row) or name_of(row)
        place = PLACES.get(row) or format_tag(row)
        vr = "" if row in NAMES else vr_of(row)
        cells = " ".join(_cells(row))
        dummy = _dummy(row, code, vr)
        yield f"| {name} | {place} | {vr} | {code} | {cells} | {RESTORES} | {dummy} |"


def _cells(row: int) -> Iterator[str]:
    for option, letter in LETTERS.items():
        cell = deid_options.COLUMNS[option].get(row)
        if cell:
            yield f"{letter}:{cell}"


def _legend() -> str:
    words = (f"{letter} {OPTIONS[option][1]}" for option, letter in LETTERS.items())
    return f"\nLetters of the options: {'; '.join(words)}.\n"


def _dummy(row: int, code: str, vr: str) -> str:
    """Return what takes the place of the value where the action is D or U."""
    if code == "U" or ("D" in code and vr == "UI"):
        return "mapped UID"
    if "U*" in code:
        return "items kept, UIDs in them mapped"
    if "D" not in code:
        return ""
    if vr == "SQ":
        return "items kept and cleaned, at least one"
    value = CODE_STRINGS.get(row, b"UNKNOWN") if vr == "CS" else DUMMIES[vr]
    return f"{len(value)} zero bytes" if b"\0" in value else f"`{value.decode('ascii')}`"


if __name__ == "__main__":
    sys.stdout.write(page())
