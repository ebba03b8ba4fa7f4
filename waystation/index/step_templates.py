"""Templates of procedures and stations, from which new worklist entries are filled (T-62).

Contract: functions of one transaction.  A name is there once of each kind; the newest one stays.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from waystation.db.statement import Transaction

PROCEDURE, STATION = "procedure", "station"
KINDS: Final = (PROCEDURE, STATION)


@dataclass(frozen=True, slots=True)
class Template:
    """kind: procedure or station.  said: texts by field, none of them empty."""

    kind: str
    name: str
    said: Mapping[str, str]


def every(transaction: Transaction) -> list[Template]:
    """Return all of them, procedures first, by name."""
    rows = transaction.rows("SELECT kind, name, said FROM step_template ORDER BY kind, name")
    return [Template(row[0], row[1], json.loads(row[2])) for row in rows]


def put_all(transaction: Transaction, templates: Sequence[Template]) -> None:
    """Keep templates, each in place of the one of its name."""
    transaction.many(
        "INSERT INTO step_template (kind, name, said) VALUES (:kind, :name, :said)"
        " ON CONFLICT (kind, name) DO UPDATE SET said = :said",
        [
            {"kind": one.kind, "name": one.name, "said": json.dumps(dict(one.said))}
            for one in templates
        ],
    )


def drop(transaction: Transaction, kind: str, name: str) -> bool:
    """Forget a template; False if there is none."""
    sql = "DELETE FROM step_template WHERE kind = :kind AND name = :name"
    return transaction.run(sql, {"kind": kind, "name": name}) > 0
