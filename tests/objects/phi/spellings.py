"""How one word may stand in bytes: encodings of text, and eight ways to write a day (D-42).

Contract: what is not searched for cannot be found: `encodings` and `days` are what the raw scan
of the tests looks for, made without anything of Waystation.
"""

from datetime import date, timedelta
from typing import Any

import re2

CODECS = (
    *("utf-8", "utf-16-le", "utf-16-be", "latin-1", "iso8859-5", "iso2022_jp", "gb18030"),
    "shift_jis",
)
SHORTEST = 6  # bytes: less occurs in pixels by chance


def encodings(word: str) -> set[bytes]:
    """Return a word in every encoding that can say it."""
    found: set[bytes] = set()
    for form in (word, word.upper(), word.lower()):
        for codec in CODECS:
            try:
                raw = form.encode(codec)
            except UnicodeEncodeError:
                continue
            # The shift back to ASCII may stand elsewhere.
            raw = raw.removesuffix(b"\x1b(B")
            if len(raw) >= SHORTEST:
                found.add(raw)
    return found


def days(day: str) -> set[bytes]:
    """Return a date YYYYMMDD as people and programs write it."""
    when = date(int(day[:4]), int(day[4:6]), int(day[6:8]))
    year, month, number = day[:4], day[4:6], day[6:8]
    spelled = {
        day,
        f"{year}-{month}-{number}",
        f"{year}.{month}.{number}",
        f"{number}.{month}.{year}",
        f"{month}/{number}/{year}",
        f"{number}/{month}/{year}",
        when.strftime("%d %b %Y"),
        when.strftime("%B %d, %Y"),
    }
    return {form for one in spelled for form in (one.encode(), one.encode("utf-16-le"))}


def finder(words: set[bytes], dates: set[bytes]) -> Any:
    """Return a pattern that finds any of them; a date not inside a longer number."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = 256 << 20
    said = [_quoted(word) for word in sorted(words)]
    said += [b"(?:^|[^0-9.])" + _quoted(one) for one in sorted(dates)]
    return re2.compile(b"|".join(said), options)


def _quoted(raw: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in raw)


def moved(day: str, by: int) -> str:
    """Return a date YYYYMMDD moved by whole days."""
    when = date(int(day[:4]), int(day[4:6]), int(day[6:8])) + timedelta(by)
    return when.strftime("%Y%m%d")
