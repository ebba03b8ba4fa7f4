"""Escape sequences of HL7 text (HL7 2.5.1 section 2.7), decoded after the text was divided.

Contract: one pass, linear.  Delimiters and line breaks come out as characters, ``\\Xhh..\\`` as
the bytes that it gives, read by the message's character set; highlighting goes.  A sequence that
nobody knows stays as it came: it is text that a person may still understand.
"""

from collections.abc import Callable
from typing import Final

_BREAKS: Final = {".br", ".sp", ".ce"}
_SILENT: Final = {"H", "N"}
Decode = Callable[[bytes], str]


def unescaped(text: str, delimiters: str, decode: Decode) -> str:
    """Return the text without escapes.

    delimiters: of fields, components, repetitions, escapes, subcomponents, in this order (those of
    MSH-1 and MSH-2).  decode: bytes in the message's character set to text.
    """
    mark = delimiters[3:4]
    if not mark or mark not in text:
        return text
    names = dict(zip("FSRET", delimiters, strict=False))
    parts = text.split(mark)
    out = [parts[0]]
    at = 1
    while at < len(parts):
        found = _meaning(parts[at], names, decode) if at + 1 < len(parts) else None
        if found is None:
            # No escape: the mark is text, and may yet open the next one.
            out += [mark, parts[at]]
            at += 1
            continue
        out += [found, parts[at + 1]]
        at += 2
    return "".join(out)


def _meaning(name: str, names: dict[str, str], decode: Decode) -> str | None:
    if name in names:
        return names[name]
    if name in _SILENT:
        return ""
    if name[:3].lower() in _BREAKS:
        return "\n" * _count(name[3:])
    if name[:1] == "X" and len(name) > 1:
        try:
            return decode(bytes.fromhex(name[1:]))
        except ValueError:
            return None
    return None


def _count(text: str) -> int:
    digits = text.strip().lstrip("+")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) == 1 else 1


def escaped(text: str, delimiters: str = "|^~\\&") -> str:
    """Return the text as it may stand in a field; line breaks as ``\\.br\\``."""
    mark = delimiters[3]
    table = {ord(one): f"{mark}{name}{mark}" for name, one in zip("FSRET", delimiters, strict=True)}
    table |= {0x0D: f"{mark}.br{mark}", 0x0A: f"{mark}.br{mark}"}
    return text.translate(table)
