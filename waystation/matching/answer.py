"""The answer to a query: the asked attributes of one record, as a data set (T-15, T-27).

Contract: what was asked for and known is there, empty where the record has nothing; a sequence
has its matching items, reduced to the asked keys where there are any.  Whatever is not ASCII is
written in a named character set; what does not exist there becomes its transliteration or ``?``
and is counted.  Nothing of the record changes.  PS3.4 C.2.2.3, C.4.1.1.3.2.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from waystation.dicom.charsets import (
    ASCII_ESCAPE,
    IN_CHARSET,
    UTF_8,
    Charset,
    CharsetError,
    encode,
    fits,
)
from waystation.dicom.nested import EXPLICIT_BE, ITEM_HEADERS, ITEM_TAG
from waystation.dicom.scan import form_of
from waystation.dicom.splice import encode_element
from waystation.dicom.tags import SPECIFIC_CHARACTER_SET
from waystation.dicom.value_bytes import value_bytes
from waystation.dicom.values import TEXT
from waystation.matching.folding import without_accents
from waystation.matching.identifier import TIMEZONE_OFFSET
from waystation.matching.match import Level, Matcher, matching_items
from waystation.model.query import Key, Query, Record

STORED: Final = "stored"
REQUEST: Final = "request"
# Fits every VR of text.
_SHORT: Final = 1 << 15

# An attribute that the service adds or that overrules the record's: tag, VR, values.
Extra = tuple[int, str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """data: in the requested syntax.  charset: what (0008,0005) says, "" for ASCII.

    replaced: characters that the set does not have.  left_out: values that their VR cannot hold.
    """

    data: bytes
    charset: str
    replaced: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """One attribute on its way out: values, or items of a sequence."""

    tag: int
    vr: str
    values: Sequence[str] = ()
    items: "tuple[tuple[_Part, ...], ...]" = ()


def answer(
    matcher: Matcher,
    query: Query,
    record: Record,
    transfer_syntax_uid: str,
    *,
    charset: str = STORED,
    transliterate: bool = False,
    extra: Iterable[Extra] = (),
) -> Answer:
    """Return the answer for a record that matched.

    charset: ``stored`` (the record's own), ``request`` (the requester's if the text fits, else the
    record's), or the terms to convert to.  With the first two nothing is ever replaced: what fits
    neither goes out as ISO_IR 192.  extra: QueryRetrieveLevel, RetrieveAETitle and the like.
    """
    parts = {part.tag: part for part in _asked(matcher.level, query.keys, record, None)}
    if query.options.time_zone and record.zone is not None:
        extra = [*extra, (TIMEZONE_OFFSET, "SH", (offset_text(record.zone),))]
    parts |= {tag: _Part(tag, vr, tuple(values)) for tag, vr, values in extra}
    parts.pop(SPECIFIC_CHARACTER_SET, None)
    chosen = _chosen(charset, query.charset, record.charset, list(_texts(parts.values())))
    writer = _Writer(form_of(transfer_syntax_uid), Charset.parse(chosen), transliterate)
    if chosen:
        parts[SPECIFIC_CHARACTER_SET] = _Part(SPECIFIC_CHARACTER_SET, "CS", chosen.split("\\"))
    data = writer.data_set(parts[tag] for tag in sorted(parts))
    return Answer(data, chosen, writer.replaced, writer.left_out)


def _asked(
    level: Level, keys: Iterable[Key], record: Record, inherited: int | None
) -> Iterator[_Part]:
    zone = inherited if record.zone is None else record.zone
    for key in keys:
        if key.vr != "SQ":
            yield _Part(key.tag, key.vr, tuple(record.values(key.tag, key.vr)))
            continue
        items = matching_items(level, key, record, zone)
        inner = level.nested(key.tag)
        if key.keys:
            reduced = tuple(tuple(_asked(inner, key.keys, item, zone)) for item in items)
        else:
            reduced = tuple(tuple(_whole(item)) for item in items)
        yield _Part(key.tag, "SQ", (), reduced)


def _whole(item: Record) -> Iterator[_Part]:
    for tag, vr in item.elements():
        if vr == "SQ":
            yield _Part(tag, vr, (), tuple(tuple(_whole(one)) for one in item.items(tag)))
        else:
            yield _Part(tag, vr, tuple(item.values(tag, vr)))


def _texts(parts: Iterable[_Part]) -> Iterator[tuple[str, str]]:
    """Yield (VR, text) of all that a character set must be able to say."""
    for part in parts:
        if part.vr in IN_CHARSET:
            text = "\\".join(part.values)
            if not text.isascii():
                yield part.vr, text
        for item in part.items:
            yield from _texts(item)


def _chosen(choice: str, asked: str, stored: str, texts: list[tuple[str, str]]) -> str:
    """Return the terms for (0008,0005), "" if ASCII will do."""
    if not texts:
        return ""
    if choice not in (STORED, REQUEST):
        return standard_terms(choice)
    for terms in (asked, stored) if choice == REQUEST else (stored, asked):
        if terms and all(fits(text, terms, vr) for vr, text in texts):
            return standard_terms(terms)
    return UTF_8


def standard_terms(declared: str) -> str:
    """Return Specific Character Set with its terms spelt as the Standard does."""
    return "\\".join(Charset.parse(declared).terms)


def offset_text(minutes: int) -> str:
    """Return an offset from UTC as (0008,0201) writes it."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{rest:02}"


@dataclass(slots=True)
class _Writer:
    form: int
    charset: Charset
    transliterate: bool
    replaced: int = field(default=0, init=False)
    left_out: int = field(default=0, init=False)
    ascii_as_is: bool = field(init=False)

    def __post_init__(self) -> None:
        self.ascii_as_is = self.charset.g0.escape == ASCII_ESCAPE

    def data_set(self, parts: Iterable[_Part]) -> bytes:
        return b"".join(map(self._element, parts))

    def _element(self, part: _Part) -> bytes:
        if part.vr == "SQ":
            items = (self.data_set(item) for item in part.items)
            whole = (encode_item(item, self.form) for item in items)
            return encode_element(part.tag, "SQ", b"".join(whole), self.form)
        vr = part.vr if len(part.vr) == 2 else "UN"
        if vr in TEXT and self.ascii_as_is:
            text = "\\".join(part.values) if any(part.values) else ""
            # Nearly every value; what else a value can be is found out below.
            if text.isascii() and "\x1b" not in text and len(text) < _SHORT:
                return encode_element(part.tag, vr, text.encode("ascii"), self.form)
        try:
            return encode_element(part.tag, vr, self._value(part), self.form)
        except CharsetError:
            raw, count = replaced(part.values, part.vr, self.charset, self.transliterate)
            self.replaced += count
            return encode_element(part.tag, vr, raw, self.form)
        except ValueError:
            self.left_out += 1
            return encode_element(part.tag, vr, b"", self.form)

    def _value(self, part: _Part) -> bytes:
        return value_bytes(part.values, part.vr, self.charset, big_endian=self.form == EXPLICIT_BE)


def encode_item(content: bytes, form: int) -> bytes:
    """Return an item of defined length."""
    group, number = ITEM_TAG >> 16, ITEM_TAG & 0xFFFF
    return ITEM_HEADERS[form].pack(group, number, len(content)) + content


def replaced(
    values: Sequence[str], vr: str, charset: Charset, transliterate: bool
) -> tuple[bytes, int]:
    """Return the bytes of a text that does not fit, and how many characters were replaced."""
    count, written = 0, []
    for character in "\\".join(values):
        if character == "\\" or fits(character, charset, vr):
            written.append(character)
            continue
        count += 1
        near = without_accents(character) if transliterate else ""
        written.append(near if near and fits(near, charset, vr) else "?")
    return encode("".join(written), charset, vr), count
