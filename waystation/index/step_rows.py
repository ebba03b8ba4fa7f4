"""Rows of the worklist: a step and what it is found by, written together.

Contract: `put` writes a step with all that follows from its data set and state; `COLUMNS` and
`from_row` give it back.  The decoded form (``view``) is beside it: answers are made from that.
"""

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from waystation.db.statement import Row, Transaction
from waystation.matching.entry import columns_of, dumped, read_entry
from waystation.model.step import LISTED, Author, Change, Step, StepState

COLUMNS: Final = (
    "s.id, s.version, s.state, s.area, s.data, s.missing, s.start, s.station, s.step_id,"
    " s.study_uid, s.accession, s.patient_id, s.patient_name, s.modality, s.priority, s.origin,"
    " s.created_at, s.changed_at, s.state_at, s.deleted_at"
)
_NAMES: Final = (
    *("id", "version", "state", "seen", "area", "start", "station", "step_id", "study_uid"),
    *("accession", "patient_id", "patient_name", "procedure_id", "modality", "priority"),
    *("placer", "filler", "missing", "data", "view", "origin", "created_at", "changed_at"),
    *("state_at", "deleted_at"),
)


def joined(*parts: str) -> str:
    """Return SQL made of fixed texts, names of our own and placeholders; never of values."""
    return " ".join(parts)


_PLACES: Final = ", ".join(f":{one}" for one in _NAMES)
_INSERT: Final = joined("INSERT INTO step (", ", ".join(_NAMES), ") VALUES (", _PLACES, ")")
_UPDATE: Final = joined(
    "UPDATE step SET", ", ".join(f"{one} = :{one}" for one in _NAMES[1:]), "WHERE id = :id"
)
_TERM: Final = (
    "INSERT INTO step_term (kind, value, start, step) VALUES (:kind, :value, :start, :step)"
)
_NOTE: Final = (
    "INSERT INTO step_history (step, version, at, author, what, why, before, after)"
    " VALUES (:step, :version, :at, :author, :what, :why, :before, :after)"
)
AE, NAME, WORD = "ae", "name", "word"
OFF, SEEN, ODD, OFF_AND_ODD = 0, 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What happened to a step, for whoever wants to hear of it."""

    step: Step
    change: Change


def from_row(row: Row) -> Step:
    """Return the step of a row of `COLUMNS`."""
    return Step(
        id=row[0],
        version=row[1],
        state=StepState(row[2]),
        area=row[3],
        data=bytes(row[4]),
        missing=tuple(row[5].split()),
        start=row[6],
        station=row[7],
        step_id=row[8],
        study_uid=row[9],
        accession=row[10],
        patient_id=row[11],
        patient_name=row[12],
        modality=row[13],
        priority=row[14],
        origin=author_from(row[15]),
        created_at=row[16],
        changed_at=row[17],
        state_at=row[18],
        deleted_at=row[19],
    )


def put(transaction: Transaction, step: Step, *, new: bool) -> Step:
    """Write a step; return it with what follows from its data set."""
    row = read_entry(step.data)
    found = columns_of(row)
    step = replace(
        step,
        missing=found.missing,
        start=found.start,
        station=next(iter(found.stations), ""),
        step_id=found.step_id,
        study_uid=found.study_uid,
        accession=found.accession,
        patient_id=found.patient_id,
        patient_name=found.patient_name,
        modality=found.modality,
        priority=found.priority,
    )
    listed = step.state in LISTED and step.deleted_at is None
    kept: dict[str, Any] = {name: getattr(step, name) for name in _NAMES if hasattr(step, name)}
    values = kept | {
        "state": step.state.value,
        "seen": (OFF, SEEN, OFF_AND_ODD, ODD)[2 * found.odd + listed],
        "procedure_id": found.procedure_id,
        "placer": found.placer,
        "filler": found.filler,
        "missing": " ".join(found.missing),
        "view": dumped(row),
        "origin": author_text(step.origin),
    }
    transaction.run(_INSERT if new else _UPDATE, values)
    if not new:
        transaction.run("DELETE FROM step_term WHERE step = :id", {"id": step.id})
    terms = [(AE, one) for one in found.stations] + [(NAME, one) for one in found.names]
    transaction.many(
        _TERM,
        [
            {"kind": kind, "value": value, "start": found.start, "step": step.id}
            for kind, value in [*terms, *((WORD, one) for one in found.words)]
        ],
    )
    return step


def note(transaction: Transaction, step_id: int, change: Change) -> None:
    """Write one entry of a step's history."""
    transaction.run(
        _NOTE,
        {
            "step": step_id,
            "version": change.version,
            "at": change.at,
            "author": author_text(change.author),
            "what": change.what,
            "why": change.why,
            "before": json.dumps(change.before, ensure_ascii=False),
            "after": json.dumps(change.after, ensure_ascii=False),
        },
    )


def changes(transaction: Transaction, step_id: int, since: int = 0) -> list[Change]:
    """Return the history of a step after version ``since``, oldest first."""
    rows = transaction.rows(
        "SELECT at, version, author, what, why, before, after FROM step_history"
        " WHERE step = :step AND version > :since ORDER BY version",
        {"step": step_id, "since": since},
    )
    return [
        Change(
            at=row[0],
            version=row[1],
            author=author_from(row[2]),
            what=row[3],
            why=row[4],
            before=json.loads(row[5]),
            after=json.loads(row[6]),
        )
        for row in rows
    ]


def author_text(author: Author) -> str:
    """Return an author as it is kept."""
    return "\t".join(one.replace("\t", " ") for one in (author.kind, author.name, author.detail))


def author_from(text: str) -> Author:
    """Return the author of a text that `author_text` wrote."""
    kind, name, detail = text.split("\t")
    return Author(kind=kind, name=name, detail=detail)  # type: ignore[arg-type]
