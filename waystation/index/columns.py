"""What of a row can be looked up in SQL: decoded text in NFC, names folded, dates and times plain.

Contract: pure.  Columns only preselect: they may find too much, never too little (T-1), so a value
that a column cannot hold stands among the terms, or marks the row as varied.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from waystation.dicom.values import split_text
from waystation.index import levels
from waystation.index.described import read
from waystation.index.entry import number

# Kinds of terms.
PART, NAME, PATIENT_ID, ACCESSION, DATE = "part", "name", "pid", "acc", "date"
KINDS: Final = {
    levels.PATIENT_ID: PATIENT_ID,
    levels.ACCESSION: ACCESSION,
    levels.STUDY_DATE: DATE,
}
# Attributes that a column of the study holds.
COLUMNS: Final = (
    *(levels.PATIENT_ID, levels.PATIENT_NAME, levels.BIRTH_DATE, levels.STUDY_DATE),
    *(levels.ACCESSION, levels.STUDY_ID, levels.STUDY_DESCRIPTION),
)
_SEPARATORS = re.compile(r"[\^= ,\-\u3000]+")
Terms = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyColumns:
    """Of one study.  issuer: of its patient; terms: (kind, value); varied: 0 or 1."""

    issuer: str
    patient_id: str
    name: str
    birth_date: str
    date: str
    time: str
    accession: str
    study_id: str
    description: str
    varied: int
    terms: Terms


def plain(text: str) -> str:
    """Return text as columns hold it."""
    return unicodedata.normalize("NFC", text).strip()


def folded(name: str) -> str:
    """Return a name as it is compared: in NFC, without case, empty ends and blanks (T-16)."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    groups = ["^".join(part.strip() for part in group.split("^")) for group in text.split("=")]
    return "=".join(group.rstrip("^ ") for group in groups).rstrip("=")


def loose(text: str) -> str:
    """Return text as a fuzzy comparison sees it: no case, accents or widths (T-17)."""
    wide = unicodedata.normalize("NFKC", text).casefold()
    bare = "".join(c for c in unicodedata.normalize("NFD", wide) if not unicodedata.combining(c))
    # Katakana and hiragana are the same letters.
    return "".join(chr(ord(c) - 0x60) if "\u30a1" <= c <= "\u30f6" else c for c in bare)


def parts_of(name: str) -> set[str]:
    """Return the components of all groups of a name, as `loose` gives them."""
    return {part for part in _SEPARATORS.split(loose(name)) if part}


def date(text: str) -> str:
    """Return ``YYYYMMDD``; the old form ``YYYY.MM.DD`` is understood (PS3.5 6.2)."""
    return text.replace(".", "").strip()


def time(text: str) -> str:
    """Return ``HHMMSS`` and its fraction, as far as it goes; ``HH:MM:SS`` is understood."""
    return text.replace(":", "").strip()


def values(data: bytes, others: str, tag: int) -> list[str]:
    """Return every value of an attribute: those that are shown first."""
    found = [str(value) for value in read(data).values(f"{tag:08X}") or ()] if data else []
    if others:
        vr = levels.STUDY.get(tag) or levels.SERIES[tag]
        for each in json.loads(others).get(f"{tag:08X}", ()):
            found += split_text(each, vr)
    return found


@lru_cache(maxsize=1024)
def study_columns(data: bytes, others: str) -> StudyColumns:
    """Return the columns and terms of a study."""
    found = {tag: values(data, others, tag) for tag in COLUMNS}
    first = {tag: each[0] if each else "" for tag, each in found.items()}
    names = found[levels.PATIENT_NAME]
    terms: set[tuple[str, str]] = set()
    for place, name in enumerate(names):
        terms |= {(PART, part) for part in parts_of(name)}
        whole = folded(name)
        groups = {folded(group) for group in name.split("=")} - {"", whole}
        terms |= {(NAME, group) for group in groups}
        if place:
            terms.add((NAME, whole))
    for tag, kind in KINDS.items():
        make = date if kind == DATE else plain
        terms |= {(kind, make(each)) for each in found[tag][1:]}
    shown = values(data, "", levels.STUDY_TIME)
    issuers = values(data, "", levels.ISSUER_OF_PATIENT_ID)
    return StudyColumns(
        issuer=plain(issuers[0]) if issuers else "",
        patient_id=plain(first[levels.PATIENT_ID]),
        name=folded(first[levels.PATIENT_NAME]),
        birth_date=date(first[levels.BIRTH_DATE]),
        date=date(first[levels.STUDY_DATE]),
        time=time(shown[0]) if shown else "",
        accession=plain(first[levels.ACCESSION]),
        study_id=plain(first[levels.STUDY_ID]),
        description=plain(first[levels.STUDY_DESCRIPTION]),
        varied=int(any(len(each) > 1 for each in found.values())),
        terms=frozenset(terms),
    )


def series_number(data: bytes) -> int:
    """Return the number of a series, for the order of answers."""
    found = values(data, "", levels.SERIES_NUMBER)
    return number(found[0] if found else "")


def joined(old: str, new: str) -> str:
    """Return the sorted set of words between backslashes, with ``new`` in it."""
    if not new:
        return old
    words = set(old.split("\\")) | {new}
    return "\\" + "\\".join(sorted(words - {""})) + "\\"
