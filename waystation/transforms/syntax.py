"""Elements from one uncompressed syntax into another, values untouched.

Contract: `recode` gives a run of elements in the target's form: lengths and VRs are written anew,
values stay the same bytes but for the byte order of numbers.  What had a defined length keeps
one, what was open-ended stays so.  Group lengths and Length to End would lie afterwards and are
dropped (PS3.5 7.2).  UN stays UN, with its content as it is, which is implicit little endian
everywhere (6.2.2); from implicit VR the VRs are those of `vrs`.  A value that is too long for the
16-bit length of its VR becomes UN (6.2.2).

`UnfitError` where a new encoding would have to guess: repeated elements, and compressed pixels
inside a sequence.  `DatasetError` if the run is broken.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from waystation.dicom.errors import DatasetError
from waystation.dicom.limits import WalkLimits
from waystation.dicom.nested import (
    EXPLICIT_BE,
    HEADERS,
    IMPLICIT_LE,
    ITEM_END,
    ITEM_HEADERS,
    ITEM_TAG,
    LENGTHS,
    SEQUENCE_END,
    SHORT_VRS,
    UNDEFINED,
    is_pixel,
)
from waystation.dicom.scan import Element, Scanner
from waystation.dicom.splice import LENGTH_TO_END, PADDED_WITH_ZERO
from waystation.dicom.tags import format_tag
from waystation.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.transforms.errors import UnfitError
from waystation.transforms.vrs import WIDTHS, Scope, matters, vr_of

SYNTAXES = (EXPLICIT_VR_LE, IMPLICIT_VR_LE, EXPLICIT_VR_BE)  # by form
DELIMITERS = 0xFFFE  # stray ones in an item of defined length
OPEN = b"\xff\xff\xff\xff"
# A head may be far longer here than while receiving: it is held for one object at a time.
LIMITS = WalkLimits(head_bytes=64 << 20, head_elements=1_000_000)
SHORT = frozenset(SHORT_VRS.values())


@dataclass(frozen=True, slots=True)
class Way:
    """From which form into which."""

    source: int
    target: int

    @property
    def swaps(self) -> bool:
        """Whether numbers change their byte order."""
        return (self.source == EXPLICIT_BE) is not (self.target == EXPLICIT_BE)

    @property
    def order(self) -> str:
        """The byte order that the source is read with."""
        return ">" if self.source == EXPLICIT_BE else "<"


def header(tag: int, vr: str, length: int, form: int) -> bytes:
    """Return tag, VR and length of an element; ``length`` may be `UNDEFINED`."""
    group, number = tag >> 16, tag & 0xFFFF
    if form == IMPLICIT_LE:
        return HEADERS[form].pack(group, number, length)
    code = vr.encode("ascii")
    if vr in SHORT:
        return HEADERS[form].pack(group, number, code, length)
    return HEADERS[form].pack(group, number, code, 0) + LENGTHS[form].pack(length)


def swapped(value: bytes | memoryview, width: int) -> bytes:
    """Return ``value`` with the bytes of each unit in reverse; an odd rest stays."""
    whole = len(value) // width * width
    out = bytearray(value)
    for place in range(width):
        out[place:whole:width] = value[width - 1 - place : whole : width]
    return bytes(out)


def recode(data: bytes | memoryview, way: Way, scope: Scope) -> bytes:
    """Return a run of elements, pixels not compressed, in the form of ``way.target``."""
    scan = Scanner(SYNTAXES[way.source], limits=LIMITS)
    scan.feed(data)
    scan.close()
    check(scan)
    view = memoryview(data)
    made, _ = elements(view, scan.elements, way, scope)
    return made


def check(scan: Scanner) -> None:
    """Raise `UnfitError` for what a new encoding would have to guess about."""
    if scan.repeated:
        raise UnfitError(f"element {format_tag(scan.repeated[0][0])} is there twice")
    if not scan.whole:
        raise UnfitError("its head is too large to be written anew")


def elements(
    view: memoryview, found: dict[int, Element], way: Way, outer: Scope
) -> tuple[bytes, Scope]:
    """Return ``found`` in the target's form, in the order of their bytes, and their scope."""
    ordered = sorted((start, length, tag, vr) for tag, (vr, start, length) in found.items())
    telling = ((t, bytes(view[s : s + n])) for s, n, t, _ in ordered if matters(t) and n <= 1024)
    scope = outer.inside(telling, way.order)
    pieces = [
        _element(view, (tag, vr, start, length), way, scope)
        for start, length, tag, vr in ordered
        if tag & 0xFFFF and tag != LENGTH_TO_END and tag >> 16 != DELIMITERS
    ]
    return b"".join(pieces), scope


