"""The identifier of a C-FIND as it came: bytes in, a `Query` or the refusal out (T-14, T-15).

Contract: any bytes give one or the other.  Texts are decoded by the request's own character set,
an item's by its own if it names one.  What nobody can look up is left out and named in
`Query.unknown`.  Levels and which keys they need are the service's affair (T-38), not ours.
PS3.4 C.4.1.1.3, K.4.1.1.3; PS3.7 table C.5.9 for the status.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from waystation.dicom import tags
from waystation.dicom.charsets import DEFAULT_GUESSES
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.limits import WalkLimits
from waystation.matching.keys import COMMENT, OPAQUE, BadIdentifier, bad, first_fault, name_of
from waystation.matching.record import texts_of
from waystation.matching.spans import offset_minutes
from waystation.model.query import Key, Options, Query

QUERY_RETRIEVE_LEVEL: Final = 0x00080052
TIMEZONE_OFFSET: Final = 0x00080201
LENGTH_TO_END: Final = 0x00080001
NEVER_KEYS: Final = frozenset(
    {tags.SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, TIMEZONE_OFFSET, LENGTH_TO_END}
)
DEEPEST: Final = 16
# UID lists may be long: the message as a whole is limited where it comes in (L8).
# Other text is decoded and compared letter by letter: so much of it in all, in bytes.
LONGEST_TEXT: Final = 64 << 10
LIMITS: Final = WalkLimits(elements=65_536, depth=DEEPEST, indexed_bytes=16 << 20)

Known = Callable[[tuple[int, ...]], bool]


def is_standard(path: tuple[int, ...]) -> bool:
    """Tell whether the last tag of a path is an attribute of the Standard, in no odd group."""
    return not tags.is_private(path[-1]) and path[-1] >> 16 > 2 and bool(tags.keyword_of(path[-1]))


@dataclass(frozen=True, slots=True)
class _Reader:
    known: Known
    strict: bool
    guesses: Sequence[str]
    unknown: list[tuple[int, str]]
    sizes: list[int]

    def keys(
        self, head: Head, inherited: str, path: tuple[int, ...]
    ) -> tuple[Key, ...] | BadIdentifier:
        """Return the keys of a data set or item."""
        charset = head.charset(inherited)
        found: list[Key] = []
        for tag in sorted(head.elements):
            if tag in NEVER_KEYS or not tag & 0xFFFF or _is_creator(tag):
                continue
            key = self._key(head, tag, charset, (*path, tag))
            if isinstance(key, BadIdentifier):
                return key
            if key is not None:
                found.append(key)
        return tuple(found)

    def _key(
        self, head: Head, tag: int, charset: str, path: tuple[int, ...]
    ) -> Key | BadIdentifier | None:
        key: Key | BadIdentifier | None = None
        if self.known(path):
            vr = _vr(head, tag)
            if vr not in ("SQ", "UI"):
                self.sizes.append(head.elements[tag][2])
                if sum(self.sizes) > LONGEST_TEXT:
                    return bad(tag, "too much text to look for")
            key = (
                self._sequence(head, tag, charset, path)
                if vr == "SQ"
                else Key(tag, vr, texts_of(head, tag, vr, charset, self.guesses))
            )
        if isinstance(key, BadIdentifier):
            return key
        if key is None or (key.values and key.vr in OPAQUE):
            if self.strict:
                return bad(tag, "not a key of this service", "key")
            self.unknown.append((tag, ".".join(map(name_of, path))))
            return None
        return key

    def _sequence(
        self, head: Head, tag: int, charset: str, path: tuple[int, ...]
    ) -> Key | BadIdentifier:
        if head.elements[tag][2] and head.elements[tag][0] not in ("SQ", "UN", None):
            return bad(tag, "a sequence with one item belongs here", "form")
        items = list(head.items(tag))
        if len(items) > 1:
            return bad(tag, "more than one item", "form")
        keys = self.keys(items[0], charset, path) if items else ()
        return keys if isinstance(keys, BadIdentifier) else Key(tag, "SQ", (), keys)


def read_identifier(
    data: bytes | bytearray | memoryview,
    transfer_syntax_uid: str,
    *,
    level: str = "",
    options: Options | None = None,
    strict: bool = False,
    known: Known = is_standard,
    guesses: Sequence[str] = DEFAULT_GUESSES,
) -> Query | BadIdentifier:
    """Return what is looked for, or why that cannot be answered.

    level: WORKLIST, where the identifier names none; else it is what (0008,0052) says.
    options: what is in force on the association.  strict: unknown keys, and characters that a VR
    does not allow, are refused.  known: tells of a path of tags whether the service can look it
    up.  guesses: how to read bytes beyond ASCII if the request names no character set.
    """
    chosen = options or Options()
    reader = _Reader(known, strict, guesses, [], [])
    try:
        head = Head.from_bytes(data, transfer_syntax_uid, limits=LIMITS)
        keys = reader.keys(head, "", ())
        if isinstance(keys, BadIdentifier):
            return keys
        query = Query(
            level=level or head.text(QUERY_RETRIEVE_LEVEL),
            keys=keys,
            options=chosen,
            charset=head.charset(""),
            zone=offset_minutes(head.text(TIMEZONE_OFFSET)),
            unknown=tuple(reader.unknown),
        )
    except DatasetError as error:
        return BadIdentifier(comment=f"identifier: {error.comment}"[:COMMENT], kind="form")
    return first_fault(query.keys, chosen, strict=strict) or query


def _is_creator(tag: int) -> bool:
    return tags.is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF


def _vr(head: Head, tag: int) -> str:
    """Return the dictionary's VR where the written one is another text, or none that fits."""
    written, meant = head.vr(tag), tags.vr_of(tag)
    if meant == written or meant == "UN":
        return written
    is_binary = written in OPAQUE or written in ("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD")
    return written if is_binary or written == "AT" else meant
