"""The data set of a worklist entry, made from texts or changed by them (T-26, T-54).

Contract: pure.  `entry_data` takes a data set as it came, whatever its syntax; `laid_over` puts
texts over a data set and leaves the bytes of every other value alone.  Text goes into the data
set's own character set where it fits; else the whole data set goes to ISO_IR 192.  Keywords that
belong to the step (PS3.3 C.4.10) go into its item.  What cannot be written is refused by
`entry_form.faults` before; ValueError here.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from waystation.dicom import tags
from waystation.dicom.charsets import IN_CHARSET, UTF_8, decode, fits
from waystation.dicom.compose import Elements, compose
from waystation.dicom.contents import contents
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE
from waystation.dicom.value_bytes import value_bytes
from waystation.matching.entry import STEPS
from waystation.model.step import Values

# Of the Scheduled Procedure Step module; everything else belongs to the entry itself.
_OF_STEP: Final = """
    AnatomicalOrientationType CommentsOnTheScheduledProcedureStep Modality PreMedication
    RequestedContrastAgent ScheduledPerformingPhysicianName
    ScheduledPerformingPhysicianIdentificationSequence ScheduledProcedureStepDescription
    ScheduledProcedureStepEndDate ScheduledProcedureStepEndTime ScheduledProcedureStepID
    ScheduledProcedureStepLocation ScheduledProcedureStepStartDate ScheduledProcedureStepStartTime
    ScheduledProcedureStepStatus ScheduledProtocolCodeSequence ScheduledSpecimenSequence
    ScheduledStationAETitle ScheduledStationName ScheduledStationNameCodeSequence
    ScheduledStationGeographicLocationCodeSequence
