"""Ids that we make for steps whose source gave none (T-54).

Contract: pure.  A form is text with ``{n}`` or ``{n:06}``, and ``{yyyy}``, ``{yy}``, ``{mm}``,
``{dd}`` of the day on which it is made; `form_fault` says what is wrong with one.  An id has at
most 16 characters (SH).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

ACCESSION, PROCEDURE, STEP_ID, STUDY = "accession", "procedure", "step", "study"
LONGEST: Final = 16
_PLACE = re.compile(r"\{(n(?::0[1-9])?|yyyy|yy|mm|dd)\}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdForms:
    """How ids are written, by kind."""

    accession: str = "W{n:08}"
    procedure: str = "P{n:08}"
    step: str = "S{n:08}"

    def of(self, kind: str) -> str:
        """Return the form of a kind."""
        forms: Mapping[str, str] = {
            ACCESSION: self.accession,
            PROCEDURE: self.procedure,
            STEP_ID: self.step,
        }
        return forms[kind]


def form_fault(form: str) -> str:
    """Return what is wrong with a form, "" if nothing is."""
    rest = _PLACE.sub("", form)
    if "{" in rest or "}" in rest or "\\" in rest or not rest.isascii():
        return "expected ASCII text with {n} or {n:06}, and {yyyy} {yy} {mm} {dd} if you like"
    if "{n" not in form:
        return "needs {n}, the number that makes it unique"
    if len(written(form, 1, date(2026, 1, 1))) > LONGEST:
        return f"makes more than {LONGEST} characters"
    return ""


def written(form: str, number: int, day: date) -> str:
    """Return the id that a form makes of a number."""

    def place(found: re.Match[str]) -> str:
        what = found[1]
        if what[0] == "n":
            return str(number).zfill(int(what[3:] or 0))
        return {
            "yyyy": f"{day.year:04}",
            "yy": f"{day.year % 100:02}",
            "mm": f"{day.month:02}",
            "dd": f"{day.day:02}",
        }[what]

    return _PLACE.sub(place, form)
