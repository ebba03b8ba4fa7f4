"""``multipart/related`` bodies, read piece by piece (RFC 2046 section 5.1, RFC 2387; W-94).

Contract: pure.  `feed` any bytes in any pieces and take what is known: a part begins with its
header, brings data, ends.  Each byte is looked at a bounded number of times, and nothing but the
header of a part and what may be the beginning of a delimiter is held back.  What merely looks like
a delimiter, longer or inside a line, is data.  `MultipartError` where the body is none.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

MOST_PARTS: Final = 10_000
LONGEST_HEADER: Final = 8 * 1024
MOST_FIELDS: Final = 32
# The standard says 70; Orthanc (DICOMweb 1.7) sends 73.
LONGEST_BOUNDARY: Final = 100
LONGEST_PREAMBLE: Final = 64 * 1024
_AFTER = re.compile(rb"(?:(--)|[ \t]*\r\n)")
_UNDECIDED = re.compile(rb"(?:-|[ \t]*\r?)\Z")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,99}[0-9A-Za-z'()+_,./:=?-]", re.ASCII)


class MultipartError(Exception):
    """The body cannot be taken apart."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A part begins.  headers: by lower-case name; of several with one name the first counts."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of the part."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The part is complete."""


Event = Begun | Data | Ended


class _State(Enum):
    PREAMBLE = auto()
    HEADER = auto()
    BODY = auto()
    OVER = auto()


class MultipartReader:
    """One body."""

    def __init__(self, boundary: str, most_parts: int = MOST_PARTS) -> None:
        if not _BOUNDARY.fullmatch(boundary):
            raise MultipartError("the boundary is missing, or none")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        # The first delimiter may stand at the very beginning.
        self._held = bytearray(b"\r\n")
        self._state = _State.PREAMBLE
        self._skipped = 0
        self._most = most_parts
        self.n_parts = 0

    @property
    def over(self) -> bool:
        """Whether the last delimiter was seen; what follows is only counted."""
        return self._state is _State.OVER

    @property
    def inside(self) -> bool:
        """Whether a part has begun and not ended."""
        return self._state is _State.BODY

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes; yield what is known."""
        if self.over:
            self._skip(len(data))
            return
        self._held += data
        while not self.over:
            if self._state is _State.HEADER:
                if not self._headed():
                    return
                yield Begun(self._headers)
            else:
                before, found = self._next_delimiter()
                if self._state is _State.BODY and before:
                    yield Data(before)
                elif self._state is _State.PREAMBLE:
                    self._skip(len(before))
                if found is None:
                    return
                if self._state is _State.BODY:
                    yield Ended()
                self._state = _State.OVER if found else _State.HEADER
        self._skip(len(self._held))
        self._held.clear()

    _headers: Mapping[str, str]

    def _skip(self, size: int) -> None:
        self._skipped += size
        if self._skipped > LONGEST_PREAMBLE:
            most = f"{LONGEST_PREAMBLE >> 10} KiB"
            raise MultipartError(f"the body has more than {most} outside of its parts")

    def _next_delimiter(self) -> tuple[bytes, bool | None]:
        """Return what certainly stands before the next delimiter, and whether that is the last.

        None: no delimiter is in sight.
        """
        held, at = self._held, 0
        while True:
            place = held.find(self._delimiter, at)
            if place < 0:
                keep = self._beginning_of_one(at)
                return self._take(len(held) - keep), None
            behind = place + len(self._delimiter)
            match = _AFTER.match(held, behind)
            if match is not None:
                before = self._take(place)
                del held[: match.end() - place]
                return before, match[1] is not None
            if len(held) - behind < LONGEST_BOUNDARY and _UNDECIDED.match(held, behind):
                return self._take(place), None
            at = behind

    def _beginning_of_one(self, after: int) -> int:
        """Return how many bytes at the end may be the beginning of a delimiter."""
        longest = min(len(self._delimiter) - 1, len(self._held) - after)
        tail = bytes(self._held[len(self._held) - longest :]) if longest else b""
        at = tail.find(b"\r")
        while at >= 0:
            if self._delimiter.startswith(tail[at:]):
                return longest - at
            at = tail.find(b"\r", at + 1)
        return 0

    def _take(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    def _headed(self) -> bool:
        """Read the header of a part; False if it is not all there."""
        held = self._held
        end = 0 if held.startswith(b"\r\n") else held.find(b"\r\n\r\n", 0, LONGEST_HEADER + 4)
        if end < 0:
            if len(held) > LONGEST_HEADER:
                raise MultipartError("the header of a part is too long")
            return False
        if end == 0 and len(held) < 2:
            return False
        text = self._take(end).decode("latin-1")
        # The line end before a delimiter may be that of an empty header.
        del held[: 4 if text else 2]
        self.n_parts += 1
        if self.n_parts > self._most:
            raise MultipartError(f"more than {self._most} parts")
        headers: dict[str, str] = {}
        lines = text.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")
        if len(lines) > MOST_FIELDS:
            raise MultipartError(f"the header of a part has more than {MOST_FIELDS} fields")
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                headers.setdefault(name.strip().lower(), value.strip())
        self._headers = headers
        self._state = _State.BODY
        # An empty body is followed at once by the delimiter, whose line end was just read.
        if held.startswith(self._delimiter[2:]):
            held[:0] = b"\r\n"
        return True
