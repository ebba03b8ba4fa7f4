"""What Specific Character Set (0008,0005) says: from its terms to the coded sets they mean.

Contract: `Charset.parse` takes the value as it stands, backslashes and all, and never fails:
misspelt terms are understood, unknown ones left out, and `faults` says so.  Equal texts give the
same object, so that parsing costs one look-up.

PS3.3 C.12.1.1.2, PS3.5 6.1.2.4.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from waystation.dicom.charset_tables import ASCII, KATAKANA, LETTERS, ROMAJI, SETS, CodedSet

UTF_8: Final = "ISO_IR 192"
NO_EXTENSION: Final = {UTF_8: "utf-8", "GB18030": "gb18030", "GBK": "gbk"}
# No honest value is longer: 16 bytes a term, and no more terms than there are sets.
LONGEST = 512
_IR = re.compile(r"ISO ?(?:2022 ?)?(?:IR ?)?(\d{1,3})")
_OTHER_NAMES = {
    **dict.fromkeys(("UTF 8", "UTF8", "ISO 10646", "UNICODE"), UTF_8),
    **dict.fromkeys(("GB 18030", "ISO 2022 GB18030", "ISO 2022 IR GB18030"), "GB18030"),
    **dict.fromkeys(("ISO 2022 GBK", "GB2312", "GB 2312", "GB K"), "GBK"),
    **dict.fromkeys(("LATIN 1", "LATIN1", "ISO 8859 1", "ISO8859 1"), "ISO_IR 100"),
}


class Fault(StrEnum):
    """What a reader had to put up with (T-24, T-25); the value is the name that `strict` gives."""

    MISSPELT = "misspelt-term"
    UNKNOWN_TERM = "unknown-term"
    NOT_EXTENSIBLE = "term-not-extensible"
    GUESSED = "no-term"
    UNDECLARED = "undeclared-escape"
    UNKNOWN_ESCAPE = "unknown-escape"
    NO_RESET = "missing-reset"
    VENDOR = "vendor-character"
    UNDECODABLE = "undecodable"


SENTENCES: Final[dict[Fault, str]] = {
    Fault.MISSPELT: "(0008,0005) misspells a term",
    Fault.UNKNOWN_TERM: "(0008,0005) holds a term that nobody knows",
    Fault.NOT_EXTENSIBLE: "(0008,0005) joins terms that cannot stand together",
    Fault.GUESSED: "no character set is named, so its text is a guess",
    Fault.UNDECLARED: "it changes to a character set that (0008,0005) does not name",
    Fault.UNKNOWN_ESCAPE: "it holds an escape sequence that DICOM does not know",
    Fault.NO_RESET: "it does not return to the first character set",
    Fault.VENDOR: "it holds characters of a vendor's own code page",
    Fault.UNDECODABLE: "it holds bytes that its character set does not have",
}


@dataclass(frozen=True, slots=True)
class Charset:
    """A value of (0008,0005), understood.

    declared: as it stands, without padding.  terms: as the Standard spells them.
    codec: Python's name where the term allows no extension.  g0, g1: the sets of value 1.
    sets: all declared ones in their order, without repetition; an encoder takes the earliest.
    """

    declared: str
    terms: tuple[str, ...]
    codec: str | None
    g0: CodedSet
    g1: CodedSet | None
    sets: tuple[CodedSet, ...]
    faults: frozenset[Fault]

    @property
    def letters(self) -> str:
        """Return Python's codec if value 1 is ASCII with a set of letters, else ""."""
        return LETTERS[self.g1.name] if self.g1 and self.g1.name in LETTERS else ""

    @property
    def is_silent(self) -> bool:
        """True if nothing is said about bytes beyond ASCII, so that they must be guessed."""
        return self.codec is None and len(self.sets) == 1

    @staticmethod
    def parse(declared: str) -> "Charset":
        return _parsed(declared[:LONGEST])


@lru_cache(maxsize=1024)
def _parsed(declared: str) -> Charset:
    faults: set[Fault] = set()
    terms = [_standard(part, faults) for part in declared.strip("\0 ").split("\\")]
    if terms[0] in NO_EXTENSION:
        if len(terms) > 1:
            faults.add(Fault.NOT_EXTENSIBLE)
        codec: str | None = NO_EXTENSION[terms[0]]
        terms = terms[:1]
    else:
        codec = None
        kept = [terms[0], *(term for term in terms[1:] if term not in NO_EXTENSION)]
        if len(kept) < len(terms):
            faults.add(Fault.NOT_EXTENSIBLE)
        terms = kept
    sets: list[CodedSet] = []
    for number, term in enumerate(terms):
        sets += [one for one in _sets_of(term, number == 0) if one not in sets]
    first = _sets_of(terms[0], True)
    g1 = next((one for one in first if one.is_g1), None)
    if not codec and first[-1].width == 2:
        faults.add(Fault.NOT_EXTENSIBLE)
    return Charset(
        declared.strip("\0 "), tuple(terms), codec, sets[0], g1, tuple(sets), frozenset(faults)
    )


def _standard(part: str, faults: set[Fault]) -> str:
    """Return the term as the Standard spells it, "" for none or for one that nobody knows."""
    term = part.strip("\0 ")
    if not term or term in NO_EXTENSION:
        return term
    words = " ".join(re.split(r"[\s_-]+", term.upper())).strip()
    found = _OTHER_NAMES.get(words) or (words if words in NO_EXTENSION else "")
    form = _IR.fullmatch(words)
    if form:
        number = form[1]
        if number == "192":
            found = UTF_8
        elif number in SETS and number != ROMAJI:
            wide = SETS[number].width == 2
            found = f"ISO 2022 IR {number}" if wide or "2022" in words else f"ISO_IR {number}"
    if not found:
        faults.add(Fault.UNKNOWN_TERM)
    elif found != term:
        faults.add(Fault.MISSPELT)
    return found


def _sets_of(term: str, is_first: bool) -> list[CodedSet]:
    """Return the sets of a term, that of G0 first; the first term always has one."""
    number = term.rpartition(" ")[2]
    if number == KATAKANA:
        return [SETS[ROMAJI], SETS[KATAKANA]]
    coded = SETS.get(number) if term not in NO_EXTENSION else None
    if coded is None or coded.name == ASCII:
        return [SETS[ASCII]] if is_first or coded else []
    return [coded] if coded.width == 2 and not is_first else [SETS[ASCII], coded]
