"""One message: segments, fields, repetitions, components, subcomponents (HL7 2.5.1 section 2.5).

Contract: `parse` takes the bytes of a message without framing and raises `Hl7Error` for whatever is
none.  Nothing is divided before somebody asks, and asking costs the length of one field.
Missing is ""; `DELETED` is two quotation marks, which take a value away (section 2.5.3).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from waystation.dicom.charsets import DEFAULT_GUESSES
from waystation.hl7.charsets import bad_character, charset_of, decoded
from waystation.hl7.errors import APPLICATION_ERROR, FIELD_MISSING, SEGMENT_MISSING, Hl7Error
from waystation.hl7.escapes import unescaped

DELETED: Final = '""'
MOST_SEGMENTS: Final = 1000
LARGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a message is written.  delimiters: field, component, repetition, escape, subcomponent."""

    delimiters: str = "|^~\\&"
    charset: str = ""
    guesses: tuple[str, ...] = DEFAULT_GUESSES

    def plain(self, text: str) -> str:
        """Return text without escapes."""
        return unescaped(text, self.delimiters, self._bytes)

    def _bytes(self, raw: bytes) -> str:
        return decoded(raw, self.charset, self.guesses)[0]


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment.  fields[0] is its name; of MSH, fields[1] is the field separator itself."""

    name: str
    fields: tuple[str, ...]
    dialect: Dialect

    def raw(self, number: int) -> str:
        """Return a field as it came, "" if it is not there."""
        return self.fields[number] if number < len(self.fields) else ""

    def repetitions(self, number: int) -> list[str]:
        """Return the repetitions of a field as they came; one "" if it is not there."""
        return self.raw(number).split(self.dialect.delimiters[2])

    def part(self, repetition: str, component: int = 1, subcomponent: int = 1) -> str:
        """Return one part of a repetition, as plain text.

        A subcomponent of 0 is the whole component, its subcomponents divided by blanks.
        """
        if repetition == DELETED:
            return DELETED
        marks = self.dialect.delimiters
        component_text = _nth(repetition, marks[1], component)
        if len(marks) < 5:
            return self.dialect.plain(component_text)
        if subcomponent == 0:
            return self.dialect.plain(component_text.replace(marks[4], " "))
        return self.dialect.plain(_nth(component_text, marks[4], subcomponent))

    def value(self, number: int, component: int = 1, subcomponent: int = 1) -> str:
        """Return the first repetition's part."""
        return self.part(self.repetitions(number)[0], component, subcomponent)


def _nth(text: str, mark: str, number: int) -> str:
    if mark not in text:
        return text if number == 1 else ""
    parts = text.split(mark, number)
    return parts[number - 1] if number <= len(parts) else ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message.  text: decoded, segments ended by CR.  misread: place of a bad character."""

    segments: tuple[Segment, ...]
    dialect: Dialect
    text: str = field(repr=False)
    misread: str = ""

    @property
    def header(self) -> Segment:
        """Return MSH."""
        return self.segments[0]

    @property
    def kind(self) -> str:
        """Return type and event, like "ORM^O01"; the event from EVN-1 where MSH-9 lacks it."""
        event = self.header.value(9, 2) or self.value("EVN", 1)
        return f"{self.header.value(9, 1)}^{event}" if event else self.header.value(9, 1)

    @property
    def control_id(self) -> str:
        return self.header.value(10)

    @property
    def version(self) -> str:
        return self.header.value(12)

    @property
    def sender(self) -> str:
        """Return sending application and facility, as they came: whose control ids these are."""
        return f"{self.header.raw(3)}|{self.header.raw(4)}"

    def named(self, name: str) -> Iterator[Segment]:
        """Yield the segments of a name, in order."""
        return (segment for segment in self.segments if segment.name == name)

    def first(self, name: str) -> Segment | None:
        """Return the first segment of a name."""
        return next(self.named(name), None)

    def value(self, name: str, number: int, component: int = 1) -> str:
        """Return a value of the first segment of a name, "" if there is none."""
        segment = self.first(name)
        return "" if segment is None else segment.value(number, component)

    def within(self, segments: Sequence[Segment]) -> "Message":
        """Return a message of these segments only, as one order of it is seen."""
        return replace(self, segments=tuple(segments))


def parse(
    raw: bytes,
    *,
    charset: str = "",
    guesses: Sequence[str] = DEFAULT_GUESSES,
    most_segments: int = MOST_SEGMENTS,
    strict: bool = True,
) -> Message:
    """Return the message; raises `Hl7Error` (rejected if the bytes are no HL7 at all).

    charset: term of (0008,0005) in force where MSH-18 says nothing.  strict: False reads what can
    be read, for whoever must answer or show it; then `misread` tells the place.
    """
    if raw[:3] != b"MSH" or len(raw) < 8:
        text = "the message does not begin with MSH"
        raise Hl7Error("MSH", text, SEGMENT_MISSING, rejected=True)
    dialect = _dialect(raw, charset, tuple(guesses), strict=strict)
    text, misread = decoded(raw, dialect.charset, dialect.guesses)
    if misread and strict:
        raise bad_character(misread)
    lines = text.replace("\r\n", "\r").replace("\n", "\r")
    if lines.count("\r") > most_segments:
        raise Hl7Error("", f"more than {most_segments} segments", rejected=True)
    segments = [_segment(line, dialect) for line in lines.split("\r") if line.strip()]
    if strict:
        _check(segments)
    return Message(tuple(segments), dialect, lines, misread)


def _dialect(raw: bytes, charset: str, guesses: tuple[str, ...], *, strict: bool) -> Dialect:
    line = raw[: _end_of_line(raw)].decode("latin-1")
    separator = line[3]
    marks = line[4:].split(separator, 1)[0]
    delimiters = separator + marks[:4]
    bad = any(mark.isalnum() or mark in '"\0 ' or not mark.isascii() for mark in delimiters)
    if bad or len(set(delimiters)) < len(delimiters) or len(delimiters) < 4:
        raise Hl7Error("MSH-2", "no usable delimiters", FIELD_MISSING, rejected=True)
    fields = line.split(separator)
    names = fields[17].split(delimiters[2]) if len(fields) > 17 else []
    try:
        named = charset_of([name.split(delimiters[1])[0] for name in names])
    except Hl7Error:
        if strict:
            raise
        named = ""
    return Dialect(delimiters, named or charset, guesses)


def _end_of_line(raw: bytes) -> int:
    ends = [at for at in (raw.find(b"\r"), raw.find(b"\n")) if at >= 0]
    return min(ends, default=len(raw))


def _segment(line: str, dialect: Dialect) -> Segment:
    separator = dialect.delimiters[0]
    fields = line.split(separator)
    name = fields[0].strip()
    if name == "MSH":
        fields.insert(1, separator)
    return Segment(name, tuple(fields), dialect)


def is_name(text: str) -> bool:
    """Tell whether a segment may have this name."""
    return len(text) == 3 and text.isascii() and text.isalnum() and text == text.upper()


def _check(segments: Sequence[Segment]) -> None:
    for number, segment in enumerate(segments, 1):
        if not is_name(segment.name):
            raise Hl7Error("", f"line {number} is no segment", APPLICATION_ERROR)
        if segment.name == "MSH" and number > 1:
            raise Hl7Error("MSH", "a second message begins inside this one", APPLICATION_ERROR)
    header = segments[0]
    for number, word in ((9, "message type"), (10, "message control ID")):
        if not header.value(number):
            raise Hl7Error(f"MSH-{number}", f"{word} is missing", FIELD_MISSING)
