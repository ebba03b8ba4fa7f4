"""The record of what a head said before it was edited: Original Attributes (0400,0561).

Contract (PS3.3 C.12.1.1.9): one item for each time the object was changed; earlier items stay as
they are.  Previous values are copied with the bytes they had, from the outermost level: of a
change deep in a sequence the whole sequence.  What was added had no previous value and is not in
the record; an edit that only adds leaves no item.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from waystation.dicom.tree import Elem, Tree
from waystation.transforms.edit_limits import ORIGINAL_ATTRIBUTES
from waystation.transforms.held import misfit

MODIFIED_ATTRIBUTES = 0x04000550
MODIFICATION_DATE_TIME, MODIFYING_SYSTEM = 0x04000562, 0x04000563
SOURCE_OF_PREVIOUS_VALUES, REASON = 0x04000564, 0x04000565
COERCE, CORRECT = "COERCE", "CORRECT"
LO = 64


def previous(before: Tree, changed: Iterable[int]) -> list[Elem]:
    """Return the elements of a head as it came that were changed, with what they need."""
    wanted = sorted(set(changed))
    found: dict[int, Elem] = {}
    for tag in wanted:
        elem = before.get(tag)
        if elem is None:
            continue
        group, number = tag >> 16, tag & 0xFFFF
        if group & 1 and number > 0xFF and (creator := before.get(group << 16 | number >> 8)):
            found[creator.tag] = creator
        found[tag] = elem
    return [found[tag] for tag in sorted(found)]


def record(
    tree: Tree,
    replaced: Collection[Elem],
    *,
    now: float,
    system: str,
    source: str,
    reason: str,
) -> None:
    """Add one item; nothing if nothing had a value before.

    Raises `HeldError` if earlier items would be lost.
    now: Unix seconds.  system: who changed it.  source: where the previous values came from.
    """
    if not replaced:
        return
    item = Tree(tree.form, tree.charset)
    old = Tree(tree.form, tree.charset, replaced)
    item.put_items(MODIFIED_ATTRIBUTES, [old])
    at = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d%H%M%S.%f+0000")
    item.put(MODIFICATION_DATE_TIME, "DT", at.encode("ascii"))
    item.put(MODIFYING_SYSTEM, "LO", _ascii(system))
    item.put(SOURCE_OF_PREVIOUS_VALUES, "LO", _ascii(source))
    item.put(REASON, "CS", reason.encode("ascii"))
    there = tree.get(ORIGINAL_ATTRIBUTES)
    if there is None or not there.length:
        tree.put_items(ORIGINAL_ATTRIBUTES, [item])
        return
    if there.items is None or there.inner_form != tree.form:
        raise misfit("the record of earlier changes in the object cannot be continued")
    there.items.append(item)


def _ascii(text: str) -> bytes:
    """Return text that needs no character set."""
    return text.encode("ascii", "ignore")[:LO]
