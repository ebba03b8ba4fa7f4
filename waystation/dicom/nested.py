"""Sequences and encapsulated pixels, walked with a stack instead of recursion.

Contract: open() one sequence or one train of fragments, then walk() as far as the bytes reach, as
often as bytes come; when `open_frames` is empty, the end of the container was found.  Nothing is
decoded or kept: only lengths, delimiters, limits L9 (counts) and L10 (depth) matter.  Positions
are offsets in the data set; ``base`` is that of the first byte of the buffer at hand.

PS3.5 section 7.5 (nesting), A.4 (fragments), 6.2.2 (UN is implicit little endian inside).
Tolerated: stray delimiters in items and sequences of defined length, a length in a delimiter.

In implicit VR a sequence of defined length cannot be told from other values; one whose value
starts with an item tag is taken for a sequence *on trial*: if it does not hold what it
promised, it is passed over as a plain value, since its outer length is known.
"""

from struct import Struct

from waystation.dicom.errors import DatasetError
from waystation.dicom.limits import WalkLimits

Buffer = bytes | bytearray | memoryview

UNDEFINED = 0xFFFFFFFF
NEVER = 1 << 62  # the end of what only a delimiter ends
SEQUENCE, ITEM, FRAGMENTS = range(3)

ITEM_TAG, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
ITEM_START_LE = b"\xfe\xff\x00\xe0"

SHORT_VRS = {
    vr.encode(): vr
    for vr in (
        *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO"),
        *("LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"),
    )
}
LONG_VRS = {
    vr.encode(): vr
    for vr in (*("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"),)
}

EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE = range(3)
HEADERS = (Struct("<HH2sH"), Struct("<HHI"), Struct(">HH2sH"))
LENGTHS = (Struct("<I"), Struct("<I"), Struct(">I"))
ITEM_HEADERS = (Struct("<HHI"), Struct("<HHI"), Struct(">HHI"))

# What an open container needs to know: kind, where it ends (NEVER: at its delimiter), where its
# surroundings end at the latest, form of what is inside, whether it is on trial.
Frame = tuple[int, int, int, int, bool]


def long_header(
    buf: Buffer, at: int, code: bytes, short_length: int, form: int
) -> tuple[str | None, int, int] | None:
    """Return ``(vr, length of the header, length of the value)`` where the VR is no short one.

    None: more bytes are needed.  A VR of two capitals that we do not know has the 32-bit form
    (PS3.5 7.1.2) unless its reserved bytes are not zero; ``??``, which some toolkits write, has
    the 16-bit form; anything else is an element coded as in implicit VR, returned with VR None.
    """
    vr = LONG_VRS.get(code)
    if vr is None:
        if code == b"??":
            return "UN", 8, short_length
        if not (65 <= code[0] <= 90 and 65 <= code[1] <= 90):
            return None, 8, LENGTHS[form].unpack_from(buf, at + 4)[0]
        vr = code.decode("ascii")
        if short_length:
            return vr, 8, short_length
    if at + 12 > len(buf):
        return None
    return vr, 12, LENGTHS[form].unpack_from(buf, at + 8)[0]


def is_pixel(tag: int) -> bool:
    """Tell whether the tag is one of (7FE0,0008), (7FE0,0009), (7FE0,0010)."""
    return tag in (0x7FE00010, 0x7FE00008, 0x7FE00009)


