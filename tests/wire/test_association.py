"""Whole conversations: who says what, in which order, and how they end."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.wire.pipes import (
    CT,
    EXPLICIT,
    IMPLICIT,
    MR,
    REQUEST,
    STORE,
    asked,
    established,
    output,
    pdu,
    pdv,
)
from waystation.model.errors import MisuseError
from waystation.wire.association import Association
from waystation.wire.command_codec import decode, encode
from waystation.wire.commands import C_ECHO_RQ, C_STORE_RQ, Command, reply
from waystation.wire.events import (
    Aborted,
    AssociateAccepted,
    AssociateRejected,
    DataCame,
    MessageBegun,
    ReleaseAsked,
    Released,
)
from waystation.wire.items import AcceptedContext, AssociateReject, ContextResult, Role
from waystation.wire.limits import Limits
from waystation.wire.pdus import (
    P_DATA_HEADER,
    RELEASE_RP_PDU,
    RELEASE_RQ_PDU,
    decode_accept,
    encode_abort,
)

ECHO = Command(field=C_ECHO_RQ, message_id=1, sop_class_uid="1.2.840.10008.1.1")


def test_an_accepted_request_puts_its_contexts_in_force_on_both_sides() -> None:
    requestor, acceptor = established()
    assert requestor.contexts == {
        1: AcceptedContext(1, CT, EXPLICIT),
        3: AcceptedContext(3, MR, IMPLICIT),
    }
    assert acceptor.contexts == requestor.contexts
    assert acceptor.request == REQUEST
    assert requestor.accepted == acceptor.accepted
    assert requestor.peer_max_pdu == acceptor.peer_max_pdu == 131_072


def test_a_requestor_hears_that_it_was_accepted() -> None:
    requestor = Association.requesting(REQUEST)
    assert requestor.take_output() == []
    requestor.begin()
    acceptor = asked()
    acceptor.accept([ContextResult(1, 0, IMPLICIT), ContextResult(3, 4)], max_pdu=4096)
    (event,) = requestor.receive(output(acceptor))
    assert isinstance(event, AssociateAccepted)
    assert event.accept.max_pdu == 4096
    assert requestor.contexts == {1: AcceptedContext(1, CT, IMPLICIT)}
    with pytest.raises(MisuseError):
        requestor.send(3, STORE, b"data")


def test_a_rejection_ends_the_association_on_both_sides() -> None:
    requestor = Association.requesting(REQUEST)
    requestor.begin()
    acceptor = asked()
    acceptor.reject(2, 3, 2)
    (event,) = requestor.receive(output(acceptor))
    assert event == AssociateRejected(AssociateReject(2, 3, 2))
    assert requestor.wants_close
    assert requestor.ended
    assert acceptor.ended
    assert acceptor.wants_artim
    assert not acceptor.wants_close
    assert acceptor.receive_eof() == []
    assert acceptor.wants_close


def test_a_context_the_requestor_never_offered_does_not_come_into_force() -> None:
    requestor = Association.requesting(REQUEST)
    requestor.begin()
    request = replace(REQUEST, contexts=(*REQUEST.contexts, replace(REQUEST.contexts[0], id=9)))
    acceptor = asked(request=request)
    acceptor.accept(
        [ContextResult(1, 0, "1.2.3"), ContextResult(3, 0, IMPLICIT), ContextResult(9, 0, IMPLICIT)]
    )
    requestor.receive(output(acceptor))
    assert list(requestor.contexts) == [3]


def test_roles_count_only_as_far_as_both_sides_said_so() -> None:
    request = replace(REQUEST, roles=(Role(CT, True, True), Role(MR, False, True)))
    acceptor = asked(request=request)
    acceptor.accept(
        [ContextResult(1, 0, IMPLICIT), ContextResult(3, 0, IMPLICIT)],
        roles=[Role(CT, True, True)],
    )
    assert acceptor.contexts[1] == AcceptedContext(1, CT, IMPLICIT, scu=True, scp=True)
    assert acceptor.contexts[3] == AcceptedContext(3, MR, IMPLICIT, scu=True, scp=False)


def test_an_accept_answers_each_context_once() -> None:
    acceptor = asked()
    with pytest.raises(MisuseError):
        acceptor.accept([ContextResult(1, 0, IMPLICIT)])
    with pytest.raises(MisuseError):
        acceptor.accept([ContextResult(1, 3), ContextResult(3, 3)], max_pdu=0)
    acceptor.accept([ContextResult(1, 3), ContextResult(3, 3)], user_identity_response=b"x")
    accept = decode_accept(output(acceptor)[6:])
    assert accept.user_identity_response == b"x"
    assert (accept.called_ae, accept.calling_ae) == (REQUEST.called_ae, REQUEST.calling_ae)


def test_a_message_and_its_response_pass() -> None:
    requestor, acceptor = established()
    requestor.send(1, STORE, b"data")
    begun, data = acceptor.receive(output(requestor))
    assert begun == MessageBegun(1, replace(STORE, has_data=True), True)
    assert isinstance(data, DataCame)
    assert (data.context_id, bytes(data.data), data.last) == (1, b"data", True)
    acceptor.send(1, reply(STORE, 0xB000, "coerced"))
    (answer,) = requestor.receive(output(acceptor))
    assert isinstance(answer, MessageBegun)
    assert (answer.command.status, answer.command.message_id) == (0xB000, 7)
    assert not answer.has_data


def test_command_and_data_may_share_a_pdu() -> None:
    _requestor, acceptor = established()
    both = pdv(encode(STORE, has_data=True), command=True) + pdv(b"da", last=False) + pdv(b"ta")
    events = acceptor.receive(pdu(4, both))
    assert [bytes(e.data) for e in events if isinstance(e, DataCame)] == [b"da", b"ta"]


def test_data_come_before_their_pdu_is_whole_and_without_a_copy() -> None:
    requestor, acceptor = established()
    requestor.send(1, STORE, b"0123456789")
    stream = bytearray(output(requestor))
    cut = len(stream) - 5
    begun, first = acceptor.receive(memoryview(stream)[:cut])
    assert isinstance(begun, MessageBegun)
    assert isinstance(first, DataCame)
    assert (bytes(first.data), first.last) == (b"01234", False)
    stream[cut - 1] = ord("X")
    assert bytes(first.data) == b"0123X"
    (rest,) = acceptor.receive(memoryview(stream)[cut:])
    assert isinstance(rest, DataCame)
    assert (bytes(rest.data), rest.last) == (b"56789", True)


def test_an_empty_last_fragment_ends_the_data_set() -> None:
    _requestor, acceptor = established()
    acceptor.receive(pdu(4, pdv(encode(STORE, has_data=True), command=True)))
    acceptor.receive(pdu(4, pdv(b"data", last=False)))
    (event,) = acceptor.receive(pdu(4, pdv(b"")))
    assert isinstance(event, DataCame)
    assert (bytes(event.data), event.last) == (b"", True)
    assert isinstance(acceptor.receive(pdu(4, pdv(encode(ECHO, has_data=False), command=True)))[0],
                      MessageBegun)  # fmt: skip


@pytest.mark.parametrize("announced", [0, 128, 16_384, 16_385, 1 << 32 - 1])
def test_the_maximum_of_the_receiver_is_kept(announced: int) -> None:
    requestor, _acceptor = established()
    assert requestor.accepted is not None
    requestor._establish(REQUEST, replace(requestor.accepted, max_pdu=announced))
    requestor.begin_data(1, STORE)
    requestor.send_data(bytes(200_000), False)
    requestor.send_data(b"odd", True)
    stream = output(requestor)
    position = 0
    lengths = []
    while position < len(stream):
        _kind, length, pdv_length, _context, control = P_DATA_HEADER.unpack_from(stream, position)
        assert pdv_length + 4 == length
        if not control & 2:
            assert length % 2 == 0
        lengths.append(length)
        position += 6 + length
    assert max(lengths) <= (announced or 131_072)
    assert max(lengths) <= Limits().send_pdu
    assert max(lengths) >= min(announced or 131_072, 131_072) - 1


def test_data_are_sent_as_views_of_what_was_given() -> None:
    requestor, _acceptor = established()
    data = bytearray(300_000)
    requestor.begin_data(1, STORE)
    requestor.take_output()
    requestor.send_data(memoryview(data), True)
    written = requestor.take_output()
    data[-1] = 7
    assert [len(piece) for piece in written[1::2]] == [131_066, 131_066, 37_868]
    assert written[-1][-1] == 7


def test_sending_out_of_order_is_our_bug() -> None:
    requestor, _acceptor = established()
    with pytest.raises(MisuseError):
        requestor.send_data(b"data", True)
    requestor.begin_data(1, STORE)
    wrongs: tuple[Callable[[], None], ...] = (
        lambda: requestor.send(1, ECHO),
        lambda: requestor.begin_data(1, STORE),
        lambda: requestor.send_data(b"odd", False),
        requestor.release,
    )
    for wrong in wrongs:
        with pytest.raises(MisuseError):
            wrong()
    requestor.send_data(b"", False)
    requestor.send_data(b"", True)
    requestor.release()
    with pytest.raises(MisuseError):
        requestor.send(1, ECHO)


def test_a_release_ends_both_sides_in_order() -> None:
    requestor, acceptor = established()
    requestor.release()
    asked_for = output(requestor)
    assert asked_for == RELEASE_RQ_PDU
    assert acceptor.receive(asked_for) == [ReleaseAsked(), Released()]
    answered = output(acceptor)
    assert answered == RELEASE_RP_PDU
    assert acceptor.ended
    assert acceptor.wants_artim
    assert not acceptor.wants_close
    assert requestor.receive(answered) == [Released()]
    assert requestor.wants_close
    assert acceptor.receive_eof() == []
    assert acceptor.wants_close


def test_a_release_collision_is_untangled() -> None:
    requestor, acceptor = established()
    requestor.release()
    acceptor.release()
    to_acceptor, to_requestor = output(requestor), output(acceptor)
    assert requestor.receive(to_requestor) == [ReleaseAsked()]
    assert acceptor.receive(to_acceptor) == [ReleaseAsked()]
    assert acceptor.take_output() == []
    assert acceptor.receive(output(requestor)) == [Released()]
    assert requestor.receive(output(acceptor)) == [Released()]
    assert requestor.wants_close
    assert acceptor.wants_artim


def test_data_that_cross_a_release_request_still_arrive() -> None:
    requestor, acceptor = established()
    acceptor.send(1, reply(STORE))
    requestor.release()
    (event,) = requestor.receive(output(acceptor))
    assert isinstance(event, MessageBegun)
    assert not requestor.established


def test_an_abort_is_heard_with_its_pair() -> None:
    requestor, acceptor = established()
    requestor.abort(2, 0)
    (event,) = acceptor.receive(output(requestor))
    assert isinstance(event, Aborted)
    assert (event.by, event.source, event.reason) == ("peer", 2, 0)
    assert acceptor.wants_close
    assert requestor.ended
    assert requestor.wants_artim


def test_nothing_is_heard_after_our_own_abort() -> None:
    requestor, acceptor = established()
    requestor.send(1, STORE, bytes(1000))
    stream = output(requestor)
    acceptor.receive(stream[:500])
    acceptor.abort()
    output(acceptor)
    assert acceptor.receive(stream[500:] + stream) == []
    assert acceptor.take_output() == []


@pytest.mark.parametrize("came", range(1, 40))
def test_an_abort_between_two_pieces_keeps_the_frames(came: int) -> None:
    _requestor, acceptor = established()
    command = pdv(encode(STORE, has_data=True), command=True)
    acceptor.receive(pdu(4, command))
    stream = pdu(4, pdv(b"ab", last=False) + pdv(b"cd", last=False) + pdv(b"ef"))
    acceptor.receive(stream[:came])
    acceptor.abort()
    acceptor.take_output()
    assert acceptor.receive(stream[came:] + RELEASE_RQ_PDU) == []
    assert not acceptor.wants_close
    acceptor.receive(encode_abort(0, 0))
    assert acceptor.wants_close


def test_a_reply_that_was_under_way_when_we_aborted_is_ignored() -> None:
    acceptor = asked()
    acceptor.accept([ContextResult(1, 0, IMPLICIT), ContextResult(3, 3)])
    stream = output(acceptor)
    requestor = Association.requesting(REQUEST)
    requestor.begin()
    requestor.receive(stream[:30])
    requestor.abort()
    assert requestor.receive(stream[30:]) == []
    assert requestor.contexts == {}


def test_a_lost_connection_is_told_once() -> None:
    requestor, _acceptor = established()
    (event,) = requestor.receive_eof()
    assert isinstance(event, Aborted)
    assert event.by == "transport"
    assert requestor.receive_eof() == []
    assert requestor.receive(b"anything") == []


def test_a_silent_socket_is_closed_when_artim_runs_out() -> None:
    acceptor = Association.accepting()
    assert acceptor.wants_artim
    acceptor.receive(b"\x01\x00\x00")
    assert acceptor.timer_expired() == []
    assert acceptor.wants_close
    assert acceptor.ended


def test_an_unknown_command_reaches_the_shell_and_can_be_answered() -> None:
    requestor, acceptor = established()
    data = encode(ECHO, has_data=False).replace(b"\x30\x00", b"\x99\x0f")
    (event,) = acceptor.receive(pdu(4, pdv(data, command=True)))
    assert isinstance(event, MessageBegun)
    assert event.command.fault_status == 0x0211
    acceptor.send(1, reply(event.command, event.command.fault_status))
    stream = output(acceptor)
    assert decode(stream[12:]).message_id == 1
    assert requestor.receive(stream) != []


def test_a_request_always_announces_a_real_maximum() -> None:
    with pytest.raises(MisuseError):
        Association.requesting(replace(REQUEST, max_pdu=0))


def test_the_field_of_a_store_is_that_of_the_standard() -> None:
    assert C_STORE_RQ == 1
