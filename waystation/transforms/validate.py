"""Whether an object is what it says: patterns, lists, and what was received before (R-68).

Contract: `check` compares one object with one validation and gives what is wrong, with both values
side by side and the action that the configuration wants; it changes nothing and reads only what
it is given.  The words of a finding name elements, never values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from waystation.transforms.edit_template import Template
from waystation.transforms.lookup import LookupTable
from waystation.transforms.validate_names import Same

Kind = Literal["mismatch", "unknown", "source-down"]
HOLD, REJECT, CORRECT, PASS, TAG = "hold", "reject", "correct", "pass", "tag"
ACTIONS = (HOLD, REJECT, CORRECT, PASS, TAG)
PATTERN, CSV, EARLIER, WORKLIST = "pattern", "csv", "earlier", "worklist"
SOURCES = (PATTERN, CSV, EARLIER, WORKLIST)
# What is compared with an earlier object of the same patient.
PERSON = ("PatientName", "PatientBirthDate", "PatientSex")
# By what a step of the worklist is found, and what of it may be compared.
BY = ("StudyInstanceUID", "AccessionNumber", "PatientID")
OF_ENTRY = ("PatientID", *PERSON, "AccessionNumber", "StudyInstanceUID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who was first seen under a Patient ID; by keyword."""

    said: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What the journal knows beside this object.

    person: who was first seen under this Patient ID, None if nobody.  others: there are objects
    of the same study with another Patient ID.
    """

    person: Person | None = None
    others: bool = False


# What steps of the worklist say, by element, under the element that they were found by.
Scheduled = Mapping[str, Sequence[Mapping[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What to do.  tag, text: the element to set and what to, for ``tag``."""

    do: str = HOLD
    tag: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One element that is compared.  column: of the table."""

    path: str
    same: Same
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """One [validate.NAME], compiled.

    patterns, checks: (element, test).  key: what finds the row.  by: what finds the step of the
    worklist, the first that does.  actions: by kind of result.
    digest: of what it says, without the table.
    """

    name: str
    source: str
    patterns: tuple[tuple[str, Callable[[str], object]], ...] = ()
    checks: tuple[tuple[str, str, Callable[[str], bool]], ...] = ()
    required: tuple[str, ...] = ()
    table: str = ""
    key: Template | None = None
    by: tuple[str, ...] = ()
    compare: tuple[Compared, ...] = ()
    actions: Mapping[str, Action] = field(default_factory=dict)
    digest: str = ""

    @property
    def rejects(self) -> bool:
        """Whether something may be refused before its sender gets an answer."""
        return any(action.do == REJECT for action in self.actions.values())

    def action(self, kind: Kind) -> Action:
        """Return what to do about a result."""
        return self.actions.get(kind, Action())


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong.  sides: (element, what it says, what it should say)."""

    validation: str
    kind: Kind
    why: str
    sides: tuple[tuple[str, str, str], ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a validation may ask.  values: of an element.  fill: of a template."""

    values: Callable[[str], Sequence[str]]
    fill: Callable[[Template], str]
    tables: Mapping[str, LookupTable] = field(default_factory=dict)
    earlier: Earlier | None = None
    scheduled: Scheduled | None = None


def check(validation: Validation, known: Known) -> Finding | None:
    """Return what is wrong with an object, None if nothing is."""
    found = _own(validation, known)
    if found is None and validation.source == CSV:
        found = _listed(validation, known)
    if found is None and validation.source == EARLIER:
        found = _earlier(validation, known)
    if found is None and validation.source == WORKLIST:
        found = _scheduled(validation, known)
    return found


def _own(validation: Validation, known: Known) -> Finding | None:
    """Judge the object by itself: what must be there, patterns, check digits."""
    sides: list[tuple[str, str, str]] = []
    words: list[str] = []
    for path in validation.required:
        if not any(known.values(path)):
            words.append(f"{path} is missing")
            sides.append((path, "", ""))
    for path, matches in validation.patterns:
        wrong = [value for value in known.values(path) if value and not matches(value)]
        if wrong:
            words.append(f"{path} does not match its pattern")
            sides.append((path, wrong[0], ""))
    for path, name, is_right in validation.checks:
        wrong = [value for value in known.values(path) if value and not is_right(value)]
        if wrong:
            words.append(f"{path} has a wrong check digit ({name})")
            sides.append((path, wrong[0], ""))
    return _finding(validation, "mismatch", words, sides) if words else None


def _listed(validation: Validation, known: Known) -> Finding | None:
    table = known.tables.get(validation.table)
    if table is None:
        return _finding(validation, "source-down", [f'table "{validation.table}" is not there'], [])
    assert validation.key is not None
    key = known.fill(validation.key)
    row = table.row(key)
    if row is None:
        where = ", ".join(validation.key.paths)
        return _finding(validation, "unknown", [f"{where} is not in {validation.table}"], [])
    return _compared(validation, known, row)


def _earlier(validation: Validation, known: Known) -> Finding | None:
    earlier = known.earlier
    if earlier is None:
        return _finding(validation, "source-down", ["earlier objects cannot be read"], [])
    if earlier.others:
        words = ["another Patient ID was received in this study"]
        return _finding(validation, "mismatch", words, [])
    if earlier.person is None:
        return None
    return _compared(validation, known, earlier.person.said)


def _scheduled(validation: Validation, known: Known) -> Finding | None:
    """Compare with the steps that the first key finds; one that fits is enough."""
    if known.scheduled is None:
        return _finding(validation, "source-down", ["the worklist cannot be read"], [])
    for by in validation.by:
        steps = known.scheduled.get(by, ())
        findings = [_compared(validation, known, step) for step in steps]
        if findings:
            return None if None in findings else findings[0]
    where = " or ".join(validation.by)
    return _finding(validation, "unknown", [f"no step of the worklist has its {where}"], [])


def _compared(validation: Validation, known: Known, other: Mapping[str, str]) -> Finding | None:
    words: list[str] = []
    sides: list[tuple[str, str, str]] = []
    for one in validation.compare:
        ours = next(iter(known.values(one.path)), "")
        theirs = other.get(one.column or one.path, "")
        # What the source does not know cannot contradict.
        if theirs and not one.same(ours, theirs):
            words.append(f"{one.path} differs")
            sides.append((one.path, ours, theirs))
    return _finding(validation, "mismatch", words, sides) if words else None


def _finding(
    validation: Validation,
    kind: Kind,
    words: Sequence[str],
    sides: Sequence[tuple[str, str, str]],
) -> Finding:
    source = validation.table or validation.source
    return Finding(
        validation=validation.name,
        kind=kind,
        why=f"{validation.name}: {kind}: {'; '.join(words)}",
        sides=tuple(sides),
        source=source,
    )
