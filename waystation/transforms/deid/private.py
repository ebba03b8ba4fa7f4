"""Private elements that may stay (D-17).

Contract: an element is known by (creator, group, offset in its block), never by its number, since
the block lies elsewhere in the next object (PS3.5 7.8.1).  `survivors` says which elements of one
data set are on the list; creators and everything else that is private goes.
"""

import csv
import io
import re
from collections.abc import Collection
from struct import iter_unpack
from typing import Final

from waystation.dicom.tree import Elem, Tree

# (creator, group, offset).
Safe = frozenset[tuple[str, int, int]]
# Table E.3.10-1 of PS3.15: empty until it is transcribed and reviewed.
STANDARD: Final[Safe] = frozenset()
CHARACTERISTICS: Final = 0x00080300
GROUP, CREATOR, STATUS, NONIDENTIFYING = 0x00080301, 0x00080302, 0x00080303, 0x00080304
BULK: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
BULK_BYTES: Final = 4096
_ROW = re.compile(r"[0-9A-Fa-f]{1,4}")


def read_safe(text: str) -> Safe:
    """Return the list that a CSV file holds: columns creator, group, element, and maybe note.

    group and element are hexadecimal; of the element only the last two digits count (``xx10``).
    ValueError names the line.
    """
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    found: set[tuple[str, int, int]] = set()
    try:
        if not {"creator", "group", "element"} <= set(rows.fieldnames or ()):
            raise ValueError("line 1: expected the columns creator, group, element")
        for row in rows:
            found.add(_row(row, rows.line_num))
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: no CSV: {error}") from None
    return frozenset(found)


def _row(row: dict[str, str], line: int) -> tuple[str, int, int]:
    creator = (row.get("creator") or "").strip()
    group, element = (row.get("group") or "").strip(), (row.get("element") or "").strip()
    offset = element[-2:]
    if not creator or not _ROW.fullmatch(group) or not _ROW.fullmatch(offset):
        raise ValueError(f"line {line}: expected a creator, and hexadecimal group and element")
    number = int(group, 16)
    if not number & 1 or number < 9:
        raise ValueError(f"line {line}: a private group is odd and at least 0009")
    return creator, number, int(offset, 16)


def creators_of(tree: Tree) -> dict[int, str]:
    """Return the private blocks of a data set: ``group << 8 | block`` → creator."""
    found: dict[int, str] = {}
    for elem in tree.elements:
        tag = elem.tag
        if tag & 0x10000 and 0x10 <= tag & 0xFFFF <= 0xFF and elem.value:
            name = elem.value.decode("latin-1").strip("\0 ")
            found.setdefault(tag >> 16 << 8 | tag & 0xFF, name)
    return found


def block_of(tag: int) -> int:
    """Return ``group << 8 | block`` of a private element."""
    return tag >> 16 << 8 | tag >> 8 & 0xFF


def survivors(tree: Tree, safe: Safe, declared: "dict[tuple[str, int], Declared]") -> set[int]:
    """Return the tags of the private elements of ``tree`` that may stay, without creators.

    declared: what the object says about its blocks; see `read_declared`.
    """
    creators = creators_of(tree)
    kept: set[int] = set()
    for elem in tree.elements:
        tag = elem.tag
        if not tag & 0x10000 or tag & 0xFFFF <= 0xFF:
            continue
        creator = creators.get(block_of(tag))
        if creator is None or _is_pixels(elem):
            continue
        said = declared.get((creator, tag >> 16))
        is_safe = (creator, tag >> 16, tag & 0xFF) in safe
        if said is None:
            stays = is_safe
        elif said.trusted:
            stays = said.allows(tag & 0xFF)
        else:
            stays = is_safe and said.allows(tag & 0xFF)
        if stays:
            kept.add(tag)
    return kept


def _is_pixels(elem: Elem) -> bool:
    """Tell whether it may hold an image: those never survive."""
    if elem.tag >> 20 == 0x7FE or elem.is_encapsulated:
        return True
    return elem.vr in BULK and elem.length > BULK_BYTES


class Declared:
    """What an object says about one private block; offsets None: all of it is harmless."""

    def __init__(self, offsets: Collection[int] | None, *, trusted: bool) -> None:
        self.offsets = offsets
        self.trusted = trusted

    def allows(self, offset: int) -> bool:
        """Tell whether the object calls an element of the block harmless."""
        return self.offsets is None or offset in self.offsets


def read_declared(tree: Tree, *, trusted: bool) -> dict[tuple[str, int], Declared]:
    """Return what Private Data Element Characteristics (0008,0300) say, by creator and group.

    Where blocks are named twice, only what both allow is allowed.
    """
    found: dict[tuple[str, int], Declared] = {}
    elem = tree.get(CHARACTERISTICS)
    for item in (elem.items if elem else None) or ():
        key = item.text(CREATOR), (numbers(item, GROUP) or [0])[0]
        status = item.text(STATUS)
        offsets: set[int] | None = None
        if status != "SAFE":
            listed = numbers(item, NONIDENTIFYING) if status == "MIXED" else []
            offsets = {number & 0xFF for number in listed}
        earlier = found.get(key)
        if earlier is not None and earlier.offsets is not None:
            offsets = set(earlier.offsets) if offsets is None else offsets & set(earlier.offsets)
        found[key] = Declared(offsets, trusted=trusted)
    return found


def numbers(item: Tree, tag: int) -> list[int]:
    """Return the values of an element of VR US."""
    elem = item.get(tag)
    value = elem.value if elem is not None else None
    if elem is None or not value:
        return []
    form = ">" if elem.is_big_endian else "<"
    return [number for (number,) in iter_unpack(form + "H", value[: len(value) // 2 * 2])]
