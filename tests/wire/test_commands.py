"""All DIMSE commands: pynetdicom's codec on the other side, faults, limits of what is read."""

from contextlib import suppress
from io import BytesIO
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom import dimse_messages
from pynetdicom.dsutils import decode as decode_data_set
from pynetdicom.dsutils import encode as encode_data_set
from pynetdicom.tests import encoded_dimse_msg, encoded_dimse_n_msg

from tests.wire.test_pdus import titles, uids
from waystation.model.errors import MisuseError, PeerError
from waystation.wire.command_codec import decode, encode
from waystation.wire.commands import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_FIND_RSP,
    C_STORE_RQ,
    C_STORE_RSP,
    KINDS,
    N_EVENT_REPORT_RQ,
    Command,
    reply,
)

# The keyword of PS3.6 for each element, against the field of ours that holds it.
AFFECTED = {"AffectedSOPClassUID": "sop_class_uid", "AffectedSOPInstanceUID": "sop_instance_uid"}
REQUESTED = {"RequestedSOPClassUID": "sop_class_uid", "RequestedSOPInstanceUID": "sop_instance_uid"}
OTHERS = {
    "MessageID": "message_id",
    "MessageIDBeingRespondedTo": "message_id",
    "Priority": "priority",
    "Status": "status",
    "OffendingElement": "offending_elements",
    "ErrorComment": "error_comment",
    "ErrorID": "error_id",
    "MoveDestination": "move_destination",
    "MoveOriginatorApplicationEntityTitle": "move_originator_ae",
    "MoveOriginatorMessageID": "move_originator_message_id",
    "NumberOfRemainingSuboperations": "remaining",
    "NumberOfCompletedSuboperations": "completed",
    "NumberOfFailedSuboperations": "failed",
    "NumberOfWarningSuboperations": "warning",
    "EventTypeID": "event_type_id",
    "ActionTypeID": "action_type_id",
    "AttributeIdentifierList": "attributes",
}
FIELDS = AFFECTED | REQUESTED | OTHERS
VALUES: dict[str, Any] = {
    "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
    "sop_instance_uid": "1.2.826.0.1.77.4",
    "message_id": 4711,
    "priority": 1,
    "status": 0xB007,
    "offending_elements": (0x00080018, 0x7FE00010),
    "error_comment": "odd number of letters",
    "error_id": 12,
    "move_destination": "PACS",
    "move_originator_ae": "ARCHIVE",
    "move_originator_message_id": 99,
    "remaining": 5,
    "completed": 4,
    "failed": 3,
    "warning": 2,
    "event_type_id": 1,
    "action_type_id": 2,
    "attributes": (0x00100010, 0x00100020),
}


def data_set_of(data: bytes) -> Dataset:
    """A command set as pynetdicom reads it."""
    return decode_data_set(BytesIO(data), True, True)


def full(number: int, *, has_data: bool) -> Command:
    """The command with every field that it may carry."""
    fields = {row.attribute: VALUES[row.attribute] for row in KINDS[number].rows}
    return Command(field=number, has_data=has_data, **fields)


def plain(value: Any) -> Any:
    """A value of pydicom as ours."""
    if isinstance(value, str | int):
        return value
    return tuple(int(tag) for tag in value)


@pytest.mark.parametrize("has_data", [True, False])
@pytest.mark.parametrize("number", KINDS)
def test_every_command_round_trips_with_all_its_fields(number: int, has_data: bool) -> None:
    command = full(number, has_data=has_data)
    assert decode(encode(command, has_data=has_data)) == command


@pytest.mark.parametrize("number", KINDS)
def test_pynetdicom_reads_every_command_as_we_meant_it(number: int) -> None:
    command = full(number, has_data=True)
    data = encode(command, has_data=True)
    read = data_set_of(data)
    assert read.CommandGroupLength == len(data) - 12
    assert read.CommandField == number
    assert read.CommandDataSetType != 0x0101
    seen = {element.keyword: plain(element.value) for element in read if element.keyword in FIELDS}
    assert seen == {keyword: getattr(command, FIELDS[keyword]) for keyword in seen}
    assert {FIELDS[keyword] for keyword in seen} == {row.attribute for row in KINDS[number].rows}


