"""Right sides: `right_side` compiles one; `PREDICATES` holds the keyword forms, greppably.

Contract: compiled once at load, called for every object; a compiled form never raises.  Wrong
forms raise `ConfigError` with the address of the setting.  To add one: a function, a line in
`PREDICATES`, rows in the tables of `tests/rules`.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from waystation.model.errors import ConfigError
from waystation.rules.facts import Facts
from waystation.rules.faults import did_you_mean
from waystation.rules.intervals import DAY_US
from waystation.rules.known import NOTHING, Known
from waystation.rules.matchers import (
    Claim,
    Matcher,
    all_of,
    any_plain,
    any_value,
    every_value,
    one_of,
    one_of_texts,
    opposite,
)
from waystation.rules.patterns import clean, literal, regex, wildcard, without_accents
from waystation.rules.shorthand import (
    as_number,
    between,
    from_flag,
    from_number,
    from_text,
    interval_reader,
    plain_number,
)
from waystation.rules.subjects import EMPTY, Found, Kind, Subject, person_name

DEPTH_LIMIT = 32
COUNT = Subject("count", Kind.NUMBER, "")
AGE = Subject("age_days", Kind.NUMBER, "")
MODIFIERS = ("ignore_case", "fold_accents")
WORDS = (Kind.TEXT, Kind.UID, Kind.NAME, Kind.ADDRESS, Kind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Form:
    """One keyword of a right-side table, where it stands, and what stands beside it."""

    left: Subject
    word: str
    where: str
    depth: int
    known: Known
    ignore_case: bool = False
    fold_accents: bool = False

    def fold(self, text: str) -> str:
        """Return text as this form compares it."""
        text = without_accents(clean(text)) if self.fold_accents else clean(text)
        return text.casefold() if self.ignore_case else text


Compile = Callable[[Form, object], Matcher]


def right_side(
    left: Subject, right: object, where: str, depth: int = 0, known: Known = NOTHING
) -> Matcher:
    """Return the compiled right side; raise `ConfigError` for what is none."""
    if depth > DEPTH_LIMIT:
        raise ConfigError(where, f"nested deeper than {DEPTH_LIMIT}")
    if isinstance(right, Mapping):
        return _table(left, right, where, depth, known)
    if isinstance(right, list):
        return _list(left, right, where, depth, known)
    if left.kind in (Kind.SEQUENCE, Kind.BULK):
        raise ConfigError(where, f"{left.name} is {left.kind.value}: only present and count")
    if isinstance(right, bool):
        return from_flag(left, right, where)
    if isinstance(right, (int, float)):
        return from_number(left, right, where)
    if isinstance(right, str):
        return from_text(left, right, where)
    raise ConfigError(
        where,
        f"expected text, number, list or table, got {type(right).__name__}; a date or a time"
        ' stands in quotes, like "20260131"',
    )


def _list(left: Subject, right: list[object], where: str, depth: int, known: Known) -> Matcher:
    if not right:
        raise ConfigError(where, "an empty list holds for nothing")
    entries = [right_side(left, entry, where, depth + 1, known) for entry in right]
    texts = [literal(entry, where) for entry in right if isinstance(entry, str)]
    if left.kind is Kind.TEXT and len(texts) == len(right) and None not in texts:
        return one_of_texts(
            frozenset(text for text in texts if text is not None), one_of(entries).brief
        )
    return one_of(entries)


def _table(
    left: Subject, right: Mapping[str, object], where: str, depth: int, known: Known
) -> Matcher:
    flags = {word: right[word] for word in MODIFIERS if word in right}
    words = [word for word in right if word not in MODIFIERS]
    for word, value in flags.items():
        if not isinstance(value, bool):
            raise ConfigError(f"{where}.{word}", "expected true or false")
        if not {"is", "contains", "regex"} & set(words):
            raise ConfigError(f"{where}.{word}", "stands beside is, contains or regex")
    if not words:
        raise ConfigError(where, "an empty table says nothing")
    parts = []
    for word in words:
        if word not in PREDICATES:
            hint = did_you_mean(word, [*PREDICATES, *MODIFIERS])
            raise ConfigError(f"{where}.{word}", f'unknown test "{word}"{hint}')
        if left.kind in (Kind.SEQUENCE, Kind.BULK) and word not in WITHOUT_VALUES[left.kind]:
            allowed = " and ".join(("present", "count"))
            raise ConfigError(
                f"{where}.{word}", f"{left.name} is {left.kind.value}: only {allowed}"
            )
        form = Form(
            left,
            word,
            f"{where}.{word}",
            depth,
            known,
            ignore_case=flags.get("ignore_case") is True,
            fold_accents=flags.get("fold_accents") is True,
        )
        parts.append(PREDICATES[word](form, right[word]))
    return all_of(parts)


def _words(form: Form, right: object) -> str:
    if form.left.kind not in WORDS:
        raise ConfigError(form.where, f"{form.left.name} is {form.left.kind.value}, not text")
    if not isinstance(right, str):
        raise ConfigError(form.where, "expected text")
    if not right:
        raise ConfigError(form.where, "an empty text matches nothing: use { empty = true }")
    return right


def _over_text(form: Form, test: Callable[[str], bool], brief: str, yes: str, no: str) -> Matcher:
    """Return a matcher of plain text; a person name passes with any component group."""
    if form.left.kind is Kind.NAME:
        return any_value(
            lambda value, facts: any(test(form.fold(group)) for group in value), brief, yes, no
        )
    if form.ignore_case or form.fold_accents:
        return any_value(lambda value, facts: test(form.fold(str(value))), brief, yes, no)
    if form.left.kind is Kind.UNKNOWN:
        return any_plain(lambda value: test(str(value)), brief, yes, no)
    return any_plain(test, brief, yes, no)


def exact(form: Form, right: object) -> Matcher:
    """`{ is = "A*B" }`: equal, without wildcards."""
    text = _words(form, right)
    wanted = form.fold(person_name(text) if form.left.kind is Kind.NAME else text)
    found = _over_text(
        form, lambda value: value == wanted, f'"{text}"', f'is "{text}"', f'is not "{text}"'
    )
    if form.left.kind is not Kind.TEXT or form.ignore_case or form.fold_accents:
        return found
    only = frozenset([wanted])
    return replace(found, claim=Claim(texts=only), denial=Claim(banned=only))


def contains(form: Form, right: object) -> Matcher:
    """`{ contains = "x" }`: the text occurs somewhere in the value."""
    text = _words(form, right)
    wanted = form.fold(text.casefold() if form.left.kind is Kind.NAME else text)
    brief = f'contains "{text}"'
    return _over_text(form, lambda value: wanted in value, brief, brief, f'without "{text}"')


def regular(form: Form, right: object) -> Matcher:
    """`{ regex = "..." }`: the whole value matches (RE2)."""
    text = _words(form, right)
    name = form.left.kind is Kind.NAME
    test = regex(
        without_accents(clean(text)) if form.fold_accents else text,
        form.where,
        ignore_case=form.ignore_case or name,
    )
    # The expression itself ignores case; folding the value's case too would break its escapes.
    plain = replace(form, ignore_case=False)
    return _over_text(plain, test, f"~ /{text}/", f"~ /{text}/", f"is not ~ /{text}/")


SIGNS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "ge": (">=", operator.ge),
    "gt": (">", operator.gt),
    "le": ("<=", operator.le),
    "lt": ("<", operator.lt),
}


def ordered(form: Form, right: object) -> Matcher:
    """`{ ge, gt, le, lt }`: ordered, for numbers, dates and times."""
    sign, compare = SIGNS[form.word]
    brief, no = f"{sign} {right}", f"not {sign} {right}"
    if form.left.kind in (Kind.NUMBER, Kind.UNKNOWN):
        if isinstance(right, bool) or not isinstance(right, (int, float, str)):
            raise ConfigError(form.where, "expected a number")
        wanted = as_number(form.left, right, form.where)

        each = plain_number(form.left, lambda value: compare(value, wanted))
        low = wanted if form.word in ("ge", "gt") else None
        high = wanted if form.word in ("le", "lt") else None
        return any_plain(each, brief, brief, no, between(form.left, low, high))
    if form.left.kind not in (Kind.DATE, Kind.TIME, Kind.DATETIME):
        raise ConfigError(form.where, f"{form.left.name} is {form.left.kind.value}: has no order")
    written = interval_reader(form.left, right) if isinstance(right, str) else None
    if written is None:
        raise ConfigError(form.where, f'"{right}" is not {form.left.kind.value}')
    # The whole interval of the value lies on the asked side: ge from the start of ours, gt from
    # its end, le up to its end, lt up to its start.
    mine = 0 if form.word in ("ge", "gt") else 1
    ours = 0 if form.word in ("ge", "lt") else 1
    reach = operator.ge if mine == 0 else operator.le
    return any_value(
        lambda value, facts: reach(value[mine], written(facts.zone)[ours]), brief, brief, no
    )


def component(form: Form, right: object) -> Matcher:
    """`{ family = "DOE" }` and its like: one component of a person name."""
    if form.left.kind is not Kind.NAME:
        raise ConfigError(form.where, f"{form.left.name} is {form.left.kind.value}, not a name")
    if not isinstance(right, str):
        raise ConfigError(form.where, "expected text")
    place = NAME_COMPONENTS.index(form.word)
    test = wildcard(right.casefold(), form.where)

    def each(value: Any, facts: Facts) -> bool:
        parts = (group.split("^") for group in value)
        return any(test(part[place]) for part in parts if len(part) > place and part[place])

    brief = f'{form.word} "{right}"'
    return any_value(each, brief, f"has {brief}", f"has not {brief}")


NAME_COMPONENTS = ("family", "given", "middle", "prefix", "suffix")


def age_days(form: Form, right: object) -> Matcher:
    """`{ age_days = X }`: whole days from a DA or DT to the arrival's local date."""
    kind = form.left.kind
    if kind not in (Kind.DATE, Kind.DATETIME):
        raise ConfigError(form.where, f"{form.left.name} is {kind.value}, not a date")
    inner = right_side(AGE, right, form.where, form.depth + 1, form.known)

    def each(value: Any, facts: Facts) -> bool:
        age = facts.local().toordinal() - local_day(kind, value, facts)
        return inner.test(Found((Decimal(age),), 1, ""), facts)

    brief = f"age_days {inner.brief}"
    return any_value(each, brief, f"age_days {inner.yes}", f"age_days {inner.no}")