class Nest:
    """What is open below one top-level element."""

    __slots__ = ("_limits", "count", "fragments", "open_frames")

    def __init__(self, limits: WalkLimits) -> None:
        self._limits = limits
        self.open_frames: list[Frame] = []
        self.count = 0
        self.fragments = 0

    def opens(
        self, buf: Buffer, start: int, tag: int, vr: str | None, length: int, form: int
    ) -> tuple[int, int, bool] | None:
        """Return ``(kind, form inside, on trial)`` if the value at ``start`` is a container.

        The caller made sure that four bytes of the value are there, where it has as many.
        """
        if length == UNDEFINED:
            if is_pixel(tag) or vr not in ("SQ", "UN", None):
                return FRAGMENTS, form, False
            return SEQUENCE, IMPLICIT_LE if vr == "UN" else form, False
        if vr == "SQ":
            return SEQUENCE, form, False
        if length < 8 or is_pixel(tag) or buf[start : start + 4] != ITEM_START_LE:
            return None
        return SEQUENCE, IMPLICIT_LE if vr == "UN" else form, True

    def open(self, opened: tuple[int, int, bool], start: int, length: int, bound: int) -> None:
        """Push the container whose value starts at ``start``."""
        frames = self.open_frames
        kind, form, trial = opened
        end = NEVER if length == UNDEFINED else start + length
        # Every sequence but the outermost lies in an item: two frames a level.
        if kind == SEQUENCE and len(frames) >= 2 * self._limits.depth:
            raise DatasetError("L10", f"sequences nested deeper than {self._limits.depth}")
        frames.append((kind, end, min(end, bound), form, trial))

    def walk(self, buf: Buffer, base: int, pos: int, room: int) -> int:
        """Return how far the bytes reached; ``room`` is how many elements may still come."""
        frames = self.open_frames
        size = base + len(buf)
        while frames:
            kind, end, bound, _, _ = frames[-1]
            if pos == end:
                frames.pop()
                continue
            try:
                if pos + 8 > bound:
                    raise DatasetError("R-5", "an item or sequence ends inside an element")
                if pos + 8 > size:
                    break
                if kind == ITEM:
                    after = self._elements(buf, base, pos, room)
                elif kind == SEQUENCE:
                    after = self._item(buf, base, pos, room)
                else:
                    after = self._fragments(buf, base, pos)
            except DatasetError as error:
                after = self._abandon(error)
            if after == pos:
                break
            pos = after
        return pos

    def _abandon(self, error: DatasetError) -> int:
        """Take the innermost container on trial for a plain value, and return its end."""
        frames = self.open_frames
        trials = [depth for depth, frame in enumerate(frames) if frame[4]]
        if error.limit != "R-5" or not trials:
            raise error
        end = frames[trials[-1]][1]
        del frames[trials[-1] :]
        return end

    def _counted(self, room: int) -> None:
        self.count += 1
        if self.count > room:
            raise DatasetError("L9", f"more than {self._limits.elements} elements")

    def _item(self, buf: Buffer, base: int, pos: int, room: int) -> int:
        """Read the item header, or the delimiter, at ``pos`` of a sequence."""
        _, end, bound, form, _ = self.open_frames[-1]
        group, number, length = ITEM_HEADERS[form].unpack_from(buf, pos - base)
        tag = group << 16 | number
        start = pos + 8
        if tag == ITEM_TAG:
            self._counted(room)
            item_end = NEVER if length == UNDEFINED else start + length
            if item_end != NEVER and item_end > bound:
                raise DatasetError("R-5", "an item is longer than its sequence")
            self.open_frames.append((ITEM, item_end, min(item_end, bound), form, False))
        elif tag == SEQUENCE_END:
            if end == NEVER:
                self.open_frames.pop()
        elif tag != ITEM_END:
            raise DatasetError("R-5", "a sequence holds something that is no item")
        return start

    def _fragments(self, buf: Buffer, base: int, pos: int) -> int:
        """Read fragment headers from ``pos`` on, up to the delimiter or the end of the bytes."""
        _, _, bound, form, _ = self.open_frames[-1]
        header = ITEM_HEADERS[form].unpack_from
        last = min(base + len(buf), bound) - 8
        while pos <= last:
            group, number, length = header(buf, pos - base)
            if group != 0xFFFE or number not in (0xE000, 0xE0DD):
                raise DatasetError("R-5", "encapsulated pixels hold something that is no item")
            if number == 0xE0DD:
                self.open_frames.pop()
                return pos + 8
            self.fragments += 1
            if self.fragments > self._limits.fragments:
                raise DatasetError("L9", f"more than {self._limits.fragments} fragments")
            pos += 8 + length
            if length == UNDEFINED or pos > bound:
                raise DatasetError("R-5", "a fragment has no length, or too long a one")
        return pos

    def _elements(self, buf: Buffer, base: int, pos: int, room: int) -> int:
        """Read elements of the item from ``pos`` on, until it ends or a container begins."""
        _, end, bound, form, _ = self.open_frames[-1]
        header = HEADERS[form].unpack_from
        implicit = form == IMPLICIT_LE
        size = base + len(buf)
        while pos != end and pos + 8 <= size:
            at = pos - base
            vr: str | None = None
            if implicit:
                group, number, length = header(buf, at)
                head = 8
            else:
                group, number, code, length = header(buf, at)
                vr, head = SHORT_VRS.get(code), 8
                if vr is None:
                    found = long_header(buf, at, code, length, form)
                    if found is None:
                        return pos
                    vr, head, length = found
            if group == 0xFFFE and number in (0xE000, 0xE00D, 0xE0DD):
                if number == 0xE000 or (number == 0xE0DD and end == NEVER):
                    raise DatasetError("R-5", "an item holds what belongs between items")
                if end == NEVER:
                    self.open_frames.pop()
                    return pos + 8
                head, length = 8, 0
            start = pos + head
            if start > bound or (length != UNDEFINED and start + length > bound):
                raise DatasetError("R-5", "an element is longer than what it lies in")
            if vr is None or vr == "UN" or vr == "SQ" or length == UNDEFINED:
                if start + 4 > size and 8 <= length != UNDEFINED:
                    return pos
                tag = group << 16 | number
                opened = self.opens(buf, start - base, tag, vr, length, form)
                if opened is not None:
                    self._counted(room)
                    self.open(opened, start, length, bound)
                    return start
            self._counted(room)
            pos = start + length
        return pos
