"""Rows L1 to L8 and E15 of the reliability spec: at the limit, and one above."""

from struct import pack

import pytest

from tests.wire.pipes import (
    REQUEST,
    STORE,
    established,
    fault,
    pdu,
    pdv,
    request_pdu,
    told,
)
from waystation.wire.association import Association
from waystation.wire.command_codec import encode
from waystation.wire.events import (
    Aborted,
    AssociateAsked,
    DataCame,
    MessageBegun,
)
from waystation.wire.limits import Limits
from waystation.wire.user_items import item

STORE_PDV = pdv(encode(STORE, has_data=True), command=True)
STORE_PDU = pdu(4, STORE_PDV)


def acceptor(limits: Limits | None = None, max_pdu: int | None = None) -> Association:
    return established(limits or Limits(), max_pdu=max_pdu)[1]


def padded(to: int) -> bytes:
    """A valid A-ASSOCIATE-RQ of exactly ``to`` bytes after its header, by unknown items."""
    body = request_pdu()[6:]
    while to - len(body) > 0x10003:
        body += item(0x7F, bytes(0xFFF0))
    body += item(0x7F, bytes(to - len(body) - 4))
    assert len(body) == to
    return pdu(1, body)


@pytest.mark.req("L1", "E15")
@pytest.mark.parametrize("kind", [0, 8, 0x47, 0x50, 0x53, 0x16, 0xFF])
def test_an_unknown_pdu_type_is_aborted_on_sight_of_its_header(kind: int) -> None:
    association = Association.accepting()
    assert fault(association.receive(pack(">BxI", kind, 4)), association) == (2, 1)


@pytest.mark.req("L1", "S-38")
@pytest.mark.parametrize(
    "greeting",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
    ],
)
def test_another_protocol_is_aborted_and_keeps_no_memory(greeting: bytes) -> None:
    association = Association.accepting()
    assert fault(association.receive(greeting), association) == (2, 1)
    assert association.receive(greeting * 1000) == []
    assert association.take_output() == []


@pytest.mark.req("L1", "E15")
@pytest.mark.parametrize("kind", [3, 5, 6, 7])
@pytest.mark.parametrize(("length", "fits"), [(3, False), (4, True), (5, False)])
def test_a_pdu_of_fixed_length_has_that_length(kind: int, length: int, fits: bool) -> None:
    association = acceptor()
    events = association.receive(pack(">BxI", kind, length))
    if fits:
        assert (2, 6) not in [(e.source, e.reason) for e in events if isinstance(e, Aborted)]
    else:
        assert fault(events, association) == (2, 6)


@pytest.mark.req("L2")
def test_an_association_request_may_be_as_long_as_its_limit() -> None:
    limit = Limits().associate_bytes
    (event,) = Association.accepting().receive(padded(limit))
    assert isinstance(event, AssociateAsked)


@pytest.mark.req("L2", "E15")
@pytest.mark.parametrize("length", [(1 << 20) + 1, 0xFFFFFFFF])
def test_a_longer_association_request_is_aborted_on_sight_of_its_header(length: int) -> None:
    association = Association.accepting()
    assert fault(association.receive(pack(">BxI", 1, length)), association) == (2, 6)


@pytest.mark.req("L2")
def test_a_longer_association_accept_is_aborted_on_sight_of_its_header() -> None:
    association = Association.requesting(REQUEST)
    association.begin()
    association.take_output()
    assert fault(association.receive(pack(">BxI", 2, (1 << 20) + 1)), association) == (2, 6)


@pytest.mark.req("L3")
@pytest.mark.parametrize("offer", [4096, 131_072])
def test_oversize_pdu_is_refused_before_its_body_arrives(offer: int) -> None:
    association = acceptor(max_pdu=offer)
    association.receive(STORE_PDU)
    whole = pdu(4, pdv(bytes(offer - 6), last=False))
    assert len(whole) == 6 + offer
    assert [type(e) for e in association.receive(whole)] == [DataCame]
    assert fault(association.receive(pack(">BxI", 4, offer + 1)), association) == (2, 6)


@pytest.mark.req("L3")
def test_a_requestor_holds_the_acceptor_to_what_it_announced() -> None:
    requestor, _acceptor = established()
    too_long = pack(">BxI", 4, REQUEST.max_pdu + 1)
    assert fault(requestor.receive(too_long), requestor) == (2, 6)


@pytest.mark.req("L4")
@pytest.mark.parametrize(("count", "fits"), [(128, True), (129, False)])
def test_a_pdu_holds_so_many_pdvs(count: int, fits: bool) -> None:
    association = acceptor()
    association.receive(STORE_PDU)
    events = association.receive(pdu(4, pdv(b"ab", last=False) * count))
    if fits:
        assert len(events) == count
        assert association.established
    else:
        assert fault(events, association) == (2, 6)


@pytest.mark.req("L4")
@pytest.mark.parametrize(("count", "fits"), [(16, True), (17, False)])
def test_so_many_empty_fragments_may_follow_each_other(count: int, fits: bool) -> None:
    association = acceptor()
    association.receive(STORE_PDU)
    for _ in range(3):
        association.receive(pdu(4, pdv(b"", last=False) * 16 + pdv(b"ab", last=False)))
    assert association.established
    events = association.receive(pdu(4, pdv(b"", last=False)) * count)
    if fits:
        assert events == []
        assert association.established
    else:
        assert fault(events, association) == (2, 6)


@pytest.mark.req("E15")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(5),
        pack(">IBB", 1, 1, 0),
        pack(">IBB", 0, 1, 0),
        pack(">IBB", 10, 1, 0) + bytes(7),
        pack(">IBB", 0xFFFFFFFF, 1, 0) + bytes(8),
        pdv(b"abcd", last=False) + b"\0",
        pdv(b"abcd", last=False) + bytes(5),
    ],
)
def test_pdvs_fill_their_pdu_exactly(body: bytes) -> None:
    association = acceptor()
    association.receive(STORE_PDU)
    assert fault(association.receive(pdu(4, body)), association) == (2, 6)