def local_day(kind: Kind, value: tuple[int, int], facts: Facts) -> int:
    """Return the day (proleptic ordinal) on which a DA or DT begins, on the node's calendar."""
    if kind is Kind.DATE:
        return value[0]
    ahead = facts.local().utcoffset()
    shift = int(ahead.total_seconds()) * 1_000_000 if ahead is not None else 0
    return (value[0] + shift) // DAY_US


def lookup(form: Form, right: object) -> Matcher:
    """`{ lookup = "referrers" }`: a value is a key of that table."""
    if form.left.kind not in (*WORDS, Kind.NUMBER):
        raise ConfigError(form.where, f"{form.left.name} is {form.left.kind.value}, not text")
    if not isinstance(right, str) or right not in form.known.tables:
        hint = did_you_mean(right, form.known.tables) if isinstance(right, str) else ""
        raise ConfigError(form.where, f'no [lookup.NAME] table is named "{right}"{hint}')
    keys = keys_of(form.known.tables[right], form.left.kind)
    return any_value(
        lambda value, facts: key_in(keys, value) is not None,
        f"in lookup {right}",
        f"in lookup {right}",
        f"not in lookup {right}",
    )


def keys_of(table: Mapping[str, str], kind: Kind) -> Mapping[str, str]:
    """Return a lookup table by keys as values of this kind are compared."""
    if kind is Kind.NAME:
        return {person_name(key): text for key, text in table.items()}
    return {clean(key).strip(): text for key, text in table.items()}


