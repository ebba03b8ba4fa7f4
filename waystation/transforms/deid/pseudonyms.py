"""Who a patient is for keys and tables, and the name that stands for them (D-27, D-29).

Contract: `patient_of` gives the identity of the patient that a data set names, `made_of` the
pseudonym that is calculated from it; `read_table` reads a table of pseudonyms and refuses one
that could be read in two ways.  Pseudonyms are ASCII and at most 64 characters.
"""

import csv
import io
import re
from dataclasses import dataclass
from typing import Literal

from waystation.transforms.deid.keys import mac

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
LENGTH = 12  # with the check character
COLUMNS = ("issuer", "patient_id", "pseudonym_id", "pseudonym_name")
SHIFT = "shift_days"
# What Patient ID and a component of a person's name may hold without a character set.
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.,+#()-]{0,63}")
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.,+#()^-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRules:
    """What makes two Patient IDs one: case "fold" ignores it, zeros "strip" leading ones."""

    case: Literal["keep", "fold"] = "keep"
    zeros: Literal["keep", "strip"] = "keep"


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient as keys and tables know them; ``of_study``: a study stands for the patient."""

    issuer: str
    patient_id: str
    of_study: bool = False

    def key(self) -> bytes:
        """Return the bytes that are hashed."""
        kind = "study" if self.of_study else "patient"
        parts = (kind.encode(), self.issuer.encode(), self.patient_id.encode())
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """What Patient ID and Patient's Name become; shift_days: how far dates move, if it says so."""

    patient_id: str
    name: str
    shift_days: int | None = None


def patient_of(issuer: str, patient_id: str, rules: IdentityRules) -> Patient | None:
    """Return the patient that issuer and ID name; None without an ID."""
    issuer, patient_id = issuer.strip(), patient_id.strip()
    if not patient_id:
        return None
    if rules.case == "fold":
        issuer, patient_id = issuer.casefold(), patient_id.casefold()
    if rules.zeros == "strip":
        patient_id = patient_id.lstrip("0") or "0"
    return Patient(issuer, patient_id)


def check_character(text: str) -> str:
    """Return the character that makes a mistyped pseudonym show (Luhn, modulo 32)."""
    total = 0
    for place, letter in enumerate(reversed(text)):
        number = ALPHABET.index(letter) * (2 - place % 2)
        total += number // 32 + number % 32
    return ALPHABET[-total % 32]


def short_code(key: bytes, *parts: bytes) -> str:
    """Return 12 characters of base32 that stand for ``parts``, the last one a check."""
    number = int.from_bytes(mac(key, *parts)[:8], "big") >> 9
    text = "".join(ALPHABET[number >> 5 * place & 31] for place in range(LENGTH - 2, -1, -1))
    return text + check_character(text)


def made_of(key: bytes, patient: Patient, prefix: str) -> Pseudonym:
    """Return the pseudonym that key and patient give."""
    text = prefix + short_code(key, patient.key())
    return Pseudonym(text, text)


def is_ours(text: str, prefix: str) -> bool:
    """Tell whether it looks like a pseudonym that was made with this prefix, by whatever key."""
    code = text[len(prefix) :]
    return (
        text.startswith(prefix)
        and len(code) == LENGTH
        and all(letter in ALPHABET for letter in code)
        and check_character(code[:-1]) == code[-1]
    )


class Crosswalk:
    """A table of pseudonyms, whole."""

    def __init__(self, rows: dict[Patient, Pseudonym]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, patient: Patient) -> Pseudonym | None:
        """Return the pseudonym of a patient; issuer and ID must both be those of the table."""
        return self._rows.get(patient)


def read_table(text: str, rules: IdentityRules) -> Crosswalk:
    """Return the table that a CSV file holds; its first line names the columns.

    ValueError, with the line but without a value, for a missing column, an empty ID, a patient
    who is there twice, a pseudonym of two patients, one that DICOM cannot hold, or one that is
    no pseudonym.
    """
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        unknown = set(rows.fieldnames or ()) - {*COLUMNS, SHIFT}
        if missing or unknown:
            raise ValueError(f"line 1: expected the columns {', '.join(COLUMNS)} and maybe {SHIFT}")
        found: dict[Patient, Pseudonym] = {}
        owners: dict[str, Patient] = {}
        for row in rows:
            _add(found, owners, row, rows.line_num, rules)
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: no CSV: {error}") from None
    return Crosswalk(found)


def _add(
    found: dict[Patient, Pseudonym],
    owners: dict[str, Patient],
    row: dict[str | None, str | None],
    line: int,
    rules: IdentityRules,
) -> None:
    if None in row or any(value is None for value in row.values()):
        raise ValueError(f"line {line}: expected as many fields as columns")
    patient = patient_of(row["issuer"] or "", row["patient_id"] or "", rules)
    if patient is None:
        raise ValueError(f"line {line}: patient_id is empty")
    new_id, name = (row["pseudonym_id"] or "").strip(), (row["pseudonym_name"] or "").strip()
    if not SAFE.fullmatch(new_id) or not SAFE_NAME.fullmatch(name):
        raise ValueError(f"line {line}: a pseudonym has 1 to 64 plain ASCII characters")
    if patient.patient_id.casefold() in (new_id.casefold(), name.casefold()):
        raise ValueError(f"line {line}: the pseudonym is the Patient ID itself")
    if patient in found:
        raise ValueError(f"line {line}: this patient is there twice")
    if owners.setdefault(new_id, patient) != patient:
        raise ValueError(f"line {line}: this pseudonym belongs to another patient already")
    found[patient] = Pseudonym(new_id, name, _days(row.get(SHIFT), line))


def _days(text: str | None, line: int) -> int | None:
    if not (text or "").strip():
        return None
    try:
        days = int(text or "")
    except ValueError:
        raise ValueError(f"line {line}: expected {SHIFT} to be a whole number of days") from None
    if not -36500 <= days <= 36500:
        raise ValueError(f"line {line}: {SHIFT} is beyond a hundred years")
    return days
