"""Bytes of a message into text, by the character sets that MSH-18 names (HL7 table 0211).

Contract: the whole message is decoded before it is divided, as a second byte may look like a
delimiter.  MSH-18 may name several sets: the first is in force, the others are reached by escape
sequences (ISO 2022).  A set that DICOM has no term for is refused by name, and so are bytes that
the named set does not have; nothing is replaced in silence.
"""

from collections.abc import Sequence
from typing import Final

from waystation.dicom.charsets import DEFAULT_GUESSES, Fault, read
from waystation.hl7.errors import VALUE_UNKNOWN, WRONG_TYPE, Hl7Error

# Of table 0211, and how it is often spelt, with the term of (0008,0005) that means the same.
TERMS: Final = {
    "": "",
    "ASCII": "ISO_IR 6",
    "ISO IR6": "ISO_IR 6",
    "8859/1": "ISO_IR 100",
    "8859/2": "ISO_IR 101",
    "8859/3": "ISO_IR 109",
    "8859/4": "ISO_IR 110",
    "8859/5": "ISO_IR 144",
    "8859/6": "ISO_IR 127",
    "8859/7": "ISO_IR 126",
    "8859/8": "ISO_IR 138",
    "8859/9": "ISO_IR 148",
    "8859/11": "ISO_IR 166",
    "8859/15": "ISO_IR 203",
    "ISO IR14": "ISO_IR 13",
    "ISO IR87": "ISO 2022 IR 87",
    "ISO IR159": "ISO 2022 IR 159",
    "KS X 1001": "ISO 2022 IR 149",
    "GB 18030-2000": "GB18030",
    "GB18030": "GB18030",
    "UNICODE": "ISO_IR 192",
    "UNICODE UTF-8": "ISO_IR 192",
    "UTF-8": "ISO_IR 192",
}
_BAD: Final = {Fault.UNDECODABLE, Fault.UNKNOWN_ESCAPE}


def term_of(name: str) -> str:
    """Return the DICOM term of one name; raises `Hl7Error` if there is none."""
    words = " ".join(name.upper().split())
    found = TERMS.get(words)
    if found is None and words.startswith("ISO 8859"):
        found = TERMS.get(words.removeprefix("ISO ").replace("-", "/"))
    if found is None and words.startswith("ISO"):
        found = TERMS.get(words.replace("ISO_IR ", "ISO IR").replace("ISO IR ", "ISO IR"))
    if found is None:
        raise Hl7Error("MSH-18", f"the character set {_plain(name)} is not read", VALUE_UNKNOWN)
    return found


def charset_of(names: Sequence[str]) -> str:
    """Return what (0008,0005) would say for the repetitions of MSH-18, "" if they say nothing."""
    terms = [term_of(name) for name in names]
    while terms and not terms[-1]:
        terms.pop()
    if len(terms) < 2:
        return terms[0] if terms else ""
    return "\\".join(term.replace("ISO_IR ", "ISO 2022 IR ") for term in terms)


def decoded(raw: bytes, charset: str, guesses: Sequence[str] = DEFAULT_GUESSES) -> tuple[str, str]:
    """Return the text, and the place of the first bytes that its set does not have ("": none).

    charset: as of `charset_of`.  guesses: terms to try where it is "" (T-25).
    """
    reading = read(raw, charset, "ST", guesses=guesses)
    if not reading.faults & _BAD:
        return reading.text, ""
    return reading.text, _place(reading.text)


def _place(text: str) -> str:
    """Return where the first replaced character lies: segment and field."""
    before = text[: max(text.find("\ufffd"), 0)].replace("\n", "\r")
    segment = before[before.rfind("\r") + 1 :]
    separator = text[3:4] or "|"
    name, number = segment[:3], segment.count(separator)
    if name == "MSH":
        number += 1
    return f"{name}-{number}" if len(name) == 3 and name.isalnum() and name.isascii() else "MSH-18"


def bad_character(where: str) -> Hl7Error:
    """Return the refusal of bytes that the named character set does not have."""
    return Hl7Error(where, "characters outside the declared character set (MSH-18)", WRONG_TYPE)


def _plain(text: str) -> str:
    return "".join(one if " " <= one <= "~" else "?" for one in text[:40])