@pytest.mark.parametrize("number", KINDS)
def test_we_know_the_elements_that_pynetdicom_lists(number: int) -> None:
    keywords = set(dimse_messages._COMMAND_SET_KEYWORDS[KINDS[number].name]) - {
        "CommandGroupLength",
        "CommandField",
        "CommandDataSetType",
    }
    data = encode(full(number, has_data=False), has_data=False)
    written = {element.keyword for element in data_set_of(data)}
    assert keywords <= written


@pytest.mark.parametrize("number", KINDS)
def test_we_read_every_command_that_pynetdicom_writes(number: int) -> None:
    name = KINDS[number].name
    data_set = Dataset()
    for keyword in dimse_messages._COMMAND_SET_KEYWORDS[name]:
        if keyword in FIELDS:
            value = VALUES[FIELDS[keyword]]
            setattr(data_set, keyword, list(value) if isinstance(value, tuple) else value)
    data_set.CommandField = number
    data_set.CommandDataSetType = 0x0101
    data_set.CommandGroupLength = 0
    data = encode_data_set(data_set, True, True)
    assert data is not None
    command = decode(data)
    assert command.name == name
    assert not command.fault_status
    for keyword in dimse_messages._COMMAND_SET_KEYWORDS[name]:
        if keyword in FIELDS:
            assert getattr(command, FIELDS[keyword]) == VALUES[FIELDS[keyword]]


