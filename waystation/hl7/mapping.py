"""Which attribute of a step comes from which field: the table of T-60, as data.

Contract: per keyword a list of sources; the first that has a value gives it.  What a message does
not say is absent from the result, what it takes away (two quotation marks) is there as "".  Each
value knows the field it came from.  `FieldMap.of` puts the operator's lines over the table here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cache
from typing import Final

from waystation.dicom.tags import tag_for, vr_of
from waystation.hl7 import values
from waystation.hl7.errors import VALUE_UNKNOWN, WRONG_TYPE, Hl7Error
from waystation.hl7.message import DELETED, Message, Segment
from waystation.hl7.paths import FieldPath, Source, parse_source

Value = str | tuple[str, ...] | tuple[Mapping[str, str], ...]

# T-60, and what a modality likes to have besides.
DEFAULT: Final[Mapping[str, str]] = {
    "PatientID": "PID-3.1",
    "IssuerOfPatientID": "PID-3.4",
    "PatientName": "PID-5",
    "PatientBirthDate": "PID-7",
    "PatientSex": "sex(PID-8)",
    "PatientAddress": "PID-11.1",
    "EthnicGroup": "PID-22.2",
    "PatientWeight": "kilograms(OBX(29463-7)-5) kilograms(OBX(3141-9)-5) kilograms(OBX(WT)-5)",
    "PatientSize": "metres(OBX(8302-2)-5) metres(OBX(3137-7)-5) metres(OBX(HT)-5)",
    "Allergies": "AL1-3.2 AL1-3.1",
    "PregnancyStatus": "pregnancy(PV1-15)",
    "AdmissionID": "PV1-19.1",
    "CurrentPatientLocation": "PV1-3",
    "ReferringPhysicianName": "PV1-8",
    "AccessionNumber": "IPC-1 OBR-18 OBR-3.1 ORC-3.1",
    "RequestedProcedureID": "IPC-2 OBR-19",
    "StudyInstanceUID": "IPC-3 ZDS-1",
    "ScheduledProcedureStepID": "IPC-4 OBR-20",
    "Modality": "IPC-5 modality(OBR-24)",
    "ScheduledStationAETitle": "IPC-9",
    "ScheduledStationName": "IPC-7.2 IPC-7.1",
    "ScheduledProcedureStepLocation": "IPC-8.2 IPC-8.1 AIL-3",
    "ScheduledProcedureStepStartDate": "TQ1-7 ORC-7.4 OBR-27.4 OBR-36 AIS-4",
    "ScheduledProcedureStepStartTime": "TQ1-7 ORC-7.4 OBR-27.4 OBR-36 AIS-4",
    "RequestedProcedurePriority": "priority(TQ1-9) priority(ORC-7.6) priority(OBR-27.6)",
    "RequestedProcedureDescription": "OBR-44.2 OBR-44.1 OBR-4.2 OBR-4.1 AIS-3.2 AIS-3.1",
    "RequestedProcedureCodeSequence": "OBR-44 OBR-4 AIS-3",
    "ScheduledProcedureStepDescription": "IPC-6.2 OBR-4.5 OBR-44.2 OBR-4.2 AIS-3.2 AIS-3.1",
    "ScheduledProtocolCodeSequence": "IPC-6 OBR-4.4",
    "RequestingPhysician": "OBR-16 ORC-12",
    "ScheduledPerformingPhysicianName": "OBR-34 AIP-3",
    "RequestingService": "ORC-17.2 ORC-17.1",
    "PatientTransportArrangements": "OBR-30",
    "ReasonForTheRequestedProcedure": "OBR-31.2 OBR-31.1",
    "PlacerOrderNumberImagingServiceRequest": "ORC-2.1 OBR-2.1 SCH-26.1",
    "FillerOrderNumberImagingServiceRequest": "ORC-3.1 OBR-3.1 SCH-27.1",
    "OrderCallbackPhoneNumber": "ORC-14 OBR-17",
}
_MODALITIES: Final = (
    *("CT", "MR", "US", "CR", "DX", "MG", "NM", "PT", "XA", "RF", "OT", "ES", "IO", "PX", "OPT"),
    *("OP", "BMD", "ECG", "XC"),
)
TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "sex": {"F": "F", "M": "M", "O": "O", "A": "O", "N": "O", "U": ""},
    "priority": {"S": "STAT", "A": "HIGH", "R": "ROUTINE", "P": "HIGH", "T": "MEDIUM"},
    "pregnancy": {"B6": "3"},
    # HL7 table 0074, and modalities that are written there as DICOM has them.
    "modality": {
        **dict.fromkeys(("VUS", "CUS", "OUS", "RUS"), "US"),
        **dict(zip(_MODALITIES, _MODALITIES, strict=True)),
        "CTH": "CT",
        "NMR": "MR",
        "NMS": "NM",
        "RX": "CR",
        "EC": "ECG",
    },
}
MEASURES: Final = {"kilograms": values.kilograms, "metres": values.metres}
# Kept from all segments and repetitions; everything else has one value.
_MANY: Final = frozenset(
    {
        *("Allergies", "MedicalAlerts", "ContrastAllergies", "OtherPatientIDs"),
        *("ScheduledStationAETitle", "ScheduledStationName", "RequestedProcedureCodeSequence"),
        *("ScheduledProtocolCodeSequence", "ReasonForRequestedProcedureCodeSequence"),
    }
)
# Free text that is cut where it is too long; ids, names and codes never are.
_CUT: Final = {
    **dict.fromkeys(("RequestedProcedureDescription", "ScheduledProcedureStepDescription"), 64),
    **dict.fromkeys(("ReasonForTheRequestedProcedure", "CurrentPatientLocation"), 64),
    **dict.fromkeys(("PatientTransportArrangements", "Allergies", "RequestingService"), 64),
    **dict.fromkeys(("ScheduledStationName", "ScheduledProcedureStepLocation", "EthnicGroup"), 16),
    **dict.fromkeys(("OrderCallbackPhoneNumber",), 16),
}
PATIENT: Final = frozenset({"PID", "PV1", "AL1", "PD1", "OBX", "NK1", "PV2"})
_WITH_SUBCOMPONENTS: Final = frozenset({"PV1-3", "AIL-3"})


@dataclass(frozen=True, slots=True)
class Given:
    """One value out of a message, and the field it came from.  cut: it was longer."""

    value: Value
    origin: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Sources by keyword, and tables by name.

    authority: PID-3.4 of the repetition that is the patient's ID, "" takes the first.
    """

    sources: Mapping[str, tuple[Source, ...]]
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: TABLES)
    authority: str = ""

    @staticmethod
    def of(
        lines: Mapping[str, Sequence[str]],
        tables: Mapping[str, Mapping[str, str]] | None = None,
        authority: str = "",
    ) -> "FieldMap":
        """Return the table of T-60 with the operator's lines and tables over it.

        An empty line takes a keyword out.  Raises ValueError, naming the keyword.
        """
        known = {**TABLES, **(tables or {})}
        merged = {word: tuple(text.split(" ")) for word, text in DEFAULT.items()}
        merged |= {word: tuple(line) for word, line in lines.items()}
        return FieldMap(
            {word: _sources(word, line, known) for word, line in merged.items() if line},
            known,
            authority,
        )


