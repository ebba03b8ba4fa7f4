"""The text of a schedule, read into groups of days and minutes.

Contract (routing.md section 4, R-35, R-38): `read_hours` takes the whole grammar and nothing
else.  Every other text raises ValueError with what is wrong and what to write instead; what is
legal but doubtful is among the warnings.

    schedule = "" | "always" | "never" | cyclic | group { ";" group }
    cyclic   = "m" INT "<" INT                   minute of the hour, modulo the first
    group    = [ day { "," day } ] range { "," range }
    day      = weekday [ "-" weekday ] | "holiday" | date [ ".." date ]
    range    = time "-" time                     both minutes belong; 24:00 ends a day
"""

import re
from dataclasses import dataclass

from waystation.timing.schedule_days import Days, read_days
from waystation.timing.schedule_spelling import advice

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NUMBER_OF = {name.lower(): number for number, name in enumerate(WEEKDAYS)}
HOLIDAY = "holiday"
EVERY_DAY = frozenset(range(7))
HOUR, DAY = 60, 1440
LONGEST = 2000
CYCLIC = re.compile(r"m\s*([0-9]{1,6})\s*<\s*([0-9]{1,6})", re.ASCII)
TOKEN = re.compile(
    r"(?P<date>(?:[0-9]{4}\s*-\s*)?[0-9]{2}\s*-\s*[0-9]{2}(?![0-9]|\s*:))"
    r"|(?P<time>[0-9]{1,2}\s*:\s*[0-9]{1,2}(?![0-9]|\s*:))"
    r"|(?P<word>[A-Za-z]+)"
    r"|(?P<sign>\.\.|[-,;])",
    re.ASCII,
)
BLANK = re.compile(r"\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Range:
    """Minutes ``begin`` to ``end`` of a day, ``end`` not included; past 1440 is the next day."""

    text: str
    begin: int
    end: int

    @property
    def opens(self) -> str:
        return clock_text(self.begin)

    @property
    def shuts(self) -> str:
        """The exact instant at which it is shut again."""
        return clock_text(self.end)


def clock_text(minute: int) -> str:
    """Return a minute, counted from the day's begin, as the clock shows it."""
    day, rest = divmod(minute, DAY) if minute > DAY else (0, minute)
    return f"{rest // HOUR:02}:{rest % HOUR:02}:00" + (" the next day" if day else "")


@dataclass(frozen=True, slots=True)
class Group:
    """Ranges, and the days that they belong to."""

    text: str
    weekdays: frozenset[int]
    holiday: bool
    dates: tuple[Days, ...]
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """A whole schedule text.  No groups: never open."""

    text: str
    groups: tuple[Group, ...]
    warnings: tuple[str, ...] = ()

    @property
    def names_holidays(self) -> bool:
        return any(group.holiday for group in self.groups)

    @property
    def names_dates(self) -> bool:
        return any(group.dates for group in self.groups)


FULL_DAY = Range("00:00-24:00", 0, DAY)


def read_hours(text: str) -> Hours:
    """Return the hours that ``text`` means."""
    try:
        return _read(text)
    except ValueError as error:
        raise ValueError(f"{error}; {advice(text, _readable)}") from None


def _readable(text: str) -> bool:
    try:
        _read(text)
    except ValueError:
        return False
    return True


def _read(text: str) -> Hours:
    if len(text) > LONGEST:
        raise ValueError(f"a schedule has at most {LONGEST} characters")
    plain = text.strip()
    if plain in {"", "always"}:
        return Hours("always", (Group("always", EVERY_DAY, False, (), (FULL_DAY,)),))
    if plain == "never":
        return Hours("never", ())
    if plain[0] in "mM" and "<" in plain:
        return _cyclic(plain)
    return _Reader(plain).hours()


# cyclic


def _cyclic(text: str) -> Hours:
    found = CYCLIC.fullmatch(text)
    if found is None:
        raise ValueError("a cyclic schedule is m, a number, < and a number, with nothing else")
    period, below = int(found[1]), int(found[2])
    if period < 1:
        raise ValueError("the number after m is a period of 1 minute or more")
    hour = [minute for minute in range(HOUR) if minute % period < below]
    day = [minute + HOUR * number for number in range(24) for minute in hour]
    ranges = tuple(Range(text, begin, end) for begin, end in runs(day))
    warnings = _doubts_of_cycle(period, below, hour)
    groups = (Group(text, EVERY_DAY, False, (), ranges),) if ranges else ()
    return Hours(text, groups, warnings)


def runs(minutes: list[int]) -> list[tuple[int, int]]:
    """Return ascending ``minutes`` as runs (begin, end), ``end`` not included."""
    found: list[tuple[int, int]] = []
    for minute in minutes:
        if found and found[-1][1] == minute:
            found[-1] = (found[-1][0], minute + 1)
        else:
            found.append((minute, minute + 1))
    return found


def _doubts_of_cycle(period: int, below: int, hour: list[int]) -> tuple[str, ...]:
    if not hour:
        return ()
    if HOUR % period:
        spelled = ", ".join(
            f"{begin}" if begin + 1 == end else f"{begin}-{end - 1}" for begin, end in runs(hour)
        )
        return (
            f"the minute of the hour decides, so the cycle starts anew each hour: open in the"
            f" minutes {spelled} of every hour",
        )
    return ("is always open",) if below >= period else ()


# groups


class _Reader:
    """One pass over the signs of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._place = 0
        self._warnings: list[str] = []

    def hours(self) -> Hours:
        groups = [self._group()]
        while self._take(";"):
            groups.append(self._group())
        if self._kind:
            raise ValueError(self._unexpected())
        return Hours(self._text, tuple(groups), tuple(self._warnings))

    @property
    def _kind(self) -> str:
        return self._tokens[self._place][0] if self._place < len(self._tokens) else ""

    @property
    def _word(self) -> str:
        return self._tokens[self._place][1] if self._place < len(self._tokens) else ""

    def _take(self, sign: str) -> bool:
        if self._kind == "sign" and self._word == sign:
            self._place += 1
            return True
        return False

    def _unexpected(self) -> str:
        if self._kind in {"word", "date"}:
            return f'a new group, like "{self._word}", begins after a semicolon'
        return f'"{self._word}" cannot stand there'

    def _group(self) -> Group:
        begin = self._place
        weekdays: frozenset[int] = frozenset()
        holiday, dates = False, []
        days = [] if self._kind == "time" else self._days()
        for day in days:
            if isinstance(day, Days):
                dates.append(day)
            elif day is None:
                holiday = True
            else:
                weekdays |= day
        ranges = [self._range()]
        while self._take(","):
            ranges.append(self._range())
        words = [word for _, word in self._tokens[begin : self._place]]
        return Group(
            _joined(words), weekdays if days else EVERY_DAY, holiday, tuple(dates), tuple(ranges)
        )

    def _days(self) -> list[Days | frozenset[int] | None]:
        """Return what stands before the hours; None is the word holiday."""
        found = [self._day()]
        while self._take(","):
            found.append(self._day())
        return found

    def _day(self) -> Days | frozenset[int] | None:
        if self._kind == "date":
            return self._dates()
        if self._kind != "word":
            raise ValueError("a day is Mon to Sun, holiday, or a date; hours are like 08:00-11:59")
        if self._word.lower() == HOLIDAY:
            self._place += 1
            return None
        first = self._weekday()
        if not self._take("-"):
            return frozenset({first})
        return frozenset((first + step) % 7 for step in range((self._weekday() - first) % 7 + 1))

    def _weekday(self) -> int:
        number = NUMBER_OF.get(self._word.lower())
        if number is None:
            raise ValueError(f'"{self._word}" is no day of the week; they are {" ".join(WEEKDAYS)}')
        self._place += 1
        return number

    def _dates(self) -> Days:
        words = [self._word]
        self._place += 1
        if self._take(".."):
            words += ["..", self._word]
            self._place += 1
        return read_days("".join(words))

    def _range(self) -> Range:
        if not self._kind:
            raise ValueError("hours are missing at the end")
        if self._kind != "time":
            raise ValueError(
                self._unexpected() if self._place else "hours are written like 08:00-11:59"
            )
        first, begin = self._word, self._time(start=True)
        if not self._take("-") or self._kind != "time":
            raise ValueError("a range of hours is written like 08:00-11:59")
        last, end = self._word, self._time(start=False)
        text = f"{first}-{last}"
        if begin == end:
            self._warnings.append(f"{text} is open for that one minute")
        if end == DAY:
            return Range(text, begin, DAY)
        return Range(text, begin, end + 1 if end >= begin else end + 1 + DAY)

    def _time(self, *, start: bool) -> int:
        word = self._word
        hour, minute = (int(part) for part in word.split(":"))
        if start and (hour, minute) == (24, 0):
            raise ValueError("24:00 can only end a range; a day begins at 00:00")
        if hour > 24 or minute > 59 or (hour == 24 and minute):
            raise ValueError(f"{word} is no time of the day")
        if len(word.split(":")[1]) == 1:
            self._warnings.append(f"{word} is read as {hour:02}:{minute:02}")
        self._place += 1
        return hour * HOUR + minute


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            raise ValueError(_stray(text, place))
        assert match.lastgroup is not None
        found.append((match.lastgroup, "".join(match.group().split())))
        blank = BLANK.match(text, match.end())
        place = blank.end() if blank else match.end()
    return found


def _stray(text: str, place: int) -> str:
    if text[place] in "0123456789":
        return "hours and minutes are written like 08:00, dates like 2026-04-03 or 12-25"
    sign = text[place] if text[place].isprintable() else "a control character"
    return f"{sign} has no meaning in a schedule"


def _joined(words: list[str]) -> str:
    """Return the words of a group as we write it."""
    text = ""
    for place, word in enumerate(words):
        before = words[place - 1] if place else "-"
        tight = word in {"-", ",", ".."} or before in {"-", ".."}
        shown = word.lower() if word.lower() == HOLIDAY else word.capitalize()
        text += shown if tight else f" {shown}"
    return text
