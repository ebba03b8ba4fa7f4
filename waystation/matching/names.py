"""Person names: which of them a key means (T-16), exactly or nearly (T-17).

Contract: a name is its component groups, each without empty trailing components, padding and
case; `normal_groups` takes one apart.  A `NameKey` is read once from what was asked; a value of
the record is taken apart by `matches`.  PS3.5 6.2.1, PS3.4 C.2.2.2.1 and C.2.2.2.4.
"""

import re
from functools import lru_cache

from waystation.matching.folding import PADDING, case_folded, folded, plain
from waystation.matching.wildcard import Pattern, is_wild, literal_prefix

_WORDS = re.compile(r"[\^=\s,;\u3000]+")


def normal_groups(name: str) -> list[str]:
    """Return the component groups, without what carries no meaning; case stays."""
    groups = [_normal(group) for group in plain(name).split("=")]
    while groups and not groups[-1]:
        groups.pop()
    return groups


def _normal(group: str) -> str:
    if " " not in group and "\0" not in group:
        return group.rstrip("^")
    return "^".join(part.strip(PADDING) for part in group.split("^")).rstrip("^")


def folded_groups(name: str) -> list[str]:
    """Return each component group as a database keeps it: normal and folded, "" for an empty one.

    What a preselection asks for (`preselect.NAME`) is compared with these.
    """
    return [folded(group) for group in normal_groups(name)]


def words(name: str) -> list[str]:
    """Return the folded words of all components and groups."""
    return [word for word in _WORDS.split(folded(plain(name))) if word]


@lru_cache(maxsize=2048)
def _compared(name: str) -> tuple[str, tuple[str, ...], str, tuple[str, ...]]:
    """Return whole name and groups, by full folding and with characters kept one for one."""
    groups = normal_groups(name)
    full = tuple(case_folded(group) for group in groups)
    single = tuple(_case_by_character(group) for group in groups)
    return "=".join(full), full, "=".join(single), single


def _case_by_character(text: str) -> str:
    """Return the text without case but with as many characters: ``?`` is one of them."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := one.casefold()) == 1 else one.lower()[:1] for one in text)


class NameKey:
    """One value of a PN key."""

    __slots__ = ("_any_group", "_groups", "_whole", "_words")

    def __init__(self, asked: str, *, fuzzy: bool = False) -> None:
        groups = normal_groups(asked)
        self._any_group = "=" not in asked
        self._groups = [_Asked(group) if group else None for group in groups]
        self._whole = _Asked("=".join(groups)) if is_wild(asked) or self._any_group else None
        self._words = [Pattern(word.rstrip("*") + "*") for word in words(asked)] if fuzzy else []

    def matches(self, name: str) -> bool:
        """Tell whether one stored value is meant."""
        whole, groups, whole_single, groups_single = _compared(name)
        if not whole:
            return False
        if self._whole and self._whole.matches(whole, whole_single):
            return True
        if self._any_group:
            asked = self._groups[0] if self._groups else None
            pairs = zip(groups, groups_single, strict=True)
            if asked and any(asked.matches(full, single) for full, single in pairs):
                return True
        elif self._each_group(groups, groups_single):
            return True
        return bool(self._words) and self._has_words(name)

    def _each_group(self, groups: tuple[str, ...], groups_single: tuple[str, ...]) -> bool:
        for number, asked in enumerate(self._groups):
            if asked is None:
                continue
            there = number < len(groups)
            full, single = (groups[number], groups_single[number]) if there else ("", "")
            if not asked.matches(full, single):
                return False
        return True

    def _has_words(self, name: str) -> bool:
        found = words(name)
        return all(any(asked.matches(word) for word in found) for asked in self._words)


class _Asked:
    """A component group, or a whole name, as it was asked."""

    __slots__ = ("_carets", "_full", "_patterns")

    def __init__(self, text: str) -> None:
        self._full = case_folded(text)
        self._carets = text.count("^")
        single = _case_by_character(text)
        self._patterns: list[Pattern] = []
        if is_wild(text):
            self._patterns = [Pattern(self._full), Pattern(single)]

    def matches(self, full: str, single: str) -> bool:
        if not self._patterns:
            return full == self._full
        for pattern, text in zip(self._patterns, (full, single), strict=True):
            if pattern.matches(text):
                return True
            # Empty trailing components mean nothing: ``Doe^*`` is asked of ``Doe`` as of ``Doe^``.
            missing = self._carets - text.count("^")
            if text and missing > 0 and pattern.matches(text + "^" * missing):
                return True
        return False


def folded_prefixes(asked: str) -> tuple[str, ...]:
    """Return for each group of a wild-card key what some folded group must begin with."""
    found = (folded(literal_prefix(group)) for group in normal_groups(asked))
    return tuple(prefix.rstrip("^") for prefix in found if prefix.rstrip("^"))
