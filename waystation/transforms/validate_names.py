"""Whether two values are the same: exactly, as names, or as names with typing errors (R-68).

Contract: ``exact`` compares without padding.  ``pn`` compares names component by component of the
first group, without case, accents, and what is neither letter nor digit.  A number of errors is
the most insertions, losses, changes and swaps of neighbours by which the two may differ.
"""

import unicodedata
from collections.abc import Callable

EXACT, PN = "exact", "pn"
Same = Callable[[str, str], bool]
MOST_ERRORS = 5


def normalised(name: str) -> str:
    """Return a name as it is compared."""
    group = name.partition("=")[0] or name.lstrip("=")
    parts = [_plain(part) for part in group.split("^")]
    return "^".join(parts).rstrip("^")


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if letter.isalnum())


def same_exactly(one: str, other: str) -> bool:
    """Compare without padding."""
    return one.strip(" \0") == other.strip(" \0")


def same_name(one: str, other: str) -> bool:
    """Compare as names."""
    return normalised(one) == normalised(other)


def nearly_same(most: int) -> Same:
    """Return the comparison of names with at most so many typing errors."""

    def compare(one: str, other: str) -> bool:
        first, second = normalised(one), normalised(other)
        return abs(len(first) - len(second)) <= most and errors(first, second) <= most

    return compare


def errors(one: str, other: str) -> int:
    """Return by how many typing errors two texts differ (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]
