"""Templates of procedures and stations: their fields, what may stand in them, and as CSV (T-62).

Contract: pure.  `read_csv` takes all of a file or tells what is wrong with it, line by line; what
`csv_text` wrote it takes back, and no cell of that is a formula (S-62).
"""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from waystation.dicom.charset_terms import Charset, Fault
from waystation.index.step_templates import KINDS, PROCEDURE, STATION, Template
from waystation.matching.entry_form import faults
from waystation.web.pages.worklist_fields import FIELDS, FormField
from waystation.web.pages.worklist_plans import CODES, EXTRAS, MINUTES, MORE_STEPS, faults_of

LONGEST_NAME: Final = 64
LONGEST_FILE: Final = 1_000_000
MOST_FAULTS: Final = 20
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
F = FormField
CHARSETS: Final = (
    ("", "Not known"),
    ("ISO_IR 6", "ASCII only"),
    ("ISO_IR 100", "Western European (ISO_IR 100)"),
    ("ISO_IR 101", "Central European (ISO_IR 101)"),
    ("ISO_IR 144", "Cyrillic (ISO_IR 144)"),
    ("ISO_IR 126", "Greek (ISO_IR 126)"),
    ("ISO_IR 127", "Arabic (ISO_IR 127)"),
    ("ISO_IR 138", "Hebrew (ISO_IR 138)"),
    ("ISO_IR 148", "Turkish (ISO_IR 148)"),
    ("\\ISO 2022 IR 87", "Japanese (ISO 2022 IR 87)"),
    ("\\ISO 2022 IR 149", "Korean (ISO 2022 IR 149)"),
    ("GB18030", "Chinese (GB18030)"),
    ("ISO_IR 192", "All (UTF-8)"),
)
OF_KIND: Final[Mapping[str, Sequence[FormField]]] = {
    PROCEDURE: (
        *(FIELDS[name] for name in ("RequestedProcedureDescription", "Modality")),
        F(
            name="ScheduledStationAETitle",
            label="Usual stations",
            hint="AE titles, a blank between them; the first is filled in",
            longest=170,
        ),
        FIELDS["ScheduledProcedureStepDescription"],
        MORE_STEPS,
        CODES,
        MINUTES,
        FIELDS["PreMedication"],
        FIELDS["RequestedContrastAgent"],
    ),
    STATION: (
        F(name="ScheduledStationAETitle", label="AE title", required=True, longest=16),
        FIELDS["ScheduledStationName"],
        FIELDS["Modality"],
        FIELDS["ScheduledProcedureStepLocation"],
        F(name="area", label="Area", longest=64),
        F(
            name="charset",
            label="Characters it can show",
            kind="select",
            choices=CHARSETS,
            hint="The form warns of what it cannot",
        ),
    ),
}
COLUMNS: Final = tuple(dict.fromkeys(f.name for fields in OF_KIND.values() for f in fields))
OTHERS: Final = frozenset({"area", "charset", *(field.name for field in EXTRAS)})


def made(kind: str, name: str, texts: Mapping[str, str]) -> Template:
    """Return a template of what was typed; fields that its kind does not have are left out."""
    said = {one.name: texts.get(one.name, "").strip() for one in OF_KIND[kind]}
    return Template(kind, name.strip(), {key: text for key, text in said.items() if text})


def wrong(template: Template, areas: Collection[str]) -> dict[str, str]:
    """Return what is wrong with a template, by field."""
    found = faults_of(template.said)
    if not 0 < len(template.name) <= LONGEST_NAME or not template.name.isprintable():
        found["name"] = f"Give it a name of at most {LONGEST_NAME} characters"
    values = {key: text for key, text in template.said.items() if key not in OTHERS}
    stations = values.pop("ScheduledStationAETitle", "").split()
    if template.kind == STATION and len(stations) != 1:
        found["ScheduledStationAETitle"] = "A station has one AE title, without blanks"
    checked = [values, *({"ScheduledStationAETitle": one} for one in stations)]
    for fault in (fault for one in checked for fault in faults(one)):
        label = next(one.label for one in OF_KIND[template.kind] if one.name == fault.keyword)
        found.setdefault(fault.keyword, f"{label} {fault.text}")
    area, charset = template.said.get("area", ""), template.said.get("charset", "")
    if area and area not in areas:
        found["area"] = "There is no such area in the configuration"
    if charset and Charset.parse(charset).faults & {Fault.UNKNOWN_TERM, Fault.NOT_EXTENSIBLE}:
        found["charset"] = "This is no term of Specific Character Set (0008,0005)"
    return found


def csv_text(templates: Sequence[Template]) -> str:
    """Return templates as CSV."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["kind", "name", *COLUMNS])
    for one in templates:
        cells = [one.kind, one.name, *(one.said.get(name, "") for name in COLUMNS)]
        writer.writerow([f"'{text}" if text.startswith(FORMULA) else text for text in cells])
    return "\ufeff" + out.getvalue()


def read_csv(data: bytes, areas: Collection[str]) -> tuple[list[Template], list[str]]:
    """Return the templates of a file, or what is wrong with it in words."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError:
        return [], ["The file is not UTF-8: save it as CSV UTF-8"]
    except csv.Error as error:
        return [], [f"The file is no CSV: {error}"]
    head = [text.strip() for text in rows[0]] if rows else []
    strange = [text for text in head if text not in ("kind", "name", *COLUMNS)]
    if strange or not {"kind", "name"} <= set(head):
        known = ", ".join(("kind", "name", *COLUMNS))
        return [], [f"The first line must name columns out of these: {known}"]
    found: list[Template] = []
    problems: list[str] = []
    for number, row in enumerate(rows[1:], 2):
        if any(text.strip() for text in row):
            one, told = _row(dict(zip(head, map(_plain, row), strict=False)), areas)
            problems += [f"Line {number}: {text}" for text in told]
            found += [one] if one else []
    if not found and not problems:
        problems = ["The file holds no template"]
    return ([], problems[:MOST_FAULTS]) if problems else (found, [])


def _row(cells: Mapping[str, str], areas: Collection[str]) -> tuple[Template | None, list[str]]:
    kind = cells.get("kind", "").strip()
    if kind not in KINDS:
        return None, ["kind must be procedure or station"]
    template = made(kind, cells.get("name", ""), cells)
    return template, list(wrong(template, areas).values())


def _plain(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def prefill(template: Template) -> dict[str, str]:
    """Return what the form of an entry is filled with."""
    said = dict(template.said)
    stations = said.get("ScheduledStationAETitle", "").split()
    if stations:
        said["ScheduledStationAETitle"] = stations[0]
    said.pop("charset", None)
    return said
