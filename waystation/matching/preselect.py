"""What a database may look for before the pure function decides (T-1).

Contract: the hints of a query, all of them together, may let too many records through, never too
few.  A hint speaks of one attribute in one *form*; a column (or a table of several values) that
holds that form of **every** stored value may be asked, any other hint must be ignored.

form     what is stored                                 op
TEXT     `folding.plain(value, vr)`                     IN, PREFIX (one of `values`)
UID      the UID without padding                        IN
NAME     each of `names.folded_groups(value)`           IN, PREFIX on any group
NAME     `names.words(value)`, joined by blanks         WORDS: each of `values` begins a word
NUMBER   `number_form(value)`                           IN
DATE     `date_form(value)`, YYYYMMDD or ""             RANGE, both ends included
TIME     `time_form(value)`, HHMMSS.FFFFFF or ""        RANGE, both ends included
PRESENT  anything                                       EMPTY: only records without a value

Keys inside sequences give no hints.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from waystation.matching.folding import plain
from waystation.matching.keys import (
    EMPTY_VALUE,
    NUMBERS,
    asks_for_empty,
    is_number,
    is_universal,
)
from waystation.matching.match import intervals
from waystation.matching.names import folded_groups, folded_prefixes, words
from waystation.matching.spans import DAY, HIGH, LOW, date_span, key_span, time_span
from waystation.matching.wildcard import is_wild, literal_prefix
from waystation.model.query import Key, Query

TEXT, UID, NAME, NUMBER, DATE, TIME, PRESENT = (
    *("text", "uid", "name", "number", "date", "time", "present"),
)
IN, PREFIX, RANGE, WORDS, EMPTY = "in", "prefix", "range", "words", "empty"
FIRST_DATE, LAST_DATE = "00010101", "99991231"
FIRST_TIME, LAST_TIME = "000000.000000", "240000.999999"
EXACT: Final = frozenset({"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What the records of one attribute must be like: one of ``values``, or low to high."""

    tag: int
    form: str
    op: str
    values: tuple[str, ...] = ()
    low: str = ""
    high: str = ""


def hints(query: Query) -> list[Hint]:
    """Return what may be looked for; [] if every record has to be asked."""
    paired = {key.tag for pair in intervals(query.keys, query) for key in pair}
    return [hint for key in query.keys for hint in _of(key, query, key.tag in paired)]


def _of(key: Key, query: Query, is_paired: bool) -> Iterator[Hint]:
    options = query.options
    values = tuple(value for value in key.values if value)
    if asks_for_empty(key, options):
        yield Hint(tag=key.tag, form=PRESENT, op=EMPTY, values=(EMPTY_VALUE,))
    elif key.vr == "SQ" or is_universal(key):
        return
    elif key.vr == "UI":
        uids = tuple(value.strip("\0 ") for value in values)
        yield Hint(tag=key.tag, form=UID, op=IN, values=uids)
    elif key.vr in NUMBERS:
        yield Hint(tag=key.tag, form=NUMBER, op=IN, values=tuple(map(number_form, values)))
    elif key.vr == "DA":
        yield from _dates(key, values, 2 if options.time_zone and query.zone is not None else 0)
    elif key.vr == "TM" and not is_paired and not options.time_zone:
        yield from _times(key, values)
    elif key.vr == "PN":
        yield from _names(key, values, fuzzy=options.fuzzy)
    elif key.vr in EXACT:
        yield from _texts(key, tuple(plain(value, key.vr) for value in values))


def _texts(key: Key, values: tuple[str, ...]) -> Iterator[Hint]:
    if not any(map(is_wild, values)):
        yield Hint(tag=key.tag, form=TEXT, op=IN, values=values)
        return
    prefixes = tuple(map(literal_prefix, values))
    if all(prefixes):
        yield Hint(tag=key.tag, form=TEXT, op=PREFIX, values=prefixes)


def _names(key: Key, values: tuple[str, ...], *, fuzzy: bool) -> Iterator[Hint]:
    if fuzzy:
        if len(values) == 1:
            begins = tuple(filter(None, map(literal_prefix, words(values[0]))))
            if begins:
                yield Hint(tag=key.tag, form=NAME, op=WORDS, values=begins)
        return
    if not any(map(is_wild, values)):
        # Any one group of each name: where there are several the function looks at the others.
        firsts = [next(filter(None, folded_groups(value)), "") for value in values]
        if all(firsts):
            yield Hint(tag=key.tag, form=NAME, op=IN, values=tuple(firsts))
        return
    prefixes = [next(iter(folded_prefixes(value)), "") for value in values]
    if all(prefixes):
        yield Hint(tag=key.tag, form=NAME, op=PREFIX, values=tuple(prefixes))


def _dates(key: Key, values: tuple[str, ...], days_wider: int) -> Iterator[Hint]:
    spans = [span for value in values if (span := key_span(value, "DA"))]
    if not spans:
        return
    low, high = min(span.low for span in spans), max(span.high for span in spans)
    first = FIRST_DATE if low == LOW else _date_text(low // DAY - days_wider)
    last = LAST_DATE if high == HIGH else _date_text(high // DAY + days_wider)
    yield Hint(tag=key.tag, form=DATE, op=RANGE, low=first, high=last)


def _times(key: Key, values: tuple[str, ...]) -> Iterator[Hint]:
    spans = [span for value in values if (span := key_span(value, "TM"))]
    if not spans or any(span.low > span.high for span in spans):
        return
    low, high = min(span.low for span in spans), max(span.high for span in spans)
    # A stored value may denote its whole hour, and begins then before what is asked for.
    first = FIRST_TIME if low == LOW else f"{_clock_text(low)[:2]}0000.000000"
    yield Hint(tag=key.tag, form=TIME, op=RANGE, low=first, high=_clock_text(high, LAST_TIME))


def date_form(value: str) -> str:
    """Return a stored date as YYYYMMDD, "" if it is none (then no date key matches it)."""
    span = date_span(value.strip(), stored=True)
    return _date_text(span.low // DAY) if span else ""


def time_form(value: str) -> str:
    """Return when a stored time begins as HHMMSS.FFFFFF, "" if it is none."""
    span = time_span(value.strip(), stored=True)
    return _clock_text(span.low) if span else ""


def number_form(value: str) -> str:
    """Return a number so that equal ones are equal texts, "" if it is none."""
    text = value.strip()
    if not is_number(text):
        return ""
    number = Decimal(text)
    return f"{number.normalize():f}" if number else "0"


def _date_text(day: int) -> str:
    return date.fromordinal(max(1, min(day, date.max.toordinal()))).strftime("%Y%m%d").zfill(8)


def _clock_text(micros: int, beyond: str = "") -> str:
    if micros >= HIGH:
        return beyond
    seconds, fraction = divmod(micros, 1_000_000)
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}.{fraction:06}"
