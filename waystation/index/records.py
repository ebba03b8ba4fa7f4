"""Rows of the index as records: what is matched, and what is answered.

Contract: a `LevelRecord` shows a patient, study or series; made with ``others`` it has the values
of all objects, so that each of them still matches (T-32).  An `ImageRecord` shows the head of an
object, and of the levels above only what is counted there.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_LE
from waystation.dicom.splice import encode_element
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.dicom.values import split_text
from waystation.index import levels
from waystation.index.described import read
from waystation.matching.record import HeadRecord
from waystation.model.query import Record

Computed = Mapping[int, tuple[str, ...]]
NOTHING: Final[Computed] = {}


class LevelRecord:
    """One row.  above: the row of the level above, whose attributes this one has too."""

    __slots__ = ("_above", "_computed", "_items", "_others", "_own", "charset", "zone")

    def __init__(
        self,
        data: bytes,
        others: str = "",
        *,
        computed: Computed = NOTHING,
        regions: bytes = b"",
        above: "LevelRecord | None" = None,
    ) -> None:
        self._own = HeadRecord(read(data))
        self._others: dict[str, list[str]] = json.loads(others) if others else {}
        self._computed = computed
        self._above = above
        self._items = regions
        self.charset: str = self._own.charset or (above.charset if above else "")
        zone = self._own.zone
        self.zone: int | None = above.zone if zone is None and above is not None else zone

    def values(self, tag: int, vr: str) -> Sequence[str]:
        """Return the values of an attribute, those that are shown first."""
        if tag in self._computed:
            return self._computed[tag]
        found = self._own.values(tag, vr)
        if self._others and (more := self._others.get(f"{tag:08X}")):
            return [*found, *(value for each in more for value in split_text(each, vr))]
        if not found and self._above is not None and tag not in levels.SERIES:
            return self._above.values(tag, vr)
        return found

    def items(self, tag: int) -> Sequence[Record]:
        """Return the items of a sequence."""
        if tag == levels.REGIONS_IN_STUDY and self._items:
            return _items(tag, self._items, self.charset)
        found: list[Record] = [*self._own.items(tag)]
        for each in self._others.get(f"{tag:08X}", ()):
            charset, _, raw = each.partition("|")
            found += _items(tag, bytes.fromhex(raw), charset)
        if not found and self._above is not None and tag not in levels.SERIES:
            return self._above.items(tag)
        return found

    def elements(self) -> Iterable[tuple[int, str]]:
        """Return what is here; nobody asks a row for all of it."""
        return self._own.elements()


def _items(tag: int, raw: bytes, charset: str) -> Sequence[HeadRecord]:
    data = encode_element(tag, "SQ", raw, EXPLICIT_LE)
    return HeadRecord(Head.from_bytes(data, EXPLICIT_VR_LE), charset=charset).items(tag)


class ImageRecord:
    """One object.  head: None if nobody asks for more than ``computed`` has.

    read_as: character set by which a head is read that names none.
    """

    __slots__ = ("_computed", "_own", "charset", "zone")

    def __init__(self, head: Head | None, computed: Computed, read_as: str = "") -> None:
        self._own = None if head is None else HeadRecord(head, charset=read_as)
        self._computed = computed
        self.charset: str = "" if self._own is None else self._own.charset
        self.zone: int | None = None if self._own is None else self._own.zone

    def values(self, tag: int, vr: str) -> Sequence[str]:
        """Return the values of an attribute."""
        if tag in self._computed:
            return self._computed[tag]
        return () if self._own is None else self._own.values(tag, vr)

    def items(self, tag: int) -> Sequence[Record]:
        """Return the items of a sequence."""
        return () if self._own is None else self._own.items(tag)

    def elements(self) -> Iterable[tuple[int, str]]:
        """Return (tag, VR) of all that is here."""
        return () if self._own is None else self._own.elements()


def words(column: str) -> tuple[str, ...]:
    """Return the words of a column that holds a sorted set."""
    return tuple(word for word in column.split("\\") if word)
