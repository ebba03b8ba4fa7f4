"""Which studies, of whom: the part of a report that tells patients (R-80, ``names = true``).

Contract: only what the reader asked for by name is here; nothing of it goes to the log.  At most
`LONGEST` lines; what is left out is counted.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from waystation.db.engine import Database
from waystation.journal import reporting
from waystation.journal.reporting import NamedStudy
from waystation.model.printable import cell, printable

LONGEST = 2_000
COLUMNS = ("destination", "state", "patient_id", "patient_name", "modality", "study", "objects")
STATES = {"done": "delivered", "held": "held", "waiting": "waiting", "sending": "waiting"}

# Patient names by arrival; an arrival whose head is gone is missing.
NamesOf = Callable[[Sequence[int]], Awaitable[Mapping[int, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patients:
    """What `studies_of` found.  names: by arrival.  left_out: studies beyond `LONGEST`."""

    studies: Sequence[NamedStudy] = ()
    names: Mapping[int, str] | None = None
    left_out: int = 0


async def studies_of(
    database: Database,
    since: float,
    until: float,
    destinations: Sequence[str],
    names_of: NamesOf | None,
) -> Patients:
    """Return the studies of a period, what is held first."""
    found: dict[tuple[str, str, str], NamedStudy] = {}
    after: int | None = 0
    while after is not None:
        after, page = await database.read(reporting.named(after, since, until))
        for one in page:
            if one.destination in destinations:
                _add(found, replace(one, state=STATES[one.state]))
    order = ("held", "waiting", "delivered")
    every = sorted(
        found.values(), key=lambda one: (one.destination, order.index(one.state), one.arrival)
    )
    shown = every[:LONGEST]
    names = await names_of([one.arrival for one in shown]) if names_of and shown else {}
    return Patients(studies=shown, names=names, left_out=len(every) - len(shown))


def _add(found: dict[tuple[str, str, str], NamedStudy], one: NamedStudy) -> None:
    key = (one.destination, one.study, one.state)
    if (known := found.get(key)) is not None:
        one = replace(known, objects=known.objects + one.objects)
    found[key] = one


def _row(patients: Patients, one: NamedStudy) -> list[str]:
    name = (patients.names or {}).get(one.arrival, "")
    return [one.destination, one.state, one.patient_id, name, one.modality, one.study]


def patients_text(patients: Patients) -> list[str]:
    """Return the lines for people."""
    lines = ["", "STUDIES"]
    for one in patients.studies:
        destination, state, patient_id, name, modality, study = map(printable, _row(patients, one))
        who = " ".join(filter(None, (patient_id or "(no Patient ID)", name)))
        lines.append(f"  {destination}: {state} {one.objects:,}  {who}  {modality}  {study}")
    if not patients.studies:
        lines.append("  none")
    if patients.left_out:
        lines.append(f"  and {patients.left_out:,} more: see `waystation queue list --by study`")
    return lines


def patients_rows(patients: Patients) -> list[list[str]]:
    """Return the cells of the table, its heading first."""
    rows = [[*map(cell, _row(patients, one)), str(one.objects)] for one in patients.studies]
    return [list(COLUMNS), *rows]
