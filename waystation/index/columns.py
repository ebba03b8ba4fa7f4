"""What of a row can be looked up in SQL, in the forms that `matching.preselect` speaks of.

Contract: pure.  Columns and terms only preselect: they may find too much, never too little (T-1).
Terms hold every value of an attribute, those of all objects; a column holds the one that is
shown, and a study whose objects differ there is marked as varied.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from waystation.dicom.values import split_text
from waystation.index import levels
from waystation.index.described import read
from waystation.index.entry import number
from waystation.matching.folding import plain
from waystation.matching.names import folded_groups, words
from waystation.matching.preselect import date_form, time_form

# Kinds of terms.
WORD, NAME, PATIENT_ID, ACCESSION, DATE = "word", "name", "pid", "acc", "date"
# Attributes that a column of the study holds.
COLUMNS: Final = (
    *(levels.PATIENT_ID, levels.PATIENT_NAME, levels.BIRTH_DATE, levels.STUDY_DATE),
    *(levels.ACCESSION, levels.STUDY_ID, levels.STUDY_DESCRIPTION),
)
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


def name_column(name: str) -> str:
    """Return a name as its column holds it: all groups, folded."""
    return "=".join(folded_groups(name))


def values(data: bytes, others: str, tag: int) -> list[str]:
    """Return every value of an attribute: those that are shown first."""
    found = [str(value) for value in read(data).values(f"{tag:08X}") or ()] if data else []
    if others:
        vr = levels.STUDY.get(tag) or levels.SERIES[tag]
        for each in json.loads(others).get(f"{tag:08X}", ()):
            found += split_text(each, vr)
    return found


def first(data: bytes, tag: int) -> str:
    """Return the first value that is shown, "" if there is none."""
    found = values(data, "", tag)
    return found[0] if found else ""


@lru_cache(maxsize=1024)
def study_columns(data: bytes, others: str) -> StudyColumns:
    """Return the columns and terms of a study."""
    found = {tag: values(data, others, tag) for tag in COLUMNS}
    shown = {tag: each[0] if each else "" for tag, each in found.items()}
    return StudyColumns(
        issuer=plain(first(data, levels.ISSUER_OF_PATIENT_ID)),
        patient_id=plain(shown[levels.PATIENT_ID]),
        name=name_column(shown[levels.PATIENT_NAME]),
        birth_date=date_form(shown[levels.BIRTH_DATE]),
        date=date_form(shown[levels.STUDY_DATE]),
        time=time_form(first(data, levels.STUDY_TIME)),
        accession=plain(shown[levels.ACCESSION]),
        study_id=plain(shown[levels.STUDY_ID]),
        description=plain(shown[levels.STUDY_DESCRIPTION]),
        varied=int(any(len(each) > 1 for each in found.values())),
        terms=_terms(found),
    )


def _terms(found: dict[int, list[str]]) -> Terms:
    terms: set[tuple[str, str]] = set()
    for name in found[levels.PATIENT_NAME]:
        terms |= {(NAME, group) for group in folded_groups(name)}
        terms |= {(WORD, word) for word in words(name)}
    terms |= {(PATIENT_ID, plain(each)) for each in found[levels.PATIENT_ID]}
    terms |= {(ACCESSION, plain(each)) for each in found[levels.ACCESSION]}
    # Of dates the column has the one that is shown.
    terms |= {(DATE, date_form(each)) for each in found[levels.STUDY_DATE][1:]}
    return frozenset((kind, value) for kind, value in terms if value)


def series_number(data: bytes) -> int:
    """Return the number of a series, for the order of answers."""
    return number(first(data, levels.SERIES_NUMBER))


def joined(old: str, new: str) -> str:
    """Return the sorted set of words between backslashes, with those of ``new`` in it."""
    if not new or f"\\{new}\\" in old:
        return old
    found = {word.strip() for word in (*old.split("\\"), *new.split("\\"))}
    return "\\" + "\\".join(sorted(found - {""})) + "\\"
