"""What a person corrected about a study, carried out on the head of an object that leaves (T-32).

Contract: pure; the same head and correction give the same bytes.  What the object said before goes
to Original Attributes (0400,0561; PS3.3 C.12.1.1.9).  Where the object's character set does not
hold a corrected value, its head is converted to ISO_IR 192.
"""

from collections.abc import Mapping

from waystation.dicom.head import Head
from waystation.dicom.tags import format_tag, keyword_of
from waystation.dicom.tree import encode, parse
from waystation.transforms.edit import Work
from waystation.transforms.edit_origin import CORRECT, previous, record
from waystation.transforms.edit_paths import reach
from waystation.transforms.held import misfit


def corrected(head: Head, values: Mapping[int, str], *, now: float, system: str) -> bytes:
    """Return the bytes of a head with corrected values; "" empties one.

    now: of the correction, Unix seconds.  Raises `HeldError` or `DatasetError` if that cannot be.
    """
    if not head.whole:
        raise misfit("the head is too long to be edited")
    before, work = parse(head), Work(tree=parse(head), utf8=True)
    for tag, text in sorted(values.items()):
        name = keyword_of(tag) or format_tag(tag)
        for place in reach(work.tree, format_tag(tag)):
            work.write(place, name, [text] if text else [])
    if not work.changes:
        return head.data
    replaced = previous(before, [change.top for change in work.changes])
    record(work.tree, replaced, now=now, system=system, source="", reason=CORRECT)
    return encode(work.tree)
