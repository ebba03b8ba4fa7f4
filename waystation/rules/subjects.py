"""Left sides: what a condition looks at, and what one object shows there.

Contract: `subject` turns the words of a rule file into a `Subject` or raises `ConfigError` with a
suggestion.  A subject never raises while reading: what cannot be read is a value of None with
the reason in `Found.bad` (R-24, R-27, R-28).  Kinds follow the VR of the data dictionary
(PS3.6); a private element without a known VR is judged by the values that come.  An element whose
value is too long to read is present, without text (R-29).
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from waystation.dicom import dictionary, tags
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.paths import parse_path
from waystation.dicom.values import Value
from waystation.model.errors import ConfigError
from waystation.rules import intervals
from waystation.rules.facts import Facts
from waystation.rules.faults import did_you_mean
from waystation.rules.patterns import clean


class Kind(Enum):
    """How values are compared; the value says what a fault calls them."""

    TEXT = "text"
    UID = "a UID"
    NAME = "a person name"
    NUMBER = "a number"
    DATE = "a date"
    TIME = "a time"
    DATETIME = "a date and time"
    SEQUENCE = "a sequence"
    BULK = "bulk data"
    FLAG = "true or false"
    WEEKDAY = "a day of the week"
    ADDRESS = "an address"
    UNKNOWN = "of unknown type"


FREE_TEXT = {"LT", "ST", "UC", "UT"}
KIND_OF_VR = {
    **dict.fromkeys(("AE", "AS", "CS", "AT", "LO", "SH", "UR", *FREE_TEXT), Kind.TEXT),
    **dict.fromkeys(("DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"), Kind.NUMBER),
    **dict.fromkeys(("US or SS",), Kind.NUMBER),
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "UN"), Kind.BULK),
    **dict.fromkeys(("OB or OW", "US or OW", "US or SS or OW"), Kind.BULK),
    "UI": Kind.UID,
    "PN": Kind.NAME,
    "DA": Kind.DATE,
    "TM": Kind.TIME,
    "DT": Kind.DATETIME,
    "SQ": Kind.SEQUENCE,
}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _received(facts: Facts) -> str:
    return facts.local().strftime("%Y%m%d%H%M%S%z")


FACTS: dict[str, tuple[Kind, Callable[[Facts], Value]]] = {
    "calling_ae": (Kind.TEXT, lambda facts: facts.calling_ae),
    "called_ae": (Kind.TEXT, lambda facts: facts.called_ae),
    "peer": (Kind.TEXT, lambda facts: facts.peer),
    "address": (Kind.ADDRESS, lambda facts: facts.address),
    "way_in": (Kind.TEXT, lambda facts: facts.way_in),
    "tls": (Kind.FLAG, lambda facts: facts.tls),
    "transfer_syntax": (Kind.UID, lambda facts: facts.transfer_syntax),
    "size_bytes": (Kind.NUMBER, lambda facts: facts.size_bytes),
    "received_at": (Kind.DATETIME, _received),
    "weekday": (Kind.WEEKDAY, lambda facts: WEEKDAYS[facts.local().weekday()]),
    "hour": (Kind.NUMBER, lambda facts: facts.local().hour),
    "priority": (Kind.TEXT, lambda facts: facts.priority),
}

Raw = Value | None
SHOWN_VALUES = 4
SHOWN_LETTERS = 64
CANNOT_BE_READ = "cannot be read"

_STEP = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\[(\d{1,6})\])?", re.ASCII)
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),? ?([0-9A-Fa-f]{4})\)?")
_PRIVATE = re.compile(r"\(([0-9A-Fa-f]{4}),([^,()]{1,64}),([0-9A-Fa-f]{2})\)(?:\[(\d{1,6})\])?")
_DECIMAL = re.compile(r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,6})?", re.A)


@dataclass(frozen=True, slots=True)
class Subject:
    """One left side; ``vr`` is empty for facts and private elements that nobody knows."""

    name: str
    kind: Kind
    vr: str


@dataclass(frozen=True, slots=True)
class Found:
    """What one object shows: values ready to compare, None where one could not be read.

    size: number of values or items.  shown: the values as a person reads them; for no value
    ``absent`` or ``empty``.  bad: why a value could not be read, else "".
    """

    values: tuple[Any, ...]
    size: int
    shown: str
    bad: str = ""


ABSENT = Found((), 0, "absent")
EMPTY = Found((), 0, "empty")
BROKEN = Found((), 0, "unreadable", "inside a broken sequence")


def subject(name: str, where: str) -> Subject:
    """Return the left side that ``name`` means; raise `ConfigError` if there is none."""
    if name in FACTS:
        return Subject(name, FACTS[name][0], "")
    steps = re.split(r"\.(?![^(]*\))", name)
    for step in steps[:-1]:
        if _vr_of(step, where) != "SQ":
            raise ConfigError(where, f"{step} is no sequence, so nothing is inside it")
    vr = _vr_of(steps[-1], where)
    return Subject(name, KIND_OF_VR[vr] if vr else Kind.UNKNOWN, vr)


def _vr_of(step: str, where: str) -> str:
    """Return the VR of one step of a path, "" where no dictionary knows it."""
    # Read late: a node without rules never needs it.
    keywords = dictionary.keywords()
    private = _PRIVATE.fullmatch(step)
    if private is not None:
        if int(private[1], 16) % 2 == 0:
            raise ConfigError(where, f"{step}: private elements have an odd group")
        if int(private[1], 16) >= 0x7FE0:
            raise ConfigError(where, f"{step} comes after the pixel data: rules see the head")
        return _private_vr(private[1], private[2], private[3])
    tag = _TAG.fullmatch(step)
    if tag is not None:
        keyword = tags.keyword_of(int(tag[1] + tag[2], 16))
        hint = f": write {keyword}" if keyword else ""
        raise ConfigError(where, f"an element is named by its keyword{hint}")
    found = _STEP.fullmatch(step)
    if found is None and step.replace("_", "").isalnum():
        hint = did_you_mean(step, [*FACTS, *keywords])
        raise ConfigError(where, f'unknown keyword or fact "{step}"{hint}')
    if found is None:
        raise ConfigError(where, f'"{step}" is no keyword, fact or (gggg,CREATOR,ee)')
    keyword = found[1]
    if keyword not in keywords:
        hint = did_you_mean(keyword, [*FACTS, *keywords])
        raise ConfigError(where, f'unknown keyword or fact "{keyword}"{hint}')
    (step_of,) = parse_path(keyword)
    if step_of.tag >= 0x7FE00000:
        raise ConfigError(where, f"{keyword} is pixel data or comes after it: rules see the head")
    if step_of.tag < 0x00080000:
        hint = ": use transfer_syntax" if keyword == "TransferSyntaxUID" else ""
        raise ConfigError(where, f"{keyword} is not part of the data set{hint}")
    return dictionary.entry_of(step_of.tag)[0]


def _private_vr(group: str, creator: str, element: str) -> str:
    block = dictionary.private_blocks().get(creator.strip(), {})
    vr = block.get(f"{group.upper()}xx{element.upper()}", ("", "", "", ""))[0]
    return vr if vr in KIND_OF_VR else ""


def look(left: Subject, head: Head, facts: Facts) -> Found:
    """Return what ``head`` and ``facts`` show under ``left``."""
    raw: Sequence[Raw] | None
    if left.name in FACTS:
        value = FACTS[left.name][1](facts)
        raw = [] if value == "" else [value]
        if not raw:
            return EMPTY
    else:
        try:
            raw = head.values(left.name)
            if not raw:
                return _without_values(left, head)
        except DatasetError:
            return BROKEN
    if all(value == "" for value in raw):
        return EMPTY
    values = tuple(map(_reader(left, head, facts), raw))
    return Found(values, len(raw), _shown(left.kind, raw), _bad(left.kind, raw, values))


def _without_values(left: Subject, head: Head) -> Found:
    """Return what is there of an element that gives no text and no number."""
    picked = parse_path(left.name)[-1].number
    sizes = [_size(found, tag, picked) for found, tag in _places(head, left.name)]
    if not sizes:
        return ABSENT
    count = sum(sizes)
    if count == 0:
        return EMPTY
    if left.kind is Kind.SEQUENCE:
        shown, bad = ("1 item" if count == 1 else f"{count} items"), ""
    else:
        shown, bad = "present", CANNOT_BE_READ
    return Found((None,) * count, count, shown, bad)


def _places(head: Head, path: str) -> Iterator[tuple[Head, int]]:
    """Yield ``(data set, tag)`` wherever the path leads."""
    *way, last = parse_path(path)
    heads = [head]
    for step in way:
        heads = [
            item
            for above in heads
            for number, item in enumerate(above.items(above.tag_of(step)))
            if step.number in (None, number)
        ]
    for found in heads:
        tag = found.tag_of(last)
        if tag in found.elements:
            yield found, tag


def _size(head: Head, tag: int, picked: int | None) -> int:
    """Return the number of items, or 1 if an element has any bytes but padding."""
    if head.vr(tag) == "SQ":
        items = sum(1 for _ in head.items(tag))
        return items if picked is None else int(picked < items)
    raw = head.raw(tag)
    if raw is None:
        return 1
    return int(picked is None and bool(raw.strip(b"\0 ")))


def _reader(left: Subject, head: Head, facts: Facts) -> Callable[[Raw], Any]:
    if left.kind is Kind.DATETIME:
        zone = _zone(head, facts)
        return lambda value: _moment(value, zone)
    return _free_text if left.vr in FREE_TEXT else READ[left.kind]


def _bad(kind: Kind, raw: Sequence[Raw], values: tuple[Any, ...]) -> str:
    if None not in values:
        return ""
    unread = [value for value, read in zip(raw, values, strict=True) if read is None]
    return f"is not {kind.value}" if any(value != "" for value in unread) else ""


def _shown(kind: Kind, raw: Sequence[Raw]) -> str:
    quote = "" if kind in (Kind.NUMBER, Kind.FLAG, Kind.WEEKDAY) else '"'
    parts = [_show(value, quote) for value in raw[:SHOWN_VALUES]]
    return ", ".join([*parts, "…"] if len(raw) > SHOWN_VALUES else parts)


def _show(value: Raw, quote: str) -> str:
    if value is None:
        return "(not read)"
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    text = clean(value[: SHOWN_LETTERS + 1]).strip(" \0")
    if len(text) > SHOWN_LETTERS:
        text = text[:SHOWN_LETTERS] + "…"
    return f"{quote}{_printable(text)}{quote}"


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if unicodedata.category(c)[0] != "C" else "�" for c in text)


def _text(value: Raw) -> str | None:
    return None if value is None else clean(str(value)).strip(" \0") or None


def _free_text(value: Raw) -> str | None:
    return None if value is None else clean(str(value)).rstrip(" \0") or None


def person_name(text: str) -> str:
    """Return one component group as it is compared: no case, no trailing `^` or spaces."""
    return "^".join(part.strip() for part in text.casefold().split("^")).rstrip("^ ")


def _person(value: Raw) -> tuple[str, ...] | None:
    text = _text(value)
    groups = tuple(person_name(group) for group in text.split("=")) if text else ()
    return tuple(group for group in groups if group) or None


def number(value: object) -> Decimal | None:
    """Return an exact decimal, or None for what is no finite number."""
    text = repr(value) if isinstance(value, (int, float)) else str(value).strip(" \0")
    if isinstance(value, bool) or _DECIMAL.fullmatch(text) is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _number(value: Raw) -> Decimal | None:
    return None if value is None else number(value)


def _date(value: Raw) -> intervals.Interval | None:
    return intervals.read_date(_text(value) or "")


def _time(value: Raw) -> intervals.Interval | None:
    return intervals.read_time(_text(value) or "")


def _moment(value: Raw, zone: tzinfo) -> intervals.Interval | None:
    return intervals.read_datetime(_text(value) or "", zone)


def _zone(head: Head, facts: Facts) -> tzinfo:
    """Return the zone of a DT without an offset: (0008,0201), then the node's own."""
    said = head.values("TimezoneOffsetFromUTC")
    own = intervals.read_offset(str(said[0]).strip(" \0")) if said else None
    return own or facts.zone


def _as_it_is(value: Raw) -> Raw:
    return _text(value) if isinstance(value, str) else value


READ: dict[Kind, Callable[[Raw], Any]] = {
    Kind.TEXT: _text,
    Kind.UID: _text,
    Kind.NAME: _person,
    Kind.NUMBER: _number,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.FLAG: _as_it_is,
    Kind.WEEKDAY: _as_it_is,
    Kind.ADDRESS: _text,
    Kind.UNKNOWN: _as_it_is,
}
