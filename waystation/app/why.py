"""Why a query finds a record or does not (T-19): the peer gives the record, we the reasons.

Contract: `asked_for` makes of an identifier one that asks for a single record by its UID, accession
number or patient ID and filters by nothing else; `judged` holds the original against each answer.
Raises `ConfigError` for an identifier that no server could answer.
"""

from typing import Any, Final

from waystation.app.identifier import CHARACTER_SET, LEVEL, Identifier, Table
from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE, is_uid
from waystation.matching.identifier import read_identifier
from waystation.matching.keys import BadIdentifier
from waystation.matching.match import Matcher, Verdict
from waystation.matching.record import HeadRecord
from waystation.matching.unique import LEVELS, UNIQUE
from waystation.model.errors import ConfigError
from waystation.model.query import WORKLIST, Options, Query

KEPT: Final = {CHARACTER_SET, LEVEL}


def asked_for(identifier: Identifier, which: str, *, patient_root: bool = False) -> Identifier:
    """Return the identifier of one record; unique keys of the levels above keep their values."""
    level = identifier.text(LEVEL)
    levels = LEVELS if patient_root else LEVELS[1:]
    above = levels[: levels.index(level)] if level in levels else ()
    kept = KEPT | {UNIQUE[one] for one in above}
    made = Identifier(_emptied(identifier.elements, kept))
    unique = UNIQUE.get(level, tags.STUDY_INSTANCE_UID)
    # Accession numbers of digits alone are common, UIDs without a dot are not.
    if not (is_uid(which) and "." in which) and unique != tags.PATIENT_ID:
        if level not in ("", "STUDY"):
            raise ConfigError("--why", f"write the UID of the {level.lower()}")
        unique = tags.ACCESSION_NUMBER
    made.elements[unique] = (tags.vr_of(unique), which)
    return made


def _emptied(table: Table, kept: set[int]) -> Table:
    made: Table = {}
    for tag, (vr, value) in table.items():
        inside: Any = [_emptied(item, set()) for item in value] if isinstance(value, list) else ""
        made[tag] = (vr, value if tag in kept else inside)
    return made


def asking(identifier: Identifier, charset: str, options: Options) -> Query:
    """Return what the identifier asks for, read as a server would."""
    level = "" if identifier.text(LEVEL) else WORKLIST
    data = identifier.encode(EXPLICIT_VR_LE, charset)
    query = read_identifier(data, EXPLICIT_VR_LE, level=level, options=options)
    if isinstance(query, BadIdentifier):
        raise ConfigError("-k", query.comment)
    return query


def judged(query: Query, answer: Head) -> Verdict:
    """Return what each key of the query says to an answer."""
    return Matcher(query).explain(HeadRecord(answer))
