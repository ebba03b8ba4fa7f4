"""Who is behind a pseudonym: for those who hold the project key, and say why (D-30).

Contract: reads the table of a ``csv`` profile, or the sealed numbers of an ``allocated`` one.
Pseudonyms that are calculated cannot be turned round: there is no table of them.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from waystation.app.settings_deidentify import DeidentifySettings
from waystation.app.wiring_deidentify import deidentifier_from
from waystation.codecs.identity_seal import unsealed
from waystation.db.engine import Job
from waystation.flows.allocating import pseudonym_text
from waystation.journal import deid_records
from waystation.model.errors import ConfigError, WaystationError
from waystation.transforms.deid.pseudonyms import Patient

COLUMNS = ("pseudonym_id", "issuer", "patient_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row.  of_study: patient_id is the UID of a study that stands for a patient."""

    pseudonym_id: str
    issuer: str
    patient_id: str
    of_study: bool = False


def entries(
    name: str,
    table: DeidentifySettings,
    environ: Mapping[str, str],
    read: Callable[[Job[Any]], Any],
) -> Iterator[Entry]:
    """Yield the whole table.  read: asks the journal.  `ConfigError` if there is no table."""
    source = table.pseudonym.source
    if source == "csv":
        assert table.pseudonym.file is not None
        with table.pseudonym.file.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                yield Entry(
                    pseudonym_id=row["pseudonym_id"].strip(),
                    issuer=row["issuer"].strip(),
                    patient_id=row["patient_id"].strip(),
                )
    elif source == "allocated":
        who = deidentifier_from(name, table, environ)
        _, key = who.allocation(Patient("", ""))
        for number, envelope in read(deid_records.allocated(who.profile.project)):
            yield _opened(key, envelope, pseudonym_text(who.profile.prefix, number))
    else:
        problem = f"pseudonyms are {source}: nobody keeps a table of them"
        raise ConfigError(f"deidentify.{name}.pseudonym.source", problem)


def _opened(key: bytes, envelope: bytes, pseudonym: str) -> Entry:
    try:
        said = json.loads(unsealed(key, envelope))
    except ValueError as error:
        raise WaystationError(f"{pseudonym}: {error}") from error
    return Entry(
        pseudonym_id=pseudonym,
        issuer=said["issuer"],
        patient_id=said["patient_id"],
        of_study=said["study"],
    )
