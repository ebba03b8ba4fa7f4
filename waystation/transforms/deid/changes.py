"""What de-identification changes, element by element: old and new value side by side (D-41).

Contract: `differences` compares two data sets and names, for each element that is not the same,
the action and the rule that decided it, as the report of the object tells them.  Values are for
those who may see patients: nothing of this is ever logged or kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from waystation.dicom.charsets import decode
from waystation.dicom.nested import EXPLICIT_BE
from waystation.dicom.tags import format_tag, keyword_of
from waystation.dicom.tree import Elem, Tree
from waystation.dicom.values import NUMBERS, decode_values
from waystation.transforms.deid.choice import TEXTUAL

LONGEST: Final = 120
# Which actions can lead to an element that is gone, empty, or other than it was.
GONE, CHANGED = ("X",), ("Z", "D", "U", "C", "K")


@dataclass(frozen=True, slots=True)
class Row:
    """One element.  path: sequences around it, with numbers of items.  by: the deciding rule.

    before, after: as text; None where the element is not there.
    """

    path: str
    name: str
    action: str
    by: str
    before: str | None
    after: str | None


def differences(before: Tree, after: Tree, report: Mapping[str, Any]) -> Iterator[Row]:
    """Yield what is different, in the order of the tags; report: of the object, as data."""
    rules: dict[str, list[tuple[str, str]]] = {}
    for row in report.get("changed", ()):
        rules.setdefault(row["tag"], []).append((row["action"], row["by"]))
    yield from _compared(before, after, "", rules)


def _compared(
    before: Tree, after: Tree, path: str, rules: Mapping[str, list[tuple[str, str]]]
) -> Iterator[Row]:
    tags = sorted({elem.tag for tree in (before, after) for elem in tree.elements})
    for tag in tags:
        old, new = before.get(tag), after.get(tag)
        if not tag & 0xFFFF or (old is not None and new is not None and _are_same(old, new)):
            continue
        here = path + format_tag(tag)
        items = old.items if old is not None else None
        others = new.items if new is not None else None
        if items and others and len(items) == len(others):
            for number, (one, two) in enumerate(zip(items, others, strict=True)):
                yield from _compared(one, two, f"{here}[{number}].", rules)
            continue
        action, by = _rule(format_tag(tag), rules, gone=new is None, added=old is None)
        yield Row(here, keyword_of(tag), action, by, shown(old, before), shown(new, after))


def unchanged(before: Tree, after: Tree, path: str = "") -> Iterator[Row]:
    """Yield what stays as it is: that, too, a person looks at before it leaves (D-43)."""
    for elem in before.elements:
        other = after.get(elem.tag)
        if other is None or not elem.tag & 0xFFFF:
            continue
        here = path + format_tag(elem.tag)
        if elem.items and other.items and len(elem.items) == len(other.items):
            pairs = zip(elem.items, other.items, strict=True)
            for number, (one, two) in enumerate(pairs):
                yield from unchanged(one, two, f"{here}[{number}].")
        elif _are_same(elem, other):
            said = shown(elem, before)
            yield Row(here, keyword_of(elem.tag), "K", "", said, said)


def _are_same(old: Elem, new: Elem) -> bool:
    if old.items is not None or new.items is not None:
        return not old.items and not new.items
    return (old.value or b"").rstrip(b"\0 ") == (new.value or b"").rstrip(b"\0 ")


def _rule(
    tag: str, rules: Mapping[str, list[tuple[str, str]]], *, gone: bool, added: bool
) -> tuple[str, str]:
    if added:
        return "+", "mark"
    found = rules.get(tag, ())
    wanted = GONE if gone else CHANGED
    fitting = [one for one in found if one[0] in wanted] or list(found)
    return fitting[0] if fitting else ("X" if gone else "D", "basic")


def shown(elem: Elem | None, tree: Tree) -> str | None:
    """Return a value as text that fits into a table; None for no element."""
    if elem is None:
        return None
    items = elem.items
    if items is not None:
        return f"<{len(items)} items>"
    value = elem.value or b""
    if elem.vr in NUMBERS and len(value) <= LONGEST:
        numbers = decode_values(value, elem.vr, big_endian=tree.form == EXPLICIT_BE)
        text = "\\".join(map(str, numbers))
    elif elem.vr not in TEXTUAL:
        return f"<{len(value)} bytes>" if len(value) > 8 else value.hex(" ")
    else:
        text = decode(value, tree.charset, elem.vr).strip("\0 ")
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
