"""Names of files made from data: one function, for every kind that writes files.

Contract (S-39, T-66, N-20, R-7): a template is read once and complains in a sentence.  Whatever
the values are, the result is a relative path of safe components: an allow-list of characters,
never empty, hidden, reserved on Windows, or longer than 80 bytes; what was cut ends with a
digest.  A value never reaches beyond its own component.  Patient data appear in a name only if
the template names them.  Pure.

A field is ``{word}``, ``{word:20}`` (at most 20 characters), ``{word:04}`` (zeros in front) or
``{word|else}``, which stands for a missing value.  A word is one of `FIELDS` or the keyword of an
element outside sequences; ``/`` separates folders.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from waystation.dicom import tags

FIELDS = (
    "SOPInstanceUID",
    "SOPClassUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "calling_ae",
    "arrival",
    "received_date",
)
DEFAULT_TEMPLATE = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
MISSING = "_"
_BRACES = re.compile(r"\{([^{}]*)\}")
_PLACE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::(0?)([1-9][0-9]?))?(?:\|([^{}|/\\]+))?")
_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}")
_LONGEST = 80
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
# No value that a name could show.
_WITHOUT_TEXT = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UN"}


def component(text: str) -> str:
    """Return ``text`` as one safe path component (T-66): never empty, hidden or too long."""
    plain = unicodedata.normalize("NFC", text)
    safe = "".join(c if c.isalnum() or c in "-_.,+=@ " else "_" for c in plain)
    safe = safe.strip(" ").rstrip(". ")
    if safe.startswith(".") or not safe or _RESERVED.fullmatch(safe):
        safe = "_" + safe.lstrip(".")
    if len(safe.encode()) <= _LONGEST:
        return safe
    mark = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    stem, ending = split_ending(safe)
    room = _LONGEST - len(mark) - 1 - len(ending)
    return f"{stem.encode()[:room].decode(errors='ignore')}-{mark}{ending}"


def split_ending(name: str) -> tuple[str, str]:
    """Return a file name as stem and ending (``.dcm``); the ending may be empty."""
    at = name.rfind(".")
    if at <= 0 or not _ENDING.fullmatch(name[at:]):
        return name, ""
    return name[:at], name[at:]


def marked(name: str, sha256: str) -> str:
    """Return the other name of an object whose name is taken by another one.

    It follows from the content, so the same object finds its own file again.
    """
    folder, slash, last = name.rpartition("/")
    stem, ending = split_ending(last)
    return f"{folder}{slash}{component(f'{stem}-{sha256[:8]}{ending}')}"


@dataclass(frozen=True, slots=True)
class Place:
    """One field of a template."""

    word: str
    width: int = 0
    zeros: bool = False
    otherwise: str = MISSING

    def text(self, values: Mapping[str, str]) -> str:
        """Return what stands in the field's place."""
        value = values.get(self.word, "").strip()
        if not value:
            return self.otherwise
        if self.zeros:
            return value.zfill(self.width)
        return value[: self.width] if self.width else value


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read: the pieces of each path component."""

    components: tuple[tuple[str | Place, ...], ...]

    @property
    def keywords(self) -> tuple[str, ...]:
        """The fields that have to be looked up in the data set."""
        words = [p.word for part in self.components for p in part if isinstance(p, Place)]
        return tuple(dict.fromkeys(word for word in words if word not in FIELDS))

    def name(self, values: Mapping[str, str]) -> str:
        """Return the relative path for one object."""
        filled = (
            "".join(p if isinstance(p, str) else p.text(values) for p in part)
            for part in self.components
        )
        return "/".join(map(component, filled))


@lru_cache(maxsize=64)
def read_template(text: str) -> Template:
    """Return the template.  Raises ValueError with a sentence for the operator."""
    bare = _BRACES.sub("", text)
    if "{" in bare or "}" in bare:
        raise ValueError("a brace has no partner")
    if ".." in text or text.startswith("/") or "\\" in text or "\0" in text:
        raise ValueError('must stay inside the folder; write a relative name like "a/b.dcm"')
    for field in _BRACES.findall(text):
        _place(field)
    components = [_component(part) for part in text.split("/") if part]
    if not any(isinstance(piece, Place) for part in components for piece in part):
        raise ValueError('needs a field, such as "{SOPInstanceUID}.dcm": names must differ')
    return Template(tuple(components))


def _component(part: str) -> tuple[str | Place, ...]:
    pieces: list[str | Place] = []
    at = 0
    for found in _BRACES.finditer(part):
        pieces += [part[at : found.start()], _place(found[1])]
        at = found.end()
    return tuple(piece for piece in [*pieces, part[at:]] if piece)


def _place(field: str) -> Place:
    found = _PLACE.fullmatch(field)
    if found is None:
        raise ValueError(
            f'"{{{field}}}" is no field; write "{{PatientID}}", "{{PatientID:20}}", '
            '"{SeriesNumber:04}" or "{Modality|OT}"'
        )
    word, zeros, width, otherwise = found.groups()
    if word not in FIELDS:
        _check_keyword(word)
    return Place(word, int(width or 0), bool(zeros), otherwise or MISSING)


def _check_keyword(word: str) -> None:
    if "_" in word:
        raise ValueError(f"there is no field {word}; there are {', '.join(FIELDS)} and keywords")
    vr = tags.vr_of(tags.tag_for(word))
    if vr in _WITHOUT_TEXT:
        raise ValueError(f"{word} has no text that could stand in a name")
