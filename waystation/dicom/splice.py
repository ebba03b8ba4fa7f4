"""A new head out of an old one: some top-level elements set or removed, the rest byte for byte.

Contract: nothing is decoded or re-encoded that was not named.  The caller appends the tail as it
is.  Group lengths (gggg,0000) of touched groups, and Length to End (0008,0001), would lie
afterwards: both are retired and are dropped (PS3.5 section 7.2).  Every occurrence of a repeated
element goes with the element.  An element that lies in the tail, or would have to, is refused
with ValueError: a caller that must change it has to rewrite the tail.
"""

from collections.abc import Mapping

from waystation.dicom.head import Head
from waystation.dicom.nested import HEADERS, IMPLICIT_LE, LENGTHS, LONG_VRS
from waystation.dicom.scan import form_of
from waystation.dicom.tags import format_tag, vr_of

# The raw value, a VR with it (else that of the old element or the dictionary), or None to remove.
Change = bytes | tuple[str, bytes] | None

LENGTH_TO_END = 0x00080001
LONG_FORM = frozenset(LONG_VRS.values())
PADDED_WITH_ZERO = LONG_FORM - {"UC", "UR", "UT"} | {"UI"}


def encode_element(tag: int, vr: str, value: bytes, form: int) -> bytes:
    """Return one element in the given form; an odd value is padded.

    Raises ValueError if the value is too long for the 16-bit length of its VR.
    """
    if len(value) % 2:
        value += b"\0" if vr in PADDED_WITH_ZERO else b" "
    group, number, size = tag >> 16, tag & 0xFFFF, len(value)
    if form == IMPLICIT_LE:
        return HEADERS[form].pack(group, number, size) + value
    code = vr.encode("ascii")
    if vr in LONG_FORM:
        return HEADERS[form].pack(group, number, code, 0) + LENGTHS[form].pack(size) + value
    if size > 0xFFFE:
        raise ValueError(f"{format_tag(tag)} {vr} cannot hold {size} bytes")
    return HEADERS[form].pack(group, number, code, size) + value


def replace(head: Head, changes: Mapping[int, Change]) -> bytes:
    """Return the bytes of the new head; those of the old one if nothing changes."""
    if not changes:
        return head.data
    _refuse_tail(head, changes)
    gone = {tag & 0xFFFF0000 for tag in changes} | {LENGTH_TO_END}
    new = {tag: _encoded(head, tag, change) for tag, change in sorted(changes.items())}
    pieces: list[bytes] = []
    copied = 0
    for tag, begin, end in _spans(head):
        earlier = [other for other in new if other < tag and other not in head.elements]
        if not earlier and tag not in changes and tag not in gone:
            continue
        pieces.append(head.data[copied:begin])
        pieces += [new.pop(other) for other in earlier]
        pieces.append(new.pop(tag, b""))
        copied = begin if tag not in changes and tag not in gone else end
    pieces.append(head.data[copied:])
    pieces += new.values()
    return b"".join(pieces)


def _refuse_tail(head: Head, changes: Mapping[int, Change]) -> None:
    """Raise ValueError for an element that the head cannot hold."""
    tail = head.pixel_offset
    entries = [(tag, start) for tag, (_, start, _) in head.elements.items()]
    entries += [(tag, start) for tag, start, _ in head.repeated]
    # An empty last element of the head has its (empty) value where the tail begins.
    behind = {tag for tag, start in entries if start > tail}
    first = min(behind, default=1 << 32)
    if not head.whole:
        # Not every element of the tail is known.
        first = min(first, max((tag for tag, start in entries if start <= tail), default=0) + 1)
    for tag in changes:
        if tag >= first or tag in behind:
            raise ValueError(f"{format_tag(tag)} lies in the tail and cannot be changed")


def _spans(head: Head) -> list[tuple[int, int, int]]:
    """Return ``(tag, begin, end)`` of every element of the head, in the order of the bytes."""
    found = [(start, start + size, tag) for tag, (_, start, size) in head.elements.items()]
    found += [(start, start + size, tag) for tag, start, size in head.repeated]
    spans: list[tuple[int, int, int]] = []
    begin = 0
    for _, end, tag in sorted(found):
        if end > head.pixel_offset:
            break
        spans.append((tag, begin, end))
        begin = end
    return spans


def _encoded(head: Head, tag: int, change: Change) -> bytes:
    if change is None:
        return b""
    if isinstance(change, tuple):
        vr, value = change
    else:
        vr, value = (head.vr(tag) if tag in head.elements else vr_of(tag)), change
    return encode_element(tag, vr, value, form_of(head.transfer_syntax_uid))
