"""A head as a tree of raw elements that can be changed: nothing in it is decoded.

Contract: `parse` gives the tree of a head, `encode` its bytes.  What was not changed is emitted as
the bytes it came with, header and lengths included; a changed sequence is written anew around
its unchanged items, open-ended where it was open-ended.  Of a data set or item that changed, the
group lengths of the touched groups and Length to End (0008,0001) are dropped (PS3.5 7.2).

Elements keep their order; `put` places a new one before the first of a higher tag.  Repeated
elements all stay in `elements`: `get` gives the first, `put` and `remove` touch all.  The tail of
the head is never part of the tree.  Sequences inside UN are implicit little endian inside
(PS3.5 6.2.2).  An element moved to another tree must have been written in the same form.

DatasetError for a sequence that is broken inside; ValueError for a value that cannot be written.
"""

from functools import lru_cache, partial
from typing import Final

from waystation.dicom import tags
from waystation.dicom.elements import OPEN, Elem, Span, Tree, encode
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.limits import DEFAULT_LIMITS
from waystation.dicom.nested import (
    EXPLICIT_LE,
    HEADERS,
    IMPLICIT_LE,
    ITEM_END,
    ITEM_HEADERS,
    ITEM_START_LE,
    ITEM_TAG,
    NEVER,
    SEQUENCE_END,
    SHORT_VRS,
    UNDEFINED,
    is_pixel,
    long_header,
)
from waystation.dicom.scan import form_of

__all__ = ["Elem", "Tree", "encode", "parse"]

DELIMITERS: Final = 0xFFFE


def parse(head: Head) -> Tree:
    """Return the tree of what lies before the tail."""
    form = _written_in(head)
    data, creators, begin = head.data, dict[int, str](), 0
    tree = Tree(form, head.charset(""))
    add, charset = tree.elements.append, tree.charset
    for tag, written, start, end in _spans(head):
        if end > head.pixel_offset:
            break
        if written == "?":
            written = _header(data, begin, form)[1]
        if written is None or written == "UN" or written == "SQ":
            elem = _top(tag, written, form, (data, begin, start, end), creators, charset)
        else:
            elem = Elem(tag, written, written, form, (data, begin, start, end))
        if tag & 0x10000:
            _note_creator(elem, creators)
        add(elem)
        begin = end
    return tree


def _written_in(head: Head) -> int:
    """Return the form of a head: implicit where no element has a VR, whatever its syntax says.

    Such objects exist; one that were written half in this form and half in that, few could read.
    """
    form = form_of(head.transfer_syntax_uid)
    disguised = form == EXPLICIT_LE and all(vr is None for vr, _, _ in head.elements.values())
    return IMPLICIT_LE if disguised and head.elements else form


def _spans(head: Head) -> list[tuple[int, str | None, int, int]]:
    """Return tag, written VR ("?": unknown), begin and end of each value, as the bytes lie."""
    spans = [(tag, vr, at, at + size) for tag, (vr, at, size) in head.elements.items()]
    if head.repeated:
        spans += [(tag, "?", at, at + size) for tag, at, size in head.repeated]
        spans.sort(key=lambda span: span[2:])
    return spans


@lru_cache(maxsize=16384)
def _meaning(tag: int, creator: str) -> str:
    vr = tags.vr_of(tag, creator or None)
    return vr if len(vr) == 2 and vr.isalpha() else "UN"


def _note_creator(elem: Elem, creators: dict[int, str]) -> None:
    """Remember the name of a private block, if that is what the element gives."""
    if 0x10 <= elem.tag & 0xFFFF <= 0xFF and elem.value:
        creators[elem.tag] = elem.value.decode("latin-1").strip("\0 ")


def _kind(tag: int, written: str | None, span: Span, creators: dict[int, str]) -> tuple[str, bool]:
    """Return the VR of an element, and whether its value may be a train of items."""
    if written == "SQ":
        return "SQ", True
    number = tag & 0xFFFF
    private = tag & 0x10000 and number > 0xFF
    vr = _meaning(tag, creators.get(tag >> 16 << 16 | number >> 8, "") if private else "")
    data, _, start, end = span
    if data[start - 4 : start] == OPEN:
        # Whatever the dictionary says: in UN and implicit VR only sequences are open-ended.
        return (vr, False) if is_pixel(tag) else ("SQ", True)
    if vr not in ("SQ", "UN"):
        return vr, False
    if end - start >= 8 and data[start : start + 4] == ITEM_START_LE:
        return "SQ", True
    return ("SQ", True) if vr == "SQ" and start == end else ("UN", False)


def _top(
    tag: int, written: str | None, form: int, span: Span, creators: dict[int, str], charset: str
) -> Elem:
    """Return a top-level element that may be a sequence; its items are read when asked for."""
    vr, holds = _kind(tag, written, span, creators)
    if not holds:
        return Elem(tag, vr, written, form, span)
    elem = Elem(tag, vr, written, form, span, partial(_read, written, form, span, charset))
    data, _, start, _ = span
    if written != "SQ" and data[start - 4 : start] != OPEN:
        # It only looks like a sequence: as in the scan, it is a plain value if it is none.
        try:
            _ = elem.items
        except DatasetError as error:
            if error.limit != "R-5":
                raise
            return Elem(tag, "UN", written, form, span)
    return elem


def _read(written: str | None, form: int, span: Span, charset: str) -> list[Tree]:
    """Return the items of a top-level sequence."""
    data, _, start, end = span
    ends = (NEVER if data[start - 4 : start] == OPEN else end, end)
    items, after = _items(data, start, ends, IMPLICIT_LE if written == "UN" else form, charset, 1)
    if after != end:
        raise DatasetError("R-5", "a sequence does not end where it should")
    return items


