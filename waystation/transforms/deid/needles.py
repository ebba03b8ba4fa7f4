"""What is looked for in bytes, and where it stands in them (D-42).

Contract: `Needles` are words and days in every encoding and spelling in which they might stand;
`first` finds the next place where one of them may be, fast; `at` tells which of them are there.
Whether a place counts is not decided here.  Letter case is ignored where it is that of ASCII.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final

import re2

from waystation.dicom.charsets import CharsetError, encode

CODECS: Final = (
    *("utf-8", "utf-16-le", "utf-16-be", "latin-1", "gb18030"),
    *(f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 11, 15)),
)
# As PS3.5 writes them with escapes: Japanese, Korean, simplified Chinese.
ISO_2022: Final = ("\\ISO 2022 IR 87", "\\ISO 2022 IR 149", "\\ISO 2022 IR 58")
# How improbable a needle must be (bits) to count among bytes that are no text.  Smooth grey
# values look like digits and letters far more often than noise does.
IMPROBABLE: Final = 40.0
BITS_SMOOTH: Final = {True: 3.3, False: 4.3}  # of a digit, of anything else
BITS_NOISE: Final = {True: 8.0, False: 7.0}
REMEMBERED: Final = 32
_SHIFTS: Final = re.compile(rb"\x1b(?:\$[()]?|[()-])[@-~]")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)


@dataclass(frozen=True, slots=True)
class Needle:
    """Bytes to look for, ASCII letters in lower case.

    kind: what it tells.  word: as text.  bounded: it counts only where the word ends with it.
    smooth, noise: how improbable it is among smooth and among random bytes, in bits.
    """

    raw: bytes
    kind: str
    word: str
    bounded: bool
    smooth: float
    noise: float

    @property
    def is_number(self) -> bool:
        """Whether it is made of digits only."""
        return self.word.isdigit()


class Needles:
    """Compiled for one set of words and days."""

    def __init__(self, found: Iterable[Needle]) -> None:
        by_start: dict[bytes, list[Needle]] = {}
        every = sorted({one.raw: one for one in found}.values(), key=lambda one: one.raw)
        for one in every:
            by_start.setdefault(one.raw[:2], []).append(one)
        self._by_start = by_start
        self._every = every
        self._patterns: dict[str, Any] = {}

    def first(self, data: Any, at: int, among: str) -> int:
        """Return where the next needle may be, -1 if there is none.

        among: "text", "smooth" or "noise" bytes; in the last two only what is long enough counts.
        """
        if among not in self._patterns:
            self._patterns[among] = self._compiled(among)
        pattern = self._patterns[among]
        found = pattern.search(data, at) if pattern is not None else None
        return -1 if found is None else int(found.start())

    def at(self, data: bytes, at: int) -> list[Needle]:
        """Return the needles that stand at a place."""
        start = data[at : at + 2].lower()
        return [
            one
            for one in self._by_start.get(start, ())
            if data[at : at + len(one.raw)].lower() == one.raw
        ]

    def _compiled(self, among: str) -> Any:
        raws = [one.raw for one in self._every if counts(one, among)]
        if not raws:
            return None
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.case_sensitive = False
        options.never_capture = True
        options.max_mem = 64 << 20
        return re2.compile(b"|".join(map(_quoted, raws)), options)


def counts(needle: Needle, among: str) -> bool:
    """Tell whether a needle is improbable enough to mean something among such bytes."""
    if among == "smooth":
        return needle.smooth >= IMPROBABLE and len(set(needle.raw)) > 2
    return among != "noise" or needle.noise >= IMPROBABLE


def _quoted(raw: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in raw)


def needles_of(words: Mapping[str, str], days: Iterable[str], day_kind: str) -> Needles:
    """Return what is looked for; words: in lower case, with their kinds.  Remembers a few."""
    return _made(frozenset(words.items()), frozenset(days), day_kind)


@lru_cache(maxsize=REMEMBERED)
def _made(words: frozenset[tuple[str, str]], days: frozenset[str], day_kind: str) -> Needles:
    found: list[Needle] = []
    for word, kind in words:
        found += [_needle(raw, kind, word) for raw in encodings(word)]
    for day in days:
        for form in spellings(day):
            found += [_needle(raw, day_kind, form) for raw in encodings(form)]
    return Needles(found)


def _needle(raw: bytes, kind: str, word: str) -> Needle:
    said = raw.replace(b"\0", b"")
    smooth = sum(BITS_SMOOTH[48 <= byte <= 57] for byte in said)
    noise = sum(BITS_NOISE[not 97 <= byte <= 122] for byte in said)
    return Needle(raw, kind, word, bounded=word.isascii(), smooth=smooth, noise=noise)


def encodings(word: str) -> set[bytes]:
    """Return a word in every encoding that can say it, ASCII letters in lower case."""
    if word.isascii():
        raw = word.encode("ascii")
        # Both kinds of UTF-16 have this in common.
        return {raw, b"\0".join(raw[at : at + 1] for at in range(len(raw)))}
    found: set[bytes] = set()
    for form in {word, word.upper(), word.title()}:
        for codec in CODECS:
            try:
                found.add(form.encode(codec).lower())
            except UnicodeEncodeError:
                continue
        for terms in ISO_2022:
            try:
                raw = encode(form, terms, "LO")
            except CharsetError:
                continue
            # The shifts may stand elsewhere.
            found.add(_SHIFTS.sub(b"", raw).lower())
    return {raw for raw in found if len(raw) >= 3}


def spellings(day: str) -> list[str]:
    """Return a day YYYYMMDD as it is usually written, in lower case; [] if there is no such day."""
    try:
        when = date(int(day[:4]), int(day[4:6]), int(day[6:8]))
    except ValueError:
        return [day]
    year, month, number = day[:4], day[4:6], day[6:8]
    long_ = _MONTHS[when.month - 1]
    short = long_[:3]
    found = [
        day,
        *(f"{year}{mark}{month}{mark}{number}" for mark in "-./"),
        *(f"{number}{mark}{month}{mark}{year}" for mark in "-./"),
        *(f"{month}{mark}{number}{mark}{year}" for mark in "-/"),
        *(f"{number}{gap}{short}{gap}{year}" for gap in " -"),
        *(f"{number} {long_} {year}", f"{long_} {number}, {year}", f"{short} {number}, {year}"),
    ]
    return list(dict.fromkeys(found))
