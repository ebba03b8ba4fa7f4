"""What a message says about orders and patients, as values; others decide what becomes of it.

Contract: `news_of` reads ORM^O01, OMI^O23, OMG^O19, SIU^S12 to S15 and S26, and ADT^A01 A03 A04
A05 A08 A11 A23 A31 A40 (T-60).  Any other type raises `Hl7Error`, rejected; a message that lacks
what its type needs raises it with the field.  An order with several procedures or steps gives
several `StepNews`; without an id of their own they are counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final, Literal

from waystation.hl7.errors import (
    EVENT_NOT_SERVED,
    FIELD_MISSING,
    SEGMENT_MISSING,
    TYPE_NOT_SERVED,
    VALUE_UNKNOWN,
    Hl7Error,
)
from waystation.hl7.mapping import PATIENT, FieldMap, Given, mapped
from waystation.hl7.message import Message, Segment
from waystation.hl7.values import instant

ORDERS: Final = {"ORM^O01", "OMI^O23", "OMG^O19"}
BOOKINGS: Final = {
    **dict.fromkeys(("SIU^S12", "SIU^S13", "SIU^S14"), "change"),
    **dict.fromkeys(("SIU^S15", "SIU^S26"), "cancel"),
}
PATIENTS: Final = {f"ADT^A{event}" for event in ("01", "04", "05", "08", "31")}
ENDS: Final = {
    "ADT^A03": "the patient was discharged (A03)",
    "ADT^A11": "the admission was cancelled (A11)",
    "ADT^A23": "the visit was deleted (A23)",
}
MERGE: Final = "ADT^A40"
SERVED: Final = frozenset({*ORDERS, *BOOKINGS, *PATIENTS, *ENDS, MERGE})

Verb = Literal["open", "change", "cancel", "discontinue", "complete", "start", "nothing"]
# ORC-1 (table 0119).
CONTROLS: Final[Mapping[str, Verb]] = {
    **dict.fromkeys(("NW", "RO", "SN"), "open"),
    **dict.fromkeys(("XO", "XX", "XR", "RP", "RU", "RQ", "SC", ""), "change"),
    **dict.fromkeys(("CA", "OC", "CR"), "cancel"),
    **dict.fromkeys(("DC", "OD", "DR"), "discontinue"),
}
# ORC-5 (table 0038) of a status change.
_STATUSES: Final[Mapping[str, Verb]] = {
    "CA": "cancel",
    "DC": "discontinue",
    "CM": "complete",
    "IP": "start",
}
_OF_VISIT: Final = frozenset({"ReferringPhysicianName", "AdmissionID"})
_REPLACED: Final = {"RP", "RU", "RQ"}


@dataclass(frozen=True, slots=True)
class PatientKey:
    """Whose data it is: ID and issuer, "" if the message names none."""

    id: str
    issuer: str = ""

    def __str__(self) -> str:
        return f"{self.id}^{self.issuer}" if self.issuer else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class StepNews:
    """One step of an order.  id: its own id, or "#2" for the second that has none, "" for all."""

    id: str
    values: Mapping[str, Given]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNews:
    """One order.

    keys: what it is known by, like "p:4711" (placer), "f:" (filler), "a:" (accession), "s:", "t:"
    (booking of placer and filler).  wanted: whether the message is enough to make steps of.
    """

    keys: tuple[str, ...]
    verb: Verb
    wanted: bool
    common: Mapping[str, Given] = field(default_factory=dict)
    steps: tuple[StepNews, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientNews:
    """A patient's data."""

    patient: PatientKey
    values: Mapping[str, Given]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeNews:
    """What was filed under ``old`` belongs to ``into``."""

    old: PatientKey
    into: PatientKey


@dataclass(frozen=True, slots=True, kw_only=True)
class EndNews:
    """A visit is over or never was.  admission: its number, "" if the message names none."""

    patient: PatientKey
    why: str
    admission: str = ""


Item = OrderNews | PatientNews | MergeNews | EndNews


