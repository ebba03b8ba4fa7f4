"""The structural scan of a data set, piece by piece: where every element lies, and no more.

Contract: feed() any bytes in any pieces, then close(); afterwards `elements` says where each
top-level element lies, `head` holds the bytes before the tail, and every length, item and
delimiter at every level was found to fit exactly.  DatasetError otherwise, and never anything
else.  VRs, VMs, odd lengths, order and values are nobody's business here (N-4).

The *tail* begins at the first of top-level Pixel Data, Float or Double Float Pixel Data, or where
the head would outgrow its limits (then `whole` is False).  Bytes inside a value cost nothing: a
piece that lies in one is counted and dropped.

No recursion, no decoding (PS3.5 section 7; limits L9 to L12 in `WalkLimits`).  The two loops over
top-level elements are written for speed and know nothing of nesting: that is `Nest`.
"""

from waystation.dicom.errors import DatasetError
from waystation.dicom.inflate import Inflater
from waystation.dicom.limits import DEFAULT_LIMITS, WalkLimits
from waystation.dicom.nested import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    HEADERS,
    IMPLICIT_LE,
    ITEM_END,
    NEVER,
    SHORT_VRS,
    UNDEFINED,
    Buffer,
    Nest,
    is_pixel,
    long_header,
)
from waystation.dicom.uids import DEFLATED_SYNTAXES, EXPLICIT_VR_BE, IMPLICIT_SYNTAXES

Element = tuple[str | None, int, int]  # VR (None: implicit), offset and length of the value

FIRST_PIXEL = 0x7FE00008
FORMS = {EXPLICIT_VR_BE: EXPLICIT_BE} | dict.fromkeys(IMPLICIT_SYNTAXES, IMPLICIT_LE)


def form_of(transfer_syntax_uid: str) -> int:
    """Return how elements are coded; unknown syntaxes are explicit little endian (PS3.5 A.4)."""
    return FORMS.get(transfer_syntax_uid, EXPLICIT_LE)


