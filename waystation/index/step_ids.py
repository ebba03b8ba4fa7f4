"""Ids of our own making: given where a source gave none, each of them once, and for good (T-54).

Contract: what is made here is written into ``step_made`` in the transaction of the step that gets
it; the database lets no second one through.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from waystation.db.statement import Transaction
from waystation.dicom.uids import make_uid
from waystation.matching import entry_ids
from waystation.matching.entry import flat
from waystation.matching.entry_data import laid_over
from waystation.matching.entry_ids import IdForms
from waystation.model.step import Fault, Step, StepRefused, Values

MADE: Final = {
    "StudyInstanceUID": entry_ids.STUDY,
    "AccessionNumber": entry_ids.ACCESSION,
    "RequestedProcedureID": entry_ids.PROCEDURE,
    "ScheduledProcedureStepID": entry_ids.STEP_ID,
}
OF_ORDER: Final = ("StudyInstanceUID", "AccessionNumber", "RequestedProcedureID")
_USED: Final = {
    entry_ids.ACCESSION: "SELECT 1 FROM step s WHERE s.accession = :value LIMIT 1",
    entry_ids.PROCEDURE: "SELECT 1 FROM step s WHERE s.procedure_id = :value LIMIT 1",
    entry_ids.STEP_ID: "SELECT 1 FROM step s WHERE s.step_id = :value LIMIT 1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BookTerms:
    """What a book needs of the node.  now: Unix seconds.

    forms: of ids, by area.  splits: whether a file with several steps becomes several at once, by
    area.
    """

    now: float
    next_id: Callable[[], int]
    forms: Callable[[str], IdForms] = lambda _area: IdForms()
    splits: Callable[[str], bool] = lambda _area: False


def with_ids(
    transaction: Transaction,
    terms: BookTerms,
    data: bytes,
    area: str,
    shared: dict[str, str],
    scheduled: bool = True,
) -> bytes:
    """Return a data set with what it lacks of ids; ``shared``: those of the same order."""
    there = flat(data)
    made: dict[str, str] = {}
    for keyword, kind in MADE.items():
        if there.get(keyword) or (kind == entry_ids.ACCESSION and not scheduled):
            continue
        value = shared.get(keyword) or _make(transaction, terms, kind, area)
        made[keyword] = value
        if keyword in OF_ORDER:
            shared[keyword] = value
    return laid_over(data, made) if made else data


def _make(transaction: Transaction, terms: BookTerms, kind: str, area: str) -> str:
    if kind == entry_ids.STUDY:
        value = make_uid(secrets.token_bytes(16))
        _took(transaction, kind, value)
        return value
    form = terms.forms(area).of(kind)
    day = datetime.fromtimestamp(terms.now, UTC).date()
    while True:
        value = entry_ids.written(form, _count(transaction, kind, form), day)
        if len(value) > entry_ids.LONGEST:
            raise StepRefused(f"there are no more numbers for {kind}: {form}")
        used = transaction.one(_USED[kind], {"value": value})
        if used is None and _took(transaction, kind, value):
            return value


def _took(transaction: Transaction, kind: str, value: str) -> bool:
    made = transaction.run(
        "INSERT INTO step_made (kind, value) VALUES (:kind, :value) ON CONFLICT DO NOTHING",
        {"kind": kind, "value": value},
    )
    return made > 0


def _count(transaction: Transaction, kind: str, form: str) -> int:
    name = {"k": f"worklist.{kind}.{form}"}
    row = transaction.one("SELECT v FROM meta WHERE k = :k", name)
    number = int(row[0]) + 1 if row else 1
    transaction.run(
        "INSERT INTO meta (k, v) VALUES (:k, :v) ON CONFLICT (k) DO UPDATE SET v = :v",
        name | {"v": str(number)},
    )
    return number


def fixed(transaction: Transaction, step: Step, values: Values) -> list[Fault]:
    """Return a fault for each id of our making that is to become another."""
    return [
        Fault(keyword=keyword, text="was given by this node and does not change")
        for keyword, value in _made(transaction, step).items()
        if keyword in values and text_of(values[keyword]) != value
    ]


def with_made(transaction: Transaction, step: Step, data: bytes) -> bytes:
    """Return another data set for a step, with the ids that were made for it."""
    there = flat(data)
    kept = {
        keyword: value
        for keyword, value in _made(transaction, step).items()
        if there.get(keyword) != (value,)
    }
    return laid_over(data, kept) if kept else data


def _made(transaction: Transaction, step: Step) -> dict[str, str]:
    """Return the ids of a step that are of our making."""
    there = flat(step.data)
    return {
        keyword: there[keyword][0]
        for keyword, kind in MADE.items()
        if there.get(keyword)
        and transaction.one(
            "SELECT 1 FROM step_made WHERE kind = :kind AND value = :value",
            {"kind": kind, "value": there[keyword][0]},
        )
    }


def text_of(said: object) -> str:
    """Return the first text of what a keyword is given."""
    if isinstance(said, str):
        return said
    return str(next(iter(said), "")) if isinstance(said, Sequence) else ""
