"""What comes back for one match (PS3.18 section 10.6.3.3, W-46 to W-50).

Contract: pure.  `row` writes a record as DICOM JSON: the defaults of the resource, what was asked
for besides, and what is ours (URL, availability, where it is).  Attributes without a value are
there and empty; of the defaults those in ``IF_KNOWN`` are left out then.  Text is UTF-8.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from waystation.dicom.tags import vr_of
from waystation.dicom.values import NUMBERS, TEXT
from waystation.dicomweb.dicom_json import UTF_8, json_value
from waystation.dicomweb.json_model import AVAILABLE_SYNTAX, sent_syntax
from waystation.dicomweb.query import Wanted
from waystation.model.query import Record

CHARSET, RETRIEVE_AE, AVAILABILITY, RETRIEVE_URL = 0x00080005, 0x00080054, 0x00080056, 0x00081190
STUDY_UID, SERIES_UID, SOP_INSTANCE_UID = 0x0020000D, 0x0020000E, 0x00080018

STUDY: Final[Wanted] = dict.fromkeys(
    (
        *(0x00080020, 0x00080030, 0x00080050, 0x00080061, 0x00080090, 0x00080201),
        *(0x00100010, 0x00100020, 0x00100030, 0x00100040),
        *(STUDY_UID, 0x00200010, 0x00201206, 0x00201208),
    )
)
SERIES: Final[Wanted] = {
    **dict.fromkeys(
        (
            *(0x00080060, 0x00080201, 0x0008103E, STUDY_UID, SERIES_UID, 0x00200011),
            *(0x00201209, 0x00400244, 0x00400245),
        )
    ),
    0x00400275: {0x00400009: None, 0x00401001: None},
}
INSTANCE: Final[Wanted] = dict.fromkeys(
    (
        *(0x00080016, SOP_INSTANCE_UID, 0x00080201, 0x00083002, STUDY_UID, SERIES_UID),
        *(0x00200013, 0x00280008, 0x00280010, 0x00280011, 0x00280100),
    )
)
IF_KNOWN: Final = frozenset(
    {
        *(0x00080201, 0x0008103E, 0x00400244, 0x00400245, 0x00400275),
        *(0x00083002, 0x00280008, 0x00280010, 0x00280011, 0x00280100),
    }
)

Element = Mapping[str, Any]
Items = Callable[[Record, int], Sequence[Record]]


def all_items(record: Record, tag: int) -> Sequence[Record]:
    """Return every item of a sequence."""
    return record.items(tag)


def row(
    record: Record,
    wanted: Wanted,
    optional: frozenset[int],
    *,
    url: str,
    items: Items = all_items,
    sources: Sequence[str] = ("archive",),
    availability: str = "ONLINE",
) -> dict[str, Element]:
    """Return a match.

    optional: what is left out where it has no value.  url: RetrieveURL.  sources: who holds it.
    availability: ONLINE or NEARLINE.
    items: gives those items of a sequence that match (T-10).
    """
    found: dict[int, Element] = {
        CHARSET: _plain("CS", (UTF_8,)),
        RETRIEVE_AE: _plain("AE", tuple(sources)),
        AVAILABILITY: _plain("CS", (availability,)),
        RETRIEVE_URL: {"vr": "UR", "Value": [url]},
    }
    for tag, below in wanted.items():
        if tag in found:
            continue
        one = element(record, tag, below, items=items)
        if one is not None and ("Value" in one or tag not in optional):
            found[tag] = one
    return {f"{tag:08X}": found[tag] for tag in sorted(found)}


def element(
    record: Record, tag: int, below: Wanted | None, vr: str = "", items: Items = all_items
) -> Element | None:
    """Return one attribute; None for bulk data, which metadata has."""
    vr = vr or vr_of(tag)
    if vr == "SQ":
        shown = [_item(item, below) for item in items(record, tag)]
        return {"vr": "SQ", "Value": shown} if shown else {"vr": "SQ"}
    if vr not in TEXT and vr not in NUMBERS and vr != "AT":
        return None if vr != "UN" else _plain("UN", ())
    values = tuple(record.values(tag, vr))
    if tag == AVAILABLE_SYNTAX:
        values = tuple(map(sent_syntax, values))
    return _plain(vr, values)


def _item(item: Record, below: Wanted | None) -> dict[str, Element]:
    if below is None:
        tags: list[tuple[int, str, Wanted | None]] = [
            (tag, vr or vr_of(tag), None) for tag, vr in item.elements()
        ]
    else:
        tags = [(tag, vr_of(tag), inner) for tag, inner in sorted(below.items())]
    found = {tag: element(item, tag, inner, vr) for tag, vr, inner in tags}
    return {f"{tag:08X}": one for tag, one in found.items() if one is not None}


@lru_cache(maxsize=8192)
def _plain(vr: str, values: tuple[str, ...]) -> Element:
    """Return an element; never changed by anyone, as many answers share it."""
    shown = [json_value(_number(value, vr), vr) for value in values]
    if all(value is None for value in shown):
        return {"vr": vr}
    return {"vr": vr, "Value": shown}


def _number(text: str, vr: str) -> str | int | float:
    """Return a binary number that a record gave as text."""
    if vr not in NUMBERS or not text:
        return text
    try:
        return float(text) if vr in ("FL", "FD") else int(text)
    except ValueError:
        return text
