"""The edits of a rule, carried out on the tree of a head (R-65, R-66).

Contract: each operation is a frozen value with one method, `apply`, which changes the tree of the
work at hand and notes what it changed; `HeldError` leaves nothing behind, as the tree is thrown
away then.  No value is ever written that does not fit its VR, its multiplicity or the character
set.  Reading operations from a configuration is `edit_read`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from waystation.dicom import tags
from waystation.dicom.tree import Tree
from waystation.model.delivery import HoldReason
from waystation.transforms.deid.uids import map_uids
from waystation.transforms.edit_charset import all_plain, to_utf8
from waystation.transforms.edit_limits import refusal
from waystation.transforms.edit_paths import Matches, Place, find, matching, reach
from waystation.transforms.edit_template import Template
from waystation.transforms.edit_uids import is_mapped
from waystation.transforms.edit_values import encoded, name_of, texts
from waystation.transforms.held import HeldError, misfit
from waystation.transforms.lookup import EMPTY, HOLD, KEEP, LookupTable

SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One changed element.  before, after: what it said, for those who may see it.

    top: the tag at the outermost level.
    """

    path: str
    top: int
    before: str = ""
    after: str = ""


@dataclass(slots=True, kw_only=True)
class Work:
    """One object being edited.

    facts: what templates may name besides elements.  tables: lookups by name.  keys: for new UIDs,
    by the text of their source.  utf8: whether the head may be converted (``charset``).
    """

    tree: Tree
    facts: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, LookupTable] = field(default_factory=dict)
    keys: Mapping[str, bytes] = field(default_factory=dict)
    utf8: bool = False
    changes: list[Change] = field(default_factory=list)

    def values(self, path: str) -> list[str]:
        """Return what an element says, [] if it is not there."""
        return [text for place in find(self.tree, path) for text in _texts(place)]

    def said(self, template: Template) -> str:
        """Return a template with the values of this object."""
        return template.filled(self.facts, self.values)

    def write(self, place: Place, path: str, values: Sequence[str]) -> None:
        """Set one element, and note it if that made a difference."""
        before = _texts(place)
        there = place.tree.get(place.tag)
        if there is not None and before == list(values) and there.value is not None:
            return
        if why := refusal(place.tag):
            raise misfit(why)
        vr = place.vr
        raw = encoded(place.tree, place.tag, vr, values)
        if raw is None:
            raw = self._converted(place, vr, values)
        place.tree.put(place.tag, vr, raw)
        self.note(path, place.top, before, values)

    def _converted(self, place: Place, vr: str, values: Sequence[str]) -> bytes:
        where = name_of(place.tag)
        if not self.utf8:
            raise HeldError(HoldReason.CHARSET, f"{where}: not in the object's character set")
        if why := to_utf8(self.tree):
            raise HeldError(HoldReason.CHARSET, f"{where}: cannot be converted: {why}")
        self.note("SpecificCharacterSet", tags.SPECIFIC_CHARACTER_SET, (), ())
        raw = encoded(place.tree, place.tag, vr, values)
        if raw is None:
            raise HeldError(HoldReason.CHARSET, f"{where}: {vr} takes no such character")
        return raw

    def remove(self, place: Place, path: str) -> None:
        """Remove one element that is there."""
        if why := refusal(place.tag, removing=True):
            raise misfit(why)
        before = _texts(place)
        place.tree.remove({place.tag})
        if place.tag == tags.SPECIFIC_CHARACTER_SET and not all_plain(self.tree):
            why = "SpecificCharacterSet: values need it, it cannot be removed"
            raise HeldError(HoldReason.CHARSET, why)
        self.note(path, place.top, before, ())

    def note(self, path: str, top: int, before: Sequence[str], after: Sequence[str]) -> None:
        """Remember that an element was changed."""
        words = ("\\".join(before)[:SHOWN], "\\".join(after)[:SHOWN])
        self.changes.append(Change(path=path, top=top, before=words[0], after=words[1]))


