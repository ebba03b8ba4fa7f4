"""A worklist entry as a record: what a step's data set says, and what it lacks (T-51 to T-53).

Contract: pure.  `read_entry` gives the decoded data set, an item of a code sequence without a code
left out; `entry` the same as a modality is answered: the state of the step as its
ScheduledProcedureStepStatus, PregnancyStatus 4 where nobody knows (PS3.4 table K.6-1).
`columns_of` gives what a database may look for, in the forms of `matching.preselect`.
`flat` is for people and forms: keyword → texts, those of the step at the top too.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.matching.folding import folded, plain
from waystation.matching.keys import name_of
from waystation.matching.names import folded_groups, words
from waystation.matching.preselect import date_form, time_form
from waystation.matching.record import HeadRecord
from waystation.model.query import Key, Query, Row
from waystation.model.step import StepState

STEPS: Final = 0x00400100
STATUS: Final = 0x00400020
STATION: Final = 0x00400001
START_DATE, START_TIME = 0x00400002, 0x00400003
STEP_ID: Final = 0x00400009
PREGNANCY: Final = 0x001021C0
ISSUER: Final = 0x00100021
PROCEDURE_ID: Final = 0x00401001
PRIORITY: Final = 0x00401003
PLACER, FILLER = 0x00402016, 0x00402017
CODES: Final = (0x00080100, 0x00080119, 0x00080120)
# What comes last.
NO_DAY, NO_TIME = "99999999", "999999"
_STATUS_VR: Final = {STATUS: "CS"}

# What makes an entry complete; where there are several, one of them (T-51).
NEEDED: Final = (
    (tags.STUDY_INSTANCE_UID,),
    (PROCEDURE_ID,),
    (0x00321060, 0x00321064),
    (tags.PATIENT_NAME,),
    (tags.PATIENT_ID,),
)
NEEDED_OF_STEP: Final = (
    (STATION,),
    (START_DATE,),
    (START_TIME,),
    (tags.MODALITY,),
    (STEP_ID,),
    (0x00400007, 0x00400008),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What is looked for.  odd: something that has one value has several: ask the function.

    start: to sort by; stations: each AE title; names: folded component groups; words: of the name,
    and the ids, folded.
    """

    start: str
    stations: tuple[str, ...]
    step_id: str
    study_uid: str
    accession: str
    patient_id: str
    patient_name: str
    procedure_id: str
    modality: str
    priority: str
    placer: str
    filler: str
    names: tuple[str, ...]
    words: tuple[str, ...]
    missing: tuple[str, ...]
    odd: bool


@lru_cache(maxsize=4096)
def read_entry(data: bytes) -> Row:
    """Return the decoded data set of a step; ``data`` in explicit little endian."""
    head = Head.from_bytes(data, EXPLICIT_VR_LE)
    return _row(HeadRecord(head))


def _row(record: HeadRecord) -> Row:
    texts: dict[int, tuple[str, ...]] = {}
    sequences: dict[int, tuple[Row, ...]] = {}
    vrs: dict[int, str] = {}
    for tag, vr in record.elements():
        if vr == "SQ":
            items = tuple(map(_row, record.items(tag)))
            sequences[tag] = tuple(filter(_has_code, items)) if is_code(tag) else items
        else:
            texts[tag] = tuple(record.values(tag, vr))
            vrs[tag] = vr
    return Row(texts, sequences, vrs, record.charset, record.zone)


@lru_cache(maxsize=512)
def is_code(tag: int) -> bool:
    """Tell whether a sequence holds codes."""
    return name_of(tag).endswith("CodeSequence")


def _has_code(item: Row) -> bool:
    return any(any(item.texts.get(tag, ())) for tag in CODES)


def entry(row: Row, state: StepState) -> Row:
    """Return a step as it is answered.

    A scheduled step whose source named no status names none either: that is what the entry says.
    """
    items = row.sequences.get(STEPS, ())
    if state is not StepState.SCHEDULED or any(item.texts.get(STATUS) for item in items):
        status = {STATUS: (state.value.upper(),)}
        items = tuple(
            Row(one.texts | status, one.sequences, one.vrs | _STATUS_VR, one.charset, one.zone)
            for one in items
        )
    texts = row.texts
    if not any(texts.get(PREGNANCY, ())):
        texts = texts | {PREGNANCY: ("4",)}
    return Row(texts, row.sequences | {STEPS: items}, row.vrs, row.charset, row.zone)


def answered(query: Query, record: Row) -> Query:
    """Return what of a query is answered for a record: code sequences that have no code are not."""
    kept = _with_codes(query.keys, record)
    return query if kept is query.keys else replace(query, keys=kept)


def _with_codes(keys: tuple[Key, ...], record: Row) -> tuple[Key, ...]:
    kept: list[Key] = []
    changed = False
    for key in keys:
        if key.vr == "SQ" and is_code(key.tag) and not record.items(key.tag):
            changed = True
            continue
        if key.tag == STEPS and key.keys:
            item = next(iter(record.items(STEPS)), Row())
            inner = _with_codes(key.keys, item)
            if inner is not key.keys:
                changed, key = True, replace(key, keys=inner)
        kept.append(key)
    return tuple(kept) if changed else keys


