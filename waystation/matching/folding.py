"""Texts made comparable: what two people would call the same (T-2, T-16, T-17).

Contract: `plain` keeps every letter and drops what carries no meaning (padding, the choice between
composed and decomposed characters).  `case_folded` drops case as well.  `folded` drops accents,
width and the difference of katakana and hiragana too; it works character by character, so that
``folded(a + b) == folded(a) + folded(b)``: a prefix of a text folds to a prefix of what the text
folds to, and a database can look for it.
"""

from typing import Final
from unicodedata import category, normalize

TRAILING_ONLY: Final = frozenset({"LT", "ST", "UT", "UR"})
PADDING: Final = " \0"

# Letters with a stroke or joined letters: Unicode calls none of them an accent, people do.
_STROKES: Final = {
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe",
    "þ": "th", "ŋ": "n", "ĸ": "k",
}  # fmt: skip
# Accents of Latin, Greek and Cyrillic, points of Hebrew and Arabic.  Not the voicing marks of
# Japanese nor the vowels of Thai: with those it is another letter.
_ACCENTS: Final = (
    *((0x0300, 0x036F), (0x0591, 0x05C7), (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670)),
    *((0x06D6, 0x06DC), (0x06DF, 0x06E8), (0x06EA, 0x06ED), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF)),
    (0x20D0, 0x20FF),
)
_KATAKANA_FIRST, _KATAKANA_LAST, _TO_HIRAGANA = 0x30A1, 0x30F6, -0x60


def plain(text: str, vr: str = "LO") -> str:
    """Return the text without padding (leading blanks count in LT, ST, UT, UR), in NFC."""
    text = text.rstrip(PADDING) if vr in TRAILING_ONLY else text.strip(PADDING)
    return text if text.isascii() else normalize("NFC", text)


def case_folded(text: str) -> str:
    """Return the text without case, by full Unicode folding, in NFC; accents stay."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", normalize("NFC", text).casefold())


def folded(text: str) -> str:
    """Return the text without case, accents, width, and katakana as hiragana."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", text).translate(_FOLDS)


class _Folds(dict[int, str]):
    """One character each, found when it is first needed."""

    def __missing__(self, code: int) -> str:
        before, text = "", chr(code)
        while text != before:  # folding case may uncover an accent, and an accent a case
            before = text
            text = "".join(_letter(one) for one in normalize("NFKD", text.casefold()))
        self[code] = text
        return text


def _letter(character: str) -> str:
    code = ord(character)
    if _is_accent(code) and category(character) == "Mn":
        return ""
    if _KATAKANA_FIRST <= code <= _KATAKANA_LAST:
        return chr(code + _TO_HIRAGANA)
    return _STROKES.get(character, character)


def _is_accent(code: int) -> bool:
    return any(first <= code <= last for first, last in _ACCENTS)


_FOLDS: Final = _Folds()


def without_accents(character: str) -> str:
    """Return what a character becomes where it does not exist, case kept; "" if nothing is near.

    ``ö`` gives ``o``, ``ø`` gives ``o``, ``Œ`` gives ``OE``, a wide ``Ａ`` gives ``A``.
    """
    letters = "".join(one for one in normalize("NFKD", character) if not _is_accent(ord(one)))
    stroke = _STROKES.get(letters.lower(), "")
    if stroke:
        letters = stroke.upper() if letters.isupper() else stroke
    return letters if letters != character else ""
