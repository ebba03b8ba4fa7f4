"""HL7 messages for tests, written segment by segment."""

from collections.abc import Sequence

MARKS = "^~\\&"


def msh(
    kind: str = "ORM^O01",
    control: str = "1",
    at: str = "20260101120000",
    *,
    version: str = "2.3",
    charset: str = "8859/1",
    sender: str = "RIS",
) -> str:
    """Return a header."""
    return f"MSH|{MARKS}|{sender}|HOSP|WS|RAD|{at}||{kind}|{control}|P|{version}||||||{charset}"


def message(*segments: str, codec: str = "latin-1") -> bytes:
    """Return the bytes of a message."""
    return "".join(f"{one}\r" for one in segments).encode(codec)


def pid(number: str = "P1", name: str = "Müller^Jörg", *, birth: str = "19700102") -> str:
    """Return a patient."""
    return f"PID|1||{number}^^^HOSP||{name}||{birth}|M"


def order(
    n: int = 1,
    *,
    verb: str = "NW",
    at: str = "20260101120000",
    control: str = "",
    text: str = "CT head",
    when: str = "20260102101500",
    patient: str = "",
    name: str = "Müller^Jörg",
    extra: Sequence[str] = (),
) -> bytes:
    """Return an ORM^O01 with one order that has every number and one step."""
    return message(
        msh(control=control or f"{verb}{n}-{at}", at=at),
        pid(patient or f"P{n}", name),
        "PV1|1|O|ROOM1|||||10^Referring^Rita",
        f"ORC|{verb}|PL{n}|FI{n}||SC||^^^{when}^^R",
        f"OBR|1|PL{n}|FI{n}|CTH^{text}^LOC^PR1^Protocol 1^LOC||||||||||||99^Asking^Anna||"
        f"ACC{n}|RP{n}|SPS{n}||||CT",
        f"ZDS|1.2.826.0.1.{n}^^Application^DICOM",
        *extra,
    )
