"""A data set out of its dump: the text that dcmdump writes and dump2dcm reads.

Contract: `read_dump` takes the bytes of the text and gives the data set in explicit little endian,
tags ascending, sequences and items with defined lengths, and what had to be put up with.  The
bytes of values are taken as they are: a dump is written in the character set of its data set.
Values stand with or without brackets, in brackets a ``#`` is text; lengths are ignored; of an
element that is there twice the first counts, with a warning.  A value that lies in a file
(``=name``), and encapsulated pixels, are refused: nothing here opens files.

DumpError names the line.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from waystation.dicom import tags
from waystation.dicom.charsets import IN_CHARSET
from waystation.dicom.compose import Elements, compose
from waystation.dicom.limits import DEFAULT_LIMITS
from waystation.dicom.nested import ITEM_END, ITEM_TAG, LONG_VRS, SEQUENCE_END, SHORT_VRS
from waystation.dicom.uids import EXPLICIT_VR_LE, uid_for
from waystation.dicom.value_bytes import value_bytes
from waystation.dicom.values import NUMBERS, TEXT

_LINE: Final = re.compile(
    r"\(([0-9a-f]{4}),([0-9a-f]{4})\)[ \t]*([a-z?-]{1,2})?(?![a-z])[ \t]*(.*)",
    re.IGNORECASE | re.DOTALL,
)
_VRS: Final = {code.decode() for code in (*SHORT_VRS, *LONG_VRS)}
# What DCMTK writes where the data set leaves a choice.
_CHOICES: Final = {"xs": "US", "ox": "OW", "lt": "OW", "up": "UL"}
_BYTES: Final = {"OB": 1, "UN": 1, "OW": 2, "OL": 4, "OV": 8}
_MISSPELT_UIDS: Final = {
    "LittleEndianImplicit": "1.2.840.10008.1.2",
    "LittleEndianExplicit": EXPLICIT_VR_LE,
    "BigEndianExplicit": "1.2.840.10008.1.2.2",
}
LONGEST_LINE: Final = 1 << 20

Level = dict[int, tuple[str, Any]]


class DumpError(ValueError):
    """A line that is no line of a dump.  line: counted from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Dump:
    """What a dump holds.  data: data set in explicit little endian.  meta: texts of group 2."""

    data: bytes
    meta: dict[int, str]
    warnings: tuple[str, ...] = ()


def is_dump(beginning: bytes) -> bool:
    """Tell whether a file that begins like this is a dump: an element or a comment comes first."""
    for line in beginning[:4096].splitlines():
        text = line.strip().decode("latin-1")
        if text and not text.startswith("#"):
            return _LINE.fullmatch(text) is not None
    return False


def read_dump(text: bytes) -> Dump:
    """Return the data set.  Raises `DumpError`."""
    reading = _Reading()
    begun, open_value = 0, ""
    for number, line in enumerate(text.decode("latin-1").split("\n"), 1):
        if open_value:
            # Text of several lines goes on until its bracket.
            open_value += f"\n{line}"
            if "]" in line or len(open_value) > LONGEST_LINE:
                reading.line(begun, open_value.rstrip("\r \t"))
                open_value = ""
            continue
        stripped = line.strip("\r \t")
        if _is_open(stripped):
            begun, open_value = number, line.lstrip(" \t")
        elif stripped and not stripped.startswith("#"):
            reading.line(number, stripped)
    if open_value:
        reading.line(begun, open_value)
    return reading.whole()


def _is_open(line: str) -> bool:
    """Tell whether a line begins a value that does not end on it."""
    if "[" not in line or "]" in line:
        return False
    found = _LINE.fullmatch(line)
    return found is not None and found[4].startswith("[")


