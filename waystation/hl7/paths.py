"""Where in a message a value stands: ``PID-3.1``, ``OBX(8302-2)-5``, ``sex(PID-8)``.

Contract: a path is a segment, its code where one segment of many is meant (OBX by its OBX-3), a
field, and if need be component and subcomponent, all counted from 1 as HL7 does.  In front may
stand the name of a table that translates what is found, and a keyword may stand in the place of
the path: what was mapped to that attribute already.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from waystation.hl7.message import DELETED, Message, Segment

_PATH: Final = re.compile(
    r"([A-Z][A-Z0-9]{2})(?:\(([^()]{1,40})\))?-([1-9][0-9]{0,2})(?:\.([1-9][0-9]?))?"
    r"(?:\.([1-9][0-9]?))?"
)
_CALL: Final = re.compile(r"([a-z][a-z0-9_-]{0,39})\((.+)\)")
_KEYWORD: Final = re.compile(r"[A-Z]+[a-z][A-Za-z0-9]{1,63}")


@dataclass(frozen=True, slots=True)
class FieldPath:
    """One place.  component, subcomponent: 0 where the path does not say."""

    segment: str
    field: int
    component: int = 0
    subcomponent: int = 0
    code: str = ""

    def __str__(self) -> str:
        parts = [f"{self.segment}({self.code})" if self.code else self.segment]
        numbers = [str(one) for one in (self.field, self.component, self.subcomponent) if one]
        return f"{parts[0]}-{'.'.join(numbers)}"

    def repetitions(self, message: Message) -> Iterator[tuple[Segment, str]]:
        """Yield each repetition of the field in each segment that is meant."""
        for segment in message.named(self.segment):
            if self.code and self.code not in (segment.value(3, 1), segment.value(3, 4)):
                continue
            for repetition in segment.repetitions(self.field):
                yield segment, repetition

    def texts(self, message: Message) -> Iterator[tuple[Segment, str]]:
        """Yield what stands there, with the segment; `DELETED` and "" included."""
        for segment, repetition in self.repetitions(message):
            if repetition.strip() == DELETED:
                yield segment, DELETED
            else:
                text = segment.part(repetition, self.component or 1, self.subcomponent or 1)
                yield segment, text.strip()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value may come from: a path or a keyword, and the table that translates it."""

    path: FieldPath | None
    keyword: str = ""
    table: str = ""

    def __str__(self) -> str:
        inner = str(self.path) if self.path else self.keyword
        return f"{self.table}({inner})" if self.table else inner


def parse_path(text: str) -> FieldPath:
    """Return the path.  Raises ValueError with a sentence if it is none."""
    found = _PATH.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text[:40]}" is no field; write it like PID-3.1 or OBX(8302-2)-5')
    segment, code, *numbers = found.groups()
    field, component, subcomponent = (int(one) if one else 0 for one in numbers)
    return FieldPath(segment, field, component, subcomponent, code or "")


def parse_source(text: str) -> Source:
    """Return the source.  Raises ValueError with a sentence if it is none."""
    text = text.strip()
    call = _CALL.fullmatch(text)
    table, inner = (call[1], call[2].strip()) if call else ("", text)
    if _KEYWORD.fullmatch(inner):
        if not table:
            raise ValueError(f"{inner} alone gives nothing; write a field, or a_table({inner})")
        return Source(None, inner, table)
    return Source(parse_path(inner), "", table)