class Scanner:
    """One scan of one data set, or of one item of a sequence (``item``: up to its delimiter)."""

    __slots__ = (
        *("_carry", "_count", "_form", "_inflater", "_item", "_kept", "_last", "_limits", "_nest"),
        *("_open", "_pos", "_seen", "_tail", "elements", "ended", "head", "item_end", "repeated"),
        "whole",
    )

    def __init__(
        self,
        transfer_syntax_uid: str,
        *,
        limits: WalkLimits = DEFAULT_LIMITS,
        item: bool = False,
    ) -> None:
        self._form = FORMS.get(transfer_syntax_uid, EXPLICIT_LE)
        self._limits = limits
        self._inflater = Inflater(limits) if transfer_syntax_uid in DEFLATED_SYNTAXES else None
        self._item = item
        self.elements: dict[int, Element] = {}
        self.repeated: list[tuple[int, int, int]] = []  # tag, value offset, length
        self.head = b""
        self.whole = True
        self.ended = True  # False: the last element, in fragments, may be longer than was seen
        self.item_end = -1  # where the delimiter of the item lies
        self._kept: bytes | bytearray = b""  # the head so far
        self._carry = b""  # in the tail: the beginning of a header
        self._seen = 0
        self._pos = 0  # where the next header is expected
        self._tail = -1
        self._last = -1
        self._count = 0
        self._nest = Nest(limits)
        self._open: tuple[int, str | None, int] | None = None

    @property
    def tail(self) -> int:
        """Offset at which the tail begins; -1 as long as it is not in sight."""
        return self._tail

    @property
    def length(self) -> int:
        """Bytes of the (inflated) data set seen so far."""
        return self._seen

    def feed(self, data: Buffer) -> None:
        """Take the next bytes."""
        if self._inflater is None:
            self._take(data)
        else:
            for piece in self._inflater.feed(data):
                self._take(piece)

    def close(self, *, tail_missing: bool = False) -> None:
        """Make sure that the data set ended where an element ended.

        ``tail_missing``: once the tail has begun, it may end anywhere.
        """
        if self._inflater is not None and not (tail_missing and self._tail >= 0):
            self._inflater.close()
        if self._item:
            complete = self.item_end >= 0
        else:
            complete = self._pos == self._seen and not self._nest.open_frames
        if not complete and not (tail_missing and self._tail >= 0):
            raise DatasetError("L11", "the data set ends inside an element")
        if not complete and self._open is not None:
            # Pixels in fragments whose end is not at hand: they are there all the same.
            tag, vr, start = self._open
            self.ended = False
            self._record(tag, vr, start, self._seen - start)
        if self._tail < 0:
            self._tail = self.item_end if self._item else self._pos
            self.head = bytes(self._kept[: self._tail])

    def _take(self, data: Buffer) -> None:
        base = self._seen
        self._seen += len(data)
        if self._tail < 0:
            self._take_head(data, base)
        elif self._pos < self._seen:
            window = data
            if self._carry:
                base -= len(self._carry)
                window = self._carry + data
            self._walk(window, base)
            self._carry = bytes(window[self._pos - base :]) if self._pos < self._seen else b""

    def _take_head(self, data: Buffer, before: int) -> None:
        window = data
        if before:
            if not isinstance(self._kept, bytearray):
                self._kept = bytearray(self._kept)
            self._kept += data
            if self._pos >= self._seen:
                return
            window = self._kept
        self._walk(window, 0)
        extent = self._tail if self._tail >= 0 else self._pos
        entries = len(self.elements) + len(self.repeated)
        if extent > self._limits.head_bytes or entries > self._limits.head_elements:
            self._cut()
        if self._tail >= 0:
            self.head = bytes(window[: self._tail])
            self._kept = b""
            if self._pos < self._seen and not self._item:
                self._carry = bytes(window[self._pos :])
        elif self.item_end >= 0:
            self._kept = bytes(window[: self.item_end])
        elif not before:
            self._kept = data if isinstance(data, bytes) else bytearray(data)

    def _cut(self) -> None:
        """Begin the tail after the last top-level element that keeps the head in its limits."""
        limits = self._limits
        end = 0
        kept: dict[int, Element] = {}
        for tag, (vr, start, length) in self.elements.items():
            fits = start + length <= limits.head_bytes and len(kept) < limits.head_elements
            if not fits or start > self._tail >= 0:
                break
            kept[tag] = vr, start, length
            end = start + length
        for tag, element in self.elements.items():
            if len(kept) < limits.head_elements or is_pixel(tag):
                kept.setdefault(tag, element)
        self.elements = kept
        del self.repeated[limits.head_elements :]
        self._tail = end
        self.whole = False

    def _walk(self, window: Buffer, base: int) -> None:
        """Walk as far as the window reaches."""
        while True:
            if self._nest.open_frames:
                room = self._limits.elements - self._count
                self._pos = self._nest.walk(window, base, self._pos, room)
                if self._nest.open_frames:
                    return
            if self._open is not None:
                tag, vr, start = self._open
                self._open = None
                self._record(tag, vr, start, self._pos - start)
            if self._form == IMPLICIT_LE:
                self._implicit(window, base)
            else:
                self._explicit(window, base)
            if self._count + self._nest.count > self._limits.elements:
                raise DatasetError("L9", f"more than {self._limits.elements} elements")
            if not self._nest.open_frames:
                return

    def _explicit(self, buf: Buffer, base: int) -> None:
        form = self._form
        header = HEADERS[form].unpack_from
        short_vr = SHORT_VRS.get
        elements = self.elements
        last, count = self._last, self._count
        pos, stop = self._pos - base, len(buf) - 8
        while pos <= stop:
            group, number, code, length = header(buf, pos)
            vr = short_vr(code)
            start = pos + 8
            tag = group << 16 | number
            if vr is None:
                found = long_header(buf, pos, code, length, form)
                if found is None:
                    break
                vr, head, length = found
                start = pos + head
                if vr is None or vr == "SQ" or vr == "UN" or length == UNDEFINED:
                    if start + 4 > len(buf) and 8 <= length != UNDEFINED and not is_pixel(tag):
                        break
                    if self._begins(buf, base, pos, (tag, vr, start, length)):
                        pos = start
                        count += 1
                        last = max(last, tag)
                        break
            count += 1
            if last < tag < FIRST_PIXEL:
                last = tag
                elements[tag] = (vr, base + start, length)
            elif self._notice(tag, base + pos):
                break
            else:
                self._record(tag, vr, base + start, length)
            pos = start + length
        self._pos, self._last, self._count = base + pos, last, count

    def _implicit(self, buf: Buffer, base: int) -> None:
        header = HEADERS[IMPLICIT_LE].unpack_from
        elements = self.elements
        last, count = self._last, self._count
        pos, size = self._pos - base, len(buf)
        stop, peek = size - 8, size - 4
        while pos <= stop:
            group, number, length = header(buf, pos)
            start = pos + 8
            tag = group << 16 | number
            if length > 7 and (start > peek or length == UNDEFINED or buf[start] == 0xFE):
                if start > peek and length != UNDEFINED and not is_pixel(tag):
                    break
                if self._begins(buf, base, pos, (tag, None, start, length)):
                    pos = start
                    count += 1
                    last = max(last, tag)
                    break
            count += 1
            if last < tag < FIRST_PIXEL:
                last = tag
                elements[tag] = (None, base + start, length)
            elif self._notice(tag, base + pos):
                break
            else:
                self._record(tag, None, base + start, length)
            pos = start + length
        self._pos, self._last, self._count = base + pos, last, count

    def _begins(
        self, buf: Buffer, base: int, pos: int, found: tuple[int, str | None, int, int]
    ) -> bool:
        """Open the container at ``pos``, if it is one."""
        tag, vr, start, length = found
        opened = self._nest.opens(buf, start, tag, vr, length, self._form)
        if opened is None:
            return False
        self._notice(tag, base + pos)
        self._nest.open(opened, base + start, length, NEVER)
        if length == UNDEFINED:
            self._open = tag, vr, base + start
        else:
            self._record(tag, vr, base + start, length)
        return True

    def _notice(self, tag: int, at: int) -> bool:
        """See whether the tail begins with the element at ``at``; True if the item ends there."""
        if self._item and tag == ITEM_END:
            self.item_end = at
            return True
        if self._tail < 0 and is_pixel(tag):
            self._tail = at
        return False

    def _record(self, tag: int, vr: str | None, start: int, length: int) -> None:
        """Note an element; of a repeated one the first counts, as in DCMTK."""
        limit = self._limits.head_elements
        full = self._tail >= 0 and len(self.elements) + len(self.repeated) >= limit
        if tag not in self.elements:
            if not full or is_pixel(tag):
                self.elements[tag] = (vr, start, length)
        elif not full:
            self.repeated.append((tag, start, length))
