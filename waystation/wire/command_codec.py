"""Command sets as bytes: implicit VR little endian, group 0000 only (PS3.7 6.3.1, E.1).

Contract: `encode` writes what `KINDS` lists for the command, Command Group Length first.
`decode` reads any bytes and gives a `Command` or `PeerError` (abort 0/0), nothing else.  What
makes the conversation unreadable is a `PeerError`: a cut element, another group, a missing
command field, message id, data set type or status, and whatever is over limit L7.  What only
makes the operation impossible is kept in ``fault_status`` so that the peer gets an answer (E12).

Command Group Length is written but not believed when reading: the fragments say where a command
set ends, and devices exist that count wrongly.  Elements that no command lists are skipped.
"""

from collections.abc import Callable
from struct import Struct
from typing import Any

from waystation.dicom.uids import is_uid
from waystation.model.errors import MisuseError, PeerError
from waystation.wire.commands import (
    C_ECHO_RSP,
    C_STORE_RQ,
    COMMAND_FIELD,
    DATA_SET_TYPE,
    KINDS,
    MESSAGE_ID,
    RESPONDED_TO,
    RESPONSE_BIT,
    STATUS,
    Command,
    Kind,
    Row,
)
from waystation.wire.limits import DEFAULT_LIMITS, Limits
from waystation.wire.names import is_ae_title
from waystation.wire.status import CANNOT_UNDERSTAND, MISTYPED_ARGUMENT, UNRECOGNISED_OPERATION

NO_DATA_SET = 0x0101
DATA_SET_FOLLOWS = 0x0001

_HEAD = Struct("<HHI")
_US = Struct("<H")
_US_ELEMENT = Struct("<HHIH")
_GROUP_LENGTH = Struct("<HHII")
_AT = Struct("<HH")

Encoder = Callable[[int, Any], bytes]


def _text_element(element: int, value: str) -> bytes:
    data = value.encode("ascii", "replace")
    if len(data) & 1:
        data += b" "
    return _HEAD.pack(0, element, len(data)) + data


def _uid_element(element: int, value: str) -> bytes:
    data = value.encode("ascii", "replace")
    if len(data) & 1:
        data += b"\0"
    return _HEAD.pack(0, element, len(data)) + data


def _number_element(element: int, value: int) -> bytes:
    return _US_ELEMENT.pack(0, element, 2, value)


def _tags_element(element: int, value: tuple[int, ...]) -> bytes:
    data = b"".join(_AT.pack(tag >> 16, tag & 0xFFFF) for tag in value)
    return _HEAD.pack(0, element, len(data)) + data


_ENCODERS: dict[str, Encoder] = {
    "UI": _uid_element,
    "US": _number_element,
    "AE": _text_element,
    "LO": _text_element,
    "AT": _tags_element,
}
_ALWAYS = (COMMAND_FIELD, DATA_SET_TYPE)


def _plan(kind: Kind) -> tuple[tuple[int, str, bool, Encoder | None], ...]:
    """The elements of one command in order; None stands for Command Data Set Type."""
    rows = sorted((*kind.rows, *_ALWAYS), key=lambda row: row.element)
    return tuple(
        (
            row.element,
            row.attribute,
            row in kind.required,
            None if row is DATA_SET_TYPE else _ENCODERS[row.vr],
        )
        for row in rows
    )


_PLANS = {number: _plan(kind) for number, kind in KINDS.items()}
# A reply to a command that we do not know still has to be written (status 0211).
_PLAIN_RESPONSE = _plan(Kind("", (RESPONDED_TO, STATUS), KINDS[C_ECHO_RSP].optional))
_DATA_TYPE = {
    has_data: _US_ELEMENT.pack(0, DATA_SET_TYPE.element, 2, number)
    for has_data, number in ((True, DATA_SET_FOLLOWS), (False, NO_DATA_SET))
}


def encode(command: Command, *, has_data: bool) -> bytes:
    """Return the command set.  Raises `MisuseError` if a required field is empty."""
    plan = _PLANS.get(command.field)
    if plan is None:
        if not command.is_response:
            raise MisuseError(f"no such command: {command.name}")
        plan = _PLAIN_RESPONSE
    parts = [b""]
    length = 0
    for element, attribute, required, encoder in plan:
        if encoder is None:
            part = _DATA_TYPE[has_data]
        else:
            value = getattr(command, attribute)
            if value is None or value == "" or value == ():
                if required:
                    raise MisuseError(f"{command.name} needs {attribute}")
                continue
            part = encoder(element, value)
        length += len(part)
        parts.append(part)
    parts[0] = _GROUP_LENGTH.pack(0, 0, 4, length)
    return b"".join(parts)


