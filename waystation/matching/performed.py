"""Modality performed procedure steps: what an N-CREATE or N-SET says (PS3.4 annex F, T-58).

Contract: pure.  `read_created` and `read_set` give what the data set says or why it is refused,
with the status and the elements to blame; `merged` lays an N-SET over what is kept.  A performed
step begins IN PROGRESS and ends COMPLETED or DISCONTINUED; nothing comes after the end.
What only the N-CREATE may say (who, for which order) stays as it was said then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from waystation.dicom import tags
from waystation.dicom.compose import compose
from waystation.dicom.contents import contents
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.matching.entry import read_entry
from waystation.matching.entry_data import entry_data, in_utf_8, is_plain
from waystation.matching.keys import name_of
from waystation.model.query import Row
from waystation.model.step import StepState

IN_PROGRESS, COMPLETED, DISCONTINUED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"
STATES: Final = {
    IN_PROGRESS: StepState.STARTED,
    COMPLETED: StepState.COMPLETED,
    DISCONTINUED: StepState.DISCONTINUED,
}
INVALID_VALUE, PROCESSING_FAILURE = 0x0106, 0x0110
MISSING, MISSING_VALUE = 0x0120, 0x0121
# No longer in progress (PS3.4 F.7.2.2.3).
NO_LONGER: Final = 0xA710

STATUS: Final = 0x00400252
SCHEDULED: Final = 0x00400270
REASON: Final = 0x00400281
SERIES: Final = 0x00400340
STATION: Final = 0x00400241
START_DATE, START_TIME = 0x00400244, 0x00400245
IMAGES: Final = (0x00081140, 0x00400220)
REFERENCED_INSTANCE: Final = 0x00081155
STEP_ID, PROCEDURE_ID = 0x00400009, 0x00401001
WRONG_ENTRY: Final = ("110514", "DCM")
# Type 1 of an N-CREATE (PS3.4 table F.7.2-1).
NEEDED: Final = (STATUS, SCHEDULED, 0x00400253, STATION, START_DATE, START_TIME, tags.MODALITY)
# Said once, by the N-CREATE.
FIXED: Final = frozenset(
    {
        SCHEDULED,
        0x00400253,
        STATION,
        START_DATE,
        START_TIME,
        tags.MODALITY,
        tags.PATIENT_NAME,
        tags.PATIENT_ID,
        0x00100021,
        0x00100030,
        0x00100040,
        0x00081120,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which scheduled step was performed."""

    study_uid: str = ""
    step_id: str = ""
    accession: str = ""
    procedure_id: str = ""
    description: str = ""
    procedure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """One performed procedure step, as it stands.

    data: in explicit little endian.  objects: SOP instances that it made.
    wrong_entry: it was discontinued because the wrong entry was chosen.
    """

    state: StepState
    data: bytes
    orders: tuple[Order, ...]
    objects: tuple[str, ...]
    row: Row
    wrong_entry: bool = False

    def text(self, tag: int) -> str:
        """Return the first value of an attribute, "" if there is none."""
        return _first(self.row, tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an operation is refused."""

    status: int
    comment: str
    elements: tuple[int, ...] = ()
    error_id: int | None = None


def read_created(data: bytes, transfer_syntax_uid: str) -> Performed | Refusal:
    """Return what an N-CREATE says, or why it is refused."""
    whole = _whole(data, transfer_syntax_uid)
    if isinstance(whole, Refusal):
        return whole
    row = read_entry(whole)
    absent = tuple(tag for tag in NEEDED if tag not in row.texts and tag not in row.sequences)
    if absent:
        return Refusal(status=MISSING, comment=f"{name_of(absent[0])} is missing", elements=absent)
    empty = tuple(
        tag for tag in NEEDED if not any(row.texts.get(tag, ())) and not row.sequences.get(tag, ())
    )
    if empty:
        comment = f"{name_of(empty[0])} has no value"
        return Refusal(status=MISSING_VALUE, comment=comment, elements=empty)
    status = _first(row, STATUS)
    if status != IN_PROGRESS:
        comment = "a performed procedure step begins IN PROGRESS"
        return Refusal(status=INVALID_VALUE, comment=comment, elements=(STATUS,))
    return performed(whole)


def read_set(kept: bytes, data: bytes, transfer_syntax_uid: str) -> Performed | Refusal:
    """Return what a performed step is after an N-SET, or why that is refused.

    kept: its data set so far.
    """
    if performed(kept).state is not StepState.STARTED:
        comment = "performed procedure step object may no longer be updated"
        return Refusal(status=PROCESSING_FAILURE, comment=comment, error_id=NO_LONGER)
    whole = _whole(data, transfer_syntax_uid)
    if isinstance(whole, Refusal):
        return whole
    row = read_entry(whole)
    said = _first(row, STATUS)
    if STATUS in row.texts and said not in STATES:
        comment = "expected IN PROGRESS, COMPLETED or DISCONTINUED"
        return Refusal(status=INVALID_VALUE, comment=comment, elements=(STATUS,))
    return performed(merged(kept, whole))


def _whole(data: bytes, transfer_syntax_uid: str) -> bytes | Refusal:
    try:
        return entry_data(Head.from_bytes(data, transfer_syntax_uid))
    except DatasetError as error:
        comment = f"data set: {error.comment}"[:64]
        return Refusal(status=PROCESSING_FAILURE, comment=comment)


def performed(data: bytes) -> Performed:
    """Return what a data set that is kept says."""
    row = read_entry(data)
    return Performed(
        state=STATES.get(_first(row, STATUS), StepState.STARTED),
        data=data,
        orders=tuple(map(_order, row.items(SCHEDULED))),
        objects=tuple(_objects(row.items(SERIES))),
        row=row,
        wrong_entry=any(_is_wrong_entry(item) for item in row.items(REASON)),
    )


def _order(item: Row) -> Order:
    return Order(
        study_uid=_first(item, tags.STUDY_INSTANCE_UID),
        step_id=_first(item, STEP_ID),
        accession=_first(item, tags.ACCESSION_NUMBER),
        procedure_id=_first(item, PROCEDURE_ID),
        description=_first(item, 0x00400007),
        procedure=_first(item, 0x00321060),
    )


def _objects(series: Sequence[Row]) -> list[str]:
    images = (image for one in series for tag in IMAGES for image in one.items(tag))
    return list(dict.fromkeys(filter(None, (_first(one, REFERENCED_INSTANCE) for one in images))))


def _is_wrong_entry(item: Row) -> bool:
    return (_first(item, 0x00080100), _first(item, 0x00080102)) == WRONG_ENTRY


def _first(row: Row, tag: int) -> str:
    return next(iter(row.texts.get(tag, ())), "").strip("\0 ")


def merged(kept: bytes, data: bytes) -> bytes:
    """Return a data set with another over it; both go to ISO_IR 192 if their sets differ."""
    old, new = (Head.from_bytes(one, EXPLICIT_VR_LE) for one in (kept, data))
    below, above = contents(old), contents(new)
    charsets = old.charset(""), new.charset("")
    if charsets[0] != charsets[1] and not (is_plain(below) and is_plain(above)):
        below, above = (
            in_utf_8(one, charset) for one, charset in zip((below, above), charsets, strict=True)
        )
    over = {tag: found for tag, found in above.items() if tag not in FIXED}
    return compose({**below, **over}, EXPLICIT_VR_LE)
