"""Acknowledgements: MSA with ERR, in the words of the version that asked (HL7 2.5.1 section 2.9).

Contract: ASCII only, no value of the message in it but its control ID and addresses, which are
given back as they came.  A message that could not be read at all is answered as far as its header
can be told apart.
"""

from dataclasses import dataclass
from typing import Final

from waystation.hl7.errors import Hl7Error
from waystation.hl7.escapes import escaped

ACCEPTED: Final = "AA"
ERROR: Final = "AE"
REJECTED: Final = "AR"
# Table 0357, for those that read words.
_WORDS: Final = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    205: "Duplicate key identifier",
    206: "Application record locked",
    207: "Application internal error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an answer repeats of the message: fields of MSH as they came."""

    application: str = ""
    facility: str = ""
    own_application: str = ""
    own_facility: str = ""
    event: str = ""
    control_id: str = ""
    processing: str = "P"
    version: str = "2.3"
    delimiters: str = "|^~\\&"


def asked_of(raw: bytes) -> Asked:
    """Return what can be told apart of a message's header; empty fields for the rest."""
    end = min((at for at in (raw.find(b"\r"), raw.find(b"\n")) if at >= 0), default=len(raw))
    line = raw[: min(end, 4096)].decode("ascii", "replace").replace("\ufffd", "?")
    if not line.startswith("MSH") or len(line) < 8 or line[3].isalnum():
        return Asked()
    fields = line.split(line[3])
    marks = line[3] + fields[1]
    if not 4 <= len(marks) <= 6 or len(set(marks)) < len(marks):
        return Asked()

    def raw_field(number: int) -> str:
        return fields[number - 1] if number <= len(fields) else ""

    component = marks[1]
    parts = raw_field(9).split(component)
    return Asked(
        application=raw_field(3),
        facility=raw_field(4),
        own_application=raw_field(5),
        own_facility=raw_field(6),
        event=parts[1] if len(parts) > 1 else "",
        control_id=raw_field(10)[:199],
        processing=raw_field(11) or "P",
        version=raw_field(12) or "2.3",
        delimiters=marks[:5],
    )


def acknowledgement(
    asked: Asked, own_id: str, now: str, fault: Hl7Error | None = None, code: str = ""
) -> bytes:
    """Return the answer.  own_id: its control ID.  now: MSH-7.  fault: None for AA.

    code: AA, AE or AR, where the fault alone does not say.
    """
    mark, component = asked.delimiters[0], asked.delimiters[1]
    code = code or (ACCEPTED if fault is None else REJECTED if fault.rejected else ERROR)
    kind = f"ACK{component}{asked.event}" if asked.event else "ACK"
    if asked.event and _is_later(asked.version):
        kind += f"{component}ACK"
    header = [
        "MSH",
        asked.delimiters[1:],
        asked.own_application,
        asked.own_facility,
        asked.application,
        asked.facility,
        now,
        "",
        kind,
        own_id,
        asked.processing,
        asked.version,
    ]
    text = _escaped(str(fault), asked.delimiters)[:80] if fault is not None else ""
    segments = [mark.join(header), mark.join(["MSA", code, asked.control_id, text]).rstrip(mark)]
    if fault is not None:
        segments.append(_error(fault, asked))
    return "".join(f"{one}\r" for one in segments).encode("ascii", "replace")


def _escaped(text: str, delimiters: str) -> str:
    if len(delimiters) < 5:
        return text
    plain = text.encode("ascii", "replace").decode("ascii")
    return escaped(plain, delimiters[:2] + delimiters[2] + delimiters[3] + delimiters[4])


def _is_later(version: str) -> bool:
    """Tell whether a version has the ERR segment of 2.5."""
    number = version.split("^")[0].split(".")
    try:
        return (int(number[0]), int(number[1])) >= (2, 5)
    except (ValueError, IndexError):
        return False


def _error(fault: Hl7Error, asked: Asked) -> str:
    mark, component = asked.delimiters[0], asked.delimiters[1]
    segment, field = _place(fault.where)
    words = _WORDS.get(fault.code, "")
    coded = component.join([str(fault.code), words, "HL70357"])
    text = _escaped(fault.text, asked.delimiters)
    if _is_later(asked.version):
        place = component.join([segment, "1", field]) if field else segment
        return mark.join(["ERR", "", place, coded, "E", "", "", "", text])
    below = asked.delimiters[4] if len(asked.delimiters) > 4 else " "
    code = below.join([str(fault.code), words, "HL70357", "", text])
    return mark.join(["ERR", component.join([segment, "1", field, code])])


def _place(where: str) -> tuple[str, str]:
    """Return segment and field of a path like "OBX(WT)-5.1"."""
    segment, _, number = where.rpartition("-")
    return (segment or number)[:3], number.split(".")[0] if segment else ""
