"""Which studies and patients a query may mean: SQL that finds too much, never too little (T-1).

Contract: pure; gives text and values, reads nothing.  The one hint that narrows most leads, the
others are conditions beside it.  Pages follow the order of answers (T-18, W-33) from a place in
it, so that nothing is held between two pages.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from waystation.db.statement import placeholders
from waystation.index import levels
from waystation.index.columns import ACCESSION, DATE, NAME, PATIENT_ID, WORD
from waystation.matching import preselect
from waystation.matching.folding import folded, plain
from waystation.matching.preselect import Hint, hints
from waystation.matching.wildcard import is_wild
from waystation.model.query import Key, Query

_UIDS: Final[dict[int, tuple[int, str]]] = {
    levels.STUDY_UID: (0, "SELECT u.id FROM study u WHERE u.uid IN ("),
    levels.SOP_INSTANCE_UID: (
        1,
        "SELECT r.study FROM arrival a JOIN instance i ON i.arrival = a.id"
        " JOIN series r ON r.id = i.series WHERE a.sop_instance IN (",
    ),
    levels.SERIES_UID: (2, "SELECT r.study FROM series r WHERE r.uid IN ("),
}
_TERMS: Final = {
    levels.ACCESSION: (3, ACCESSION),
    levels.PATIENT_ID: (4, PATIENT_ID),
    levels.PATIENT_NAME: (6, NAME),
}
_SETS: Final = {
    levels.MODALITIES_IN_STUDY: "modalities",
    levels.MODALITY: "modalities",
    levels.CLASSES_IN_STUDY: "classes",
}
_TEXTS: Final = {
    levels.PATIENT_ID: "patient_id",
    levels.ACCESSION: "accession",
    levels.STUDY_ID: "study_id",
    levels.STUDY_DESCRIPTION: "description",
}
# More values than a statement takes: then nothing is asked of that attribute.
MOST_VALUES: Final = 500
# Alternatives that are conditions each, and how long a pattern is, before SQLite gives up.
MOST_CONDITIONS: Final = 64
LONGEST_PATTERN: Final = 1000
WORST: Final = 9


@dataclass(slots=True)
class Conditions:
    """What every candidate fulfils.

    lead: a query for the ids of studies, "" for none.  dates: (first, last), both included.
    """

    lead: str = ""
    others: list[str] = field(default_factory=list)
    dates: tuple[str, str] | None = None
    values: dict[str, Any] = field(default_factory=dict)
    _rank: int = WORST

    def bind(self, values: Iterable[Any]) -> str:
        """Note values; return their placeholders."""
        found = list(values)
        prefix = f"v{len(self.values)}_"
        self.values.update({f"{prefix}{at}": value for at, value in enumerate(found)})
        return placeholders(prefix, len(found))

    def leading(self, rank: int, ids: str, condition: str) -> None:
        """Add a condition that may lead; what led before stands beside it now."""
        if rank >= self._rank:
            self.others.append(condition)
            return
        if self.lead:
            self.others.append(f"s.id IN ({self.lead})")
        self.lead, self._rank = ids, rank


def conditions(query: Query) -> Conditions:
    """Return what the studies of a query are like.

    query: with the keys that speak of a study, or of something that must be in it.
    """
    found = Conditions()
    for hint in hints(query):
        _take(found, hint)
    for key in query.keys:
        _like(found, key)
    return found


def _take(found: Conditions, hint: Hint) -> None:
    is_list = hint.op == preselect.IN and hint.tag not in _SETS
    if len(hint.values) > (MOST_VALUES if is_list else MOST_CONDITIONS):
        return
    if hint.form == preselect.UID and hint.tag in _UIDS:
        rank, ids = _UIDS[hint.tag]
        ids = _joined(ids, found.bind(hint.values), ")")
        found.leading(rank, ids, f"s.id IN ({ids})")
    elif hint.tag in _TERMS and hint.op in (preselect.IN, preselect.PREFIX, preselect.WORDS):
        _term(found, hint)
    elif hint.tag in _SETS and hint.op == preselect.IN:
        if max(map(len, hint.values)) > LONGEST_PATTERN:
            return
        column = _SETS[hint.tag]
        patterns = [found.bind([_inside(value)]) for value in hint.values]
        likes = [f"s.{column} LIKE {pattern} ESCAPE '!'" for pattern in patterns]
        found.others.append(_any(likes))
    elif hint.tag == levels.STUDY_DATE and hint.op == preselect.RANGE:
        found.dates = (hint.low, hint.high)
    elif hint.tag == levels.BIRTH_DATE and hint.op == preselect.RANGE:
        low, high = found.bind([hint.low]), found.bind([hint.high])
        found.others.append(f"(s.birth_date BETWEEN {low} AND {high} OR s.varied = 1)")


def _term(found: Conditions, hint: Hint) -> None:
    rank, kind = _TERMS[hint.tag]
    if hint.op == preselect.WORDS:
        for value in hint.values:
            _one_term(found, rank, WORD, _begins(found, [value]))
    elif hint.op == preselect.PREFIX:
        _one_term(found, rank + 1, kind, _begins(found, hint.values))
    else:
        _one_term(found, rank, kind, f"t.value IN ({found.bind(hint.values)})")


def _one_term(found: Conditions, rank: int, kind: str, condition: str) -> None:
    where = f"t.kind = {found.bind([kind])} AND {condition}"
    found.leading(
        rank,
        _joined("SELECT t.study FROM term t WHERE", where),
        _joined("EXISTS (SELECT 1 FROM term t WHERE t.study = s.id AND", where, ")"),
    )


def _begins(found: Conditions, prefixes: Sequence[str]) -> str:
    """Return the condition that ``t.value`` begins with one of ``prefixes``."""
    return _any(
        [
            f"(t.value >= {found.bind([prefix])} AND t.value < {found.bind([_behind(prefix)])})"
            for prefix in prefixes
        ]
    )


def _behind(prefix: str) -> str:
    """Return a text that is greater than all that begin with ``prefix``, and than no other."""
    return prefix + "\U0010ffff"


def _any(alternatives: Sequence[str]) -> str:
    return "(" + " OR ".join(alternatives) + ")"


def _like(found: Conditions, key: Key) -> None:
    """Add what SQL can tell of a wild card that does not stand at the end."""
    values = [value for value in key.values if value]
    if not any(map(is_wild, values)) or len(values) > MOST_CONDITIONS:
        return
    if key.tag == levels.PATIENT_NAME:
        patterns = [_loose(value) for value in values]
        column = "name"
    elif key.tag in _TEXTS and key.vr != "SQ":
        patterns = [_pattern(plain(value, key.vr)) for value in values]
        column = _TEXTS[key.tag]
    else:
        return
    if max(map(len, patterns)) > LONGEST_PATTERN:
        return
    likes = [f"s.{column} LIKE {found.bind([each])} ESCAPE '!'" for each in patterns]
    found.others.append(_any([*likes, "s.varied = 1"]))


def _pattern(asked: str) -> str:
    return _escaped(asked).replace("*", "%").replace("?", "_")


def _loose(asked: str) -> str:
    """Return a pattern for a folded name: its letters in their order, whatever is between."""
    pieces = [folded(piece).strip("^= ") for piece in asked.replace("?", "*").split("*")]
    letters = [_escaped(part) for piece in pieces for part in piece.split("=") if part]
    return "%" + "%".join(letters) + "%"


def _inside(value: str) -> str:
    return f"%\\{_escaped(value)}\\%"


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _joined(*parts: str) -> str:
    """Return SQL made of fixed texts, names of our own and placeholders; never of values."""
    return " ".join(parts)


_AFTER: Final = (
    "(s.date < :p_date OR (s.date = :p_date AND (s.time < :p_time"
    " OR (s.time = :p_time AND s.uid > :p_uid))))"
)
_ELSEWHERE: Final = (
    "s.id IN (SELECT t.study FROM term t WHERE t.kind = :p_kind"
    " AND t.value BETWEEN :p_low AND :p_high)"
)
_ORDER: Final = " ORDER BY s.date DESC, s.time DESC, s.uid LIMIT :p_limit"
Place = tuple[str, str, str]


def study_pages(
    found: Conditions, columns: str, after: Place | None, limit: int
) -> list[tuple[str, dict[str, Any]]]:
    """Return the statements whose rows together hold the next page, each in order.

    columns: of ``study s JOIN level l``; after: date, time and UID of the last one of a page.
    """
    values = found.values | {"p_limit": limit}
    where = list(found.others)
    if found.lead:
        where.append(f"s.id IN ({found.lead})")
    if after is not None:
        values |= {"p_date": after[0], "p_time": after[1], "p_uid": after[2]}
        where.append(_AFTER)
        if not found.lead:
            # Lets the index begin where the last page ended.
            where.append("s.date <= :p_date")
    start = _joined("SELECT", columns, "FROM study s JOIN level l ON l.id = s.id")
    if found.dates is None:
        return [(_statement(start, where), values)]
    values |= {"p_low": found.dates[0], "p_high": found.dates[1]}
    shown = "s.date BETWEEN :p_low AND :p_high"
    if found.lead:
        return [(_statement(start, [*where, f"({shown} OR s.varied = 1)"]), values)]
    return [
        (_statement(start, [*where, shown]), values),
        (_statement(start, [*where, _ELSEWHERE]), values | {"p_kind": DATE}),
    ]


def _statement(start: str, where: Sequence[str]) -> str:
    return start + (" WHERE " + " AND ".join(where) if where else "") + _ORDER


def patient_page(
    found: Conditions, columns: str, after: tuple[str, str, int] | None, limit: int
) -> tuple[str, dict[str, Any]]:
    """Return the statement for the next page of patients, by id, name and row.

    Each condition may be fulfilled by another study of the patient.
    """
    values = found.values | {"p_limit": limit}
    where = []
    others = list(found.others)
    if found.lead:
        start = "p.id IN (SELECT s.patient FROM study s WHERE s.id IN ("
        where.append(_joined(start, found.lead, "))"))
    if found.dates is not None:
        values |= {"p_low": found.dates[0], "p_high": found.dates[1]}
        others.append("(s.date BETWEEN :p_low AND :p_high OR s.varied = 1)")
    has = "EXISTS (SELECT 1 FROM study s WHERE s.patient = p.id AND"
    where += [_joined(has, each, ")") for each in others]
    if after is not None:
        values |= {"p_pid": after[0], "p_name": after[1], "p_id": after[2]}
        where.append(
            "p.patient_id >= :p_pid AND (p.patient_id > :p_pid OR p.name > :p_name"
            " OR (p.name = :p_name AND p.id > :p_id))"
        )
    text = _joined("SELECT", columns, "FROM patient p JOIN level l ON l.id = p.id")
    text += " WHERE " + " AND ".join(where) if where else ""
    return text + " ORDER BY p.patient_id, p.name, p.id LIMIT :p_limit", values
