"""PDUs and their items: golden bytes, the codecs of pynetdicom, and any valid value."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import pdu as theirs
from pynetdicom import pdu_items
from pynetdicom.tests import encoded_pdu_items as golden

from waystation.model.errors import MisuseError, PeerError
from waystation.wire.items import (
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    CommonExtended,
    ContextResult,
    Extended,
    ProposedContext,
    Role,
    UserIdentity,
)
from waystation.wire.pdus import (
    RELEASE_RP_PDU,
    RELEASE_RQ_PDU,
    decode_abort,
    decode_accept,
    decode_reject,
    decode_request,
    encode_abort,
    encode_accept,
    encode_reject,
    encode_request,
)

# Two of the golden requests are those with an empty title, which pynetdicom itself refuses.
REQUESTS = [
    name
    for name in dir(golden)
    if name.startswith("a_associate_rq") and not name.endswith(("_called", "_calling"))
]
ACCEPTS = [name for name in dir(golden) if name.startswith("a_associate_ac")]

uids = st.lists(st.integers(0, 99_999), min_size=2, max_size=9).map(
    lambda parts: ".".join(map(str, parts))
)
titles = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"),
    min_size=1,
    max_size=16,
)
counts = st.tuples(st.integers(0, 65_535), st.integers(0, 65_535))
odd_ids = st.lists(st.integers(0, 127).map(lambda n: 2 * n + 1), unique=True, max_size=20)


def tuples(values: st.SearchStrategy[Any], most: int = 5) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=most).map(tuple)


def contexts(ids: list[int]) -> st.SearchStrategy[tuple[ProposedContext, ...]]:
    return st.tuples(*(st.builds(ProposedContext, st.just(i), uids, tuples(uids)) for i in ids))


def results(ids: list[int]) -> st.SearchStrategy[tuple[ContextResult, ...]]:
    accepted = [st.builds(ContextResult, st.just(i), st.just(0), uids) for i in ids]
    refused = [st.builds(ContextResult, st.just(i), st.integers(1, 4)) for i in ids]
    return st.tuples(*(yes | no for yes, no in zip(accepted, refused, strict=True)))


both: dict[str, Any] = {
    "called_ae": titles,
    "calling_ae": titles,
    "max_pdu": st.integers(0, 0xFFFFFFFF),
    "implementation_class_uid": uids,
    "implementation_version": st.just("") | titles,
    "roles": tuples(st.builds(Role, uids, st.booleans(), st.booleans())),
    "async_ops": st.none() | counts,
    "extended": tuples(st.builds(Extended, uids, st.binary(max_size=40))),
}
identities = st.builds(
    UserIdentity,
    st.integers(1, 5),
    st.binary(max_size=300),
    st.binary(max_size=300),
    st.booleans(),
)
requests = st.builds(
    AssociateRequest,
    contexts=odd_ids.flatmap(contexts),
    common_extended=tuples(st.builds(CommonExtended, uids, uids, tuples(uids))),
    user_identity=st.none() | identities,
    **both,
)
accepts = st.builds(
    AssociateAccept,
    contexts=odd_ids.flatmap(results),
    user_identity_response=st.none() | st.binary(max_size=300),
    **both,
)


@given(requests)
def test_any_valid_request_round_trips(request: AssociateRequest) -> None:
    assert decode_request(encode_request(request)[6:]) == request


@given(accepts)
def test_any_valid_accept_round_trips(accept: AssociateAccept) -> None:
    assert decode_accept(encode_accept(accept)[6:]) == accept


def user_items(read: Any) -> list[bytes]:
    return sorted(item.encode() for item in read.user_information.user_data)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_golden_request_survives_our_codec(name: str) -> None:
    data = getattr(golden, name)
    request = decode_request(data[6:])
    again = encode_request(request)
    assert decode_request(again[6:]) == request
    ours, other = theirs.A_ASSOCIATE_RQ(), theirs.A_ASSOCIATE_RQ()
    ours.decode(again)
    other.decode(data)
    assert ours.called_ae_title == other.called_ae_title == request.called_ae
    assert [c.context_id for c in ours.presentation_context] == [
        c.context_id for c in other.presentation_context
    ]
    assert user_items(ours) == user_items(other)


@pytest.mark.parametrize("name", ACCEPTS)
def test_a_golden_accept_is_read(name: str) -> None:
    accept = decode_accept(getattr(golden, name)[6:])
    other = theirs.A_ASSOCIATE_AC()
    other.decode(getattr(golden, name))
    assert [(c.id, c.result) for c in accept.contexts] == [
        (c.context_id, c.result) for c in other.presentation_context
    ]
    assert decode_accept(encode_accept(accept)[6:]) == accept


def test_what_the_golden_requests_say() -> None:
    plain = decode_request(golden.a_associate_rq[6:])
    assert (plain.called_ae, plain.calling_ae) == ("ANY-SCP", "ECHOSCU")
    assert plain.contexts == (ProposedContext(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),)
    assert plain.max_pdu == 16_382
    assert plain.implementation_class_uid == "1.2.826.0.1.3680043.9.3811.0.9.0"
    assert plain.implementation_version == "PYNETDICOM_090"
    windowed = decode_request(golden.a_associate_rq_user_async[6:])
    assert windowed.async_ops == (5, 5)
    assert decode_request(golden.a_associate_rq_role[6:]).roles == (
        Role("1.2.840.10008.5.1.4.1.1.2", False, True),
    )
    identity = decode_request(golden.a_associate_rq_user_id_user_pass[6:]).user_identity
    assert identity == UserIdentity(2, b"pynetdicom", b"p4ssw0rd", False)
    assert decode_request(golden.a_associate_rq_user_id_ext_neg[6:]).extended[0] == Extended(
        "1.2.840.10008.5.1.4.1.1.2", b"\x02\x00\x03\x00\x01\x00"
    )
    assert decode_request(golden.a_associate_rq_com_ext_neg[6:]).common_extended[0] == (
        CommonExtended(
            "1.2.840.10008.5.1.4.1.1.4",
            "1.2.840.10008.4.2",
            ("1.2.840.10008.5.1.4.1.1.88.22",),
        )
    )


def test_fixed_pdus_are_those_of_the_golden_file() -> None:
    assert golden.a_release_rq == RELEASE_RQ_PDU
    assert golden.a_release_rp == RELEASE_RP_PDU
    assert encode_abort(0, 0) == golden.a_abort
    assert encode_abort(2, 4) == golden.a_p_abort
    assert decode_abort(golden.a_p_abort[6:]) == (2, 4)
    reject = AssociateReject(1, 1, 1)
    assert encode_reject(reject) == golden.a_associate_rj
    assert decode_reject(golden.a_associate_rj[6:]) == reject


RICH = AssociateRequest(
    called_ae="SCP",
    calling_ae="SCU",
    contexts=(
        ProposedContext(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")),
        ProposedContext(255, "1.2.3", ("1.2.840.10008.1.2.4.70",)),
    ),
    max_pdu=65_536,
    roles=(Role("1.2.3", True, True),),
    async_ops=(3, 0),
    extended=(Extended("1.2.3", b"\x01\x00\x01"),),
    common_extended=(CommonExtended("1.2.3", "1.2.840.10008.4.2", ("1.2.4", "1.2.5.6")),),
    user_identity=UserIdentity(2, b"user", b"pass", True),
)


def test_pynetdicom_reads_our_request_as_we_meant_it() -> None:
    read = theirs.A_ASSOCIATE_RQ()
    read.decode(encode_request(RICH))
    assert (read.called_ae_title, read.calling_ae_title) == ("SCP", "SCU")
    assert read.application_context_name == RICH.application_context
    assert [
        (c.context_id, c.abstract_syntax, tuple(c.transfer_syntax))
        for c in read.presentation_context
    ] == [(c.id, c.abstract_syntax, c.transfer_syntaxes) for c in RICH.contexts]
    user: Any = read.user_information
    assert user.maximum_length == 65_536
    assert user.role_selection["1.2.3"].scp_role == 1
    assert user.async_ops_window.maximum_number_operations_invoked == 3
    assert user.ext_neg[0].app_info == b"\x01\x00\x01"
    assert user.common_ext_neg[0].related_general_sop_class_identification == [
        "1.2.4",
        "1.2.5.6",
    ]
    assert user.user_identity.primary == b"user"
    assert user.user_identity.secondary == b"pass"
    assert user.user_identity.response_requested


def test_we_read_what_pynetdicom_writes_of_our_request() -> None:
    read = theirs.A_ASSOCIATE_RQ()
    read.decode(encode_request(RICH))
    assert decode_request(read.encode()[6:]) == RICH


def test_pynetdicom_reads_our_identity_response() -> None:
    accept = AssociateAccept(called_ae="A", calling_ae="B", user_identity_response=b"ticket")
    read = theirs.A_ASSOCIATE_AC()
    read.decode(encode_accept(accept))
    user: Any = read.user_information
    responses = [i for i in user.user_data if isinstance(i, pdu_items.UserIdentitySubItemAC)]
    assert responses[0].response == b"ticket"


def test_secrets_do_not_show() -> None:
    assert "pass" not in repr(RICH)
    assert "user'" not in repr(RICH)
    accept = AssociateAccept(called_ae="A", calling_ae="B", user_identity_response=b"ticket")
    assert "ticket" not in repr(accept)


@given(st.binary(max_size=400))
def test_any_body_gives_a_value_or_a_peer_error(body: bytes) -> None:
    for decode in (decode_request, decode_accept, decode_reject, decode_abort):
        for data in (body, encode_request(RICH)[6:74] + body):
            with suppress(PeerError):
                decode(data)


@given(st.integers(0, 600), st.integers(0, 255))
def test_a_bent_byte_gives_a_value_or_a_peer_error(position: int, value: int) -> None:
    body = bytearray(encode_request(RICH)[6:])
    body[position % len(body)] = value
    with suppress(PeerError):
        decode_request(bytes(body))


def test_unknown_items_are_skipped() -> None:
    body = encode_request(RICH)[6:]
    assert decode_request(body + b"\x99\x00\x00\x02ab") == RICH


def test_a_context_refused_may_come_without_a_transfer_syntax() -> None:
    body = encode_accept(AssociateAccept(called_ae="A", calling_ae="B"))[6:]
    accept = decode_accept(body + b"\x21\x00\x00\x04\x01\x00\x03\x00")
    assert accept.contexts == (ContextResult(1, 3, ""),)


def test_our_own_values_that_fit_no_field_are_our_bug() -> None:
    with pytest.raises(MisuseError):
        encode_request(AssociateRequest(called_ae="A" * 17, calling_ae="B"))
    with pytest.raises(MisuseError):
        encode_request(
            AssociateRequest(
                called_ae="A", calling_ae="B", extended=(Extended("1.2", bytes(70_000)),)
            )
        )


@pytest.mark.parametrize(
    "sub_item",
    [
        b"\x51\x00\x00\x03abc",
        b"\x53\x00\x00\x05abcde",
        b"\x54\x00\x00\x01a",
        b"\x54\x00\x00\x05\x00\x09abc",
        b"\x54\x00\x00\x06\x00\x031.2\x01",
        b"\x57\x00\x00\x05\x00\x031.2",
        b"\x57\x00\x00\x0b\x00\x00\x00\x00\x00\x05\x00\x091.2",
        b"\x58\x00\x00\x01\x01",
        b"\x58\x00\x00\x04\x01\x00\x00\x00",
        b"\x58\x00\x00\x07\x01\x00\x00\x00\x00\x00!",
        b"\x59\x00\x00\x03\x00\x02x",
        b"\x59\x00\x00\x04\x00\x01xy",
        b"\x51\x00",
        b"\x51\x00\xff\xff",
    ],
)
def test_a_user_item_that_does_not_fill_its_frame_is_a_peer_error(sub_item: bytes) -> None:
    request = encode_request(AssociateRequest(called_ae="A", calling_ae="B"))[6:]
    accept = encode_accept(AssociateAccept(called_ae="A", calling_ae="B"))[6:]
    user = b"\x50\x00" + len(sub_item).to_bytes(2, "big") + sub_item
    for body, decode in ((request, decode_request), (accept, decode_accept)):
        with pytest.raises(PeerError) as caught:
            decode(body + user)
        assert (caught.value.abort_source, caught.value.abort_reason) == (2, 6)


@pytest.mark.parametrize(
    "context",
    [b"\x20\x00\x00\x03abc", b"\x21\x00\x00\x03abc", b"\x20\x00\x00\x06\x01\0\0\0\x30\x00"],
)
def test_a_context_that_does_not_fill_its_frame_is_a_peer_error(context: bytes) -> None:
    for body, decode in (
        (encode_request(RICH)[6:], decode_request),
        (encode_accept(AssociateAccept(called_ae="A", calling_ae="B"))[6:], decode_accept),
    ):
        matters = context[0] == (0x20 if decode is decode_request else 0x21)
        if matters:
            with pytest.raises(PeerError):
                decode(body + context)
        else:
            decode(body + context)
