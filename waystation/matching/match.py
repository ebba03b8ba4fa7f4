"""The decision: does this record match these keys, and why (T-1, T-19).

Contract: pure; a `Matcher` is made once for a query and asked for every candidate.  `matches` is
for searching; `explain` gives the same answer with one line for each key; `matching_items` gives
the items of a sequence that an answer may show (T-10).  The same for C-FIND, QIDO, worklist,
explain pages and the ``when`` of an area.
"""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from waystation.matching.conditions import Anything, Condition, Empty, Interval, Zones
from waystation.matching.conditions import condition_for as _condition_for
from waystation.matching.folding import case_folded
from waystation.matching.keys import asks_for_empty, is_reversed_date, is_universal, name_of
from waystation.matching.spans import is_range
from waystation.model.printable import printable
from waystation.model.query import PATIENT, SERIES, STUDY, WORKLIST, Key, Options, Query, Record

# Dates with the times that belong to them (PS3.6); the step's pair is always one interval.
STEP_START: Final = (0x00400002, 0x00400003)
PAIRS: Final[dict[int, int]] = {
    0x00080012: 0x00080013,
    0x00080020: 0x00080030,
    0x00080021: 0x00080031,
    0x00080022: 0x00080032,
    0x00080023: 0x00080033,
    0x00100030: 0x00100032,
    0x00400002: 0x00400003,
    0x00400004: 0x00400005,
    0x00400244: 0x00400245,
    0x00400250: 0x00400251,
    0x00402004: 0x00402005,
}
DATES: Final = {time: day for day, time in PAIRS.items()}
_NOUNS: Final = {PATIENT: "patient", STUDY: "study", SERIES: "series", WORKLIST: "entry"}
SHOWN_VALUES, SHOWN_CHARACTERS = 4, 64


