"""Whether an output says of itself what is true, and carries nothing that never leaves (D-37).

Contract: `wrong_marks` reads a parsed output and gives sentences; [] if all is right.
"""

from collections.abc import Iterator
from typing import Final

from waystation.dicom.tags import format_tag
from waystation.dicom.tree import Tree
from waystation.transforms.deid.choice import NEVER
from waystation.transforms.deid.marks import (
    BURNED_IN,
    CODE,
    DATES,
    IDENTITY_REMOVED,
    METHOD,
    METHOD_CODES,
    PIXELS,
    SCHEME,
)
from waystation.transforms.deid.originals import ENCRYPTED
from waystation.transforms.deid.profile import Profile
from waystation.transforms.deid_actions import OPTIONS, PROFILE

STATE_OF: Final = {
    "retain_full_dates": ("UNMODIFIED", "MODIFIED", "REMOVED"),
    "retain_modified_dates": ("MODIFIED", "REMOVED"),
}


def wrong_marks(
    tree: Tree, profile: Profile, methods: tuple[str, ...], *, sealed: bool
) -> list[str]:
    """Return what is wrong; methods: options that were applied; sealed: originals may be there."""
    found = list(_wrong(tree, profile, methods))
    found += [
        f"{format_tag(tag)} must not leave" for tag in _forbidden(tree, profile, sealed=sealed)
    ]
    return found


def _wrong(tree: Tree, profile: Profile, methods: tuple[str, ...]) -> Iterator[str]:
    if tree.text(IDENTITY_REMOVED) != "YES":
        yield "Patient Identity Removed is not YES"
    elem = tree.get(METHOD)
    said = [one.strip(b"\0 ") for one in ((elem.value if elem else None) or b"").split(b"\\")]
    if f"profile {profile.name} {profile.digest[:16]}"[:64].encode("ascii") not in said:
        yield "De-identification Method does not name the profile"
    codes = tree.get(METHOD_CODES)
    there = {
        item.text(CODE) for item in (codes.items if codes else None) or () if item.text(SCHEME)
    }
    wanted = {PROFILE[0], *(OPTIONS[name][0] for name in methods)}
    if not wanted <= there:
        yield "De-identification Method Code Sequence is not complete"
    states = next((STATE_OF[name] for name in STATE_OF if profile.has(name)), ("REMOVED",))
    if tree.text(DATES) not in states:
        yield "Longitudinal Temporal Information Modified is wrong"
    if PIXELS in methods and tree.text(BURNED_IN) != "NO":
        yield "Burned In Annotation is not NO"


def _forbidden(tree: Tree, profile: Profile, *, sealed: bool) -> Iterator[int]:
    """Yield the tags of what never leaves, at any depth."""
    private, graphics = profile.has("retain_safe_private"), profile.has("clean_graphics")
    waiting = [tree]
    while waiting:
        inside = waiting.pop()
        for elem in inside.elements:
            tag = elem.tag
            if tag == ENCRYPTED and sealed and inside is tree:
                continue
            of_group = (tag & 0x10000 and not private) or (
                tag >> 24 in (0x50, 0x60) and not graphics
            )
            if tag in NEVER or of_group:
                yield tag
            elif elem.items:
                waiting += elem.items
