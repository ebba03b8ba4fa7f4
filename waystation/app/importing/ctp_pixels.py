"""Scripts of CTP's DicomPixelAnonymizer: signatures in braces, regions in parentheses (D-33).

Contract: `read` gives a file of device rules, every one unconfirmed.  Signatures are read whole:
``+`` or, ``*`` and, ``!`` not, parentheses, ``true.``, ``false.``, and methods of elements by
keyword or ``[gggg,eeee]``.  What a device rule cannot say (not, regular expressions, comparisons,
elements in sequences, numbers) drops its section, with a note.  CTP distinguishes upper and lower
case where device rules do not, and cuts regions to the image where device rules hold the object.
"""

import re
from dataclasses import dataclass
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

PART = re.compile(r"\{([^{}]*)\}|\(([^(){}]*)\)")
TOKEN = re.compile(
    r"\s*(?:(?P<mark>[+*!()])|(?P<truth>true\.|false\.)"
    r'|(?P<word>\[[0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\]|\w+(?:::[\w\[\],]+)*)\.(?P<kind>\w+)\("(?P<text>[^"]*)"\))'
)
KINDS = ("equals", "contains", "startswith", "endswith")
DEEPEST = 50


def read(path: Path) -> Imported:
    """Return the device rules of a script.  Raises `ConfigFaults`."""
    report, page = Report(), Page()
    text = read_file(path)
    page.comment(f"Made by `waystation import-config ctp-pixels` from {plain(str(path))}")
    page.comment("Look at pictures of each device, then say confirmed = true (or delete the line).")
    drafts = drafts_of(text, shown(path), report)
    if not drafts and not report.notes:
        raise unreadable(shown(path), "holds no signature in braces")
    write(drafts, page, report)
    return report.finish(page.toml)


def drafts_of(text: str, file: str, report: Report) -> list[Draft]:
    """Return the sections of a script that can be said in device rules."""
    drafts: list[Draft] = []
    current: Draft | None = None
    for part in PART.finditer(text):
        where = f"{file}:{text.count(chr(10), 0, part.start()) + 1}"
        if part[1] is not None:
            current = _section(part[1], where, report)
            if current is not None:
                drafts.append(current)
        elif current is not None:
            region = _region(part[2])
            if region is None:
                report.dropped(where, f"({part[2].strip()}) is no region, nor its section a rule")
                drafts.remove(current)
                current = None
            else:
                current.rectangles.append(region)
    return drafts


def _section(signature: str, where: str, report: Report) -> Draft | None:
    try:
        alternatives = Signature(signature).read()
    except InexpressibleError as error:
        report.dropped(where, f"section cannot be said in a device rule: {error}")
        return None
    return Draft(f"CTP, line {where.rpartition(':')[2]}", where, alternatives)


def _region(text: str) -> tuple[int, int, int, int] | None:
    numbers = [part.strip() for part in text.split(",")]
    if len(numbers) != 4 or not all(one.isdecimal() for one in numbers):
        return None
    left, top, width, height = map(int, numbers)
    return (left, top, width, height) if width and height else None


@dataclass(slots=True)
class Signature:
    """A signature while it is read: ``+`` binds weakest, ``*`` stronger, ``!`` strongest."""

    text: str
    at: int = 0
    depth: int = 0

    def read(self) -> list[list[Condition]]:
        """Return its alternatives.  Raises `InexpressibleError`."""
        found = self._either()
        if self.text[self.at :].strip():
            raise InexpressibleError(f"what begins with {self.text[self.at :].strip()[:20]!r}")
        return found

    def _either(self) -> list[list[Condition]]:
        self.depth += 1
        if self.depth > DEEPEST:
            raise InexpressibleError("parentheses too deep")
        found = self._all()
        while self._next("+"):
            found = found + self._all()
        self.depth -= 1
        return found

    def _all(self) -> list[list[Condition]]:
        found = self._one()
        while self._next("*"):
            found = both(found, self._one())
        return found

    def _one(self) -> list[list[Condition]]:
        if self._next("!"):
            raise InexpressibleError("a negation")
        if self._next("("):
            found = self._either()
            if not self._next(")"):
                raise InexpressibleError("a parenthesis that is not closed")
            return found
        token = TOKEN.match(self.text, self.at)
        if token is None or token["mark"]:
            raise InexpressibleError(f"what begins with {self.text[self.at :].strip()[:20]!r}")
        self.at = token.end()
        if token["truth"]:
            return [[]] if token["truth"] == "true." else []
        kind = token["kind"].lower().removesuffix("ignorecase")
        if "::" in token["word"] or kind not in KINDS:
            raise InexpressibleError(f"{token['word']}.{token['kind']}")
        if "|" in token["text"]:
            raise InexpressibleError("a text with |")
        return [[condition(token["word"].strip("[]"), kind, token["text"])]]

    def _next(self, mark: str) -> bool:
        token = TOKEN.match(self.text, self.at)
        if token is None or token["mark"] != mark:
            return False
        self.at = token.end()
        return True
