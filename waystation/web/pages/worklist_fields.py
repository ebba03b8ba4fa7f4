"""The form of a worklist entry: its fields, what was typed, and what a step says (T-62).

Contract: pure.  `typed` gives the values that a form was sent with, as `StepDraft` takes them; a
date and a time are accepted as a browser writes them.  `filled` gives what a form shows of a step.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

NAME_GROUPS: Final = ("PatientName", "PatientName2", "PatientName3")
SEXES: Final = (("", "Not known"), ("F", "Female"), ("M", "Male"), ("O", "Other"))
PRIORITIES: Final = (
    ("", "None"),
    *((w, w.capitalize()) for w in ("STAT", "HIGH", "ROUTINE", "LOW")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field.  kind: text, date, time, area, or select with its choices."""

    name: str
    label: str
    kind: str = "text"
    hint: str = ""
    required: bool = False
    longest: int = 64
    choices: Sequence[tuple[str, str]] = ()
    list: str = ""


F = FormField
SECTIONS: Final[tuple[tuple[str, tuple[FormField, ...]], ...]] = (
    (
        "Patient",
        (
            F(name="PatientID", label="Patient ID", required=True),
            F(name="IssuerOfPatientID", label="Issuer of the patient ID"),
            F(
                name="PatientName",
                label="Name",
                required=True,
                hint="Family^Given^Middle^Prefix^Suffix",
            ),
            F(name="PatientName2", label="Name in ideographic characters", hint="As 山田^太郎"),
            F(name="PatientName3", label="Name in phonetic characters", hint="As やまだ^たろう"),
            F(name="PatientBirthDate", label="Date of birth", kind="date"),
            F(name="PatientSex", label="Sex", kind="select", choices=SEXES),
        ),
    ),
    (
        "Procedure",
        (
            F(
                name="RequestedProcedureDescription",
                label="Procedure",
                required=True,
                list="procedures",
            ),
            F(
                name="AccessionNumber",
                label="Accession number",
                longest=16,
                hint="Left empty, one is made if the area has a pattern for it",
            ),
            F(
                name="RequestedProcedureID",
                label="Procedure ID",
                longest=16,
                hint="Left empty, one is made",
            ),
            F(
                name="RequestedProcedurePriority",
                label="Priority",
                kind="select",
                choices=PRIORITIES,
            ),
            F(name="ReferringPhysicianName", label="Referring physician"),
            F(name="RequestingPhysician", label="Requesting physician"),
            F(
                name="StudyInstanceUID",
                label="Study Instance UID",
                hint="Left empty, one is made; it never changes afterwards",
            ),
        ),
    ),
    (
        "Step",
        (
            F(
                name="ScheduledStationAETitle",
                label="Station",
                required=True,
                longest=16,
                list="stations",
                hint="The AE title of the modality that is to see the entry",
            ),
            F(
                name="Modality",
                label="Modality",
                required=True,
                longest=16,
                list="modalities",
                hint="CT, MR, US, DX ...",
            ),
            F(name="ScheduledProcedureStepStartDate", label="Date", kind="date", required=True),
            F(name="ScheduledProcedureStepStartTime", label="Time", kind="time", required=True),
            F(
                name="ScheduledProcedureStepDescription",
                label="What is to be done",
                required=True,
                list="steps",
            ),
            F(name="ScheduledPerformingPhysicianName", label="Performing physician"),
            F(name="ScheduledProcedureStepLocation", label="Room", longest=16),
            F(name="ScheduledStationName", label="Name of the station", longest=16),
            F(
                name="ScheduledProcedureStepID",
                label="Step ID",
                longest=16,
                hint="Left empty, one is made",
            ),
            F(name="PreMedication", label="Pre-medication"),
            F(name="RequestedContrastAgent", label="Contrast agent"),
        ),
    ),
    (
        "To note",
        (
            F(name="MedicalAlerts", label="Medical alerts"),
            F(name="Allergies", label="Allergies"),
            F(name="PatientWeight", label="Weight, kg", longest=16),
            F(name="SpecialNeeds", label="Special needs"),
            F(
                name="RequestedProcedureComments",
                label="Comments",
                kind="area",
                longest=10240,
            ),
        ),
    ),
)
FIELDS: Final = {field.name: field for _, fields in SECTIONS for field in fields}
# What is made new for a copy.
OWN: Final = (
    "StudyInstanceUID",
    "AccessionNumber",
    "RequestedProcedureID",
    "ScheduledProcedureStepID",
)


def typed(read: Callable[[str], str]) -> dict[str, str]:
    """Return the values of a form by keyword.  read: gives one field as it was typed."""
    found = {name: _plain(field, read(name).strip()) for name, field in FIELDS.items()}
    groups = [found.pop(name) for name in NAME_GROUPS]
    return {**found, "PatientName": "=".join(groups).rstrip("=")}


def _plain(field: FormField, text: str) -> str:
    if field.kind == "date":
        return text.replace("-", "")
    return text.replace(":", "") if field.kind == "time" else text


def shown(read: Callable[[str], str]) -> dict[str, str]:
    """Return the fields as they were typed, to show them again."""
    return {name: read(name) for name in FIELDS}


def filled(said: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the fields of a step.  said: its texts by keyword."""
    found = {name: "\\".join(said.get(name, ())) for name in FIELDS}
    groups = [*found["PatientName"].split("="), "", ""]
    found |= dict(zip(NAME_GROUPS, groups, strict=False))
    for name, field in FIELDS.items():
        text = found[name]
        if field.kind == "date" and len(text) == 8 and text.isdigit():
            found[name] = f"{text[:4]}-{text[4:6]}-{text[6:]}"
        elif field.kind == "time" and len(text) >= 4 and text[:4].isdigit():
            found[name] = f"{text[:2]}:{text[2:4]}"
    return found


def differing(values: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """Return the values that are other than before; both as `typed` gives them."""
    return {name: text for name, text in values.items() if text != before.get(name, "")}