def _texts(place: Place) -> list[str]:
    elem = place.tree.get(place.tag)
    return [] if elem is None else texts(elem, place.tree.charset)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTo:
    """Put values, always or only where there is none (``default``)."""

    path: str
    to: tuple[Template, ...]
    only_missing: bool = False

    def apply(self, work: Work) -> None:
        """Carry it out."""
        values = [work.said(template) for template in self.to]
        for place in reach(work.tree, self.path):
            if self.only_missing and any(_texts(place)):
                continue
            work.write(place, self.path, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Take elements away, by path or by pattern."""

    path: str
    matches: Matches | None = None

    def apply(self, work: Work) -> None:
        """Carry it out."""
        if self.matches is None:
            for place in find(work.tree, self.path):
                work.remove(place, self.path)
            return
        for inside, found, top in list(matching(work.tree, self.matches)):
            for tag in found:
                if why := refusal(tag, removing=True):
                    raise misfit(why)
            inside.remove(set(found))
            for tag in found:
                work.note(name_of(tag), tag if top < 0 else top, (), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Give one element the values of another; ``moving``: the other goes."""

    path: str
    to: str
    moving: bool = False

    def apply(self, work: Work) -> None:
        """Carry it out; what is not there is not copied."""
        found = find(work.tree, self.path)
        if not found:
            return
        values = [text for place in found for text in _texts(place)]
        for place in reach(work.tree, self.to):
            work.write(place, self.to, values)
        if self.moving:
            for place in found:
                work.remove(place, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rework:
    """Change each value of an element that is there: pattern, case, ends, length."""

    path: str
    changes: tuple[Callable[[str], str], ...]

    def apply(self, work: Work) -> None:
        """Carry it out."""
        for place in find(work.tree, self.path):
            before = _texts(place)
            values = [self._changed(value) for value in before]
            if values != before:
                work.write(place, self.path, values)

    def _changed(self, value: str) -> str:
        for change in self.changes:
            value = change(value)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Set elements from a row of a table.  columns: (path, column)."""

    table: str
    key: Template
    columns: tuple[tuple[str, str], ...]
    missing: str | tuple[str] | None = None

    def apply(self, work: Work) -> None:
        """Carry it out."""
        table = work.tables.get(self.table)
        if table is None:
            why = f'lookup "{self.table}" is not available'
            raise HeldError(HoldReason.RULE_ERROR, why, transient=True)
        row = table.row(work.said(self.key))
        missing = table.missing if self.missing is None else self.missing
        for path, column in self.columns:
            self._set(work, table, row, (path, column), missing)

    def _set(
        self,
        work: Work,
        table: LookupTable,
        row: Mapping[str, str] | None,
        wanted: tuple[str, str],
        missing: str | tuple[str],
    ) -> None:
        path, column = wanted
        if column not in table.columns:
            raise misfit(f'lookup "{self.table}" has no column "{column}"')
        if row is not None:
            values = [row[column]]
        elif missing == HOLD:
            raise misfit(f'lookup "{self.table}": no row for this object')
        elif missing == KEEP:
            return
        else:
            values = [""] if missing == EMPTY else [missing[0]]
        for place in reach(work.tree, path):
            work.write(place, path, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUids:
    """Map Study, Series and SOP Instance UIDs and every reference to them, at any depth.

    key: the text of where the key comes from.
    """

    key: str = ""

    def apply(self, work: Work) -> None:
        """Carry it out."""
        key = work.keys.get(self.key)
        if key is None:
            raise misfit("the key for new UIDs is not available")
        made = 0
        for inside, found, top in list(matching(work.tree, lambda _tree, tag: is_mapped(tag))):
            for tag in found:
                elem = inside.get(tag)
                raw = elem.value if elem is not None else None
                if not raw:
                    continue
                inside.put(tag, "UI", map_uids(key, raw))
                work.note(name_of(tag), tag if top < 0 else top, (), ())
                made += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AeTitles:
    """Replace application entity titles wherever one stands: every value of VR AE."""

    titles: tuple[tuple[str, str], ...]

    def apply(self, work: Work) -> None:
        """Carry it out."""
        known = dict(self.titles)

        def matches(tree: Tree, tag: int) -> bool:
            elem = tree.get(tag)
            return elem is not None and elem.vr == "AE"

        for inside, found, top in list(matching(work.tree, matches)):
            for tag in found:
                place = Place(inside, tag, "", tag if top < 0 else top)
                before = _texts(place)
                values = [known.get(title, title) for title in before]
                if values != before:
                    work.write(place, name_of(tag), values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One operation.

    utf8: it may convert the head.  corrects: what was there before was wrong.
    """

    operation: SetTo | Remove | Copy | Rework | Lookup | NewUids | AeTitles
    utf8: bool = False
    corrects: bool = False

    def apply(self, work: Work) -> None:
        """Carry it out."""
        work.utf8 = self.utf8
        self.operation.apply(work)