class _Reading:
    """A dump, line by line."""

    def __init__(self) -> None:
        self._warnings: list[str] = []
        self._meta: dict[int, str] = {}
        self._top: Level = {}
        # Data sets and lists of items around the place that we are at.
        self._around: list[Level | list[Elements]] = [self._top]

    def line(self, number: int, text: str) -> None:
        found = _LINE.fullmatch(text)
        if found is None or len(text) > LONGEST_LINE:
            raise DumpError(number, "is no element; expected (gggg,eeee) VR value")
        tag = int(found[1] + found[2], 16)
        if tag in (ITEM_TAG, ITEM_END, SEQUENCE_END):
            self._delimiter(number, tag)
            return
        here = self._around[-1]
        if isinstance(here, list):
            # Items are often left open where the next sequence or the rest begins.
            raise DumpError(number, "an element stands between two items")
        vr = _vr(tag, found[3] or "", found[4])
        if vr == "SQ":
            self._sequence(number, here, tag, found[4])
            return
        value = _value(number, tag, vr, found[4])
        if tag >> 16 == 2:
            self._meta[tag] = value.decode("latin-1").strip("\0 ")
        elif not tag & 0xFFFF:
            # Group lengths are retired, and would be wrong (PS3.5 7.2).
            return
        else:
            self._put(number, here, tag, (vr, value))

    def _put(self, number: int, here: Level, tag: int, element: tuple[str, Any]) -> None:
        if tag in here:
            name = tags.format_tag(tag)
            self._warnings.append(f"line {number}: {name} is there again; the first one counts")
            return
        here[tag] = element

    def _sequence(self, number: int, here: Level, tag: int, rest: str) -> None:
        if tag == tags.PIXEL_DATA:
            raise DumpError(number, "pixel data in fragments cannot be read from a dump")
        items: list[Elements] = []
        self._put(number, here, tag, ("SQ", items))
        if len(self._around) > 2 * DEFAULT_LIMITS.depth:
            raise DumpError(number, f"sequences nested deeper than {DEFAULT_LIMITS.depth}")
        if not rest.startswith("(no value"):
            self._around.append(items)

    def _delimiter(self, number: int, tag: int) -> None:
        here = self._around[-1]
        if tag == ITEM_TAG:
            if not isinstance(here, list):
                raise DumpError(number, "an item stands outside a sequence")
            item: Level = {}
            here.append(item)
            self._around.append(item)
            return
        if tag == SEQUENCE_END and isinstance(here, dict) and len(self._around) > 2:
            self._around.pop()
            here = self._around[-1]
        if isinstance(here, list) != (tag == SEQUENCE_END) or len(self._around) < 2:
            raise DumpError(number, "closes what was not open")
        self._around.pop()

    def whole(self) -> Dump:
        # A sequence without items has no delimiter of its own in some dumps.
        if len(self._around) > 2 or isinstance(self._around[-1], dict) != (len(self._around) == 1):
            raise DumpError(0, "the dump ends inside a sequence")
        data = compose(self._top, EXPLICIT_VR_LE)
        return Dump(data, self._meta, tuple(self._warnings))


def _vr(tag: int, written: str, rest: str) -> str:
    if written.upper() in _VRS:
        vr = written.upper()
        return "SQ" if vr in ("OB", "OW") and rest.startswith("(PixelSequence") else vr
    if written == "pi":
        return "SQ"
    return _CHOICES.get(written) or tags.vr_of(tag)


def _value(number: int, tag: int, vr: str, rest: str) -> bytes:
    """Return the bytes of a value as it stands behind the VR."""
    if rest.startswith("["):
        end = _bracket(rest)
        if end < 0:
            raise DumpError(number, "the value has no closing bracket")
        return _encoded(number, tag, vr, rest[1:end])
    if rest.startswith("(") and vr != "AT":
        if rest.startswith(("(not loaded", "(pixel", "(fragment")):
            raise DumpError(number, f"{tags.format_tag(tag)} is not in the dump")
        return b""
    text = rest.split("#", 1)[0].strip() if "#" in rest else rest.strip()
    if vr == "AT" and text.startswith("(no value"):
        return b""
    if text.startswith("="):
        if vr != "UI":
            raise DumpError(number, f"{tags.format_tag(tag)} lies in a file of its own")
        return _uid(number, text[1:].strip()).encode("ascii")
    return _encoded(number, tag, vr, text)


def _bracket(rest: str) -> int:
    """Return where the bracket of a value closes: the last one before the comment."""
    end = rest.rfind("]", 1)
    comment = rest.rfind("# ", 0, len(rest))
    if comment > 0:
        closing = rest.rfind("]", 1, comment)
        # A comment holds length, multiplicity and name, and no bracket.
        end = closing if closing > 0 else end
    return end


def _uid(number: int, word: str) -> str:
    known = _MISSPELT_UIDS.get(word)
    if known:
        return known
    try:
        return uid_for(word)
    except ValueError as error:
        raise DumpError(number, str(error)) from None


def _encoded(number: int, tag: int, vr: str, text: str) -> bytes:
    if not text:
        return b""
    if vr in TEXT or vr in IN_CHARSET:
        return text.encode("latin-1")
    width = _BYTES.get(vr)
    try:
        if width is not None:
            return b"".join(int(one, 16).to_bytes(width, "little") for one in text.split("\\"))
        if vr in NUMBERS or vr == "AT":
            return value_bytes(text.split("\\"), vr)
        if vr in ("OF", "OD"):
            return value_bytes(text.split("\\"), "FL" if vr == "OF" else "FD")
    except (ValueError, OverflowError):
        raise DumpError(number, f"{tags.format_tag(tag)} has no value of VR {vr}") from None
    raise DumpError(number, f"{tags.format_tag(tag)} has a VR that cannot be read: {vr}")