def news_of(message: Message, field_map: FieldMap, zone: tzinfo | None = None) -> list[Item]:
    """Return what the message says.  Raises `Hl7Error`."""
    kind = _structureless(message.kind)
    if kind in ORDERS:
        return _orders(message, field_map, zone)
    if kind in BOOKINGS:
        return [_booking(message, kind, field_map, zone)]
    if kind in PATIENTS or kind in ENDS or kind == MERGE:
        return _patient(message, kind, field_map, zone)
    name = kind.split("^")[0]
    if any(one.startswith(f"{name}^") for one in SERVED):
        raise Hl7Error("MSH-9", "this event is not served here", EVENT_NOT_SERVED, rejected=True)
    raise Hl7Error("MSH-9", "this message type is not served", TYPE_NOT_SERVED, rejected=True)


def _structureless(kind: str) -> str:
    return "ORM^O01" if kind == "ORM" else kind


def sent_at(message: Message, zone: tzinfo | None = None) -> str:
    """Return MSH-7 to sort by, "" if the message has none."""
    return instant(message.header.value(7), zone)


# orders


def _orders(message: Message, field_map: FieldMap, zone: tzinfo | None) -> list[Item]:
    _need(message, "PID")
    groups = _divided(message.segments, "ORC")
    before, groups = groups[0], groups[1:]
    if not groups:
        raise Hl7Error("ORC", "the message has no order (ORC)", SEGMENT_MISSING)
    controls = [group[0].value(1).upper() for group in groups]
    found: list[Item] = []
    for control, group in zip(controls, groups, strict=True):
        verb = _verb(control, group[0])
        if control in _REPLACED and "RO" in controls:
            verb = "cancel"
        found.append(_order(message, (*before, *group), verb, field_map, zone))
    return found


def _verb(control: str, order: Segment) -> Verb:
    if control not in CONTROLS:
        raise Hl7Error("ORC-1", f"order control {_word(control)} is not served", VALUE_UNKNOWN)
    if control == "SC":
        return _STATUSES.get(order.value(5).upper(), "nothing")
    return CONTROLS[control]


def _order(
    message: Message,
    segments: Sequence[Segment],
    verb: Verb,
    field_map: FieldMap,
    zone: tzinfo | None,
) -> OrderNews:
    whole = message.within(segments)
    values = mapped(whole, field_map, zone)
    keys = _keys(whole, values)
    if not keys:
        text = "neither placer (ORC-2) nor filler (ORC-3) nor accession number names the order"
        raise Hl7Error("ORC-2", text, FIELD_MISSING)
    if verb in ("open", "change"):
        _need_patient(values)
    common, own = _parted(values)
    steps = _steps(whole, field_map, zone)
    wanted = verb in ("open", "change") and whole.first("OBR") is not None
    if len(steps) == 1 and not steps[0].id:
        return OrderNews(keys=keys, verb=verb, wanted=wanted, common={**common, **own})
    return OrderNews(keys=keys, verb=verb, wanted=wanted, common=common, steps=tuple(steps))


def _keys(message: Message, values: Mapping[str, Given]) -> tuple[str, ...]:
    found = []
    for letter, fields in (("p", (("ORC", 2), ("OBR", 2))), ("f", (("ORC", 3), ("OBR", 3)))):
        for name, number in fields:
            if key := _entity(message, name, number):
                found.append(f"{letter}:{key}")
                break
    if not found and (accession := values.get("AccessionNumber")) and accession.value:
        found.append(f"a:{accession.value}")
    return tuple(found)


def _entity(message: Message, name: str, number: int) -> str:
    """Return an entity identifier (EI): its number, and who gave it if it says so."""
    first, space = message.value(name, number, 1), message.value(name, number, 2)
    if not first or first == '""':
        return ""
    return f"{first}^{space}" if space else first


def _steps(message: Message, field_map: FieldMap, zone: tzinfo | None) -> list[StepNews]:
    """Return the steps of one order: an IPC each, else an OBR each."""
    pieces: list[Sequence[Segment]] = []
    procedures = _divided(message.segments, "OBR")
    around, procedures = procedures[0], procedures[1:]
    studies = [one for one in message.segments if one.name == "ZDS"]
    timings = [one for one in message.segments if one.name == "TQ1"]
    for procedure in procedures:
        steps = [one for one in procedure if one.name == "IPC"]
        rest = [one for one in procedure if one.name not in ("IPC", "ZDS", "TQ1")]
        timing = [one for one in procedure if one.name == "TQ1"] or timings
        whole = (*around, *rest, *timing, *studies)
        pieces += [(*whole, step) for step in steps] or [whole]
    found: list[StepNews] = []
    for number, piece in enumerate(pieces, 1):
        values = mapped(message.within(piece), field_map, zone)
        named = values.get("ScheduledProcedureStepID")
        name = str(named.value) if named else ""
        if not name and len(pieces) > 1:
            name = f"#{number}"
        found.append(StepNews(id=name, values=_parted(values)[1]))
    return found