def _header(data: bytes, at: int, form: int) -> tuple[int, str | None, int, int]:
    """Return tag, written VR, length of the header and of the value of the element at ``at``."""
    if form == IMPLICIT_LE:
        group, number, length = HEADERS[form].unpack_from(data, at)
        return group << 16 | number, None, 8, length
    group, number, code, length = HEADERS[form].unpack_from(data, at)
    vr = SHORT_VRS.get(code)
    if vr is not None:
        return group << 16 | number, vr, 8, length
    found = long_header(data, at, code, length, form)
    if found is None:
        raise DatasetError("R-5", "an element ends inside its header")
    vr, head, length = found
    return group << 16 | number, vr, head, length


def _items(
    data: bytes, pos: int, ends: tuple[int, int], form: int, charset: str, depth: int
) -> "tuple[list[Tree], int]":
    """Return the items from ``pos`` on, and where their sequence ends.

    ends: where the sequence ends (NEVER: at its delimiter), and what none may go beyond.
    """
    if depth > DEFAULT_LIMITS.depth:
        raise DatasetError("L10", f"sequences nested deeper than {DEFAULT_LIMITS.depth}")
    end, bound = ends
    found: list[Tree] = []
    while pos != end:
        if pos + 8 > bound:
            raise DatasetError("R-5", "a sequence ends inside an item")
        group, number, length = ITEM_HEADERS[form].unpack_from(data, pos)
        tag = group << 16 | number
        if tag == ITEM_TAG:
            item = Tree(form, charset)
            item_end = NEVER if length == UNDEFINED else pos + 8 + length
            if length != UNDEFINED and item_end > bound:
                raise DatasetError("R-5", "an item is longer than its sequence")
            after = _elements(item, data, pos + 8, (item_end, min(item_end, bound)), depth)
            item.came_as(data, pos, after)
            found.append(item)
            pos = after
        elif tag == SEQUENCE_END and end == NEVER:
            return found, pos + 8
        elif tag in (SEQUENCE_END, ITEM_END):
            pos += 8
        else:
            raise DatasetError("R-5", "a sequence holds something that is no item")
    return found, pos


def _elements(item: Tree, data: bytes, pos: int, ends: tuple[int, int], depth: int) -> int:
    """Fill ``item`` with the elements from ``pos`` on; return where it ends, delimiter included."""
    end, bound = ends
    form, add, creators = item.form, item.elements.append, dict[int, str]()
    while pos != end:
        if pos + 8 > bound:
            raise DatasetError("R-5", "an item ends inside an element")
        tag, written, head, length = _header(data, pos, form)
        start = pos + head
        if tag >> 16 == DELIMITERS and tag & 0xFFFF in (0xE000, 0xE00D, 0xE0DD):
            if tag == ITEM_TAG or (tag == SEQUENCE_END and end == NEVER):
                raise DatasetError("R-5", "an item holds what belongs between items")
            if end == NEVER:
                return pos + 8
            start, length = pos + 8, 0
        if start > bound or (length != UNDEFINED and start + length > bound):
            raise DatasetError("R-5", "an element is longer than what it lies in")
        if length == UNDEFINED or written is None or written in ("UN", "SQ"):
            elem = _container(
                item, (tag, written, start, length), (data, pos, bound), creators, depth
            )
        else:
            elem = Elem(tag, written, written, form, (data, pos, start, start + length))
        if tag & 0x10000:
            _note_creator(elem, creators)
        elif tag == tags.SPECIFIC_CHARACTER_SET:
            _declare(item, elem)
        add(elem)
        pos = elem.end
    return pos


def _declare(item: Tree, elem: Elem) -> None:
    """Note the character set of an item, also in sequences that lie before it."""
    item.charset = (elem.value or b"").decode("latin-1").strip("\0 ")
    below = [inner for other in item.elements for inner in other.items or ()]
    while below:
        tree = below.pop()
        if tags.SPECIFIC_CHARACTER_SET not in tree:
            tree.charset = item.charset
            below += [inner for other in tree.elements for inner in other.items or ()]


def _container(
    item: Tree,
    found: tuple[int, str | None, int, int],
    around: tuple[bytes, int, int],
    creators: dict[int, str],
    depth: int,
) -> Elem:
    """Return the element of an item that is, or may be, a sequence or a train of fragments."""
    tag, written, start, length = found
    data, begin, bound = around
    form = item.form
    end = start if length == UNDEFINED else start + length
    if length == UNDEFINED and (is_pixel(tag) or written not in ("SQ", "UN", None)):
        span = (data, begin, start, _fragments_end(data, start, bound, form))
        return Elem(tag, written or _meaning(tag, ""), written, form, span)
    vr, holds = _kind(tag, written, (data, begin, start, end), creators)
    if holds:
        ends = (NEVER, bound) if length == UNDEFINED else (end, end)
        inner = IMPLICIT_LE if written == "UN" else form
        try:
            items, end = _items(data, start, ends, inner, item.charset, depth + 1)
            return Elem(tag, vr, written, form, (data, begin, start, end), items)
        except DatasetError as error:
            if written == "SQ" or length == UNDEFINED or error.limit != "R-5":
                raise
            vr = "UN"
    return Elem(tag, vr, written, form, (data, begin, start, end))


def _fragments_end(data: bytes, pos: int, bound: int, form: int) -> int:
    """Return where the fragments from ``pos`` on end, their delimiter included."""
    while pos + 8 <= bound:
        group, number, length = ITEM_HEADERS[form].unpack_from(data, pos)
        pos += 8
        if group << 16 | number == SEQUENCE_END:
            return pos
        if group << 16 | number != ITEM_TAG or length == UNDEFINED:
            break
        pos += length
    raise DatasetError("R-5", "encapsulated pixels do not end")