@pytest.mark.req("E15")
@pytest.mark.parametrize(
    ("stream", "pair"),
    [
        (pdv(b"data"), (2, 2)),
        (STORE_PDV + STORE_PDV, (2, 2)),
        (pdv(b"data", context_id=3), (2, 2)),
        (STORE_PDV + pdv(b"data", context_id=3), (2, 2)),
        (pdv(b"half", command=True, last=False) + pdv(b"data"), (2, 2)),
        (pdv(b"half", command=True, last=False) + pdv(b"", command=True, context_id=3), (2, 2)),
        (pdv(b"data", command=True, context_id=5), (2, 6)),
        (pdv(b"data", command=True, context_id=0), (2, 6)),
        (pdv(b"data", command=True, context_id=2), (2, 6)),
    ],
)
def test_a_message_out_of_order_is_aborted(stream: bytes, pair: tuple[int, int]) -> None:
    association = acceptor()
    assert fault(association.receive(pdu(4, stream)), association) == pair


@pytest.mark.req("L6")
@pytest.mark.parametrize(
    ("uid", "status"),
    [
        ("1." + "2" * 62, 0),
        ("1.02.3", 0),
        ("1." + "2" * 63, 0xC000),
        ("1.2.x", 0xC000),
        ("../x", 0xC000),
        ("..", 0xC000),
        ("1.2\t", 0xC000),
        ("1.2\x003", 0xC000),
    ],
)
def test_a_malformed_uid_is_answered_c000_and_never_handed_on(uid: str, status: int) -> None:
    value = uid.encode("latin-1") + b"\0" * (len(uid) % 2)
    plain = encode(STORE, has_data=True)
    old = pack("<HHI", 0, 0x1000, 8) + b"1.2.3.4\0"
    new = pack("<HHI", 0, 0x1000, len(value)) + value
    (event,) = acceptor().receive(pdu(4, pdv(plain.replace(old, new), command=True)))
    assert isinstance(event, MessageBegun)
    assert event.command.fault_status == status
    assert event.command.sop_instance_uid == ("" if status else uid)


def command_of(size: int, elements: int = 8) -> bytes:
    """A C-STORE-RQ of so many elements and bytes."""
    data = encode(STORE, has_data=False)
    for number in range(8, elements):
        data += pack("<HHI", 0, 0x4000 + number, 0)
    return data + pack("<HHI", 0, 0x5000, size - len(data) - 8) + bytes(size - len(data) - 8)


@pytest.mark.req("L7")
@pytest.mark.parametrize(("size", "fits"), [(65_536, True), (65_537, False)])
@pytest.mark.parametrize("piece", [1000, 70_000])
def test_a_command_set_has_so_many_bytes(size: int, fits: bool, piece: int) -> None:
    association = acceptor()
    data = command_of(size)
    cuts = range(0, size, piece)
    stream = b"".join(
        pdu(4, pdv(data[at : at + piece], command=True, last=at == cuts[-1])) for at in cuts
    )
    events = told(association, [stream])
    if fits:
        assert isinstance(events[0], MessageBegun)
        assert association.established
    else:
        assert fault(events, association) == (0, 0)


@pytest.mark.req("L7")
@pytest.mark.parametrize(("count", "fits"), [(256, True), (257, False)])
def test_a_command_set_has_so_many_elements(count: int, fits: bool) -> None:
    association = acceptor()
    data = command_of(20_000, elements=count)
    events = association.receive(pdu(4, pdv(data, command=True)))
    if fits:
        assert isinstance(events[0], MessageBegun)
    else:
        assert fault(events, association) == (0, 0)


@pytest.mark.req("L7")
@pytest.mark.parametrize("group", [2, 8, 0x7FE0])
def test_a_command_set_has_group_0000_only(group: int) -> None:
    association = acceptor()
    data = encode(STORE, has_data=False) + pack("<HHI", group, 0x10, 0)
    events = association.receive(pdu(4, pdv(data, command=True)))
    assert fault(events, association) == (0, 0)


@pytest.mark.req("L8")
@pytest.mark.parametrize(("size", "fits"), [(1000, True), (1001, False), (1002, False)])
@pytest.mark.parametrize("piece", [2, 10, 2000])
def test_a_message_has_so_many_bytes(size: int, fits: bool, piece: int) -> None:
    association = acceptor(Limits(max_object=1000))
    cuts = range(0, size, piece)
    stream = STORE_PDU + b"".join(
        pdu(4, pdv(bytes(min(piece, size - at)), last=at == cuts[-1])) for at in cuts
    )
    events = told(association, [stream])
    if fits:
        assert isinstance(events[-1], DataCame)
        assert len(events[-1].data) == size
        assert association.established
        # The count starts anew with each message.
        assert told(association, [stream])[1:] == [events[-1]]
    else:
        assert fault(events, association) == (0, 0)


@pytest.mark.req("L8")
def test_the_usual_limit_of_an_object_is_4_gb() -> None:
    assert Limits().max_object == 4 * 1024**3


@pytest.mark.req("E15")
def test_after_a_fault_inside_a_pdu_the_frames_are_still_followed() -> None:
    association = acceptor()
    bad = pdu(4, pdv(b"data" * 10))
    (event,) = association.receive(bad[:20])
    assert isinstance(event, Aborted)
    assert association.receive(bad[20:] + STORE_PDU) == []
    association.receive(pdu(7, bytes(4)))
    assert association.wants_close