def _parted(values: Mapping[str, Given]) -> tuple[dict[str, Given], dict[str, Given]]:
    """Return what is said of the patient, and what is said of the order."""
    patient = {word: one for word, one in values.items() if _segment_of(one) in PATIENT}
    return patient, {word: one for word, one in values.items() if word not in patient}


def _segment_of(given: Given) -> str:
    path = given.origin.rpartition("(")[2] if given.origin[:1].islower() else given.origin
    return path[:3] if "OBX(" not in given.origin else "OBX"


def _booking(message: Message, kind: str, field_map: FieldMap, zone: tzinfo | None) -> OrderNews:
    """Return what an appointment says: of the order that it names, else of one of its own."""
    _need(message, "SCH")
    values = mapped(message, field_map, zone)
    keys = []
    for letter, number in (("p", 26), ("f", 27), ("s", 1), ("t", 2)):
        if key := _entity(message, "SCH", number):
            keys.append(f"{letter}:{key}")
    if not keys:
        raise Hl7Error("SCH-1", "the appointment has no number (SCH-1, SCH-2)", FIELD_MISSING)
    verb: Verb = "cancel" if BOOKINGS[kind] == "cancel" else "change"
    if verb == "change":
        _need(message, "PID")
        _need_patient(values)
    return OrderNews(keys=tuple(keys), verb=verb, wanted=verb == "change", common=values)


# patients


def _patient(message: Message, kind: str, field_map: FieldMap, zone: tzinfo | None) -> list[Item]:
    _need(message, "PID")
    if kind == MERGE:
        # One message may merge several pairs.
        before, *pairs = _divided(message.segments, "PID")
        found: list[Item] = []
        for pair in pairs:
            found += _merge(message.within((*before, *pair)), field_map, zone)
        return found
    values = mapped(message, field_map, zone)
    patient = _need_patient(values)
    if kind in ENDS:
        admission = values.get("AdmissionID")
        number = str(admission.value) if admission else ""
        return [EndNews(patient=patient, why=ENDS[kind], admission=number)]
    return [PatientNews(patient=patient, values=_personal(values))]


def _personal(values: Mapping[str, Given]) -> dict[str, Given]:
    """Return what is said of the person: who referred them, and the stay, belong to a visit."""
    return {word: one for word, one in _parted(values)[0].items() if word not in _OF_VISIT}


def _merge(message: Message, field_map: FieldMap, zone: tzinfo | None) -> list[Item]:
    values = mapped(message, field_map, zone)
    patient = _need_patient(values)
    merge = message.first("MRG")
    old = merge.value(1, 1) if merge else ""
    if merge is None or not old:
        code = SEGMENT_MISSING if merge is None else FIELD_MISSING
        raise Hl7Error("MRG-1", "the ID that ends is missing", code)
    issuer = merge.value(1, 4) or (patient.issuer if "^" not in merge.raw(1) else "")
    ended = PatientKey(old, issuer)
    if ended == patient:
        raise Hl7Error("MRG-1", "a patient cannot be merged into itself", VALUE_UNKNOWN)
    told = PatientNews(patient=patient, values=_personal(values))
    return [MergeNews(old=ended, into=patient), told]


def _need(message: Message, name: str) -> None:
    if message.first(name) is None:
        raise Hl7Error(name, f"the message has no {name}", SEGMENT_MISSING)


def _need_patient(values: Mapping[str, Given]) -> PatientKey:
    found, issuer = values.get("PatientID"), values.get("IssuerOfPatientID")
    if found is None or not found.value:
        raise Hl7Error("PID-3", "the patient ID is missing", FIELD_MISSING)
    return PatientKey(str(found.value), str(issuer.value) if issuer else "")


def _divided(segments: Sequence[Segment], name: str) -> list[list[Segment]]:
    """Return what stands before the first segment of a name, then each with what follows it."""
    groups: list[list[Segment]] = [[]]
    for segment in segments:
        if segment.name == name:
            groups.append([])
        groups[-1].append(segment)
    return groups


def _word(text: str) -> str:
    return "".join(one if one.isascii() and one.isalnum() else "?" for one in text[:8]) or "empty"
