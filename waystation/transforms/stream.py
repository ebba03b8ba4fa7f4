"""A whole data set from one uncompressed syntax into another, piece by piece.

Contract: feed() the source in pieces of any size, then finish(); what comes out of both, in
order, is the data set in the target syntax.  Only the head is held in memory; pixels pass through
(their bytes swapped where the byte order differs).  `UnfitError` where that cannot be done
(`transforms.syntax`), `DatasetError` if the source is broken.
"""

import zlib
from collections.abc import Iterator

from waystation.dicom.inflate import Inflater
from waystation.dicom.limits import WalkLimits
from waystation.dicom.nested import EXPLICIT_LE, Buffer, is_pixel
from waystation.dicom.scan import Scanner, form_of
from waystation.dicom.uids import (
    DEFLATED,
    EXPLICIT_VR_BE,
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
)
from waystation.transforms.errors import UnfitError
from waystation.transforms.syntax import (
    LIMITS,
    OPEN,
    SYNTAXES,
    Way,
    check,
    elements,
    header,
    recode,
    swapped,
)
from waystation.transforms.vrs import WIDTHS, Scope, vr_of

PLAIN = frozenset({IMPLICIT_VR_LE, EXPLICIT_VR_LE, EXPLICIT_VR_BE, DEFLATED})
REST_BYTES = 16 << 20


def form_inside(transfer_syntax_uid: str) -> int:
    """Return how elements are coded in a syntax of `PLAIN`."""
    return EXPLICIT_LE if transfer_syntax_uid == DEFLATED else form_of(transfer_syntax_uid)


class Recoder:
    """One data set on its way into another syntax."""

    def __init__(self, source: str, target: str, limits: WalkLimits = LIMITS) -> None:
        if source not in PLAIN or target not in PLAIN:
            raise UnfitError(f"{source} cannot become {target} without its pixels")
        self._way = Way(form_inside(source), form_inside(target))
        self._scan = Scanner(SYNTAXES[self._way.source], limits=limits)
        self._inflater = Inflater(limits) if source == DEFLATED else None
        self._packer = zlib.compressobj(wbits=-zlib.MAX_WBITS) if target == DEFLATED else None
        self._kept = bytearray()
        self._scope = Scope()
        self._begun = False
        self._left = 0
        self._odd = False
        self._width = 1
        self._carry = b""
        self._rest = bytearray()
        self._made = 0

    def feed(self, data: Buffer) -> Iterator[bytes]:
        """Take the next bytes of the source; yield what can be said already."""
        if self._inflater is None:
            yield from self._packed(self._take(data))
        else:
            for piece in self._inflater.feed(data):
                yield from self._packed(self._take(piece))

    def finish(self) -> Iterator[bytes]:
        """Yield the rest."""
        if self._inflater is not None:
            self._inflater.close()
        yield from self._packed(self._end())
        if self._packer is not None:
            last = self._packer.flush()
            # A deflated data set has even length (PS3.5 A.5).
            yield last + b"\0" * ((self._made + len(last)) % 2)

    def _packed(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            made = piece if self._packer is None else self._packer.compress(piece)
            self._made += len(made)
            if made:
                yield made

    def _take(self, data: Buffer) -> Iterator[bytes]:
        if self._begun:
            yield from self._value(data)
            return
        self._kept += data
        self._scan.feed(data)
        if self._scan.tail >= 0:
            check(self._scan)
            yield from self._head()

    def _head(self) -> Iterator[bytes]:
        """The pixels are in sight: say everything before them."""
        scan = self._scan
        behind = [entry for entry in scan.elements.items() if entry[1][1] > scan.tail]
        found = [entry for entry in behind if is_pixel(entry[0])]
        kept = bytes(self._kept)
        # Fragments are noted only when their end was seen.
        if not found or kept[found[0][1][1] - 4 : found[0][1][1]] == OPEN:
            raise UnfitError("its pixels are compressed, which its transfer syntax denies")
        tag, (vr, start, length) = found[0]
        view = memoryview(kept)
        before = {t: e for t, e in scan.elements.items() if e[1] <= scan.tail}
        made, self._scope = elements(view, before, self._way, self._scope)
        self._begun = True
        self._kept = bytearray()
        known = vr if vr is not None else vr_of(tag, self._scope)
        self._left, self._odd = length, length % 2 == 1
        if self._way.swaps:
            self._width = max(WIDTHS.get(known, 1), self._scope.bits // 8 if known == "OW" else 1)
        yield made + header(tag, known, length + length % 2, self._way.target)
        yield from self._value(view[start:])

    def _value(self, data: Buffer) -> Iterator[bytes]:
        if self._left:
            part = bytes(data[: self._left])
            data = data[self._left :]
            self._left -= len(part)
            if self._width > 1:
                part = self._carry + part
                whole = len(part) if not self._left else len(part) // self._width * self._width
                part, self._carry = swapped(part[:whole], self._width), part[whole:]
            if self._odd and not self._left:
                part += b"\0"
            if part:
                yield part
        if len(data):
            self._rest += data
            if len(self._rest) > REST_BYTES:
                raise UnfitError("too much follows its pixels")

    def _end(self) -> Iterator[bytes]:
        if not self._begun:
            self._scan.close()
            check(self._scan)
            made, _ = elements(
                memoryview(bytes(self._kept)), self._scan.elements, self._way, self._scope
            )
            yield made
            return
        if self._left:
            raise UnfitError("it ends inside its pixels")
        if self._rest:
            yield recode(bytes(self._rest), self._way, self._scope)


def recoded(data: Buffer, source: str, target: str) -> bytes:
    """Return a whole data set in another uncompressed syntax."""
    recoder = Recoder(source, target)
    pieces = list(recoder.feed(data))
    return b"".join([*pieces, *recoder.finish()])
