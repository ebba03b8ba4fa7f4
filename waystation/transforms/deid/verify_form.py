"""Whether an output is as good an object as its original was (D-42 d).

Contract: `faults_of` compares the two: an attribute that the IOD requires and that had a value
has one, one that must be there is there, elements are in order, and behind the pixels is nothing.
Faults that the original had too are no faults of the output.
"""

from collections.abc import Iterator

from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.dicom.nested import is_pixel
from waystation.dicom.tags import format_tag
from waystation.dicom.tree import Elem, Tree
from waystation.transforms.deid.choice import NEVER
from waystation.transforms.deid.refusals import CONTENT
from waystation.transforms.deid_table import action
from waystation.transforms.iod_types import known, type_of


def faults_of(before: Tree, after: Tree, head: Head) -> list[str]:
    """Return what is worse in ``after`` than in ``before``; head: of ``after``, read to its end."""
    found = []
    if any(tag > tags.PIXEL_DATA for tag in head.elements) or head.repeated:
        found.append("something lies behind its pixels, or twice in it")
    order = [elem.tag for elem in after.elements]
    if any(map(int.__gt__, order, order[1:])):
        found.append("its elements are not in order")
    sop_class = after.text(tags.SOP_CLASS_UID)
    if known(sop_class):
        there = frozenset(tag for tag in head.elements if is_pixel(tag))
        found += _missing(before, after, sop_class, (), there)
    return found


def _missing(
    before: Tree, after: Tree, sop_class: str, path: tuple[int, ...], there: frozenset[int]
) -> Iterator[str]:
    """Yield what an IOD requires and the original had, and is not there any more."""
    for elem in before.elements:
        tag = elem.tag
        if not tag & 0xFFFF or tag in there or tag in NEVER or is_to_go(tag):
            continue
        here = (*path, tag)
        kind = type_of(sop_class, here) or "3"
        other = after.get(tag)
        if kind in ("1", "2") and other is None:
            yield f"{format_tag(tag)} is required and gone"
        elif kind == "1" and other is not None and _is_full(elem) and not _is_full(other):
            yield f"{format_tag(tag)} is required and empty"
        if tag == CONTENT:
            # Its items are what they contain; a report may be one that says REMOVED (D-21).
            continue
        items, others = elem.items, other.items if other is not None else None
        if items and others and len(items) == len(others):
            for one, two in zip(items, others, strict=True):
                yield from _missing(one, two, sop_class, here, there)


def is_to_go(tag: int) -> bool:
    """Tell whether an element goes whatever the IOD says: the table removes it, or it is private.

    Overlays go as whole groups (D-20).
    """
    return tag >> 16 & 1 == 1 or tag >> 24 in (0x50, 0x60) or action(tag) == "X"


def _is_full(elem: Elem) -> bool:
    items = elem.items
    return bool(items) if items is not None else bool((elem.value or b"").strip(b"\0 "))
