"""Our query as a PACS is asked: which C-FINDs, with which keys (W-20 to W-26, W-35, W-43, W-45).

Contract: pure.  `steps_of` gives one step for each level that has to be asked, the last one that of
the query; where a unique key of a level above has a value and nothing else is asked of that level,
no step is spent on it.  What is sent never finds less than the query means; `Step.checks` is what
each answer has to match besides (W-58).  PS3.4 C.4.1.2, C.4.1.3, C.5.1.1.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from waystation.dicom.charsets import IN_CHARSET, CharsetError
from waystation.dicom.compose import Elements, compose
from waystation.dicom.tags import PATIENT_ID, SPECIFIC_CHARACTER_SET
from waystation.dicom.value_bytes import value_bytes
from waystation.index.levels import MODALITIES_IN_STUDY, MODALITY, TIMEZONE_OFFSET, level_of
from waystation.matching.answer import offset_text
from waystation.matching.keys import WILD, asks_for_empty, is_universal, name_of
from waystation.matching.match import intervals
from waystation.matching.unique import LEVEL, UNIQUE
from waystation.model.query import LEVELS, STUDY, Key, Options, Query

# Never asked for: what is ours to say (W-50), and the plumbing of queries.
OURS: Final = frozenset({SPECIFIC_CHARACTER_SET, LEVEL, 0x00080054, 0x00080056, 0x00081190})
# A list of UIDs goes out in portions; of other values so many queries are made at most.
LONGEST_LIST, MOST_QUERIES = 500, 100
# Bytes of extended negotiation; the fifth is for queries of enhanced multi-frame images.
_FLAGS: Final = (
    *("relational", "combined", "fuzzy", "time_zone", "", "empty_value", "multiple_values"),
)

Parents = Mapping[int, str]


class Unaskable(ValueError):
    """A query that no PACS can be asked; says which key and what to do instead."""


class Unsayable(ValueError):
    """A value that the character set of the PACS does not have; ``tag`` names its key."""

    def __init__(self, tag: int) -> None:
        super().__init__(name_of(tag))
        self.tag = tag


@dataclass(frozen=True, slots=True)
class Step:
    """One level that is asked.  keys: as they are sent, the unique key among them.

    checks: what an answer must match, as the query has it.
    """

    level: str
    keys: tuple[Key, ...]
    checks: tuple[Key, ...]


def readied(query: Query) -> Query:
    """Return the query without what is never sent; Modality of studies is ModalitiesInStudy.

    Raises `Unaskable` for a value that is looked for at a lower level (W-35).
    """
    own = LEVELS.index(query.level)
    found: dict[int, Key] = {}
    for key in query.keys:
        if key.tag in OURS or key.tag == TIMEZONE_OFFSET:
            continue
        if query.level == STUDY and key.tag == MODALITY:
            key = replace(key, tag=MODALITIES_IN_STUDY)
            if is_universal(key):
                continue
        if _place(key.tag) > own:
            if not is_universal(key):
                raise Unaskable(
                    f"{name_of(key.tag)} lies below the level of the search, which a PACS cannot"
                    " be asked for"
                )
            continue
        if key.tag not in found or is_universal(found[key.tag]):
            found[key.tag] = key
    return query.with_keys(found.values())


def _place(tag: int) -> int:
    """Return the number of the level that a key is asked at; patients are those of studies."""
    return max(LEVELS.index(level_of(tag)), LEVELS.index(STUDY))


def steps_of(query: Query, granted: Options, quirks: Collection[str] = ()) -> list[Step]:
    """Return the steps for a query that is `readied`.  granted: what was negotiated."""
    last = LEVELS.index(query.level)
    if granted.relational and not hierarchical(query):
        unique = [Key(UNIQUE[level], "UI") for level in LEVELS[1 : last + 1]]
        keys = (*(key for key in unique if query.key(key.tag) is None), *query.keys)
        return [_step(query, query.level, keys, granted, quirks)]
    found = []
    for place in range(LEVELS.index(STUDY), last + 1):
        level = LEVELS[place]
        keys = tuple(key for key in query.keys if _place(key.tag) == place)
        if place == last or _is_needed(UNIQUE[level], keys):
            found.append(_step(query, level, keys, granted, quirks))
    return found


def hierarchical(query: Query) -> bool:
    """Tell whether one step answers the query, so that nothing has to be negotiated for it."""
    last = LEVELS.index(query.level)
    return not any(
        _is_needed(UNIQUE[LEVELS[place]], [key for key in query.keys if _place(key.tag) == place])
        for place in range(LEVELS.index(STUDY), last)
    )


def _is_needed(unique: int, keys: Sequence[Key]) -> bool:
    """Tell whether a level above has to be asked by itself."""
    fixed = any(key.tag == unique and any(key.values) for key in keys)
    return not fixed or any(key.tag != unique for key in keys)


def _step(
    query: Query, level: str, keys: Sequence[Key], granted: Options, quirks: Collection[str]
) -> Step:
    unique = UNIQUE[level]
    named = keys if any(key.tag == unique for key in keys) else (Key(unique, "UI"), *keys)
    checks = [key for key in keys if not is_universal(key)]
    if granted.fuzzy:
        # What sounds alike is for the PACS to say.
        checks = [key for key in checks if key.vr != "PN"]
    whole = query.with_keys(keys)
    times = set() if granted.combined else {time.tag for _, time in intervals(whole.keys, whole)}
    shifted = query.options.time_zone and not granted.time_zone
    sent = [
        Key(key.tag, key.vr) if key.tag in times else _sent(key, query, granted, quirks, shifted)
        for key in named
    ]
    return Step(level, tuple(sent), tuple(checks))


def _sent(key: Key, query: Query, granted: Options, quirks: Collection[str], shifted: bool) -> Key:
    """Return a key as it goes out: it may find more than was asked for, never less."""
    if key.vr == "SQ":
        inner = (_sent(one, query, granted, quirks, shifted) for one in key.keys)
        return replace(key, keys=tuple(inner))
    bare = Key(key.tag, key.vr)
    if is_universal(key) or (asks_for_empty(key, query.options) and not granted.empty_value):
        return bare
    values = key.values
    each = query.options.multiple_values and key.vr != "UI"
    if each and not granted.multiple_values:
        values = values[:1]
    if shifted and key.vr in ("TM", "DT"):
        return bare
    if shifted and key.vr == "DA":
        return replace(key, values=tuple(map(_widened, values)))
    leading = any(value.startswith(("*", "?")) for value in values)
    if leading and key.vr in WILD and "no_leading_wildcard" in quirks:
        return bare
    return replace(key, values=values)


def _widened(days: str) -> str:
    """Return a date range with a day more at both ends: another zone has another day."""
    first, dash, last = days.partition("-")
    if not dash:
        last = first
    return f"{_moved(first, -1)}-{_moved(last, 1)}"


def _moved(day: str, by: int) -> str:
    try:
        return (datetime.strptime(day, "%Y%m%d") + timedelta(days=by)).strftime("%Y%m%d")
    except (ValueError, OverflowError):
        return ""


def portions(
    step: Step, quirks: Collection[str] = (), *, several: bool = False
) -> Iterator[tuple[Key, ...]]:
    """Yield the keys of each C-FIND that a step takes: lists that cannot be asked are split.

    several: matching of several values is in force, so that a list of them is one question.
    """
    size = 1 if "no_uid_list" in quirks else LONGEST_LIST
    choices: list[list[Key]] = []
    made = 1
    for key in step.keys:
        parts = [key]
        if key.vr == "UI" and len(key.values) > 1:
            starts = range(0, len(key.values), size)
            parts = [replace(key, values=key.values[at : at + size]) for at in starts]
        elif len(key.values) > 1 and not several:
            split = made * len(key.values) <= MOST_QUERIES
            parts = [replace(key, values=(one,)) for one in key.values] if split else []
            parts = parts or [Key(key.tag, key.vr)]
            made *= len(parts)
        choices.append(parts)
    yield from itertools.product(*choices)


def asked_options(query: Query, quirks: Collection[str] = ()) -> Options:
    """Return what is to be negotiated for a query: what it needs and nothing else (W-56)."""
    options = query.options
    dates = bool(intervals(query.keys, query))
    return Options(
        relational=not hierarchical(query) and "no_relational" not in quirks,
        combined=dates,
        fuzzy=options.fuzzy and any(_names(query.keys)),
        time_zone=options.time_zone,
        empty_value=any(asks_for_empty(key, options) for key in query.keys),
        multiple_values=options.multiple_values
        and any(len(key.values) > 1 for key in query.keys if key.vr != "UI"),
    )


def _names(keys: Sequence[Key]) -> Iterator[Key]:
    for key in keys:
        if key.vr == "PN" and not is_universal(key):
            yield key
        yield from _names(key.keys)


def options_bytes(options: Options) -> bytes:
    """Return the service-class-application-information, b"" if nothing is asked for."""
    return bytes(bool(flag and getattr(options, flag)) for flag in _FLAGS).rstrip(b"\0")


def granted_options(asked: bytes, told: bytes) -> Options:
    """Return what is in force: what was asked for and accepted."""
    pairs = zip(_FLAGS, asked, told.ljust(len(_FLAGS), b"\0"), strict=False)
    return Options(**{flag: bool(mine and yours) for flag, mine, yours in pairs if flag})


def identifier(
    level: str,
    keys: Sequence[Key],
    parents: Parents,
    transfer_syntax_uid: str,
    charset: str,
    zone: int | None = None,
) -> bytes:
    """Return the data set; raises `Unsayable`.

    parents: values of unique keys above.  charset: for values beyond ASCII.  zone: minutes from
    UTC, where it was negotiated.
    """
    elements: dict[int, tuple[str, str | bytes | Sequence[Elements]]] = {
        tag: ("LO" if tag == PATIENT_ID else "UI", value.encode("ascii", "replace"))
        for tag, value in parents.items()
    }
    elements |= _elements(keys, charset)
    elements[LEVEL] = ("CS", level.encode())
    if zone is not None:
        elements[TIMEZONE_OFFSET] = ("SH", offset_text(zone))
    if not all(map(_is_ascii, keys)):
        elements[SPECIFIC_CHARACTER_SET] = ("CS", charset)
    return compose(elements, transfer_syntax_uid)


def _elements(
    keys: Sequence[Key], charset: str
) -> dict[int, tuple[str, str | bytes | Sequence[Elements]]]:
    found: dict[int, tuple[str, str | bytes | Sequence[Elements]]] = {}
    for key in keys:
        if key.vr == "SQ":
            found[key.tag] = ("SQ", [_elements(key.keys, charset)] if key.keys else [])
            continue
        try:
            found[key.tag] = (key.vr, value_bytes(key.values, key.vr, charset))
        except CharsetError:
            raise Unsayable(key.tag) from None
        except ValueError:
            raise Unaskable(f"{name_of(key.tag)}: {key.vr} cannot be searched") from None
    return found


def _is_ascii(key: Key) -> bool:
    own = key.vr not in IN_CHARSET or all(value.isascii() for value in key.values)
    return own and all(map(_is_ascii, key.keys))
