"""What somebody looks for: keys, options, level. The same nouns for C-FIND, QIDO and worklist.

Contract: values are decoded text without padding, one entry per value; a key without values is
universal: it asks for the attribute and filters nothing.  Nothing here decides; `matching` does.
PS3.4 sections C.2.2.2 and K.2.2.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

PATIENT, STUDY, SERIES, IMAGE, WORKLIST = "PATIENT", "STUDY", "SERIES", "IMAGE", "WORKLIST"
LEVELS = (PATIENT, STUDY, SERIES, IMAGE)


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute of a request.

    tag: group << 16 | element.  values: as they were asked, numbers and AT as text.
    keys: for a sequence (VR SQ) the keys of its one item, () if it asks for the whole sequence.
    """

    tag: int
    vr: str
    values: tuple[str, ...] = ()
    keys: tuple["Key", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is in force for one query: negotiated (C.5.1.1), asked for in QIDO, or configured.

    relational: byte 1.  combined: date and time ranges are one interval (byte 2; always in QIDO;
    the pair of the scheduled procedure step always).  fuzzy: byte 3.  time_zone: byte 4.
    empty_value: ``""`` finds records without a value (byte 6).  multiple_values: each of several
    values must occur (byte 7).
    """

    relational: bool = False
    combined: bool = False
    fuzzy: bool = False
    time_zone: bool = False
    empty_value: bool = False
    multiple_values: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A request, read.

    level: one of LEVELS or WORKLIST, "" if the request names none (as it was asked, if it is none
    of ours).  charset: Specific Character Set of the request.  zone: its offset from UTC in
    minutes, None if it gave none.  unknown: what it asked for that cannot be looked up, as
    (tag, name); left out of the answers, which are FF01 then (T-15).
    """

    level: str = ""
    keys: tuple[Key, ...] = ()
    options: Options = field(default_factory=Options)
    charset: str = ""
    zone: int | None = None
    unknown: tuple[tuple[int, str], ...] = ()

    def key(self, tag: int) -> Key | None:
        """Return the key of a tag, None if the request does not name it."""
        return next((one for one in self.keys if one.tag == tag), None)

    def first(self, tag: int) -> str:
        """Return the first value asked for, "" if there is none."""
        key = self.key(tag)
        return key.values[0] if key and key.values else ""

    def with_keys(self, keys: Iterable[Key]) -> "Query":
        """Return the query with other keys, in the order of their tags."""
        return replace(self, keys=tuple(sorted(keys, key=lambda one: one.tag)))


class Record(Protocol):
    """What is matched and answered: a study row, an instance head, a worklist step.

    charset: its Specific Character Set, "" if none is known.
    zone: its own offset from UTC in minutes, None if it names none.
    """

    @property
    def charset(self) -> str: ...

    @property
    def zone(self) -> int | None: ...

    def values(self, tag: int, vr: str) -> Sequence[str]:
        """Return the values as text without padding; none if absent or empty.

        ``vr`` is that of the key, for a record that does not know it better.
        """
        ...

    def items(self, tag: int) -> Sequence["Record"]:
        """Return the items of a sequence; none if absent or empty."""
        ...

    def elements(self) -> Iterable[tuple[int, str]]:
        """Return (tag, VR) of all that is here, in order; asked of items returned as a whole."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """A record made of plain values: ``texts[tag]`` and ``sequences[tag]``; ``vrs`` if known."""

    texts: dict[int, tuple[str, ...]] = field(default_factory=dict)
    sequences: dict[int, tuple["Row", ...]] = field(default_factory=dict)
    vrs: dict[int, str] = field(default_factory=dict)
    charset: str = ""
    zone: int | None = None

    def values(self, tag: int, vr: str) -> Sequence[str]:
        return self.texts.get(tag, ())

    def items(self, tag: int) -> Sequence["Row"]:
        return self.sequences.get(tag, ())

    def elements(self) -> Iterable[tuple[int, str]]:
        tags = sorted(self.texts.keys() | self.sequences.keys())
        return [(tag, "SQ" if tag in self.sequences else self.vrs.get(tag, "")) for tag in tags]
