"""Rows L5 and L6 of the reliability spec: what an association request may hold."""

from dataclasses import replace

import pytest

from tests.wire.pipes import CT, EXPLICIT, IMPLICIT, REQUEST, fault, output, pdu, request_pdu
from waystation.wire.association import Association
from waystation.wire.events import AssociateAsked, AssociateRejected
from waystation.wire.items import (
    AssociateAccept,
    AssociateReject,
    ProposedContext,
    UserIdentity,
)
from waystation.wire.negotiate import AcceptPolicy, answer
from waystation.wire.pdus import encode_accept
from waystation.wire.user_items import item


@pytest.mark.req("L5")
@pytest.mark.parametrize(("count", "fits"), [(128, True), (129, False)])
def test_a_request_offers_so_many_contexts(count: int, fits: bool) -> None:
    # One id more than 255 allows: the count has to speak before the ids do.
    ids = [2 * number % 256 + 1 for number in range(count)]
    contexts = tuple(ProposedContext(number, CT, (IMPLICIT,)) for number in ids)
    association = Association.accepting()
    events = association.receive(request_pdu(contexts=contexts))
    if fits:
        assert isinstance(events[0], AssociateAsked)
    else:
        assert fault(events, association) == (2, 6)


@pytest.mark.req("L5")
@pytest.mark.parametrize("ids", [(2,), (1, 3, 1), (0,), (1, 254)])
def test_context_ids_are_odd_and_unique(ids: tuple[int, ...]) -> None:
    contexts = tuple(ProposedContext(number, CT, (IMPLICIT,)) for number in ids)
    association = Association.accepting()
    assert fault(association.receive(request_pdu(contexts=contexts)), association) == (2, 6)


@pytest.mark.req("L5")
@pytest.mark.parametrize(("count", "result"), [(64, 0), (65, 4), (3000, 4)])
def test_a_context_offers_so_many_transfer_syntaxes(count: int, result: int) -> None:
    offered = (IMPLICIT, *(f"1.2.3.{number}" for number in range(count - 1)))
    contexts = (ProposedContext(1, CT, offered), ProposedContext(3, CT, (EXPLICIT,)))
    (event,) = Association.accepting().receive(request_pdu(contexts=contexts))
    assert isinstance(event, AssociateAsked)
    results = answer(AcceptPolicy(), event.request).results
    assert [each.result for each in results] == [result, 0]


def with_user_items(count: int) -> bytes:
    """A request whose user information has ``count`` sub-items."""
    body = request_pdu()[6:]
    at = body.index(b"\x50\x00", 74)
    user = body[at + 4 :]
    user += item(0x77, b"") * (count - 3)
    return pdu(1, body[:at] + item(0x50, user))


@pytest.mark.req("L5")
@pytest.mark.parametrize(("count", "fits"), [(1024, True), (1025, False)])
def test_a_request_has_so_many_user_items(count: int, fits: bool) -> None:
    association = Association.accepting()
    events = association.receive(with_user_items(count))
    if fits:
        assert isinstance(events[0], AssociateAsked)
    else:
        assert fault(events, association) == (2, 6)


@pytest.mark.req("L5")
@pytest.mark.parametrize(("size", "fits"), [(32_768, True), (32_769, False)])
@pytest.mark.parametrize("field", ["primary", "secondary"])
def test_an_identity_field_is_so_long(field: str, size: int, fits: bool) -> None:
    identity = replace(UserIdentity(2, b"u"), **{field: bytes(size)})  # type: ignore[arg-type]
    association = Association.accepting()
    (event,) = association.receive(request_pdu(user_identity=identity))
    if fits:
        assert isinstance(event, AssociateAsked)
    else:
        assert event == AssociateRejected(AssociateReject(1, 1, 1))
        assert output(association)[6:] == bytes((0, 1, 1, 1))


BAD_TITLES = ["", " ", "A\\B", "A\tB", "A\x00B", "caf\xe9", "A\nB", "\x7f"]


@pytest.mark.req("L6")
@pytest.mark.parametrize("title", BAD_TITLES)
def test_an_ae_title_outside_the_grammar_is_rejected(title: str) -> None:
    for which, reason in (("calling_ae", 3), ("called_ae", 7)):
        association = Association.accepting()
        (event,) = association.receive(request_pdu(**{which: title}))
        assert event == AssociateRejected(AssociateReject(1, 1, reason))
        assert output(association)[6:] == bytes((0, 1, 1, reason))
        assert association.ended
        assert association.wants_artim


@pytest.mark.req("L6")
@pytest.mark.parametrize("title", ["A", "SIXTEEN_CHARS_16", "Two words", "~!@#$%^&*()_+"])
def test_an_ae_title_of_1_to_16_printable_characters_is_let_pass(title: str) -> None:
    (event,) = Association.accepting().receive(request_pdu(calling_ae=title, called_ae=title))
    assert isinstance(event, AssociateAsked)
    assert event.request.calling_ae == event.request.called_ae == title


@pytest.mark.parametrize(("announced", "fits"), [(0, True), (127, False), (128, True)])
def test_a_peer_takes_pdus_that_are_worth_their_headers(announced: int, fits: bool) -> None:
    association = Association.accepting()
    events = association.receive(request_pdu(max_pdu=announced))
    if fits:
        assert isinstance(events[0], AssociateAsked)
    else:
        assert fault(events, association) == (2, 6)


@pytest.mark.parametrize(("announced", "fits"), [(0, True), (127, False), (128, True)])
def test_an_acceptor_too_takes_pdus_that_are_worth_their_headers(
    announced: int, fits: bool
) -> None:
    association = Association.requesting(REQUEST)
    association.begin()
    output(association)
    accept = AssociateAccept(called_ae="A", calling_ae="B", max_pdu=announced)
    events = association.receive(encode_accept(accept))
    if fits:
        assert association.established
    else:
        assert fault(events, association) == (2, 6)