def missing(row: Row) -> tuple[str, ...]:
    """Return the keywords of what an entry must have and this one has not (T-51)."""
    items = row.items(STEPS)
    found = [name_of(STEPS)] if len(items) != 1 else []
    step = items[0] if items else Row()
    found += _lacking(row, NEEDED)
    found += _lacking(step, NEEDED_OF_STEP)
    return tuple(found)


def _lacking(row: Row, needed: Iterable[tuple[int, ...]]) -> list[str]:
    return [name_of(choice[0]) for choice in needed if not any(_there(row, one) for one in choice)]


def _there(row: Row, tag: int) -> bool:
    if tag == START_DATE:
        return any(map(date_form, row.texts.get(tag, ())))
    if tag == START_TIME:
        return any(map(time_form, row.texts.get(tag, ())))
    return any(row.texts.get(tag, ())) or bool(row.sequences.get(tag, ()))


def columns_of(row: Row) -> Columns:
    """Return what a database keeps of a step to find it by."""
    items = row.items(STEPS)
    step = items[0] if items else Row()
    name = _first(row, tags.PATIENT_NAME, "PN")
    single = (tags.PATIENT_ID, tags.ACCESSION_NUMBER, tags.STUDY_INSTANCE_UID, tags.PATIENT_NAME)
    several = [row.texts.get(tag, ()) for tag in (*single, PROCEDURE_ID, PLACER, FILLER)]
    several += [step.texts.get(tag, ()) for tag in (START_DATE, START_TIME, tags.MODALITY, STEP_ID)]
    day = date_form(_first(step, START_DATE, "DA"))
    ids = [_first(row, tag, "LO") for tag in (tags.PATIENT_ID, tags.ACCESSION_NUMBER)]
    return Columns(
        start=day + (time_form(_first(step, START_TIME, "TM")) or NO_TIME) if day else NO_DAY,
        stations=tuple(
            dict.fromkeys(plain(one, "AE") for one in step.texts.get(STATION, ()) if one)
        ),
        step_id=_first(step, STEP_ID, "SH"),
        study_uid=_first(row, tags.STUDY_INSTANCE_UID, "UI"),
        accession=ids[1],
        patient_id=ids[0],
        patient_name=name,
        procedure_id=_first(row, PROCEDURE_ID, "SH"),
        modality=_first(step, tags.MODALITY, "CS"),
        priority=_first(row, PRIORITY, "SH"),
        placer=_first(row, PLACER, "LO"),
        filler=_first(row, FILLER, "LO"),
        names=tuple(dict.fromkeys(filter(None, folded_groups(name)))),
        words=tuple(dict.fromkeys(filter(None, (*words(name), *map(folded, ids))))),
        missing=missing(row),
        odd=len(items) != 1 or any(len(values) > 1 for values in several),
    )


def _first(row: Row, tag: int, vr: str) -> str:
    return plain(next(iter(row.texts.get(tag, ())), ""), vr)


def flat(data: bytes) -> dict[str, tuple[str, ...]]:
    """Return all texts by keyword, those of the first step item at the top, no sequences."""
    row = read_entry(data)
    step = next(iter(row.items(STEPS)), Row())
    return {
        name_of(tag): values
        for texts in (row.texts, step.texts)
        for tag, values in texts.items()
        if any(values) and tag != tags.SPECIFIC_CHARACTER_SET
    }


def texts(data: bytes) -> dict[str, list[Any]]:
    """Return all values by keyword, sequences as lists of items; those of the step at the top."""
    row = read_entry(data)
    step = next(iter(row.items(STEPS)), Row())
    found = _texts(row) | _texts(step)
    if len(row.items(STEPS)) < 2:
        found.pop(name_of(STEPS), None)
    return found


def _texts(row: Row) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {
        name_of(tag): list(values)
        for tag, values in row.texts.items()
        if any(values) and tag != tags.SPECIFIC_CHARACTER_SET
    }
    return found | {
        name_of(tag): [_texts(item) for item in items]
        for tag, items in row.sequences.items()
        if items
    }


def items(data: bytes, keyword: str) -> list[Mapping[str, tuple[str, ...]]]:
    """Return the items of a sequence, of the entry or of its step, as texts by keyword."""
    row, tag = read_entry(data), tags.tag_for(keyword)
    step = next(iter(row.items(STEPS)), Row())
    found = row.items(tag) or step.items(tag)
    return [{name_of(one): values for one, values in item.texts.items()} for item in found]


def dumped(row: Row) -> str:
    """Return a decoded data set as text that `loaded` reads many times faster than its bytes."""
    return json.dumps([row.charset, row.zone, _dumped(row)], ensure_ascii=False)


def _dumped(row: Row) -> list[object]:
    texts = [[tag, row.vrs.get(tag, ""), *values] for tag, values in row.texts.items()]
    return [texts, {tag: [_dumped(item) for item in found] for tag, found in row.sequences.items()}]


@lru_cache(maxsize=4096)
def loaded(text: str) -> Row:
    """Return what `dumped` wrote."""
    charset, zone, whole = json.loads(text)
    return _loaded(whole, charset, zone)


def _loaded(whole: Any, charset: str, zone: int | None) -> Row:
    texts, sequences = whole
    return Row(
        {one[0]: tuple(one[2:]) for one in texts},
        {
            int(tag): tuple(_loaded(item, charset, zone) for item in found)
            for tag, found in sequences.items()
        },
        {one[0]: one[1] for one in texts},
        charset,
        zone,
    )
