"""The identifier of a query, as a person writes it: keys, or a file with some keys changed.

Contract: a key is ``PATH=VALUE``, or ``PATH`` alone to ask for the attribute; PATH is a keyword, a
tag or a way through sequences (``ScheduledProcedureStepSequence[0].Modality``).  A file is a DICOM
file, a bare data set, or DICOM JSON.  Text leaves in the character set that was asked for, else in
the smallest that holds it: none, Latin-1, UTF-8.  Raises `ConfigError` naming the key.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from struct import pack
from typing import Any

from waystation.dicom import charsets, tags
from waystation.dicom.charsets import IN_CHARSET
from waystation.dicom.compose import Elements, compose
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.part10 import read_meta
from waystation.dicom.paths import Step, parse_path
from waystation.dicom.values import NUMBERS, TEXT
from waystation.model.errors import ConfigError

CHARACTER_SET, LEVEL = tags.SPECIFIC_CHARACTER_SET, 0x00080052
NO_TEXT_KEY = "binary values cannot be keys"
_BARE_TAG = re.compile(r"(?<![(0-9A-Fa-f])([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})(?![)0-9A-Fa-f])")
# By need: the first of these that holds the text.
BY_NEED = ("", "ISO_IR 100", "ISO_IR 192")

Table = dict[int, tuple[str, Any]]


@dataclass(slots=True)
class Identifier:
    """Keys by tag: (VR, text, bytes or a list of such tables)."""

    elements: Table = field(default_factory=dict)

    def add(self, key: str) -> None:
        """Take one key as it is written on the command line."""
        path, equals, value = key.partition("=")
        try:
            steps = parse_path(_BARE_TAG.sub(r"(\1,\2)", path.strip()))
        except ValueError as error:
            raise ConfigError(f"-k {path}", str(error)) from error
        _set(self.elements, steps, value if equals else "", key)

    def default(self, keywords: Iterable[str]) -> None:
        """Ask for attributes too, where no key names them."""
        for word in keywords:
            tag = tags.tag_for(word)
            self.elements.setdefault(tag, (tags.vr_of(tag), ""))

    def text(self, tag: int) -> str:
        """Return the value of a key at the top, "" if it has none."""
        value = self.elements.get(tag, ("", ""))[1]
        return value if isinstance(value, str) else ""

    def columns(self) -> list[int]:
        """Return the tags of the keys at the top that have text, in order."""
        return [
            tag
            for tag, (vr, value) in sorted(self.elements.items())
            if isinstance(value, str) and vr != "SQ" and tag not in (CHARACTER_SET, LEVEL)
        ]

    def encode(self, transfer_syntax_uid: str, charset: str = "") -> bytes:
        """Return the data set.  charset: a term of (0008,0005), "" for what is needed."""
        stated = charset or self.text(CHARACTER_SET)
        texts = list(_texts(self.elements))
        if stated:
            for text, vr in texts:
                if not charsets.fits(text, stated, vr):
                    raise ConfigError("--charset", f"{stated} cannot say {text!r}")
        else:
            stated = next(
                term for term in BY_NEED if all(charsets.fits(text, term, vr) for text, vr in texts)
            )
        elements: Elements = {**self.elements}
        if stated:
            elements = {**elements, CHARACTER_SET: ("CS", stated)}

        def encoded(text: str, vr: str) -> bytes:
            if vr in IN_CHARSET:
                return charsets.encode(text, stated, vr)
            return text.encode("ascii", "replace")

        return compose(elements, transfer_syntax_uid, encoded)


def _texts(elements: Table) -> Iterable[tuple[str, str]]:
    for vr, value in elements.values():
        if isinstance(value, str) and vr in IN_CHARSET:
            yield value, vr
        elif isinstance(value, list):
            for item in value:
                yield from _texts(item)


def _set(table: Table, steps: Sequence[Step], value: str, key: str) -> None:
    step, *rest = steps
    if step.creator or step.tag >> 16 & 1:
        raise ConfigError(f"-k {key}", "private elements cannot be asked for by their creator")
    vr = tags.vr_of(step.tag)
    if rest:
        if vr != "SQ":
            raise ConfigError(f"-k {key}", f"{tags.keyword_of(step.tag)} is no sequence")
        items = table.get(step.tag, ("SQ", []))[1] or []
        if step.number:
            raise ConfigError(f"-k {key}", "a query has one item in a sequence: [0]")
        if not items:
            items = [{}]
        table[step.tag] = ("SQ", items)
        _set(items[0], rest, value, key)
    elif vr == "SQ":
        if value:
            raise ConfigError(f"-k {key}", "a sequence has no value; name an element inside")
        table[step.tag] = ("SQ", table.get(step.tag, ("SQ", []))[1] or [])
    else:
        table[step.tag] = (vr, _value(vr, value, key))


def _value(vr: str, value: str, key: str) -> str | bytes:
    if vr in TEXT:
        return value
    if not value:
        return ""
    code = NUMBERS.get(vr)
    try:
        if vr == "AT":
            numbers = [tags.tag_for(word) for word in value.split("\\")]
            return b"".join(pack("<HH", number >> 16, number & 0xFFFF) for number in numbers)
        if code is None:
            raise ConfigError(f"-k {key}", NO_TEXT_KEY)
        kind = float if code in "fd" else int
        return b"".join(pack(f"<{code}", kind(word)) for word in value.split("\\"))
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"-k {key}", f"no value of VR {vr}: {error}") from error


def from_file(path: Path) -> Identifier:
    """Return what a DICOM file, a bare data set or a DICOM JSON file asks for."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(str(path), error.strerror or str(error)) from error
    try:
        if data.lstrip()[:1] in (b"{", b"["):
            document = json.loads(data)
            return Identifier(_from_json(document[0] if isinstance(document, list) else document))
        meta = read_meta(data)
        head = Head.from_bytes(
            data[meta.data_set_offset :], meta.transfer_syntax_uid, tail_missing=True
        )
        return Identifier(_from_head(head, head.charset("")))
    except (DatasetError, ValueError, LookupError, TypeError, AttributeError) as error:
        text = f"is no DICOM file, data set or DICOM JSON: {error}"
        raise ConfigError(str(path), text) from error


def _from_head(head: Head, charset: str) -> Table:
    table: Table = {}
    for tag in head.elements:
        vr = head.vr(tag)
        if tag & 0xFFFF == 0 or tag >> 16 & 1:
            continue
        if vr == "SQ":
            table[tag] = (
                "SQ",
                [_from_head(item, item.charset(charset)) for item in head.items(tag)],
            )
        else:
            raw = head.raw(tag) or b""
            text = charsets.decode(raw, charset, vr) if vr in IN_CHARSET else raw.decode("latin-1")
            table[tag] = (vr, text.rstrip("\0 ") if vr in TEXT else raw)
    return table


def _from_json(document: dict[str, Any]) -> Table:
    table: Table = {}
    for word, content in document.items():
        tag = int(word, 16)
        vr = content.get("vr") or tags.vr_of(tag)
        values = content.get("Value", [])
        if vr == "SQ":
            table[tag] = ("SQ", [_from_json(item) for item in values])
        elif vr == "PN":
            table[tag] = (vr, "\\".join(_name(value) for value in values))
        else:
            text = "\\".join("" if value is None else str(value) for value in values)
            table[tag] = (vr, _value(vr, text, word))
    return table


def _name(value: dict[str, str] | None) -> str:
    groups = [(value or {}).get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")]
    return "=".join(groups).rstrip("=")
