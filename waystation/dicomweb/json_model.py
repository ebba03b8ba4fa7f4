"""The metadata of an instance as a text that is made once and served often (W-78, W-79).

Contract: pure.  `Composer.text` gives the DICOM JSON of one head, with `BULK` (a byte that no JSON
text has) wherever the URL of the instance's bulk data belongs; `placed` puts that URL in.  A
composer remembers the elements it has written: those of a series are mostly the same.
"""

import json
from typing import Any, Final

from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.dicom.scan import form_of
from waystation.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.dicomweb.dicom_json import element, shown

BULK: Final = b"\x01"
AVAILABLE_SYNTAX: Final = 0x00083002
# Changes when the same head gives another text; what was kept of older ones is made anew.
EDITION: Final = 1
MOST: Final = 4000
MOST_KINDS: Final = 4
LONGEST: Final = 2048
_MARK: Final = '"BulkDataURI":"\\u0001'
# Written with their dictionary VR, which may depend on other elements.
_SIGNED: Final = (tags.PIXEL_REPRESENTATION,)
_NEVER_SENT: Final = frozenset({IMPLICIT_VR_LE, EXPLICIT_VR_BE})


def dumped(value: Any) -> str:
    """Return JSON without blanks, letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def sent_syntax(transfer_syntax_uid: str) -> str:
    """Return the syntax in which an object is sent as it is stored (W-19)."""
    return EXPLICIT_VR_LE if transfer_syntax_uid in _NEVER_SENT else transfer_syntax_uid


class Composer:
    """Writes the heads of related objects."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], dict[tuple[object, ...], str]] = {}

    def _known_for(self, head: Head, charset: str) -> dict[tuple[object, ...], str]:
        """Return what was written under the same circumstances."""
        around = (charset, form_of(head.transfer_syntax_uid), *map(head.raw, _SIGNED))
        if len(self._known) > MOST_KINDS:
            self._known.clear()
        known = self._known.setdefault(around, {})
        if len(known) > MOST:
            known.clear()
        return known

    def text(self, head: Head, transfer_syntax_uid: str) -> bytes:
        """Return the metadata; ``transfer_syntax_uid``: that of the stored object."""
        charset = head.charset("")
        data, elements, limit = head.data, head.elements, len(head.data)
        known = self._known_for(head, charset)
        parts: list[tuple[int, str]] = []
        for tag in shown(head):
            written, start, length = elements[tag]
            if length > LONGEST or start + length > limit:
                parts.append((tag, _element(head, tag, charset)))
                continue
            key: tuple[object, ...] = (tag, written, data[start : start + length])
            if tag & 0x10000 and tag & 0xFFFF > 0xFF:
                key = (*key, head.raw(tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8))
            text = known.get(key)
            if text is None:
                text = known[key] = _element(head, tag, charset)
            parts.append((tag, text))
        if AVAILABLE_SYNTAX not in elements:
            syntax = sent_syntax(transfer_syntax_uid)
            value = dumped({"vr": "UI", "Value": [syntax]})
            parts.append((AVAILABLE_SYNTAX, f'"{AVAILABLE_SYNTAX:08X}":{value}'))
            parts.sort()
        return ("{" + ",".join([text for _, text in parts]) + "}").encode()


def _element(head: Head, tag: int, charset: str) -> str:
    return f'"{tag:08X}":' + _marked(dumped(element(head, tag, charset, _placeholder)))


def _placeholder(path: str) -> str:
    return "\x01" + path


def _marked(text: str) -> str:
    # Inside a value the quotes would be escaped: only our own placeholders look like this.
    return text.replace(_MARK, '"BulkDataURI":"\x01') if _MARK in text else text


def placed(text: bytes, url: str) -> bytes:
    """Return a text with the URL of the instance in it."""
    return text.replace(BULK, f"{url}/bulkdata/".encode())
