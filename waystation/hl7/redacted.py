"""A message as it may be shown to whoever must not see patient data (T-60).

Contract: what says which order, which procedure and when stays; every other field that has a value
becomes three dots, and so does a line that is no segment.  A message that cannot be read gives one
line that says so.
"""

from typing import Final

from waystation.hl7.errors import Hl7Error
from waystation.hl7.message import is_name, parse

_WHOLE: Final = frozenset({"MSH", "EVN", "IPC", "TQ1", "ZDS", "AIS"})
# Of every other segment nothing is known, and nothing is shown but its name.
_SHOWN: Final = {
    "PID": frozenset({1}),
    "ORC": frozenset({1, 2, 3, 5, 7, 9, 15}),
    "OBR": frozenset({1, 2, 3, 4, 18, 19, 20, 24, 27, 36, 44}),
    "SCH": frozenset({1, 2, 26, 27}),
    "OBX": frozenset({1, 2, 3, 6}),
    "PV1": frozenset({1, 2}),
}
HIDDEN: Final = "..."


def redacted(raw: bytes) -> list[str]:
    """Return the segments, a line each."""
    try:
        message = parse(raw, strict=False, most_segments=1 << 20)
    except Hl7Error as fault:
        return [f"cannot be read: {fault}"]
    mark = message.dialect.delimiters[0]
    lines = []
    for segment in message.segments:
        fields = list(segment.fields)
        if not is_name(segment.name):
            fields = [HIDDEN]
        elif segment.name not in _WHOLE:
            shown = _SHOWN.get(segment.name, frozenset())
            fields = [
                text if number == 0 or number in shown or not text else HIDDEN
                for number, text in enumerate(fields)
            ]
        if segment.name == "MSH":
            del fields[1]
        lines.append(mark.join(fields)[:2000])
    return lines
