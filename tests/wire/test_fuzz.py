"""Any bytes in any pieces give events, never an exception; pieces never change the meaning."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.pipes import (
    REQUEST,
    STORE,
    chunks,
    established,
    messages,
    output,
    pdu,
    pdv,
    told,
)
from waystation.wire.association import Association
from waystation.wire.command_codec import encode
from waystation.wire.commands import C_ECHO_RQ, C_FIND_RQ, C_STORE_RQ, Command, reply
from waystation.wire.events import Aborted, Event
from waystation.wire.pdus import RELEASE_RP_PDU, RELEASE_RQ_PDU, encode_abort, encode_request

pieces = st.lists(st.integers(1, 200), max_size=30)
COMMAND = encode(STORE, has_data=True)
fragments = st.builds(
    pdv,
    st.binary(max_size=40) | st.just(COMMAND),
    command=st.booleans(),
    last=st.booleans(),
    context_id=st.sampled_from([0, 1, 3, 5, 255]),
)
bodies = st.binary(max_size=60) | st.lists(fragments, max_size=5).map(b"".join)
units = st.one_of(
    st.builds(pdu, st.integers(0, 9), bodies),
    st.builds(pdu, st.just(4), bodies),
    st.sampled_from([RELEASE_RQ_PDU, RELEASE_RP_PDU, encode_abort(0, 0), encode_request(REQUEST)]),
    st.binary(max_size=30),
)
streams = st.lists(units, max_size=8).map(b"".join)


def start(how: str) -> Association:
    """An association that is ready to hear something."""
    if how == "fresh":
        return Association.accepting()
    if how == "calling":
        association = Association.requesting(REQUEST)
        association.begin()
        return association
    requestor, acceptor = established()
    if how == "releasing":
        requestor.release()
        return requestor
    return acceptor if how == "acceptor" else requestor


STARTS = ["fresh", "calling", "acceptor", "requestor", "releasing"]


@pytest.mark.req("S-38")
@pytest.mark.parametrize("how", STARTS)
@given(stream=streams, sizes=pieces)
def test_any_bytes_in_any_pieces_give_events(how: str, stream: bytes, sizes: list[int]) -> None:
    association = start(how)
    output(association)
    events = told(association, chunks(stream, sizes))
    aborts = [event for event in events if isinstance(event, Aborted)]
    assert len(aborts) <= 1
    if aborts:
        assert association.ended
        assert not any(events[events.index(aborts[0]) + 1 :])
    output(association)
    association.receive_eof()
    assert association.ended
    assert association.receive(stream) == []


@pytest.mark.parametrize("how", STARTS)
@given(stream=streams, sizes=pieces)
def test_pieces_of_any_size_give_the_same_events(how: str, stream: bytes, sizes: list[int]) -> None:
    whole, cut = start(how), start(how)
    assert told(whole, [stream]) == told(cut, chunks(stream, sizes))
    assert output(whole) == output(cut)
    assert whole.state == cut.state


commands = st.builds(
    Command,
    field=st.sampled_from([C_STORE_RQ, C_FIND_RQ, C_ECHO_RQ]),
    message_id=st.integers(0, 65_535),
    sop_class_uid=st.just("1.2.840.10008.5.1.4.1.1.2"),
    sop_instance_uid=st.just("1.2.3.4"),
)
talks = st.lists(
    st.tuples(st.sampled_from([1, 3]), commands, st.none() | st.binary(min_size=1, max_size=3000)),
    max_size=5,
)


def said(context_id: int, command: Command, data: bytes | None) -> Any:
    """What the other side must hear."""
    kept: dict[str, Any] = {"has_data": data is not None}
    if command.field != C_STORE_RQ:
        kept["sop_instance_uid"] = ""
    return context_id, replace(command, **kept), data


@given(talk=talks, sizes=pieces, peer_max=st.integers(128, 5000), cut=st.integers(1, 50))
def test_two_associations_carry_any_message_through_any_chunking(
    talk: list[tuple[int, Command, bytes | None]], sizes: list[int], peer_max: int, cut: int
) -> None:
    requestor, acceptor = established(max_pdu=peer_max)
    for context_id, command, data in talk:
        if data is None or len(data) % 2:
            requestor.send(context_id, command, data)
        else:
            requestor.begin_data(context_id, command)
            requestor.send_data(data[: cut * 2], len(data) <= cut * 2)
            if len(data) > cut * 2:
                requestor.send_data(data[cut * 2 :], True)
    heard = messages(told(acceptor, chunks(output(requestor), sizes)))
    assert heard == [said(*spoken) for spoken in talk]
    for context_id, command, _data in heard:
        acceptor.send(context_id, reply(command))
    answers = messages(told(requestor, chunks(output(acceptor), sizes)))
    assert [answer[1].message_id for answer in answers] == [c.message_id for _i, c, _d in talk]


@given(stream=streams)
def test_after_the_end_nothing_is_heard_or_said(stream: bytes) -> None:
    _requestor, acceptor = established()
    acceptor.receive(encode_abort(0, 0))
    acceptor.take_output()
    heard: list[Event] = acceptor.receive(stream)
    assert heard == []
    assert acceptor.take_output() == []
