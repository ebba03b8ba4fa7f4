"""A worklist query on the steps of a node (T-1, T-18, T-50 to T-55).

Contract: SQL preselects, `matching` decides.  Listed steps are shown, or those of another status if
the query asks for one.  Answers come by start date, time, AE title and step id (T-18).  Between
two pages nothing is held: close the generator and nothing is left.

A step in which something has several values that should have one lies in a strand of its own, of
which SQL is asked nothing.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any, Final

from waystation.db.statement import Row as DbRow
from waystation.db.statement import Transaction, placeholders
from waystation.dicom import tags
from waystation.index.search import Reads
from waystation.index.step_rows import AE, NAME, ODD, SEEN, WORD, joined
from waystation.matching import preselect
from waystation.matching.entry import (
    FILLER,
    PLACER,
    PROCEDURE_ID,
    START_DATE,
    STATION,
    STATUS,
    STEP_ID,
    STEPS,
    entry,
    loaded,
)
from waystation.matching.entry_data import STEP_KEYWORDS
from waystation.matching.keys import is_universal
from waystation.matching.match import Matcher
from waystation.matching.preselect import Hint, hints
from waystation.model.query import Key, Query, Row
from waystation.model.step import LISTED, StepState

FIRST_PAGE: Final = 64
NEXT_PAGE: Final = 256
MOST_VALUES: Final = 64
BEHIND: Final = "\U0010ffff"
LAST: Final = "~"
_COLUMNS: Final = "s.start, s.station, s.step_id, s.id, s.state, s.view"
_ORDER: Final = "ORDER BY s.start, s.station, s.step_id, s.id LIMIT :limit"
_AFTER: Final = (
    "(s.start, s.station, s.step_id, s.id) > (:a_start, :a_station, :a_step_id, :a_id)",
    "s.start >= :a_start",
)
_SINGLE: Final = {
    tags.STUDY_INSTANCE_UID: "study_uid",
    tags.ACCESSION_NUMBER: "accession",
    tags.PATIENT_ID: "patient_id",
    PROCEDURE_ID: "procedure_id",
    PLACER: "placer",
    FILLER: "filler",
    STEP_ID: "step_id",
}
_TERMS: Final = {STATION: AE, tags.PATIENT_NAME: NAME}
Place = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is seen at all.

    area: only steps of this area and of none; None for every step.  when: keys that everything
    must match besides.  incomplete: whether entries that lack something are served (T-51).
    """

    area: str | None = None
    when: tuple[Key, ...] = ()
    incomplete: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One answer.  record: as it is answered."""

    step: int
    record: Row


@dataclass(slots=True)
class _Where:
    """What SQL asks.  terms: conditions on step_term, the first of which leads.

    keyed: one of the conditions has an index that finds few.
    """

    conditions: list[str] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    dates: tuple[str, str] | None = None
    values: dict[str, Any] = field(default_factory=dict)
    keyed: bool = False

    def bind(self, *values: Any) -> str:
        prefix = f"v{len(self.values)}_"
        self.values.update({f"{prefix}{at}": value for at, value in enumerate(values)})
        return placeholders(prefix, len(values))


def status_states(query: Query) -> frozenset[StepState] | None:
    """Return the states whose status a query asks for, None if it asks for none (T-50)."""
    step = query.key(STEPS)
    key = next((one for one in step.keys if one.tag == STATUS), None) if step else None
    if key is None or is_universal(key):
        return None
    matcher = Matcher(query.with_keys([key]))
    return frozenset(
        state for state in StepState if matcher.matches(Row({STATUS: (state.value.upper(),)}))
    )


def without_status(query: Query) -> Query:
    """Return a query whose status is only asked for: which states it means is known."""
    step = query.key(STEPS)
    if step is None:
        return query
    inside = tuple(replace(one, values=()) if one.tag == STATUS else one for one in step.keys)
    others = [one for one in query.keys if one.tag != STEPS]
    return query.with_keys([*others, replace(step, keys=inside)])


def in_step(keys: Sequence[Key]) -> tuple[Key, ...]:
    """Return the keys of a condition as those of a query: what belongs to the step in its item."""
    inside = tuple(key for key in keys if tags.keyword_of(key.tag) in STEP_KEYWORDS)
    outside = tuple(key for key in keys if key not in inside)
    return (*outside, Key(STEPS, "SQ", (), inside)) if inside else outside


class StepSearch:
    """One query.  home: zone of the node."""

    def __init__(
        self, database: Reads, query: Query, scope: Scope, *, home: tzinfo | None = None
    ) -> None:
        self._database = database
        self.matcher = Matcher(without_status(query), home=home)
        shown = query.with_keys(in_step(scope.when))
        self._area = Matcher(shown, home=home) if scope.when else None
        self._scope = scope
        self._where = _Where()
        for one in (query, shown):
            _take(self._where, one)
        states = status_states(query)
        self._strands = list(_strands(self._where, scope, states))

    async def run(self) -> AsyncGenerator[Found, None]:
        """Yield the answers in order.  Raises `StorageError`."""
        after: Place | None = None
        limit, more = FIRST_PAGE, bool(self._strands)
        while more:
            rows, more = await self._database.read(self._page(after, limit))
            for row in rows:
                found = self._judged(row)
                if found is not None:
                    yield found
            if rows:
                after = (rows[-1][0], rows[-1][1], rows[-1][2], rows[-1][3])
            limit = NEXT_PAGE

    def _judged(self, row: DbRow) -> Found | None:
        record = entry(loaded(row[5]), StepState(row[4]))
        if self._area is not None and not self._area.matches(record):
            return None
        return Found(row[3], record) if self.matcher.matches(record) else None

    def _page(
        self, after: Place | None, limit: int
    ) -> Callable[[Transaction], tuple[list[DbRow], bool]]:
        place: dict[str, Any] = {}
        if after is not None:
            names = ("a_start", "a_station", "a_step_id", "a_id")
            place = dict(zip(names, after, strict=True))

        def job(transaction: Transaction) -> tuple[list[DbRow], bool]:
            found: dict[int, DbRow] = {}
            more = False
            for text, values in self._strands:
                here = text.replace(_ORDER, joined("AND", " AND ".join(_AFTER), _ORDER))
                rows = transaction.rows(here if place else text, values | place | {"limit": limit})
                found |= {row[3]: row for row in rows}
                more = more or len(rows) == limit
            rows = sorted(found.values(), key=lambda row: row[:4])
            return rows[:limit], more or len(rows) > limit

        return job


def _strands(
    where: _Where, scope: Scope, states: frozenset[StepState] | None
) -> "list[tuple[str, dict[str, Any]]]":
    """Return the statements whose rows together are the candidates, each in order."""
    common = [] if scope.incomplete else ["s.missing = ''"]
    values: dict[str, Any] = {}
    if scope.area is not None:
        common.append("s.area IN ('', :area)")
        values["area"] = scope.area
    if states is None or states == LISTED:
        plain, odd = [f"{_seen(where)} = {SEEN}"], [f"s.seen = {ODD}"]
        return [
            (_statement(where, [*plain, *common]), where.values | values),
            (_statement(_Where(), [*odd, *common]), values),
        ]
    found = []
    for state in sorted(states, key=lambda one: one.value):
        asked = ["s.state = :state", "s.deleted_at IS NULL", *common]
        plain = [*asked, f"+s.seen < {ODD}"]
        found.append((_statement(where, plain), where.values | values | {"state": state.value}))
        varied = [*asked, f"+s.seen >= {ODD}"]
        found.append((_statement(_Where(), varied), values | {"state": state.value}))
    return found


def _seen(where: _Where) -> str:
    """Return the column, so that its index is used only where no other finds fewer."""
    return "+s.seen" if where.keyed or where.terms else "s.seen"


def _statement(where: _Where, conditions: Sequence[str]) -> str:
    asked = [*conditions, *where.conditions]
    tables = "step s"
    if where.terms and not where.keyed:
        tables = "step_term t CROSS JOIN step s"
        asked = ["s.id = t.step", where.terms[0], *asked]
        if where.dates:
            asked += ["t.start >= :d_low", "t.start < :d_high"]
        rest = where.terms[1:]
    else:
        rest = where.terms
        if where.dates:
            asked += ["s.start >= :d_low", "s.start < :d_high"]
    exists = "EXISTS (SELECT 1 FROM step_term t WHERE t.step = s.id AND"
    asked += [joined(exists, each, ")") for each in rest]
    return joined("SELECT", _COLUMNS, "FROM", tables, "WHERE", " AND ".join(asked), _ORDER)


def _take(where: _Where, query: Query) -> None:
    """Add what the hints of a query, and of its step item, ask for."""
    step = query.key(STEPS)
    found = hints(query.with_keys(key for key in query.keys if key.vr != "SQ"))
    if step is not None:
        found += hints(query.with_keys(step.keys))
    for hint in found:
        if len(hint.values) <= MOST_VALUES:
            _one(where, hint)


def _one(where: _Where, hint: Hint) -> None:
    is_list = hint.op == preselect.IN
    if hint.tag == START_DATE and hint.op == preselect.RANGE:
        low, high = where.dates or ("", LAST)
        where.dates = (max(low, hint.low), min(high, hint.high + LAST))
        where.values |= {"d_low": where.dates[0], "d_high": where.dates[1]}
    elif hint.tag in _SINGLE and is_list:
        where.conditions.append(_is(where, f"s.{_SINGLE[hint.tag]}", hint.values))
        where.keyed = True
    elif hint.tag == tags.MODALITY and is_list:
        where.conditions.append(_is(where, "s.modality", hint.values))
    elif hint.tag in _SINGLE and hint.op == preselect.PREFIX:
        where.conditions.append(_begins(where, f"s.{_SINGLE[hint.tag]}", hint.values))
        where.keyed = True
    elif hint.tag in _TERMS:
        _term(where, hint, _TERMS[hint.tag])


def _term(where: _Where, hint: Hint, kind: str) -> None:
    if hint.op == preselect.WORDS:
        for word in hint.values:
            begins = _begins(where, "t.value", [word])
            where.terms.append(f"t.kind = {where.bind(WORD)} AND {begins}")
    elif hint.op == preselect.PREFIX:
        begins = _begins(where, "t.value", hint.values)
        where.terms.append(f"t.kind = {where.bind(kind)} AND {begins}")
    elif hint.op == preselect.IN:
        asked = f"t.kind = {where.bind(kind)} AND {_is(where, 't.value', hint.values)}"
        # A whole value narrows most: it leads.
        where.terms.insert(0, asked)


def _is(where: _Where, column: str, values: Sequence[str]) -> str:
    """Return the condition that a column is one of ``values``; of one, the index keeps order."""
    if len(values) == 1:
        return f"{column} = {where.bind(*values)}"
    return f"{column} IN ({where.bind(*values)})"


def _begins(where: _Where, column: str, prefixes: Sequence[str]) -> str:
    """Return the condition that a column begins with one of ``prefixes``."""
    either = [
        f"({column} >= {where.bind(one)} AND {column} < {where.bind(one + BEHIND)})"
        for one in prefixes
    ]
    return joined("(", " OR ".join(either), ")")
