"""The head of a data set: everything before the pixels, found but not decoded.

Contract: a Head is what the scan saw, with the bytes of the head at hand.  `raw`, `text` and
`identity` are for hot paths: one dictionary look-up, no character sets.  `values` follows a path
through sequences and decodes; `None` means absent (or longer than the limit for indexing, while
`has` is True), an empty list means present without a value that is text or number.
The tail (`pixel_offset` to `total_length`) is not here; for a deflated syntax every offset counts
inflated bytes.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

from waystation.dicom import dictionary, tags
from waystation.dicom.errors import DatasetError
from waystation.dicom.limits import DEFAULT_LIMITS, WalkLimits
from waystation.dicom.nested import (
    EXPLICIT_BE,
    IMPLICIT_LE,
    ITEM_HEADERS,
    ITEM_TAG,
    UNDEFINED,
)
from waystation.dicom.paths import Step, parse_path
from waystation.dicom.scan import Element, Scanner, form_of
from waystation.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.dicom.values import Value, decode_values

PIECE = 1 << 20
ITEM_SYNTAXES = (EXPLICIT_VR_LE, IMPLICIT_VR_LE, EXPLICIT_VR_BE)  # by form


class Identity(NamedTuple):
    """What an object says it is; empty where it says nothing."""

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    patient_id: str
    modality: str


class Head:
    __slots__ = (
        *("_limit", "data", "elements", "ended", "pixel_offset", "repeated", "total_length"),
        *("transfer_syntax_uid", "whole"),
    )

    def __init__(self, scan: Scanner, transfer_syntax_uid: str, limits: WalkLimits) -> None:
        self.transfer_syntax_uid = transfer_syntax_uid
        self.data: bytes = scan.head
        self.elements: dict[int, Element] = scan.elements
        # Elements seen again (tag, offset, length): the first counts, but none may be forgotten
        # by who removes one.
        self.repeated = scan.repeated
        self.pixel_offset: int = scan.tail
        self.total_length: int = scan.length
        # False: the head was too long, its end lies in the tail too.
        self.whole: bool = scan.whole
        # False: the pixels, in fragments, may be longer than what was read.
        self.ended: bool = scan.ended
        self._limit = limits.indexed_bytes

    @classmethod
    def from_bytes(
        cls,
        data: bytes | bytearray | memoryview,
        transfer_syntax_uid: str,
        *,
        tail_missing: bool = False,
        limits: WalkLimits = DEFAULT_LIMITS,
    ) -> Self:
        """Walk a data set that is at hand; ``tail_missing`` if it may stop after its head."""
        scan = Scanner(transfer_syntax_uid, limits=limits)
        if len(data) <= PIECE:
            scan.feed(data)
        else:
            view = memoryview(data)
            for at in range(0, len(data), PIECE):
                scan.feed(view[at : at + PIECE])
        scan.close(tail_missing=tail_missing)
        return cls(scan, transfer_syntax_uid, limits)

    def raw(self, tag: int) -> bytes | None:
        """Return the bytes of a value; None if it is absent, in the tail or too long to index."""
        element = self.elements.get(tag)
        if element is None:
            return None
        _, start, length = element
        if length > self._limit or start + length > len(self.data):
            return None
        return self.data[start : start + length]

    def text(self, tag: int) -> str:
        """Return the first value as text without padding, "" if there is none.

        For the VRs that no character set touches; bytes beyond ASCII are read as Latin-1.
        """
        raw = self.raw(tag)
        if not raw:
            return ""
        text = raw.decode("latin-1")
        if "\\" in text:
            text = text[: text.index("\\")]
        return text.strip("\0 ")

    def has(self, path: str) -> bool:
        """Tell whether the element is there, with or without a value."""
        return next(self._found(parse_path(path)), None) is not None

    def values(self, path: str) -> list[Value] | None:
        """Return all values that the path leads to, in order; None if there is no such element.

        Raises ValueError for a path that is none, DatasetError (as `has` does) for a sequence that
        is broken inside: one that the scan took on trial and passed over.
        """
        steps = parse_path(path)
        found: list[Value] | None = None
        for head, tag, charset in self._found(steps):
            raw = head.raw(tag)
            if raw is None:
                continue
            creator = steps[-1].creator or None
            vr = head.vr(tag, creator)
            big = form_of(head.transfer_syntax_uid) == EXPLICIT_BE
            values = decode_values(raw, vr, charset, big_endian=big)
            number = steps[-1].number
            if number is not None:
                values = values[number : number + 1]
            found = values if found is None else found + values
        return found

    def vr(self, tag: int, creator: str | None = None) -> str:
        """Return the VR of an element that is there, the dictionary's where it does not say."""
        written = self.elements[tag][0]
        if written is not None and written != "UN":
            return written
        vr = tags.vr_of(tag, creator)
        signed = vr == "US" and self._is_signed_choice(tag)
        return "SS" if signed else vr

    def _is_signed_choice(self, tag: int) -> bool:
        if self.raw(tags.PIXEL_REPRESENTATION) not in (b"\1\0", b"\0\1"):
            return False
        try:
            return "SS" in dictionary.entry_of(tag)[0]
        except KeyError:
            return False

    def items(self, tag: int) -> Iterator["Head"]:
        """Yield the items of a sequence, each as a Head of its own."""
        raw = memoryview(self.raw_sequence(tag))
        written = self.elements[tag][0] if tag in self.elements else None
        form = IMPLICIT_LE if written == "UN" else form_of(self.transfer_syntax_uid)
        syntax = ITEM_SYNTAXES[form]
        header = ITEM_HEADERS[form]
        at = 0
        while at + 8 <= len(raw):
            group, number, length = header.unpack_from(raw, at)
            if group << 16 | number != ITEM_TAG:
                return
            at += 8
            open_ended = length == UNDEFINED
            if not open_ended and at + length > len(raw):
                raise DatasetError("R-5", "an item is longer than its sequence")
            scan = Scanner(syntax, item=open_ended)
            scan.feed(raw[at:] if open_ended else raw[at : at + length])
            scan.close()
            at += scan.item_end + 8 if open_ended else length
            yield Head(scan, syntax, DEFAULT_LIMITS)

    def raw_sequence(self, tag: int) -> bytes:
        """Return the bytes of a sequence, of any length that the head holds."""
        element = self.elements.get(tag)
        if element is None or element[1] + element[2] > len(self.data):
            return b""
        return self.data[element[1] : element[1] + element[2]]

    def _found(self, steps: tuple[Step, ...]) -> Iterator[tuple["Head", int, str]]:
        """Yield ``(data set, tag, character set)`` wherever the path leads."""
        heads = [(self, self.charset(""))]
        for step in steps[:-1]:
            below: list[tuple[Head, str]] = []
            for head, charset in heads:
                tag = head.tag_of(step)
                for number, item in enumerate(head.items(tag)):
                    if step.number is None or step.number == number:
                        below.append((item, item.charset(charset)))
            heads = below
        for head, charset in heads:
            tag = head.tag_of(steps[-1])
            if tag in head.elements:
                yield head, tag, charset

    def charset(self, inherited: str) -> str:
        """Return Specific Character Set, that of the surroundings if it is not given here."""
        raw = self.raw(tags.SPECIFIC_CHARACTER_SET)
        return inherited if raw is None else raw.decode("latin-1").strip("\0 ")

    def tag_of(self, step: Step) -> int:
        """Return the tag that a step means here; -1 if its private block is not here."""
        if not step.creator:
            return step.tag
        group = step.tag >> 16
        for block in range(0x10, 0x100):
            creator = group << 16 | block
            if creator in self.elements and self.text(creator) == step.creator:
                return group << 16 | block << 8 | step.tag & 0xFF
        return -1


def identity(head: Head) -> Identity:
    """Return what the object says it is."""
    text = head.text
    return Identity(
        text(tags.SOP_CLASS_UID),
        text(tags.SOP_INSTANCE_UID),
        text(tags.STUDY_INSTANCE_UID),
        text(tags.SERIES_INSTANCE_UID),
        text(tags.PATIENT_ID),
        text(tags.MODALITY),
    )
