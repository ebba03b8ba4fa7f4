"""The answer to a store request: which instances were stored, which failed, and why.

Contract (PS3.18 sections 10.5.3.3 and I.2): `read_answer` takes the body of an answer, in DICOM
JSON or in the XML of PS3.19, and returns what it says of each SOP instance; None if it is no such
answer.  Any bytes give one of the two.  An instance that is named as stored and as failed counts
as failed.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

STORED, FAILED, OTHERS = "00081199", "00081198", "0008119A"
INSTANCE, WARNING_REASON, FAILURE_REASON = "00081155", "00081196", "00081197"
# PS3.7 C.5.7: what an item without a reason says.
PROCESSING_FAILURE = 0x0110

Element = ElementTree.Element


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAnswer:
    """SOP Instance UID → warning reason (0 for none), and SOP Instance UID → failure reason.

    unnamed: parts that failed without having an identity (Other Failures Sequence).
    """

    stored: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    unnamed: int = 0

    @property
    def empty(self) -> bool:
        """Return whether it speaks of no instance at all."""
        return not (self.stored or self.failed or self.unnamed)


def read_answer(body: bytes, content_type: str = "") -> StoreAnswer | None:
    """Return what the answer says, None if it says nothing that we understand."""
    text = body.lstrip()
    try:
        if text[:1] == b"<" and "html" not in content_type.lower():
            return _answer(*_from_xml(text))
        return _answer(*_from_json(text))
    except (ValueError, RecursionError, ElementTree.ParseError):
        return None


Item = dict[str, Any]


def _answer(stored: list[Item], failed: list[Item], others: list[Item]) -> StoreAnswer:
    bad = {uid: reason or PROCESSING_FAILURE for uid, reason in _reasons(failed, FAILURE_REASON)}
    good = {uid: reason for uid, reason in _reasons(stored, WARNING_REASON) if uid not in bad}
    return StoreAnswer(stored=good, failed=bad, unnamed=len(others))


def _reasons(items: list[Item], reason: str) -> Iterator[tuple[str, int]]:
    for item in items:
        uid = str(item.get(INSTANCE) or "").strip(" \0")
        if uid:
            yield uid, _number(item.get(reason))


def _number(value: Any) -> int:
    try:
        return int(value) & 0xFFFF
    except (TypeError, ValueError, OverflowError):
        return 0


def _from_json(text: bytes) -> tuple[list[Item], list[Item], list[Item]]:
    found = json.loads(text)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict):
        raise ValueError("no data set")
    return _items(found, STORED), _items(found, FAILED), _items(found, OTHERS)


def _items(data_set: Mapping[str, Any], tag: str) -> list[Item]:
    """Return the items of one sequence, each as tag → first value."""
    values = _values(data_set.get(tag))
    return [
        {key.upper(): next(iter(_values(element)), None) for key, element in item.items()}
        for item in values
        if isinstance(item, dict)
    ]


def _values(element: Any) -> list[Any]:
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _from_xml(text: bytes) -> tuple[list[Item], list[Item], list[Item]]:
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text or b"\0" in text:
        # Nothing that the Standard describes; the ways to let a reader run out of memory begin so,
        # in UTF-16 with a zero at every other place.
        raise ValueError("a document type")
    root = ElementTree.fromstring(text)
    if _name(root) != "NativeDicomModel":
        raise ValueError("no data set")
    return _xml_items(root, STORED), _xml_items(root, FAILED), _xml_items(root, OTHERS)


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _attributes(parent: Element) -> Iterator[tuple[str, Element]]:
    for child in parent:
        if _name(child) == "DicomAttribute":
            yield child.get("tag", "").upper(), child


def _xml_items(root: Element, tag: str) -> list[Item]:
    return [
        {key: _xml_value(element) for key, element in _attributes(item)}
        for found, sequence in _attributes(root)
        if found == tag
        for item in sequence
        if _name(item) == "Item"
    ]


def _xml_value(element: Element) -> str:
    return next((child.text or "" for child in element if _name(child) == "Value"), "")
