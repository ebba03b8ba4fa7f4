"""Wild cards: ``*`` is any run of characters, ``?`` exactly one (PS3.4 C.2.2.2.4, T-5).

Contract: no regular expression, no backtracking: each piece between two stars is looked for once,
from left to right.  The caller folds and normalises; here characters are equal or not.
"""

STAR, QUESTION = "*", "?"


def is_wild(text: str) -> bool:
    """Tell whether the text holds a wild card."""
    return STAR in text or QUESTION in text


def literal_prefix(pattern: str) -> str:
    """Return what every match begins with."""
    ends = [at for at in (pattern.find(STAR), pattern.find(QUESTION)) if at >= 0]
    return pattern[: min(ends, default=len(pattern))]


class Pattern:
    """One pattern, taken apart once and matched often."""

    __slots__ = ("_first", "_has_star", "_last", "_middle", "_shortest", "text")

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        pieces = pattern.split(STAR)
        self._has_star = len(pieces) > 1
        self._first, self._last = pieces[0], pieces[-1]
        self._middle = [_Piece(piece) for piece in pieces[1:-1] if piece]
        self._shortest = sum(map(len, pieces))

    def matches(self, text: str) -> bool:
        if len(text) < self._shortest or not _is_at(self._first, text, 0):
            return False
        if not self._has_star:
            return len(text) == self._shortest
        end = len(text) - len(self._last)
        if not _is_at(self._last, text, end):
            return False
        at = len(self._first)
        for piece in self._middle:
            at = piece.after(text, at, end)
            if at < 0:
                return False
        return True


def _is_at(piece: str, text: str, at: int) -> bool:
    if QUESTION not in piece:
        return text.startswith(piece, at)
    return all(want in (QUESTION, text[at + n]) for n, want in enumerate(piece))


class _Piece:
    """What stands between two stars."""

    __slots__ = ("_default", "_length", "_masks", "_text")

    def __init__(self, text: str) -> None:
        self._text, self._length = text, len(text)
        self._masks: dict[str, int] = {}
        self._default = 0
        if QUESTION in text:
            self._default = sum(1 << n for n, one in enumerate(text) if one == QUESTION)
            for n, one in enumerate(text):
                self._masks[one] = self._masks.get(one, self._default) | 1 << n

    def after(self, text: str, start: int, end: int) -> int:
        """Return where the first occurrence in ``text[start:end]`` ends; -1 if there is none."""
        if not self._masks:
            at = text.find(self._text, start, end)
            return at if at < 0 else at + self._length
        # Shift-and: bit n of the state says that n + 1 characters of the piece end here.
        state, found = 0, 1 << (self._length - 1)
        for at in range(start, end):
            state = (state << 1 | 1) & self._masks.get(text[at], self._default)
            if state & found:
                return at + 1
        return -1
