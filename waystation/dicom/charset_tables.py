"""The coded character sets of DICOM, each as two tables: bytes to text and text to bytes.

Contract: a `CodedSet` lives in one half of the code table, G0 (bytes 21 to 7E) or G1 (A0 to FF),
one or two bytes a character; `text_of` reads a run of its bytes, `bytes_of` writes one character,
both in that half.  `SETS` names them by what DICOM's terms share: the number of the registration.
`ESCAPES` has the sequence that brings each into its half.

PS3.5 6.1.2, PS3.3 C.12.1.1.2 (tables C.12-2 to C.12-5), ISO 2022.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

REPLACEMENT: Final = "\ufffd"
ASCII: Final = "6"
ROMAJI: Final = "14"
KATAKANA: Final = "13"
KANJI: Final = "87"


@dataclass(frozen=True, slots=True)
class CodedSet:
    """One set.  ``vendor``: its cells outside the standard, read and written only if need be."""

    name: str
    escape: bytes
    is_g1: bool
    width: int
    decode: Callable[[bytes], str]
    vendor: Callable[[bytes], str] | None = None


def _pairs(codec: str) -> Callable[[bytes], str]:
    return lambda raw: raw.decode(codec)


def _letters(codec: str) -> Callable[[bytes], str]:
    def decode(raw: bytes) -> str:
        text = raw.decode(codec)
        if min(raw, default=0xFF) < 0xA0:
            raise UnicodeDecodeError(codec, raw, 0, 1, "a control character")
        return text

    return decode


def _katakana(raw: bytes) -> str:
    if not all(0xA1 <= byte <= 0xDF for byte in raw):
        raise UnicodeDecodeError("jis_x_0201", raw, 0, 1, "no katakana")
    return raw.decode("shift_jis")


def _ascii(raw: bytes) -> str:
    return raw.decode("ascii")


def _romaji(raw: bytes) -> str:
    return raw.decode("ascii").replace("\\", "\u00a5").replace("~", "\u203e")


def _raised(raw: bytes) -> bytes:
    return bytes(byte | 0x80 for byte in raw)


def _jis_x_0208(raw: bytes) -> str:
    return _raised(raw).decode("euc_jp")


def _jis_x_0212(raw: bytes) -> str:
    pairs = (_raised(raw[at : at + 2]) for at in range(0, len(raw), 2))
    return b"".join(b"\x8f" + pair for pair in pairs).decode("euc_jp")


def _vendor_kanji(raw: bytes) -> str:
    """Read cells that JIS X 0208 leaves empty: rows 13 and 89 to 92 of code page 932."""
    row, cell = raw[0] - 0x21, raw[1] - 0x21
    if row + 1 not in (13, 89, 90, 91, 92):
        raise UnicodeDecodeError("cp932", raw, 0, 2, "no vendor row")
    lead = (row >> 1) + (0x81 if row < 62 else 0xC1)
    trail = cell + 0x9F if row & 1 else cell + 0x40 + (cell >= 63)
    return bytes((lead, trail)).decode("cp932")


# The final letter of ESC - and the codec of each set of Latin and other letters.
_FINALS = {
    "100": (b"A", "latin-1"),
    "101": (b"B", "iso8859-2"),
    "109": (b"C", "iso8859-3"),
    "110": (b"D", "iso8859-4"),
    "126": (b"F", "iso8859-7"),
    "127": (b"G", "iso8859-6"),
    "138": (b"H", "iso8859-8"),
    "144": (b"L", "iso8859-5"),
    "148": (b"M", "iso8859-9"),
    "166": (b"T", "iso8859-11"),
    "203": (b"b", "iso8859-15"),
}
LETTERS: Final = {name: codec for name, (_, codec) in _FINALS.items()}
# What Windows programs write where they say Latin-1.
_VENDORS = {"100": _pairs("cp1252")}
SETS: Final[dict[str, CodedSet]] = {
    ASCII: CodedSet(ASCII, b"\x1b(B", False, 1, _ascii),
    ROMAJI: CodedSet(ROMAJI, b"\x1b(J", False, 1, _romaji),
    KATAKANA: CodedSet(KATAKANA, b"\x1b)I", True, 1, _katakana),
    KANJI: CodedSet(KANJI, b"\x1b$B", False, 2, _jis_x_0208, _vendor_kanji),
    "159": CodedSet("159", b"\x1b$(D", False, 2, _jis_x_0212),
    # Code page 949 has the same cells there, and none of the codec's eight-byte sequences.
    "149": CodedSet("149", b"\x1b$)C", True, 2, _pairs("cp949")),
    "58": CodedSet("58", b"\x1b$)A", True, 2, _pairs("gb2312")),
} | {
    name: CodedSet(name, b"\x1b-" + final, True, 1, _letters(codec), _VENDORS.get(name))
    for name, (final, codec) in _FINALS.items()
}
# ESC $ @ is the edition of 1978, which old Japanese systems still write.
ESCAPES: Final[dict[bytes, CodedSet]] = {one.escape: one for one in SETS.values()} | {
    b"\x1b$@": SETS[KANJI]
}


def text_of(coded: CodedSet, run: bytes) -> tuple[str, bool]:
    """Return the text of a run of bytes, and whether all of it lies in the standard's table."""
    try:
        return coded.decode(run), True
    except UnicodeDecodeError:
        cells = [run[at : at + coded.width] for at in range(0, len(run), coded.width)]
        return "".join(_cell_text(coded, cell) for cell in cells), False


def _cell_text(coded: CodedSet, cell: bytes) -> str:
    for read in (coded.decode, coded.vendor):
        try:
            if read and len(cell) == coded.width:
                return read(cell)
        except UnicodeDecodeError:
            continue
    return REPLACEMENT


def bytes_of(coded: CodedSet, character: str) -> bytes | None:
    """Return the bytes of one character in this set, None if it has none."""
    return _written(coded.name).get(character)


def vendor_bytes_of(coded: CodedSet, character: str) -> bytes | None:
    """Return the bytes of a vendor's cell, None if there is none."""
    return _written(coded.name, vendor=True).get(character) if coded.vendor else None


@cache
def _written(name: str, *, vendor: bool = False) -> dict[str, bytes]:
    coded = SETS[name]
    read = coded.vendor if vendor else coded.decode
    first, last = (0xA0, 0xFF) if coded.is_g1 else (0x21, 0x7E)
    if coded.name in (ASCII, ROMAJI):
        first, last = 0x20, 0x7E
    if coded.width == 2 and coded.is_g1:
        first, last = 0xA1, 0xFE
    one = [bytes((lead,)) for lead in range(first, last + 1)]
    cells = one if coded.width == 1 else [lead + trail for lead in one for trail in one]
    found: dict[str, bytes] = {}
    for cell in cells:
        try:
            text = read(cell) if read else ""
        except UnicodeDecodeError:
            continue
        if len(text) == 1:
            found.setdefault(text, cell)
    return found