@cache
def default_map() -> FieldMap:
    """Return the table of T-60 as it stands."""
    return FieldMap.of({})


def _sources(
    word: str, line: Sequence[str], tables: Mapping[str, Mapping[str, str]]
) -> tuple[Source, ...]:
    try:
        if word not in DEFAULT:
            tag_for(word)
        found = tuple(parse_source(text) for text in line)
    except ValueError as error:
        raise ValueError(f"{word}: {error}") from None
    for source in found:
        if source.table and source.table not in tables and source.table not in MEASURES:
            known = ", ".join(sorted({*tables, *MEASURES}))
            raise ValueError(f'{word}: there is no table "{source.table}"; there are {known}')
    return found


def mapped(message: Message, field_map: FieldMap, zone: tzinfo | None = None) -> dict[str, Given]:
    """Return what the message says, by keyword.

    Raises `Hl7Error` for a date or time that is none.
    """
    found: dict[str, Given] = {}
    late = []
    for word, sources in field_map.sources.items():
        if any(source.keyword for source in sources):
            late.append(word)
        else:
            _take(found, word, sources, message, field_map, zone)
    for word in late:
        _take(found, word, field_map.sources[word], message, field_map, zone)
    return found


def _take(
    found: dict[str, Given],
    word: str,
    sources: Iterable[Source],
    message: Message,
    field_map: FieldMap,
    zone: tzinfo | None,
) -> None:
    vr = _vr(word)
    twin = found.get(f"{word.removesuffix('Time')}Date") if vr == "TM" else None
    for source in sources:
        if twin is not None and str(source) != twin.origin:
            # A time belongs to the date of its own field.
            continue
        given = _given(found, word, vr, source, message, field_map, zone)
        if given is not None:
            found[word] = given
            return


@cache
def _vr(word: str) -> str:
    return vr_of(tag_for(word))