def _element(
    view: memoryview, found: tuple[int, str | None, int, int], way: Way, scope: Scope
) -> bytes:
    tag, written, start, length = found
    value = view[start : start + length]
    is_open = view[start - 4 : start] == OPEN
    known = written if written is not None else vr_of(tag, scope)
    if is_open and (is_pixel(tag) or written not in ("SQ", "UN", None)):
        raise UnfitError(f"{format_tag(tag)} holds compressed pixels inside the head")
    if is_open and written == "UN":
        return header(tag, "UN", UNDEFINED, way.target) + bytes(value)
    if is_open or known == "SQ":
        try:
            return _sequence(value, tag, is_open, way, scope)
        except DatasetError:
            if written is not None or is_open:
                raise
            # The dictionary calls it a sequence, its bytes do not.
            known = "UN"
    return plain(tag, known, value, way)


def plain(tag: int, vr: str, value: bytes | memoryview, way: Way) -> bytes:
    """Return an element that is no sequence."""
    width = WIDTHS.get(vr, 1)
    if way.source == IMPLICIT_LE and (len(value) % width or (len(value) > 0xFFFE and vr in SHORT)):
        vr, width = "UN", 1
    made = swapped(value, width) if way.swaps and width > 1 else bytes(value)
    if len(made) % 2:
        made += b"\0" if vr in PADDED_WITH_ZERO else b" "
    if len(made) > 0xFFFE and vr in SHORT and way.target != IMPLICIT_LE:
        vr = "UN"
    return header(tag, vr, len(made), way.target) + made


def _sequence(value: memoryview, tag: int, is_open: bool, way: Way, scope: Scope) -> bytes:
    target = ITEM_HEADERS[way.target]
    pieces: list[bytes] = []
    for item, scan, item_open in items(value, way.source):
        check(scan)
        made, _ = elements(item, scan.elements, way, scope)
        length = UNDEFINED if item_open else len(made)
        pieces += [target.pack(ITEM_TAG >> 16, ITEM_TAG & 0xFFFF, length), made]
        if item_open:
            pieces.append(target.pack(ITEM_END >> 16, ITEM_END & 0xFFFF, 0))
    if is_open:
        pieces.append(target.pack(SEQUENCE_END >> 16, SEQUENCE_END & 0xFFFF, 0))
    content = b"".join(pieces)
    length = UNDEFINED if is_open else len(content)
    return header(tag, "SQ", length, way.target) + content


def items(value: memoryview, form: int) -> Iterator[tuple[memoryview, Scanner, bool]]:
    """Yield the items of a sequence, each scanned, and whether a delimiter of its own ends it."""
    at = 0
    while at + 8 <= len(value):
        group, number, length = ITEM_HEADERS[form].unpack_from(value, at)
        tag = group << 16 | number
        at += 8
        if tag == SEQUENCE_END:
            return
        if tag == ITEM_END:
            # A stray delimiter in a sequence of defined length.
            continue
        if tag != ITEM_TAG:
            raise DatasetError("R-5", "a sequence holds something that is no item")
        is_open = length == UNDEFINED
        if not is_open and at + length > len(value):
            raise DatasetError("R-5", "an item is longer than its sequence")
        scan = Scanner(SYNTAXES[form], limits=LIMITS, item=is_open)
        item = value[at:] if is_open else value[at : at + length]
        scan.feed(item)
        scan.close()
        yield item, scan, is_open
        at += scan.item_end + 8 if is_open else length
