"""What a treated object says of its treatment (D-37).

Contract: `mark` writes Patient Identity Removed, the method in words and in codes of CID 7050
(PS3.16), and the state of dates, burned-in text and features.  Marks that are there already stay,
and are not said twice.  A mark never claims more than what is known: dates that an earlier
treatment moved or removed are not called unmodified.
"""

from typing import Final

from waystation.dicom.tree import Elem, Tree
from waystation.transforms.deid.profile import Profile
from waystation.transforms.deid_actions import OPTIONS, PROFILE

IDENTITY_REMOVED, METHOD, METHOD_CODES = 0x00120062, 0x00120063, 0x00120064
BURNED_IN, FEATURES, DATES = 0x00280301, 0x00280302, 0x00280303
CODE, SCHEME, MEANING = 0x00080100, 0x00080102, 0x00080104
LONGEST: Final = 64
STATES: Final = ("UNMODIFIED", "MODIFIED", "REMOVED")
PIXELS, VISUAL = "clean_pixel_data", "clean_recognizable_visual_features"


def methods_of(profile: Profile, *, cleaned: bool, unrecognizable: bool) -> tuple[str, ...]:
    """Return the options that were really applied, in the order of the Standard."""
    done = {PIXELS: cleaned, VISUAL: unrecognizable}
    return tuple(name for name in OPTIONS if profile.has(name) and done.get(name, True))


def method_texts(profile: Profile, version: str) -> tuple[str, ...]:
    """Return the values of De-identification Method, at most 64 characters each."""
    product = f"Waystation {version}, PS3.15 edition {profile.edition}"
    named = f"profile {profile.name} {profile.digest[:16]}"
    return product[:LONGEST], named[:LONGEST]


def mark(tree: Tree, profile: Profile, methods: tuple[str, ...], version: str) -> None:
    """Write the marks into a treated data set."""
    tree.put(IDENTITY_REMOVED, "CS", b"YES")
    _append_texts(tree, method_texts(profile, version))
    _append_codes(tree, (PROFILE, *(OPTIONS[name] for name in methods)))
    tree.put(DATES, "CS", _dates(tree, profile).encode())
    if PIXELS in methods:
        tree.put(BURNED_IN, "CS", b"NO")
    if VISUAL in methods:
        tree.put(FEATURES, "CS", b"NO")


def _append_texts(tree: Tree, texts: tuple[str, ...]) -> None:
    elem = tree.get(METHOD)
    value = (elem.value or b"") if elem is not None else b""
    there = [part for part in value.split(b"\\") if part.strip(b"\0 ")]
    said = {part.strip(b"\0 ") for part in there}
    there += [text.encode("ascii") for text in texts if text.encode("ascii") not in said]
    tree.put(METHOD, "LO", b"\\".join(there))


def _append_codes(tree: Tree, codes: tuple[tuple[str, str], ...]) -> None:
    elem = tree.get(METHOD_CODES)
    if elem is None or elem.items is None:
        tree.put_items(METHOD_CODES, [])
        elem = tree.get(METHOD_CODES)
    items = elem.items if elem is not None else None
    if elem is None or items is None:
        raise ValueError("the method codes cannot be written")
    said = {(item.text(SCHEME), item.text(CODE)) for item in items}
    form = elem.inner_form
    for value, meaning in codes:
        if ("DCM", value) not in said:
            rows = ((CODE, "SH", value), (SCHEME, "SH", "DCM"), (MEANING, "LO", meaning))
            elems = [Elem.new(tag, vr, text.encode("ascii"), form) for tag, vr, text in rows]
            items.append(Tree(form, elements=elems))


def _dates(tree: Tree, profile: Profile) -> str:
    if profile.has("retain_full_dates"):
        state = "UNMODIFIED"
    else:
        state = "MODIFIED" if profile.has("retain_modified_dates") else "REMOVED"
    before = tree.text(DATES)
    return STATES[max(STATES.index(state), STATES.index(before) if before in STATES else 0)]
