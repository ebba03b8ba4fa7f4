"""DICOM JSON as a Native DICOM Model document, and back (PS3.19 annex A.1, W-54).

Contract: pure.  Both say the same: `to_xml` writes what the JSON has and nothing else, `from_xml`
gives it back, numbers as the VR has them.  What XML 1.0 cannot hold (control characters) becomes
U+FFFD.  No document type and no entities are read (L26); ValueError says what is wrong.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from waystation.dicom.tags import is_private, keyword_of
from waystation.dicomweb.dicom_json import GROUPS

SPACE: Final = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
COMPONENTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
DEEPEST: Final = 64
WHOLE: Final = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "IS"})
DECIMAL: Final = frozenset({"DS", "FL", "FD"})
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def to_xml(data_set: Mapping[str, Any]) -> bytes:
    """Return the document."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    parts.append(f'<NativeDicomModel xmlns="{SPACE}" xml:space="preserve">')
    parts += _attributes(data_set)
    parts.append("</NativeDicomModel>\n")
    return "".join(parts).encode()


def _attributes(data_set: Mapping[str, Any]) -> Iterator[str]:
    for tag, element in data_set.items():
        number = int(tag, 16)
        yield f'<DicomAttribute tag="{tag}" vr="{element["vr"]}"'
        if is_private(number):
            if creator := _creator(data_set, number):
                yield f" privateCreator={quoteattr(_plain(creator))}"
        elif keyword := keyword_of(number):
            yield f' keyword="{keyword}"'
        yield ">"
        yield from _content(element)
        yield "</DicomAttribute>"


def _creator(data_set: Mapping[str, Any], tag: int) -> str:
    if tag & 0xFFFF <= 0xFF:
        return ""
    block = data_set.get(f"{tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8:08X}", {})
    return str(next(iter(block.get("Value", ())), "") or "")


def _content(element: Mapping[str, Any]) -> Iterator[str]:
    if "BulkDataURI" in element:
        yield f"<BulkData uri={quoteattr(_plain(element['BulkDataURI']))}/>"
    elif "InlineBinary" in element:
        yield f"<InlineBinary>{element['InlineBinary']}</InlineBinary>"
    for number, value in enumerate(element.get("Value", ()), 1):
        if element["vr"] == "SQ":
            yield f'<Item number="{number}">'
            yield from _attributes(value)
            yield "</Item>"
        elif element["vr"] == "PN":
            yield f'<PersonName number="{number}">'
            yield from _name(value or {})
            yield "</PersonName>"
        elif value is None:
            yield f'<Value number="{number}"/>'
        else:
            yield f'<Value number="{number}">{_text(str(value))}</Value>'


def _name(value: Mapping[str, str]) -> Iterator[str]:
    for group in GROUPS:
        if group in value:
            yield f"<{group}>"
            for name, part in zip(COMPONENTS, value[group].split("^", 4), strict=False):
                yield f"<{name}>{_text(part)}</{name}>"
            yield f"</{group}>"


def _plain(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)


def _text(text: str) -> str:
    return escape(_plain(text), {"\r": "&#13;"})


def from_xml(text: bytes) -> dict[str, Any]:
    """Return the data set of a document; raises ValueError if it is none."""
    # In UTF-16, in which these words look otherwise, there is a zero at every other place.
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text or b"\0" in text:
        raise ValueError("a document type is not read")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"no XML: {error}") from None
    if _local(root) != "NativeDicomModel":
        raise ValueError("no NativeDicomModel")
    return _data_set(root, 1)


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _data_set(parent: Element, depth: int) -> dict[str, Any]:
    if depth > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST}")
    found: dict[str, Any] = {}
    for child in parent:
        if _local(child) != "DicomAttribute":
            continue
        tag, vr = child.get("tag", ""), child.get("vr", "")
        if not _TAG.fullmatch(tag) or len(vr) != 2:
            raise ValueError("a DicomAttribute without tag or vr")
        found[tag.upper()] = {"vr": vr, **_read(child, vr, depth)}
    return dict(sorted(found.items()))


def _read(attribute: Element, vr: str, depth: int) -> dict[str, Any]:
    values: dict[int, Any] = {}
    for child in attribute:
        kind = _local(child)
        if kind == "BulkData":
            return {"BulkDataURI": child.get("uri") or child.get("uuid", "")}
        if kind == "InlineBinary":
            return {"InlineBinary": "".join((child.text or "").split())}
        number = child.get("number", str(len(values) + 1))
        if not number.isascii() or not number.isdigit() or not 0 < int(number) <= 1_000_000:
            raise ValueError("a value without a number")
        if kind == "Item":
            values[int(number)] = _data_set(child, depth + 1)
        elif kind == "PersonName":
            values[int(number)] = _read_name(child)
        elif kind == "Value":
            values[int(number)] = _value(child.text or "", vr)
    if not values:
        return {}
    last = max(values)
    if last > 2 * len(values) + 1000:
        raise ValueError("the numbers of the values do not fit")
    return {"Value": [values.get(number) for number in range(1, last + 1)]}


def _read_name(name: Element) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for group in name:
        parts = {_local(part): part.text or "" for part in group}
        there = max((COMPONENTS.index(name) for name in parts if name in COMPONENTS), default=-1)
        text = "^".join(parts.get(component, "") for component in COMPONENTS[: there + 1])
        if text:
            found[_local(group)] = text
    return found or None


def _value(text: str, vr: str) -> str | int | float | None:
    if vr in WHOLE | DECIMAL and _NUMBER.fullmatch(text):
        is_whole = not set(text) & set(".eE")
        if is_whole and (vr in WHOLE or vr == "DS"):
            return int(text)
        return float(text)
    return text or None
