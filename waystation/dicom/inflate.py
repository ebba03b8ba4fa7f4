"""Inflating a data set without trusting it (PS3.5 A.5, RFC 1951; limit L12).

Contract: feed() pieces of the deflated stream, take inflated pieces of bounded size; a stream
that grows beyond the limits is refused before the excess exists in memory.
"""

import zlib
from collections.abc import Iterator

from waystation.dicom.errors import DatasetError
from waystation.dicom.limits import WalkLimits

PIECE = 256 << 10
TRAILER = 9


class Inflater:
    def __init__(self, limits: WalkLimits) -> None:
        self._limits = limits
        self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
        self._taken = 0
        self._made = 0
        self._after = 0

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Yield what comes out, in pieces of at most 256 KiB."""
        if self._zlib.eof:
            self._after += len(data)
            return
        rest: bytes | bytearray | memoryview = data
        self._taken += len(data)
        more = True
        while more:
            try:
                piece = self._zlib.decompress(rest, PIECE)
            except zlib.error as error:
                raise DatasetError("R-5", "deflated data set is damaged") from error
            rest = self._zlib.unconsumed_tail
            self._made += len(piece)
            self._check(len(rest))
            if piece:
                yield piece
            more = not self._zlib.eof and (bool(rest) or len(piece) == PIECE)
        self._after = len(self._zlib.unused_data)

    def _check(self, waiting: int) -> None:
        limits = self._limits
        if self._made > limits.inflated_bytes:
            raise DatasetError("L12", f"inflates beyond {limits.inflated_bytes} bytes")
        used = self._taken - waiting
        if self._made > limits.inflate_grace and self._made > limits.inflate_ratio * used:
            raise DatasetError("L12", f"inflates by more than {limits.inflate_ratio} to 1")

    def close(self) -> None:
        """Refuse a stream that is cut, or that other bytes follow.

        A byte of padding may, and the eight of a gzip trailer, which some writers leave there.
        """
        if not self._zlib.eof:
            raise DatasetError("R-5", "deflated data set is cut")
        if self._after > TRAILER:
            raise DatasetError("R-5", "bytes follow the deflated data set")