def key_in(keys: Mapping[str, str], value: object) -> str | None:
    """Return the text under the key that a value is, or None."""
    names = value if isinstance(value, tuple) else (str(value),)
    return next((keys[name] for name in names if name in keys), None)


def _flag(form: Form, right: object) -> bool:
    if not isinstance(right, bool):
        raise ConfigError(form.where, "expected true or false")
    return right


def present(form: Form, right: object) -> Matcher:
    """`{ present = true }`: has a value."""
    has_one = Matcher(
        test=lambda found, facts: found.size > 0,
        each=None,
        brief="present",
        yes="is present",
        no="is not present",
        reads=False,
    )
    return has_one if _flag(form, right) else opposite(has_one)


def empty(form: Form, right: object) -> Matcher:
    """`{ empty = true }`: is there without a value."""
    is_empty = Matcher(
        test=lambda found, facts: found is EMPTY,
        each=None,
        brief="empty",
        yes="is empty",
        no="is not empty",
        reads=False,
    )
    return is_empty if _flag(form, right) else opposite(is_empty)


def count(form: Form, right: object) -> Matcher:
    """`{ count = X }`: the number of values or items, 0 for none."""
    inner = right_side(COUNT, right, form.where, form.depth + 1, form.known)
    return Matcher(
        test=lambda found, facts: inner.test(Found((Decimal(found.size),), 1, ""), facts),
        each=None,
        brief=f"count {inner.brief}",
        yes=f"count {inner.yes}",
        no=f"count {inner.no}",
        reads=False,
    )


def every(form: Form, right: object) -> Matcher:
    """`{ all = X }`: X for every value, and at least one."""
    inner = right_side(form.left, right, form.where, form.depth + 1, form.known)
    if inner.each is None:
        raise ConfigError(form.where, f"{inner.brief} cannot be asked of each value")
    return every_value(inner.each, inner.brief)


def negation(form: Form, right: object) -> Matcher:
    """`{ not = X }`: X does not hold."""
    return opposite(right_side(form.left, right, form.where, form.depth + 1, form.known))


PREDICATES: dict[str, Compile] = {
    "is": exact,
    "contains": contains,
    "regex": regular,
    "ge": ordered,
    "gt": ordered,
    "le": ordered,
    "lt": ordered,
    "age_days": age_days,
    "lookup": lookup,
    "family": component,
    "given": component,
    "middle": component,
    "prefix": component,
    "suffix": component,
    "present": present,
    "empty": empty,
    "count": count,
    "all": every,
    "not": negation,
}
# What may be asked where there is no value to compare.
WITHOUT_VALUES = {
    Kind.BULK: {"present", "count", "not"},
    Kind.SEQUENCE: {"present", "count", "empty", "not"},
}