"""
STEP_KEYWORDS: Final = frozenset(_OF_STEP.split())
# Of a question or a file, not of an entry.
NOT_KEPT: Final = frozenset({0x00080052, 0x00080001})
Made = dict[int, tuple[str, Any]]
Write = Callable[[Any, str], bytes]


def entry_data(head: Head) -> bytes:
    """Return a data set as a step keeps it; DatasetError for one that is broken inside."""
    kept = {
        tag: found for tag, found in contents(head).items() if tag >> 16 > 7 and tag not in NOT_KEPT
    }
    return compose(kept, EXPLICIT_VR_LE)


def laid_over(data: bytes, values: Values) -> bytes:
    """Return ``data`` with ``values`` over it; "" or an empty sequence removes what was there."""
    head = Head.from_bytes(data, EXPLICIT_VR_LE)
    made: Made = dict(contents(head))
    charset = head.charset("")
    if not _all_fit(values, "" if _mixed(made) else charset):
        made = in_utf_8(made, charset)
        charset = UTF_8
    write = _writer(charset)
    for keyword, said in values.items():
        tag = tags.tag_for(keyword)
        if keyword in STEP_KEYWORDS:
            items = [dict(item) for item in made.get(STEPS, ("SQ", ()))[1]] or [{}]
            _put(items[0], tag, said, write)
            made[STEPS] = ("SQ", items)
        else:
            _put(made, tag, said, write)
    return compose(made, EXPLICIT_VR_LE)


def recoded(data: bytes, transfer_syntax_uid: str) -> bytes:
    """Return a data set that is kept in another uncompressed transfer syntax."""
    if transfer_syntax_uid == EXPLICIT_VR_LE:
        return data
    head = Head.from_bytes(data, EXPLICIT_VR_LE)
    made = contents(head, big_endian=transfer_syntax_uid == EXPLICIT_VR_BE)
    return compose(made, transfer_syntax_uid)


def encoded(values: Values) -> bytes:
    """Return a data set of texts, nested as they are, empty ones too: a query or a message."""
    charset = "" if _all_fit(values, "") else UTF_8
    made = _item(values, _writer(charset), keep_empty=True)
    if charset:
        made[tags.SPECIFIC_CHARACTER_SET] = ("CS", UTF_8.encode())
    return compose(made, EXPLICIT_VR_LE)


def split(data: bytes) -> list[bytes]:
    """Return one data set for each item of the step sequence, all else in each of them."""
    made = contents(Head.from_bytes(data, EXPLICIT_VR_LE))
    items = made.get(STEPS, ("SQ", ()))[1]
    whole = dict(made)
    found = []
    for item in items:
        whole[STEPS] = ("SQ", [item])  # type: ignore[list-item]
        found.append(compose(whole, EXPLICIT_VR_LE))
    return found


def _put(made: Made, tag: int, said: Any, write: Write, *, keep_empty: bool = False) -> None:
    vr = vr_of(tag)
    if vr == "SQ":
        value: Any = [_item(one, write, keep_empty=keep_empty) for one in said]
    else:
        value = write(said, vr)
    if value or keep_empty:
        made[tag] = (vr, value)
    else:
        made.pop(tag, None)


def _item(values: Mapping[str, Any], write: Write, *, keep_empty: bool = False) -> Made:
    item: Made = {}
    for keyword, said in values.items():
        _put(item, tags.tag_for(keyword), said, write, keep_empty=keep_empty)
    return item


def _writer(charset: str) -> Write:
    def write(said: Any, vr: str) -> bytes:
        return value_bytes([said] if isinstance(said, str) else list(said), vr, charset)

    return write


@cache
def vr_of(tag: int) -> str:
    """Return the VR of an attribute of the Standard."""
    return tags.vr_of(tag)


def _all_fit(values: Values, charset: str) -> bool:
    return all(
        text.isascii() or vr not in IN_CHARSET or (charset and fits(text, charset, vr))
        for vr, text in texts_in(values)
    )


def texts_in(values: Values) -> "list[tuple[str, str]]":
    """Return (VR, text) of everything that is said, at any depth."""
    found: list[tuple[str, str]] = []
    for keyword, said in values.items():
        vr = vr_of(tags.tag_for(keyword))
        if vr == "SQ":
            for item in said:
                if isinstance(item, Mapping):
                    found += texts_in(item)
        else:
            found += [(vr, one) for one in ([said] if isinstance(said, str) else said)]  # type: ignore[misc]
    return found


def _mixed(made: Elements) -> bool:
    """Tell whether an item of a sequence has a character set of its own."""
    items: list[Any] = [item for vr, value in made.values() if vr == "SQ" for item in value]
    return any(tags.SPECIFIC_CHARACTER_SET in item or _mixed(item) for item in items)


def is_plain(made: Elements) -> bool:
    """Tell whether no text has a byte that needs a character set."""
    for vr, value in made.values():
        if vr == "SQ":
            items: Sequence[Any] = value
            if not all(map(is_plain, items)):
                return False
        elif isinstance(value, bytes) and vr in IN_CHARSET and not _is_ascii(value):
            return False
    return True


def _is_ascii(raw: bytes) -> bool:
    return raw.isascii() and b"\x1b" not in raw


def in_utf_8(made: Elements, charset: str) -> Made:
    """Return the elements with all text in ISO_IR 192, and (0008,0005) saying so."""
    found = _converted(made, charset)
    found[tags.SPECIFIC_CHARACTER_SET] = ("CS", UTF_8.encode())
    return found


def _converted(made: Elements, inherited: str) -> Made:
    own = made.get(tags.SPECIFIC_CHARACTER_SET)
    charset = inherited if own is None else bytes(own[1]).decode("latin-1").strip("\0 ")  # type: ignore[arg-type]
    found: Made = {}
    for tag, (vr, value) in made.items():
        if tag == tags.SPECIFIC_CHARACTER_SET:
            continue
        if vr == "SQ":
            items: Sequence[Any] = value
            found[tag] = (vr, [_converted(item, charset) for item in items])
        elif vr in IN_CHARSET and isinstance(value, bytes):
            found[tag] = (vr, decode(value, charset, vr).rstrip("\0 ").encode())
        else:
            found[tag] = (vr, value)
    return found
