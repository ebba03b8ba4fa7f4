"""An index of its own in memory: what the index must say of some objects (T-35).

Contract: a `Shadow` is filled by the very code that fills the real one; `shape` gives what either
says of a study, in a form in which equal things are equal: no ids of rows, everything sorted.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

from waystation.db.statement import Transaction
from waystation.index.corrections import Noted, add
from waystation.index.filing import Filing, file

TABLES: Final = (
    "archived",
    "arrival",
    "correction",
    "instance",
    "level",
    "patient",
    "series",
    "study",
    "term",
)
NOBODY: Final = Noted(
    id=1, study="", at=0.0, author="", because="", values={}, undone_at=0.0, undone_by=""
)
_STUDY: Final = (
    "SELECT s.patient_id, s.name, s.birth_date, s.date, s.time, s.accession, s.study_id,"
    " s.description, s.modalities, s.classes, s.n_series, s.n_instances, s.size_bytes,"
    " s.first_at, s.last_at, s.varied, l.data, l.others, l.regions, p.issuer, p.patient_id,"
    " p.only_study FROM study s JOIN level l ON l.id = s.id JOIN patient p ON p.id = s.patient"
    " WHERE s.uid = :uid"
)
_SERIES: Final = (
    "SELECT r.uid, r.modality, r.number, r.n_instances, l.data, l.others FROM study s"
    " JOIN series r ON r.study = s.id JOIN level l ON l.id = r.id WHERE s.uid = :uid"
)
_INSTANCES: Final = (
    "SELECT r.uid, i.arrival, i.number, i.sop_instance, i.current FROM study s"
    " JOIN series r ON r.study = s.id JOIN instance i ON i.series = r.id WHERE s.uid = :uid"
)
_APART: Final = (
    "SELECT '', i.arrival, i.number, i.sop_instance, i.current FROM instance i"
    " JOIN arrival a ON a.id = i.arrival WHERE i.series = 0 AND a.study = :uid"
)
_TERMS: Final = (
    "SELECT t.kind, t.value FROM study s JOIN term t ON t.study = s.id WHERE s.uid = :uid"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What an index says of one study: rows of its tables."""

    study: tuple[tuple[Any, ...], ...]
    series: tuple[tuple[Any, ...], ...]
    instances: tuple[tuple[Any, ...], ...]
    terms: tuple[tuple[Any, ...], ...]

    def differences(self, other: "Shape") -> list[str]:
        """Return the names of what is not the same."""
        return [name for name in self.__slots__ if getattr(self, name) != getattr(other, name)]


def shape(transaction: Transaction, uid: str) -> Shape:
    """Return what an index says of a study; ``uid`` "": of the objects that belong to none."""
    one = {"uid": uid}

    def rows(statement: str) -> tuple[tuple[Any, ...], ...]:
        return tuple(sorted(tuple(row) for row in transaction.rows(statement, one)))

    instances = rows(_INSTANCES) + rows(_APART)
    return Shape(study=rows(_STUDY), series=rows(_SERIES), instances=instances, terms=rows(_TERMS))


class Shadow:
    """An empty index in memory."""

    def __init__(self) -> None:
        from sqlalchemy.dialects import sqlite
        from sqlalchemy.schema import CreateIndex, CreateTable

        from waystation.db.schema import metadata

        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._ids = count(1)
        dialect = sqlite.dialect()
        for name in TABLES:
            table = metadata.tables[name]
            self._connection.execute(str(CreateTable(table).compile(dialect=dialect)))
            for index in table.indexes:
                self._connection.execute(str(CreateIndex(index).compile(dialect=dialect)))

    def __enter__(self) -> "Shadow":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def of(
        self,
        filings: Sequence[Filing],
        corrupt: frozenset[int],
        uid: str,
        values: Mapping[int, str],
    ) -> Shape:
        """Return what an index says that holds these objects of a study and nothing else.

        corrupt: arrivals whose bytes were found damaged.  values: what was corrected of it.
        """
        transaction = Transaction(self._connection.cursor(), "sqlite")
        for name in TABLES:
            transaction.run(" ".join(("DELETE FROM", name)))
        if values:
            add(transaction, replace(NOBODY, study=uid, values=values))
        return self._of(transaction, filings, corrupt, uid)

    def _of(
        self, transaction: Transaction, filings: Sequence[Filing], corrupt: frozenset[int], uid: str
    ) -> Shape:
        transaction.many(
            "INSERT INTO arrival (id, received_at, peer, calling_ae, called_ae, address, way_in,"
            " tls, sop_class, sop_instance, study, series, patient_id, modality, transfer_syntax,"
            " size_bytes, sha256, blob, hold_reason) VALUES (:id, 0, '', '', '', '', '', 0, '',"
            " :uid, :study, '', '', '', '', 0, :sha256, '', :hold)",
            [
                {
                    "id": filing.arrival_id,
                    "uid": filing.entry.sop_instance_uid,
                    "study": uid,
                    "sha256": bytes.fromhex(filing.sha256),
                    "hold": "corrupt" if filing.arrival_id in corrupt else None,
                }
                for filing in filings
            ],
        )
        file(transaction, filings, lambda: next(self._ids))
        return shape(transaction, uid)
