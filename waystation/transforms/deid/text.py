"""Free text through an allow-list: what is not known to be harmless goes (D-13).

Contract: `clean` keeps the words of the list that are no token of this patient, and numbers in
front of a unit; it first takes out whole what looks like a date, a time, an address of any kind,
a number of a record, or a person with a title.  What stays keeps its spelling, and the characters
between two words that stand side by side.  `clean` of its own result changes nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from waystation.transforms.deid.pseudonyms import is_ours
from waystation.transforms.deid.words import UNITS, WORDS

_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    "sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_PATTERNS = re.compile(
    "|".join(
        (
            r"\b[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s\\]*",  # URL
            r"www\.[^\s\\]+",
            r"[^\s\\@]{1,64}@[^\s\\@]+",  # mail
            r"\b\d{1,4}([./-])\d{1,2}\1\d{1,4}\b",  # 1999-12-31, 31.12.1999, 12/31/99
            rf"\b\d{{1,2}}(?:st|nd|rd|th)?[ .-]*(?:{_MONTHS})\b\.?(?:[ ,.-]*\d{{2,4}}\b)?",
            rf"\b(?:{_MONTHS})\b\.?[ -]*\d{{1,2}}(?:st|nd|rd|th)?\b(?:[ ,.-]+\d{{2,4}}\b)?",
            r"\b\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?(?:\s*[ap]\.?m\b)?",  # time
            r"\+\d[\d ()/.-]{5,}\d",  # phone
            r"\(?\b\d{2,5}\)?[ /.-]{1,3}\d{2,5}(?:[ .-]{1,3}\d{2,5})+\b",
            # postal codes with letters, but no "T2 3mm"
            r"\b[A-Za-z]{1,2}\d[A-Za-z\d]? "
            r"\d(?!mm|cm|kv|ma|ms|ml|cc|mg|gy|bq|hz|nm|um)[A-Za-z]{2}\b",
            r"\b(?:mrn|pid|id|no|nr|acc|accession|case|phone|tel|fax|room|rm|bed|ward)\b"
            r"\s{0,4}[:#.=]{1,4}\s{0,4}\S+",
            r"#\s{0,4}\w+",
            r"\b(?:drs?|prof|mrs?|ms(?=\.)|miss|sir|herr|frau|dott|mme|mlle|dipl|nurse)\b\.?"
            r"(?:[ ^]+[^\W\d_][\w'.-]*){1,3}",
            r"\b\d+\s*(?:years?|yrs?|yo|y/o|months?|weeks?|days?)\b(?:[ -]*old\b)?",  # age
        )
    ),
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d{1,4}")
_NUMBER_AND_UNIT = re.compile(r"(\d{1,4})([a-z]{1,4})")
LONGEST = 1 << 16
MOST_ROUNDS = 10
OURS = frozenset({"removed"})  # what we write ourselves in place of names
MARK = "\x00"  # in place of what a pattern took out: nothing may be joined across it


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """How texts are cleaned.  mode "remove": whole texts go.  words: those of the site."""

    mode: str = "remove"
    words: frozenset[str] = field(default=frozenset())

    def knows(self, word: str) -> bool:
        """Tell whether a word, lower case, is on the list."""
        return word in WORDS or word in self.words


def read_words(text: str) -> frozenset[str]:
    """Return the words of a file: one or more a line, ``#`` begins a comment."""
    lines = (line.partition("#")[0] for line in text.removeprefix("\ufeff").splitlines())
    return frozenset(found[0].casefold() for line in lines for found in _TOKEN.finditer(line))


def tokens_of(values: Iterable[str], prefix: str) -> frozenset[str]:
    """Return what may not stay in any text, because it is part of who the patient is.

    Words of two characters or more; pseudonyms of our own making give none.
    """
    return (
        frozenset(
            found[0].casefold()
            for value in values
            if not is_ours(value, prefix)
            for found in _TOKEN.finditer(value)
            if len(found[0]) > 1
        )
        - OURS
    )


def clean(text: str, rules: TextRules, forbidden: frozenset[str]) -> tuple[str, int]:
    """Return what may stay of a text, and how many words went."""
    if len(text) > LONGEST:
        return "", 1
    gone = 0
    # What stays may make a new pattern with its new neighbours.
    for _ in range(MOST_ROUNDS):
        made, went = _cleaned(text, rules, forbidden)
        gone += went
        if made == text:
            return made, gone
        text = made
    return "", gone


def _cleaned(text: str, rules: TextRules, forbidden: frozenset[str]) -> tuple[str, int]:
    without, gone = _PATTERNS.subn(MARK, text)
    made: list[str] = []
    end = -1  # where the last word that stayed ended; -1: nothing to join to
    tokens = list(_TOKEN.finditer(without))
    for place, found in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        if not _stays(found[0].casefold(), following, without, (rules, forbidden)):
            gone += 1
            end = -1
            continue
        between = without[end : found.start()] if end >= 0 else " "
        made.append(" " if MARK in between or len(between) > 3 else between)
        made.append(found[0])
        end = found.end()
    return "".join(made[1:]), gone


def _stays(
    word: str,
    following: "re.Match[str] | None",
    text: str,
    known: tuple[TextRules, frozenset[str]],
) -> bool:
    rules, forbidden = known
    if word in forbidden:
        return False
    if rules.knows(word):
        return True
    joined = _NUMBER_AND_UNIT.fullmatch(word)
    if joined:
        return joined[2] in UNITS
    if not _NUMBER.fullmatch(word) or following is None:
        return False
    return _measures(word, following, text)


def _measures(word: str, following: "re.Match[str]", text: str) -> bool:
    """Tell whether a number is followed by a unit, or is the whole part of one that is."""
    next_word = following[0].casefold()
    gap = text[following.start() - 1 : following.start()]
    if next_word in UNITS:
        return gap in (" ", "-")
    joined = _NUMBER_AND_UNIT.fullmatch(next_word)
    if gap in (".", ","):
        rest = text[following.end() :].lstrip(" -")
        unit = _TOKEN.match(rest)
        return bool(joined and joined[2] in UNITS) or bool(
            _NUMBER.fullmatch(next_word) and unit and unit[0].casefold() in UNITS
        )
    return False
