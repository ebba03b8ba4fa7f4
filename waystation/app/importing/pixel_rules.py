"""Foreign rules about pixels, said again as device rules (D-33).

Contract: a `Draft` is one foreign rule: alternatives of conditions that must all be true, and
where to black.  `write` gives one ``[[device]]`` table per alternative, ``confirmed = false``,
because a person must look at each before it counts.  A draft that cannot be said whole is left
out whole and noted: a rule that forgot a condition would black, or pass, what it should not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

from waystation.app.importing.findings import Report
from waystation.app.importing.page import Page
from waystation.dicom.tags import keyword_of, tag_for, vr_of
from waystation.transforms.deid.device_rules import TEXTS, WORDS

NAMES = {tag: key for key, tag in WORDS.items()}
SIZES = {0x00280010: "rows", 0x00280011: "columns"}
MOST_ALTERNATIVES = 24
EVERY_LETTER = frozenset("^$.[](){}\\?+*")

Box = tuple[int, int, int, int]


class InexpressibleError(Exception):
    """What a foreign rule says cannot be said in a device rule; the text says what."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One element must fit one of some patterns (`transforms.deid.devices.matches`)."""

    tag: int
    patterns: tuple[str, ...]


@dataclass(slots=True)
class Draft:
    """where: FILE:LINE.  alternatives: of each, every condition must be true."""

    name: str
    where: str
    alternatives: list[list[Condition]] = field(default_factory=list)
    rectangles: list[Box] = field(default_factory=list)
    keep: list[Box] = field(default_factory=list)
    regions: bool = False
    clean: bool = False


def condition(word: str, kind: str, text: str) -> Condition:
    """Return a condition; word: keyword or tag; kind: equals, contains, startswith, endswith."""
    try:
        tag = tag_for(word)
    except ValueError:
        raise InexpressibleError(f"{word} is in no dictionary") from None
    if tag not in SIZES and vr_of(tag) not in TEXTS:
        raise InexpressibleError(f"{word} holds no text")
    words = text.split("|")
    if any(set(one) & EVERY_LETTER for one in words):
        raise InexpressibleError(f"a pattern for {word} that is more than words")
    shapes = {"equals": "{}", "contains": "*{}*", "startswith": "{}*", "endswith": "*{}"}
    if kind not in shapes:
        raise InexpressibleError(f"{kind} (of {word})")
    if tag in SIZES and (kind != "equals" or not all(one.strip().isdecimal() for one in words)):
        raise InexpressibleError(f"{word} that is no plain number")
    if not text and kind != "equals":
        return Condition(tag, ("*",))
    return Condition(tag, tuple(shapes[kind].format(one.strip()) for one in words))


def both(left: list[list[Condition]], right: list[list[Condition]]) -> list[list[Condition]]:
    """Return the alternatives under which both sides are true."""
    made = [[*one, *other] for one, other in product(left, right)]
    if len(made) > MOST_ALTERNATIVES:
        raise InexpressibleError(f"more than {MOST_ALTERNATIVES} alternatives in one rule")
    return made


def write(drafts: Sequence[Draft], page: Page, report: Report) -> None:
    """Write every draft, and note what became of it."""
    for draft in drafts:
        if not draft.clean and not (draft.rectangles or draft.keep or draft.regions):
            report.dropped(draft.where, f"{draft.name}: it marks objects, and blacks nothing")
            continue
        made = [_table(conditions) for conditions in draft.alternatives]
        if not all(made):
            report.dropped(draft.where, f"{draft.name}: it would fit every object")
            continue
        for table in made:
            page.entry("device", draft.where)
            page.set("name", draft.name)
            page.set("confirmed", False)
            for key, value in table.items():
                page.set(key, value)
            _what(draft, page)
        report.changed(draft.where, f"{draft.name}: a device rule that awaits confirmed = true")


def _what(draft: Draft, page: Page) -> None:
    if draft.clean:
        page.set("clean", True)
    if draft.rectangles:
        page.set("rectangles", draft.rectangles)
    if draft.regions:
        page.set("keep", "us-regions")
    elif draft.keep:
        page.set("keep", draft.keep)


def _table(conditions: list[Condition]) -> dict[str, object]:
    """Return the keys of a ``[[device]]``; {} if it would fit everything.

    Two conditions on one element can be said only if one is at least as strict as the other.
    """
    by_tag: dict[int, tuple[str, ...]] = {}
    for one in conditions:
        there = by_tag.get(one.tag)
        by_tag[one.tag] = one.patterns if there is None else _stricter(there, one.patterns)
    table: dict[str, object] = {}
    other: dict[str, object] = {}
    for tag, patterns in by_tag.items():
        if tag in SIZES:
            numbers = [int(one) for one in patterns]
            table[SIZES[tag]] = numbers if len(numbers) > 1 else numbers[0]
            continue
        said = list(patterns) if len(patterns) > 1 else patterns[0]
        if tag in NAMES:
            table[NAMES[tag]] = said
        else:
            other[keyword_of(tag)] = said
    return table | ({"other": other} if other else {})


def _stricter(one: tuple[str, ...], two: tuple[str, ...]) -> tuple[str, ...]:
    for narrow, wide in ((one, two), (two, one)):
        stems = [pattern.strip("*").upper() for pattern in wide]
        if all(any(stem in pattern.upper() for stem in stems) for pattern in narrow) and all(
            pattern.startswith("*") and pattern.endswith("*") for pattern in wide
        ):
            return narrow
    raise InexpressibleError("two patterns for one element")