def _split(data: bytes, limits: Limits) -> dict[int, bytes]:
    """Walk the elements of group 0000; ``element -> value``."""
    size = len(data)
    if size > limits.command_bytes:
        raise PeerError(f"command set of {size} bytes", abort_source=0)
    values: dict[int, bytes] = {}
    position = 0
    while position < size:
        if size - position < 8:
            raise PeerError("command set ends inside an element", abort_source=0)
        group, element, length = _HEAD.unpack_from(data, position)
        start = position + 8
        position = start + length
        if group or position > size:
            what = f"group {group:04X} in" if group else f"(0000,{element:04X}) is longer than"
            raise PeerError(f"{what} a command set", abort_source=0)
        if element in values:
            raise PeerError(f"(0000,{element:04X}) comes twice", abort_source=0)
        values[element] = data[start:position]
        if len(values) > limits.command_elements:
            raise PeerError(f"more than {len(values) - 1} elements in a command", abort_source=0)
    return values


def _needed(values: dict[int, bytes], row: Row) -> int:
    value = values.get(row.element)
    if value is None or len(value) != 2:
        raise PeerError(f"command without (0000,{row.element:04X})", abort_source=0)
    number: int = _US.unpack(value)[0]
    return number


def _uid(value: bytes) -> str:
    text = value.decode("latin-1").rstrip("\0 ")
    if text and not is_uid(text):
        raise ValueError("no UID")
    return text


def _title(value: bytes) -> str:
    text = value.decode("latin-1").strip("\0 ")
    if text and not is_ae_title(text):
        raise ValueError("no AE title")
    return text


def _number(value: bytes) -> int | None:
    if len(value) != 2:
        if not value:
            return None
        raise ValueError("not one number")
    number: int = _US.unpack(value)[0]
    return number


def _first_number(value: bytes) -> int | None:
    # Peers exist that write the counts with four bytes; the answer is worth more than its form.
    return _number(value[:2] if len(value) % 2 == 0 else value)


def _words(value: bytes) -> str:
    return value.decode("utf-8", "replace").rstrip("\0 ")[:64]


def _tags(value: bytes) -> tuple[int, ...]:
    if len(value) % 4:
        raise ValueError("not whole tags")
    return tuple(group << 16 | element for group, element in _AT.iter_unpack(value))


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "UI": _uid,
    "US": _number,
    "AE": _title,
    "LO": _words,
    "AT": _tags,
}


def _decoder(row: Row, field: int) -> Callable[[bytes], Any]:
    if row.vr == "US" and field & RESPONSE_BIT:
        return _first_number
    return _DECODERS[row.vr]


# Read by `_needed`, since nothing can be answered without them.
_VITAL = {"message_id", "status"}
Reader = tuple[str, Callable[[bytes], Any], str]  # attribute, decoder, VR
_READERS: dict[int, dict[int, Reader]] = {
    number: {
        row.element: (row.attribute, _decoder(row, number), row.vr)
        for row in kind.rows
        if row.attribute not in _VITAL
    }
    for number, kind in KINDS.items()
}
_REQUIRED = {
    number: tuple(
        (row.attribute, row.element)
        for row in kind.rows
        if row in kind.required and row.attribute not in _VITAL
    )
    for number, kind in KINDS.items()
}


def _message_id_row(field: int) -> Row:
    kind = KINDS.get(field)
    if kind is not None:
        return next(row for row in kind.required if row.attribute == "message_id")
    return RESPONDED_TO if field & RESPONSE_BIT else MESSAGE_ID


_ID_ROWS = {number: _message_id_row(number) for number in KINDS}


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Command:
    """Return the command in ``data``, one whole command set.  Raises `PeerError` only."""
    values = _split(data, limits)
    field = _needed(values, COMMAND_FIELD)
    fields: dict[str, Any] = {
        "field": field,
        "message_id": _needed(values, _ID_ROWS.get(field) or _message_id_row(field)),
        "has_data": _needed(values, DATA_SET_TYPE) != NO_DATA_SET,
    }
    if field & RESPONSE_BIT:
        fields["status"] = _needed(values, STATUS)
    readers = _READERS.get(field)
    if readers is None:
        return Command(
            **fields, fault_status=UNRECOGNISED_OPERATION, fault_comment="unknown command"
        )
    for element, value in values.items():
        if (reader := readers.get(element)) is None:
            continue
        attribute, decoder, vr = reader
        try:
            parsed = decoder(value)
        except ValueError:
            uid_of_store = vr == "UI" and field == C_STORE_RQ
            fields["fault_status"] = CANNOT_UNDERSTAND if uid_of_store else MISTYPED_ARGUMENT
            fields["fault_comment"] = f"malformed (0000,{element:04X})"
            continue
        if parsed is not None and parsed != "":
            fields[attribute] = parsed
    for attribute, element in _REQUIRED[field]:
        if attribute not in fields and "fault_status" not in fields:
            fields["fault_status"] = MISTYPED_ARGUMENT
            fields["fault_comment"] = f"missing (0000,{element:04X})"
    return Command(**fields)
