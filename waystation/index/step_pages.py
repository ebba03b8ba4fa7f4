"""The worklist as people look at it: by day, station, state, and words (T-62).

Contract: `page` gives steps by start time, at most ``limit`` of them; `counts` how many there are
by station.  Deleted steps are on no list.  Free text finds the beginnings of words of names in any
script, of patient ids and accession numbers; each word must be found.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from waystation.db.statement import Transaction, placeholders
from waystation.index.step_rows import AE, COLUMNS, WORD, from_row, joined
from waystation.matching.names import words
from waystation.model.step import Step, StepState

BEHIND: Final = "\U0010ffff"
MOST_WORDS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFilter:
    """Which steps.  Empty means all.

    first, last: days as YYYYMMDD, both included; steps that name no day are then left out.
    area: only what is in this area (or in none).  station: one of its AE titles.
    text: words of name, patient id, accession number.  incomplete: True only those that lack
    something (T-51), False only those that do not.  after: (start, id) of the last one of the
    page before.
    """

    first: str = ""
    last: str = ""
    area: str = ""
    station: str = ""
    modality: str = ""
    states: Sequence[StepState] = ()
    priority: str = ""
    text: str = ""
    incomplete: bool | None = None
    limit: int = 500
    after: tuple[str, int] | None = None


def page(wanted: StepFilter) -> Callable[[Transaction], list[Step]]:
    """Return a job that reads one page."""
    where, values = _conditions(wanted)
    if wanted.after is not None:
        values |= {"a_start": wanted.after[0], "a_id": wanted.after[1]}
        where.append("(s.start > :a_start OR (s.start = :a_start AND s.id > :a_id))")
        where.append("s.start >= :a_start")
    text = joined(f"SELECT {COLUMNS} FROM step s WHERE", " AND ".join(where))
    text = joined(text, "ORDER BY s.start, s.id LIMIT :limit")
    values["limit"] = wanted.limit

    def job(transaction: Transaction) -> list[Step]:
        return [from_row(row) for row in transaction.rows(text, values)]

    return job


def counts(wanted: StepFilter) -> Callable[[Transaction], dict[str, int]]:
    """Return a job that counts by station."""
    where, values = _conditions(wanted)
    text = joined("SELECT s.station, count(*) FROM step s WHERE", " AND ".join(where))

    def job(transaction: Transaction) -> dict[str, int]:
        rows = transaction.rows(joined(text, "GROUP BY s.station ORDER BY s.station"), values)
        return {row[0]: row[1] for row in rows}

    return job


def lacking(first: str, last: str) -> Callable[[Transaction], int]:
    """Return a job that counts listed steps which lack something and start in a span of time."""

    def job(transaction: Transaction) -> int:
        row = transaction.one(
            "SELECT count(*) FROM step s WHERE s.seen IN (1, 2) AND s.missing <> ''"
            " AND s.start >= :first AND s.start < :last",
            {"first": first, "last": last},
        )
        return int(row[0]) if row else 0

    return job


def _conditions(wanted: StepFilter) -> tuple[list[str], dict[str, Any]]:
    where, values = ["s.deleted_at IS NULL"], dict[str, Any]()
    if wanted.first:
        where.append("s.start >= :first")
        values["first"] = wanted.first
    if wanted.first or wanted.last:
        where.append("s.start < :last")
        values["last"] = (wanted.last or "99991231") + "~"
    for column in ("modality", "priority"):
        if getattr(wanted, column):
            where.append(f"s.{column} = :{column}")
            values[column] = getattr(wanted, column)
    if wanted.area:
        where.append("s.area IN ('', :area)")
        values["area"] = wanted.area
    if wanted.states:
        names = [state.value for state in wanted.states]
        where.append(f"s.state IN ({placeholders('state', len(names))})")
        values |= {f"state{number}": name for number, name in enumerate(names)}
    if wanted.incomplete is not None:
        where.append("s.missing <> ''" if wanted.incomplete else "s.missing = ''")
    if wanted.station:
        where.append(_TERM.format("= :station"))
        values |= {"k_ae": AE, "station": wanted.station}
    for number, word in enumerate(words(wanted.text)[:MOST_WORDS]):
        where.append(_WORD.format(number))
        values |= {"k_word": WORD, f"w{number}": word, f"x{number}": word + BEHIND}
    return where, values


_TERM: Final = "s.id IN (SELECT t.step FROM step_term t WHERE t.kind = :k_ae AND t.value {})"
_WORD: Final = (
    "s.id IN (SELECT t.step FROM step_term t WHERE t.kind = :k_word"
    " AND t.value >= :w{0} AND t.value < :x{0})"
)
