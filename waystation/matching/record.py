"""A stored data set as a record: decoded when it is asked, and only then.

Contract: `HeadRecord` shows what an instance's head (or a worklist step's data set) holds, values
as text, items as records of their own that inherit character set and time zone.  A sequence that
is broken inside has no items: a fault of the object must not end the search.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from waystation.dicom import tags
from waystation.dicom.charsets import DEFAULT_GUESSES, IN_CHARSET, decode
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_BE
from waystation.dicom.scan import form_of
from waystation.dicom.values import decode_values, split_text
from waystation.matching.spans import offset_minutes

TIMEZONE_OFFSET: Final = 0x00080201


def texts_of(
    head: Head, tag: int, vr: str, charset: str, guesses: Sequence[str] = DEFAULT_GUESSES
) -> tuple[str, ...]:
    """Return the values of an element as text without padding; none if absent, empty or bulk."""
    raw = head.raw(tag)
    if not raw:
        return ()
    if vr in IN_CHARSET:
        return tuple(split_text(decode(raw, charset, vr, guesses=guesses), vr))
    big = form_of(head.transfer_syntax_uid) == EXPLICIT_BE
    return tuple(map(str, decode_values(raw, vr, charset, big_endian=big)))


class HeadRecord:
    """A head as something to match and to answer with."""

    __slots__ = ("_guesses", "_head", "charset")

    def __init__(
        self, head: Head, *, charset: str = "", guesses: Sequence[str] = DEFAULT_GUESSES
    ) -> None:
        """``charset``: inherited where the head names none; ``guesses``: the peer's (T-25)."""
        self._head = head
        self._guesses = guesses
        self.charset = head.charset(charset)

    @property
    def zone(self) -> int | None:
        text = self._head.text(TIMEZONE_OFFSET)
        return offset_minutes(text) if text else None

    def values(self, tag: int, vr: str) -> Sequence[str]:
        if tag not in self._head.elements:
            return ()
        written = self._head.vr(tag)
        return texts_of(
            self._head, tag, vr if written == "UN" else written, self.charset, self._guesses
        )

    def items(self, tag: int) -> Sequence["HeadRecord"]:
        if tag not in self._head.elements:
            return ()
        try:
            found = list(self._head.items(tag))
        except DatasetError:
            return ()
        return [HeadRecord(one, charset=self.charset, guesses=self._guesses) for one in found]

    def elements(self) -> Iterable[tuple[int, str]]:
        head = self._head
        for tag in sorted(head.elements):
            if tag & 0xFFFF and not tags.is_private(tag) and tag != tags.SPECIFIC_CHARACTER_SET:
                yield tag, head.vr(tag)