@dataclass(frozen=True, slots=True)
class Line:
    """What one key says to one record, as a sentence with both values."""

    tag: int
    matched: bool
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, and one line for each key in the order of the request."""

    matched: bool
    lines: tuple[Line, ...]


class Matcher:
    """All keys of a query, or of the item of a sequence key, made ready."""

    def __init__(self, query: Query, *, home: tzinfo | None = None) -> None:
        """``home``: the zone of records that name none (T-9)."""
        asked = query.zone if query.options.time_zone else None
        self._zones = Zones(asked, home)
        self._noun = _NOUNS.get(query.level, "object")
        self._level = Level(query.keys, query, self._zones)

    def matches(self, record: Record) -> bool:
        return self._level.matches(record, None)

    def explain(self, record: Record) -> Verdict:
        lines = tuple(self._level.lines(record, None, self._noun, ""))
        return Verdict(all(line.matched for line in lines), lines)

    def matching_items(self, key: Key, record: Record) -> list[Record]:
        """Return the items of a sequence that match all keys of its item, at the top level."""
        return matching_items(self._level, key, record, None)

    @property
    def level(self) -> "Level":
        """The keys at the top, made ready."""
        return self._level


class Level:
    """The keys of one data set or item."""

    __slots__ = ("_conditions", "_judging", "_keys", "_nested", "_paired")

    def __init__(self, keys: tuple[Key, ...], query: Query, zones: Zones) -> None:
        self._keys = keys
        self._nested = {key.tag: Level(key.keys, query, zones) for key in keys if key.vr == "SQ"}
        self._paired: dict[int, Condition] = {}
        for day, time in intervals(keys, query):
            both = Interval(day, time, zones)
            self._paired |= {day.tag: both, time.tag: both}
        self._conditions = [
            (key, self._paired.get(key.tag) or self._condition(key, query.options, zones))
            for key in keys
        ]
        # Most keys of a query only ask for the attribute: what everything meets is not asked again.
        self._judging = [one for _, one in self._conditions if not isinstance(one, Anything)]

    def _condition(self, key: Key, options: Options, zones: Zones) -> Condition:
        if is_universal(key):
            return Anything()
        if key.vr == "SQ":
            return _Items(key.tag, self._nested[key.tag])
        if asks_for_empty(key, options):
            return Empty(key)
        partner = PAIRS.get(key.tag) or DATES.get(key.tag, 0)
        return _condition_for(key, options, zones, partner)

    def matches(self, record: Record, inherited: int | None) -> bool:
        zone = inherited if record.zone is None else record.zone
        return all(condition.holds(record, zone) for condition in self._judging)

    def nested(self, tag: int) -> "Level":
        return self._nested[tag]

    def lines(self, record: Record, inherited: int | None, noun: str, within: str) -> "list[Line]":
        zone = inherited if record.zone is None else record.zone
        found: list[Line] = []
        for key, condition in self._conditions:
            held = condition.holds(record, zone)
            name = within + name_of(key.tag)
            if key.vr == "SQ":
                text = self._about_items(key, record, noun, name)
            else:
                text = _about(key, record, noun, name, paired=key.tag in self._paired, held=held)
            found.append(Line(key.tag, held, f"{text}: {'yes' if held else 'no'}"))
            if key.vr == "SQ" and not held:
                found += self._inside(key, record, zone, noun, name)
        return found

    def _about_items(self, key: Key, record: Record, noun: str, name: str) -> str:
        items = _counted(len(record.items(key.tag)), "item")
        if is_universal(key):
            return f"{name} asked for, {noun} has {items}"
        return f"{name} asked with {_counted(len(key.keys), 'key')}, {noun} has {items}"

    def _inside(
        self, key: Key, record: Record, zone: int | None, noun: str, name: str
    ) -> "list[Line]":
        """Return the lines of every item of a sequence none of which matched."""
        found: list[Line] = []
        for number, item in enumerate(record.items(key.tag)):
            lines = self._nested[key.tag].lines(item, zone, noun, f"{name}[{number}].")
            found += [line for line in lines if not line.matched]
        return found


class _Items:
    """All keys of the item hold in one and the same stored item."""

    def __init__(self, tag: int, level: Level) -> None:
        self._tag, self._level = tag, level

    def holds(self, record: Record, zone: int | None) -> bool:
        return any(self._level.matches(item, zone) for item in record.items(self._tag))


def match(query: Query, record: Record, *, home: tzinfo | None = None) -> Verdict:
    """Return the verdict on one record with its reasons."""
    return Matcher(query, home=home).explain(record)


def matching_items(level: Level, key: Key, record: Record, zone: int | None) -> list[Record]:
    """Return the items that match all keys of the item; all of them if the key is universal."""
    items = record.items(key.tag)
    if is_universal(key):
        return list(items)
    zone = zone if record.zone is None else record.zone
    return [item for item in items if level.nested(key.tag).matches(item, zone)]


def intervals(keys: tuple[Key, ...], query: Query) -> list[tuple[Key, Key]]:
    """Return the pairs of date and time ranges that are one interval in this query (T-8)."""
    ranges = {
        key.tag: key
        for key in keys
        if key.vr in ("DA", "TM") and len(key.values) == 1 and is_range(key.values[0], key.vr)
    }
    return [
        (ranges[day], ranges[time])
        for day, time in PAIRS.items()
        if day in ranges
        and time in ranges
        and (query.options.combined or (query.level == WORKLIST and (day, time) == STEP_START))
    ]


def _about(key: Key, record: Record, noun: str, name: str, *, paired: bool, held: bool) -> str:
    stored = [value for value in record.values(key.tag, key.vr) if value]
    has = _listed(stored) if stored else "nothing"
    if is_universal(key):
        return f"{name} asked for, {noun} has {has}"
    together = " together with its date or time" if paired else ""
    text = f"{name} asked {_listed(key.values)}{together}, {noun} has {has}"
    if is_reversed_date(key) and not paired:
        return f"{text} (the range ends before it begins)"
    return f"{text} (differs only in case)" if not held and _case_only(key, stored) else text


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _case_only(key: Key, stored: list[str]) -> bool:
    wanted = {case_folded(value.strip()) for value in key.values}
    return any(case_folded(value.strip()) in wanted for value in stored)


def _listed(values: "list[str] | tuple[str, ...]") -> str:
    shown = [printable(value[:SHOWN_CHARACTERS]) for value in values[:SHOWN_VALUES]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
