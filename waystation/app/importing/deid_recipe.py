"""Recipes of the Python package deid: what their filters say about pixels (D-33).

Contract: `read` gives a file of device rules, every one unconfirmed.  Of the filter sections
(``%filter``), the labels that name coordinates become rules, and those of a whitelist become
``clean``; labels that only mark objects, and everything that a device rule cannot say (not,
regular expressions, numbers beside rows and columns), are left out with a note.  ``%header`` and
other sections are about elements, not pixels: one note each.  Labels of a recipe fit as soon as
one of their conditions does that do not begin with ``+``.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from waystation.app.importing.findings import Imported, Report, unreadable
from waystation.app.importing.page import Page, plain
from waystation.app.importing.pixel_rules import (
    Condition,
    Draft,
    InexpressibleError,
    both,
    condition,
    write,
)
from waystation.app.importing.sources import read_file, shown

KINDS = ("contains", "equals", "startswith", "endswith")
EMPTY = ("missing", "empty")
REGIONS = ("from:sequenceofultrasoundregions",)
JOINT = re.compile(r"(?:^|\s+)(\|\||\+)\s+")


def read(path: Path) -> Imported:
    """Return the device rules of a recipe.  Raises `ConfigFaults`."""
    report, page = Report(), Page()
    text = read_file(path)
    if "FORMAT" not in text and "%filter" not in text:
        raise unreadable(shown(path), "is no recipe: it names no FORMAT and no %filter")
    page.comment(f"Made by `waystation import-config deid-recipe` from {plain(str(path))}")
    page.comment("Look at pictures of each device, then say confirmed = true (or delete the line).")
    write(drafts_of(text, shown(path), report), page, report)
    return report.finish(page.toml)


@dataclass(slots=True)
class Label:
    """One label while its lines are read; bad: why it cannot be said, with the line."""

    name: str
    where: str
    clean: bool
    groups: list[list[list[Condition]]] = field(default_factory=list)
    draft: Draft = field(init=False)
    bad: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        self.draft = Draft(self.name, self.where, clean=self.clean)


def drafts_of(text: str, file: str, report: Report) -> list[Draft]:
    """Return the labels of a recipe that can be said in device rules."""
    labels: list[Label] = []
    section = ""
    for number, raw in enumerate(text.split("\n"), 1):
        where, line = f"{file}:{number}", raw.partition("#")[0].strip()
        word, _, rest = line.partition(" ")
        if not line or word == "FORMAT":
            continue
        if word.startswith("%"):
            section = (rest.strip() or "?") if word == "%filter" else ""
            if not section:
                report.dropped(where, f"{line}: about elements; write it into the profile")
        elif section and word == "LABEL":
            labels.append(Label(rest.strip(), where, section.lower() == "whitelist"))
        elif section and labels and labels[-1].bad is None:
            _line(labels[-1], line, where)
    return [draft for label in labels for draft in _finished(label, report)]


def _finished(label: Label, report: Report) -> list[Draft]:
    if label.bad is not None:
        where, why = label.bad
        report.dropped(where, f"{label.name} cannot be said in a device rule: {why}")
        return []
    label.draft.alternatives = [one for group in label.groups for one in group]
    if not label.groups:
        report.dropped(label.where, f"{label.name}: it would fit every object")
        return []
    return [label.draft]


def _line(label: Label, line: str, where: str) -> None:
    try:
        if "coordinates" in line.partition(" ")[0].lower():
            _coordinates(label.draft, line)
        else:
            _conditions(label, line)
    except InexpressibleError as error:
        label.bad = (where, str(error))


def _coordinates(draft: Draft, line: str) -> None:
    word, _, said = line.partition(" ")
    word, said = word.lower(), said.strip()
    keeps, sized = "keep" in word, word.startswith("ctp")
    if keeps and said.lower() in REGIONS:
        draft.regions = True
        return
    numbers = [part.strip() for part in said.split(",")]
    if len(numbers) != 4 or not all(one.isdecimal() for one in numbers):
        raise InexpressibleError(f"{word} {said}")
    left, top, third, fourth = map(int, numbers)
    width, height = (third, fourth) if sized else (third - left, fourth - top)
    if min(width, height) <= 0:
        raise InexpressibleError(f"{word} {said} has no area")
    (draft.keep if keeps else draft.rectangles).append((left, top, width, height))


def _conditions(label: Label, line: str) -> None:
    """Add a line: one condition, or several that are joined by ``||`` and ``+``."""
    parts = JOINT.split(line)
    joint = "" if parts[0] else parts[1]
    words, joints = (parts[0::2], parts[1::2]) if parts[0] else (parts[2::2], parts[3::2])
    found = _one(words[0])
    for how, text in zip(joints, words[1:], strict=True):
        found = found + _one(text) if how == "||" else both(found, _one(text))
    if not joint or not label.groups:
        label.groups.append(found)
    elif joint == "+":
        label.groups[-1] = both(label.groups[-1], found)
    else:
        label.groups[-1] = label.groups[-1] + found


def _one(text: str) -> list[list[Condition]]:
    kind, _, rest = text.strip().partition(" ")
    word, _, value = rest.strip().partition(" ")
    kind = kind.lower()
    if kind in EMPTY:
        return [[condition(word, "equals", "")]]
    if kind == "present" and word.lower() == "sequenceofultrasoundregions":
        # Only ultrasound has them; without any, a rule that keeps them holds the object.
        return [[condition("Modality", "equals", "US")]]
    if kind not in KINDS or not value.strip():
        raise InexpressibleError(text.strip()[:60])
    return [[condition(word, kind, value.strip())]]
