"""Bytes to text and text to bytes, in every character set of DICOM.

Contract: `read` never fails: what cannot be said comes out as U+FFFD, and `faults` tells what a
lenient reader had to put up with; `decode` is its text, or with ``strict`` a named CharsetError.
`encode` writes what the terms declare and nothing else, with every escape sequence that PS3.5
6.1.2.5.3 asks for; CharsetError if the text does not fit.  Values are split after decoding: a
backslash, ``^`` or ``=`` of the text is never half of a character.

VRs that Specific Character Set does not speak about are ASCII (read as Latin-1).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from waystation.dicom.charset_tables import (
    ESCAPES,
    REPLACEMENT,
    CodedSet,
    bytes_of,
    text_of,
    vendor_bytes_of,
)
from waystation.dicom.charset_terms import SENTENCES, UTF_8, Charset, Fault

__all__ = ["UTF_8", "Charset", "CharsetError", "Fault", "Reading", "decode", "encode", "fits"]

# VRs that the Specific Character Set speaks about; all other text is ASCII.
IN_CHARSET: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
UNDIVIDED: Final = frozenset({"LT", "ST", "UT"})
DEFAULT_GUESSES: Final = (UTF_8, "ISO_IR 100")
ESC: Final = 0x1B
ASCII_ESCAPE: Final = b"\x1b(B"

_ESCAPE = re.compile(rb"\x1b(?:\$[()][@-~]|\$[@AB]|[-()][@-~])?")
_HALVES = re.compile(rb"[\x00-\x7f]+|[\x80-\xff]+")
_KANJI_RUN = re.compile(rb"(?:[\x21-\x7e]{2})*")
_DELIMITERS = {"PN": "\\^=", **dict.fromkeys(UNDIVIDED, "")}
_RUNS = {
    some: re.compile(rb"[\x00-\x1f%b]|[^\x00-\x1f%b]+" % (2 * (re.escape(some.encode()),)))
    for some in ("\\^=", "\\", "")
}


class CharsetError(ValueError):
    """Text that its character set cannot say, or (strict) bytes that are not as they should be.

    ``fault``: what is wrong; ``characters``: those that do not fit, never to be logged.
    """

    def __init__(self, fault: Fault, problem: str = "", characters: str = "") -> None:
        self.fault = fault
        self.characters = characters
        super().__init__(problem or f"{fault.value}: {SENTENCES[fault]}")


@dataclass(frozen=True, slots=True)
class Reading:
    """Text, and what a lenient reader put up with on the way."""

    text: str
    faults: frozenset[Fault] = frozenset()


def decode(
    raw: bytes,
    charset: Charset | str,
    vr: str,
    *,
    strict: bool = False,
    guesses: Sequence[str] = DEFAULT_GUESSES,
) -> str:
    """Return the text of one element, all its values with their delimiters and padding.

    charset: Specific Character Set as it stands.  guesses: terms to try, in this order, for bytes
    beyond ASCII where it names none (T-25).  strict: raise CharsetError for the first fault.
    """
    reading = read(raw, charset, vr, guesses=guesses)
    if strict and reading.faults:
        raise CharsetError(min(reading.faults, key=list(Fault).index))
    return reading.text


def read(
    raw: bytes, charset: Charset | str, vr: str, *, guesses: Sequence[str] = DEFAULT_GUESSES
) -> Reading:
    """Return the text and its faults; those of the terms too if the bytes depend on them."""
    is_ascii = raw.isascii() and ESC not in raw
    if vr not in IN_CHARSET or (is_ascii and not charset):
        return Reading(raw.decode("latin-1"))
    terms = Charset.parse(charset) if isinstance(charset, str) else charset
    if is_ascii and (terms.g0.escape == ASCII_ESCAPE):
        return Reading(raw.decode("ascii"))
    text = _letters(raw, terms) if terms.letters and ESC not in raw else ""
    if text:
        reading = Reading(text)
    elif terms.codec:
        reading = _whole(raw, terms.codec)
    elif terms.is_silent and ESC not in raw:
        reading = _guessed(raw, vr, guesses)
    else:
        reading = _Walk(terms, vr, guesses).over(raw)
    return Reading(reading.text, reading.faults | terms.faults) if terms.faults else reading


def _letters(raw: bytes, terms: Charset) -> str:
    """Return the text of the ordinary case, one set of letters and nothing odd; "" if it is not."""
    try:
        text = raw.decode(terms.letters)
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


def _whole(raw: bytes, codec: str) -> Reading:
    """Read a set that allows no extension, where an ESC byte is an error."""
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError:
        if codec == "gbk":
            return Reading(_whole(raw, "gb18030").text, frozenset({Fault.UNDECODABLE}))
        return Reading(raw.decode(codec, "replace"), frozenset({Fault.UNDECODABLE}))
    if ESC not in raw:
        return Reading(text)
    return Reading(text.replace("\x1b", REPLACEMENT), frozenset({Fault.UNDECODABLE}))


def _guessed(raw: bytes, vr: str, guesses: Sequence[str]) -> Reading:
    """Read bytes beyond ASCII of which nothing is said: the first guess without a fault."""
    reading = Reading(raw.decode("latin-1"))
    for guess in guesses:
        terms = Charset.parse(guess)
        reading = _whole(raw, terms.codec) if terms.codec else _Walk(terms, vr, ()).over(raw)
        if not reading.faults:
            break
    return Reading(reading.text, reading.faults | {Fault.GUESSED})


class _Walk:
    """One value on its way from bytes to text, with the two halves as they stand."""

    def __init__(self, terms: Charset, vr: str, guesses: Sequence[str]) -> None:
        self._terms = terms
        self._vr = vr
        self._guesses = guesses
        delimiters = _DELIMITERS.get(vr, "\\")
        self._runs = _RUNS[delimiters]
        self._ends = {one.encode() for one in delimiters}
        self._text: list[str] = []
        self._faults: set[Fault] = set()
        self._g0, self._g1 = terms.g0, terms.g1
        self._latest = terms.g1

    def over(self, raw: bytes) -> Reading:
        at = 0
        for found in _ESCAPE.finditer(raw):
            self._chunk(raw[at : found.start()])
            self._escape(found[0])
            at = found.end()
        self._chunk(raw[at:])
        if self._g0.width == 2:
            self._faults.add(Fault.NO_RESET)
        return Reading("".join(self._text), frozenset(self._faults))

    def _escape(self, sequence: bytes) -> None:
        coded = ESCAPES.get(sequence)
        if coded is None:
            self._faults.add(Fault.UNKNOWN_ESCAPE)
            self._text.append(REPLACEMENT + sequence[1:].decode("ascii"))
            return
        if coded not in self._terms.sets:
            self._faults.add(Fault.UNDECLARED)
        if coded.is_g1:
            self._g1 = self._latest = coded
        else:
            self._g0 = coded

    def _chunk(self, chunk: bytes) -> None:
        """Read bytes between two escape sequences."""
        at = 0
        while at < len(chunk) and self._g0.width == 2:
            at = self._two_bytes(chunk, at)
        for run in self._runs.findall(chunk, at):
            if run[0] < 0x20 or run in self._ends:
                self._text.append(run.decode("ascii"))
                self._g0, self._g1 = self._terms.g0, self._terms.g1
                continue
            for half in _HALVES.findall(run):
                if half[0] < 0x80:
                    self._take(self._g0, half)
                else:
                    self._high(half)

    def _two_bytes(self, chunk: bytes, at: int) -> int:
        """Read characters of two bytes in G0; return where the rest of the chunk begins."""
        found = _KANJI_RUN.match(chunk, at)
        end = found.end() if found else at
        if end > at:
            self._take(self._g0, chunk[at:end])
            return end
        if chunk[at] == 0x20:
            self._text.append(" ")
            return at + 1
        high = _HALVES.match(chunk, at)
        if chunk[at] >= 0x80 and high:
            self._high(high[0])
            return high.end()
        # A control character or half a character: the writer forgot to return to value 1.
        self._faults.add(Fault.NO_RESET)
        self._g0, self._g1 = self._terms.g0, self._terms.g1
        return at

    def _high(self, run: bytes) -> None:
        coded = self._g1
        if coded is None:
            coded = self._latest
            self._faults.add(Fault.GUESSED if coded is None else Fault.UNDECLARED)
        if coded is None:
            self._text.append(_guessed(run, self._vr, self._guesses).text)
        else:
            self._take(coded, run)

    def _take(self, coded: CodedSet, run: bytes) -> None:
        text, is_standard = text_of(coded, run)
        self._text.append(text)
        if not is_standard:
            self._faults.add(Fault.UNDECODABLE if REPLACEMENT in text else Fault.VENDOR)


def fits(text: str, charset: Charset | str, vr: str) -> bool:
    """Tell whether `encode` can write the text."""
    try:
        encode(text, charset, vr)
    except CharsetError:
        return False
    return True


def encode(text: str, charset: Charset | str, vr: str) -> bytes:
    """Return the bytes of a text, all its values with their delimiters, without padding.

    Raises CharsetError if a character is in no declared set, or would be taken for an escape.
    """
    terms = Charset.parse(charset) if isinstance(charset, str) else charset
    if text.isascii() and "\x1b" not in text and terms.g0.escape == ASCII_ESCAPE:
        return text.encode("ascii")
    if "\x1b" in text:
        raise CharsetError(Fault.UNDECODABLE, "text holds an escape character", "\x1b")
    if vr not in IN_CHARSET:
        return _encode_whole(text, "ascii")
    if terms.codec:
        return _encode_whole(text, terms.codec)
    return _encode_extended(text, terms, _DELIMITERS.get(vr, "\\"))


def _encode_whole(text: str, codec: str) -> bytes:
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        missing = text[error.start : error.end]
        raise CharsetError(Fault.UNDECODABLE, "text does not fit", missing) from None


def _encode_extended(text: str, terms: Charset, delimiters: str) -> bytes:
    """Write with code extension, returning to value 1 wherever the Standard asks for it."""
    written = bytearray()
    # A first value of two bytes is not allowed: it is read as it stands, written with its escape.
    first_g1 = terms.g1 if terms.g1 and terms.g1.width == 1 else None
    g0, g1 = terms.g0, first_g1
    for character in text:
        if character < " " or character in delimiters:
            written += _returned(terms.g0, first_g1, g0, g1) + character.encode("ascii")
            g0, g1 = terms.g0, first_g1
            continue
        coded, cell = _cell(character, terms, delimiters)
        if coded not in (g0, g1):
            written += coded.escape
            g0, g1 = (g0, coded) if coded.is_g1 else (coded, g1)
        written += cell
    return bytes(written + _returned(terms.g0, first_g1, g0, g1))


def _returned(
    first_g0: CodedSet, first_g1: CodedSet | None, g0: CodedSet, g1: CodedSet | None
) -> bytes:
    """Return the sequences that bring back the sets of value 1."""
    back = first_g0.escape if g0 is not first_g0 else b""
    return back + (first_g1.escape if first_g1 and g1 is not first_g1 else b"")


def _cell(character: str, terms: Charset, delimiters: str) -> tuple[CodedSet, bytes]:
    """Return the earliest declared set that has the character, and its bytes there.

    A vendor's cell is the last resort: what was read from one must find its way back.  The yen
    sign of ISO-IR 14 is the byte of a delimiter, and no character where values are divided.
    """
    for find in (bytes_of, vendor_bytes_of):
        for coded in terms.sets:
            cell = find(coded, character)
            if cell is not None and not (cell == b"\\" and delimiters):
                return coded, cell
    raise CharsetError(Fault.UNDECODABLE, "text does not fit", character)