GOLDEN = {
    name: getattr(module, name)
    for module in (encoded_dimse_msg, encoded_dimse_n_msg)
    for name in dir(module)
    if "_cmd" in name and not name.endswith(("_empty", "_dup"))
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_commands_keep_their_meaning_through_our_codec(name: str) -> None:
    # Some of the golden messages begin with the message control byte of their PDV.
    data = GOLDEN[name].removeprefix(b"\x03")
    command = decode(data)
    again = data_set_of(encode(command, has_data=command.has_data))
    for element in data_set_of(data):
        if element.keyword in FIELDS:
            assert again[element.tag].value == element.value


def test_counts_of_four_bytes_in_a_response_are_read() -> None:
    command = decode(encoded_dimse_msg.c_move_rsp_cmd_with_dup.removeprefix(b"\x03"))
    assert not command.fault_status
    assert (command.remaining, command.completed, command.failed, command.warning) == (3, 1, 2, 4)


def test_bytes_of_a_store_response() -> None:
    request = Command(
        field=C_STORE_RQ, message_id=7, sop_class_uid="1.2.3", sop_instance_uid="1.2.3.4"
    )
    assert encode(reply(request), has_data=False) == bytes.fromhex(
        "00000000 04000000 46000000"
        "00000200 06000000 312e322e3300"
        "00000001 02000000 0180"
        "00002001 02000000 0700"
        "00000008 02000000 0101"
        "00000009 02000000 0000"
        "00000010 08000000 312e322e332e3400"
    )


def element(number: int, value: bytes) -> bytes:
    return pack("<HHI", 0, number, len(value)) + value


def store_request(**changes: bytes | None) -> bytes:
    """A C-STORE-RQ by elements; ``None`` leaves one out."""
    elements: dict[str, bytes | None] = {
        "0002": b"1.2.3\0",
        "0100": b"\x01\0",
        "0110": b"\x07\0",
        "0700": b"\0\0",
        "0800": b"\1\0",
        "1000": b"1.2.3.4\0",
    }
    elements |= {number.removeprefix("e"): value for number, value in changes.items()}
    return b"".join(
        element(int(number, 16), value)
        for number, value in sorted(elements.items())
        if value is not None
    )


@pytest.mark.req("E12")
def test_an_unknown_command_can_be_answered_0211() -> None:
    command = decode(store_request(e0100=b"\x99\x0f"))
    assert not command.known
    assert not command.is_response
    assert (command.message_id, command.fault_status) == (7, 0x0211)
    assert command.has_data
    answer = decode(encode(reply(command, command.fault_status), has_data=False))
    assert (answer.field, answer.message_id, answer.is_response) == (0x8F99, 7, True)
    answered = data_set_of(encode(reply(command, 0x0211), has_data=False))
    assert answered.Status == 0x0211


@pytest.mark.req("E12")
@pytest.mark.parametrize(
    "changes",
    [
        {"e0700": b"\0"},
        {"e0700": b"\0\0\0\0"},
        {"e0700": None},
        {"e1030": b"A\\B "},
        {"e1031": b"\1"},
        {"e0002": None},
        {"e1000": None},
        {"e1000": b""},
    ],
)
def test_a_malformed_field_can_be_answered_0212(changes: dict[str, bytes | None]) -> None:
    command = decode(store_request(**changes))
    assert (command.message_id, command.fault_status) == (7, 0x0212)
    assert command.fault_comment
    answer = decode(encode(reply(command, 0x0212, command.fault_comment), has_data=False))
    assert (answer.status, answer.error_comment) == (0x0212, command.fault_comment)
    assert answer.message_id == 7


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        store_request()[:-1],
        store_request() + b"\0",
        store_request(e0100=None),
        store_request(e0100=b"\1"),
        store_request(e0110=None),
        store_request(e0110=b"\1\0\0\0"),
        store_request(e0800=None),
        store_request() + element(0x1000, b"1.2\0"),
        store_request() + pack("<HHI", 0, 0x9000, 0xFFFFFFFF),
        store_request(e0100=b"\x01\x80", e0120=b"\x07\0"),
    ],
)
def test_an_unreadable_command_is_a_peer_error(data: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        decode(data)
    assert (caught.value.abort_source, caught.value.abort_reason) == (0, 0)


def test_a_wrong_group_length_and_unknown_elements_do_no_harm() -> None:
    data = element(0, b"\xff\xff\xff\xff") + store_request(e0001=b"\0\0\0\0", e5110=b"old ")
    assert decode(data) == decode(store_request())


def test_a_comment_is_cut_to_64_characters_and_never_raises() -> None:
    comment = b"\xff" * 100
    data = encode(Command(field=C_FIND_RSP, message_id=1), has_data=False)
    assert len(decode(data + element(0x0902, comment)).error_comment) == 64
    assert reply(decode(store_request()), 0xA700, "x" * 100).error_comment == "x" * 64


def test_a_reply_carries_what_the_request_named() -> None:
    command = reply(full(N_EVENT_REPORT_RQ, has_data=True), 0x0110, "no")
    assert command.name == "N-EVENT-REPORT-RSP"
    assert command.is_response
    assert command.event_type_id == 1
    assert command.status == 0x0110


def test_a_command_without_its_required_fields_is_our_bug() -> None:
    with pytest.raises(MisuseError):
        encode(Command(field=C_STORE_RQ, message_id=1, sop_class_uid="1.2"), has_data=True)
    with pytest.raises(MisuseError):
        encode(Command(field=0x0999, message_id=1), has_data=False)


def test_names_are_those_of_the_standard() -> None:
    assert KINDS[C_ECHO_RQ].name == "C-ECHO-RQ"
    assert KINDS[C_CANCEL_RQ].name == "C-CANCEL-RQ"
    assert Command(field=0x1234, message_id=1).name == "command 1234H"
    assert {kind.name for kind in KINDS.values()} == set(dimse_messages._COMMAND_SET_KEYWORDS)


@given(uids, titles, st.integers(0, 65_535), st.integers(0, 65_535))
def test_any_store_request_round_trips(uid: str, title: str, number: int, other: int) -> None:
    command = Command(
        field=C_STORE_RQ,
        message_id=number,
        sop_class_uid=uid,
        sop_instance_uid=uid,
        has_data=True,
        move_originator_ae=title,
        move_originator_message_id=other,
    )
    assert decode(encode(command, has_data=True)) == command


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes_give_a_command_or_a_peer_error(data: bytes, tail: bytes) -> None:
    for whole in (data, store_request() + tail):
        with suppress(PeerError):
            decode(whole)


@given(st.integers(0, 500), st.integers(0, 255), st.sampled_from([C_STORE_RQ, C_STORE_RSP]))
def test_a_bent_byte_gives_a_command_or_a_peer_error(at: int, value: int, number: int) -> None:
    data = bytearray(encode(full(number, has_data=True), has_data=True))
    data[at % len(data)] = value
    with suppress(PeerError):
        decode(bytes(data))