def _given(
    found: Mapping[str, Given],
    word: str,
    vr: str,
    source: Source,
    message: Message,
    field_map: FieldMap,
    zone: tzinfo | None,
) -> Given | None:
    """Return what one source gives, None if nothing."""
    if source.path is None:
        before = found.get(source.keyword)
        text = before.value if before else ""
        texts = [text] if isinstance(text, str) else [one for one in text if isinstance(one, str)]
        translated = [_look_up(one, source.table, field_map) for one in texts if one]
        kept = values.divided([one for one in translated if one is not None])
        return Given(_single(kept, word), str(source)) if kept else None
    try:
        value = _read(word, vr, source, source.path, message, field_map, zone)
    except ValueError as error:
        raise Hl7Error(str(source.path), f"{error}", WRONG_TYPE) from None
    return None if value is None else _fitted(word, value, str(source))


def _fitted(word: str, value: Value, origin: str) -> Given:
    longest = _CUT.get(word)
    if longest is None or _vr(word) == "SQ":
        return Given(value, origin)
    texts = (value,) if isinstance(value, str) else value
    kept = tuple(" ".join(one.split())[:longest].strip() for one in texts if isinstance(one, str))
    cut = any(len(one) > longest for one in texts)
    return Given(kept[0] if isinstance(value, str) else kept, origin, cut)


def _read(
    word: str,
    vr: str,
    source: Source,
    path: FieldPath,
    message: Message,
    field_map: FieldMap,
    zone: tzinfo | None,
) -> Value | None:
    repetitions = list(path.repetitions(message))
    if path.segment == "PID" and path.field == 3:
        repetitions = _by_authority(repetitions, field_map.authority)
    if not repetitions:
        return None
    if vr == "PN":
        segment = repetitions[0][0]
        name = values.person(segment, path.field, [one for _, one in repetitions])
        return "" if name == DELETED else name or None
    if vr == "SQ":
        first = path.component or 1
        items = (values.code_item(segment, one, first) for segment, one in repetitions)
        kept = tuple(item for item in items if item)
        return kept or ("" if any(one == DELETED for _, one in repetitions) else None)
    texts = [_text(segment, one, path) for segment, one in repetitions]
    if any(one == DELETED for one in texts):
        return ""
    return _converted(word, vr, source, repetitions, texts, field_map, zone)


def _converted(
    word: str,
    vr: str,
    source: Source,
    repetitions: Sequence[tuple[Segment, str]],
    texts: Sequence[str],
    field_map: FieldMap,
    zone: tzinfo | None,
) -> Value | None:
    """Return texts as an attribute of this VR holds them."""
    measure = MEASURES.get(source.table)
    if measure is not None:
        units = [segment.value(6) for segment, _ in repetitions]
        measured = [measure(text, unit) for text, unit in zip(texts, units, strict=True)]
        return next((one for one in measured if one), None)
    if source.table:
        rows = [_look_up(text, source.table, field_map) for text in texts if text]
        told = [one for one in rows if one is not None]
        kept = values.divided(told)
        return _single(kept, word) if kept else "" if told else None
    if vr in ("DA", "TM"):
        return next((_moment(text, vr, zone) for text in texts if text), None) or None
    kept = values.divided(texts) if vr not in ("LT", "ST", "UT") else tuple(filter(None, texts))
    return _single(kept, word) if kept else None


def _moment(text: str, vr: str, zone: tzinfo | None) -> str:
    date, clock = values.stamp(text, zone)
    return date if vr == "DA" else clock


def _text(segment: Segment, repetition: str, path: FieldPath) -> str:
    """Return the text; of a place (PL) all of its parts that a person would write."""
    if f"{path.segment}-{path.field}" in _WITH_SUBCOMPONENTS and not path.component:
        if repetition.strip() == DELETED:
            return DELETED
        parts = (segment.part(repetition, number) for number in (1, 2, 3))
        return " ".join(one for one in parts if one)
    return segment.part(repetition, path.component or 1, path.subcomponent or 1).strip()


def _by_authority(
    repetitions: Sequence[tuple[Segment, str]], authority: str
) -> list[tuple[Segment, str]]:
    if not authority:
        return list(repetitions[:1])
    for segment, one in repetitions:
        if authority in (segment.part(one, 4, 1), segment.part(one, 4, 2)):
            return [(segment, one)]
    problem = "no repetition comes from the configured authority"
    raise Hl7Error("PID-3", problem, VALUE_UNKNOWN)


def _look_up(text: str, table: str, field_map: FieldMap) -> str | None:
    rows = field_map.tables.get(table, {})
    found = rows.get(text)
    return rows.get(text.upper(), rows.get("*")) if found is None else found


def _single(kept: tuple[str, ...], word: str) -> Value:
    return kept if word in _MANY and len(kept) > 1 else kept[0]
