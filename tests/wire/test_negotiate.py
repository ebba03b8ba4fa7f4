"""Which contexts come into force (R-16, R-17), and what the protocol itself refuses (E14)."""

from dataclasses import replace

import pytest
from pydicom._uid_dict import UID_dictionary
from pynetdicom import sop_class as registered

from tests.wire.pipes import CT, EXPLICIT, IMPLICIT, MR, REQUEST, output
from waystation.wire.association import Association
from waystation.wire.events import AssociateRejected
from waystation.wire.items import (
    AssociateReject,
    AssociateRequest,
    ContextResult,
    ProposedContext,
    Role,
    UserIdentity,
)
from waystation.wire.negotiate import AcceptPolicy, answer, is_storage, listed, propose, refusal
from waystation.wire.pdus import encode_request

JPEG = "1.2.840.10008.1.2.4.70"
PRIVATE_SYNTAX = "1.3.46.670589.33.1.4.1"
PRIVATE_CLASS = "1.3.12.2.1107.5.9.1"
FUTURE_STORAGE = "1.2.840.10008.5.1.4.1.1.9999.1"
VERIFICATION = "1.2.840.10008.1.1"
STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MPPS = "1.2.840.10008.3.1.2.3.3"


def one(policy: AcceptPolicy, abstract: str, *syntaxes: str) -> ContextResult:
    """The result for one context."""
    request = AssociateRequest(
        called_ae="A", calling_ae="B", contexts=(ProposedContext(1, abstract, syntaxes),)
    )
    (result,) = answer(policy, request).results
    return result


@pytest.mark.req("R-16")
@pytest.mark.parametrize(
    ("accept", "refuse", "taken"),
    [
        ((), (), True),
        ((CT,), (), True),
        ((MR,), (), False),
        ((MR, CT), (), True),
        ((), (CT,), False),
        ((CT,), (CT,), False),
        (("1.2.840.10008.5.1.4.1.1.*",), (), True),
        (("1.2.840.10008.5.1.4.1.1.*",), (CT,), False),
        (("1.2.840.*",), ("1.2.840.10008.5.1.4.1.1.4*",), True),
        (("*",), ("1.2.840.10008.5.1.4.1.1.2*",), False),
        ((CT + ".1",), (), False),
    ],
)
def test_the_refusing_list_wins_inside_the_accepting_one(
    accept: tuple[str, ...], refuse: tuple[str, ...], taken: bool
) -> None:
    result = one(AcceptPolicy(accept=accept, refuse=refuse), CT, IMPLICIT)
    assert result == (ContextResult(1, 0, IMPLICIT) if taken else ContextResult(1, 3))


def test_an_entry_without_a_star_is_the_whole_uid() -> None:
    assert listed("1.2.3", ["1.2.3"])
    assert not listed("1.2.34", ["1.2.3"])
    assert listed("1.2.34", ["1.2.3*"])


@pytest.mark.req("R-16")
def test_verification_stays_whatever_the_lists_say() -> None:
    policy = AcceptPolicy(accept=(CT,), refuse=("*",))
    assert one(policy, VERIFICATION, IMPLICIT).result == 0


@pytest.mark.req("R-17")
@pytest.mark.parametrize(
    "syntax", [uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"]
)
def test_every_registered_transfer_syntax_is_accepted(syntax: str) -> None:
    assert one(AcceptPolicy(unknown_syntaxes=False), CT, syntax) == ContextResult(1, 0, syntax)


@pytest.mark.req("R-17")
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((JPEG, IMPLICIT), JPEG),
        ((IMPLICIT, JPEG), IMPLICIT),
        ((PRIVATE_SYNTAX, EXPLICIT, IMPLICIT), EXPLICIT),
        ((PRIVATE_SYNTAX,), PRIVATE_SYNTAX),
        (("1.2.3.4", PRIVATE_SYNTAX), "1.2.3.4"),
        (("not a uid", "../x", IMPLICIT), IMPLICIT),
    ],
)
def test_the_first_syntax_of_the_peer_that_we_know_is_taken(
    offered: tuple[str, ...], chosen: str
) -> None:
    assert one(AcceptPolicy(), CT, *offered) == ContextResult(1, 0, chosen)


@pytest.mark.req("R-17", "E14")
def test_without_a_usable_syntax_the_result_is_4() -> None:
    assert one(AcceptPolicy(unknown_syntaxes=False), CT, PRIVATE_SYNTAX) == ContextResult(1, 4)
    assert one(AcceptPolicy(), CT) == ContextResult(1, 4)
    assert one(AcceptPolicy(), CT, "no uid") == ContextResult(1, 4)


@pytest.mark.req("R-17")
@pytest.mark.parametrize("sop_class", [PRIVATE_CLASS, FUTURE_STORAGE, "2.25.1"])
def test_private_and_future_classes_are_accepted_unless_switched_off(sop_class: str) -> None:
    assert one(AcceptPolicy(), sop_class, IMPLICIT).result == 0
    assert one(AcceptPolicy(unknown_classes=False), sop_class, IMPLICIT).result == 3
    listed_one = AcceptPolicy(unknown_classes=False, known_storage=frozenset({sop_class}))
    assert one(listed_one, sop_class, IMPLICIT).result == 0


@pytest.mark.req("R-17")
@pytest.mark.parametrize("sop_class", sorted(registered._STORAGE_CLASSES.values()))
def test_every_registered_storage_class_is_accepted(sop_class: str) -> None:
    assert one(AcceptPolicy(unknown_classes=False), sop_class, IMPLICIT).result == 0


NOT_STORED = {
    "_QR_CLASSES",
    "_BASIC_WORKLIST_CLASSES",
    "_PROCEDURE_STEP_CLASSES",
    "_STORAGE_COMMITMENT_CLASSES",
    "_PRINT_MANAGEMENT_CLASSES",
    "_UNIFIED_PROCEDURE_STEP_CLASSES",
}


@pytest.mark.req("E14")
@pytest.mark.parametrize("table", sorted(NOT_STORED))
def test_services_we_do_not_offer_get_result_3(table: str) -> None:
    for sop_class in getattr(registered, table).values():
        assert not is_storage(sop_class)
        assert one(AcceptPolicy(), sop_class, IMPLICIT) == ContextResult(1, 3)


@pytest.mark.req("E14")
@pytest.mark.parametrize("abstract", ["", "no uid", "../x", "1." + "2" * 63, "1.2\x00"])
def test_an_abstract_syntax_that_is_no_uid_gets_result_3(abstract: str) -> None:
    assert one(AcceptPolicy(), abstract, IMPLICIT).result == 3


def test_data_sets_that_we_decode_come_uncompressed() -> None:
    policy = AcceptPolicy(services=frozenset({STUDY_FIND, MPPS}))
    assert one(policy, STUDY_FIND, JPEG, PRIVATE_SYNTAX, EXPLICIT) == ContextResult(1, 0, EXPLICIT)
    assert one(policy, MPPS, JPEG) == ContextResult(1, 4)


def test_the_scp_role_is_granted_only_where_the_policy_says_so() -> None:
    request = replace(
        REQUEST,
        roles=(Role(CT, True, True), Role(MR, False, True), Role("1.2.840.10008.9", True, True)),
    )
    refused = answer(AcceptPolicy(), request)
    assert refused.roles == (Role(CT, True, False), Role(MR, False, False))
    granted = answer(AcceptPolicy(peer_scp=(CT,)), request)
    assert granted.roles[0] == Role(CT, True, True)
    assert granted.accepted[1].scp
    assert not granted.accepted[3].scp


REFUSALS = [
    ({"protocol_version": 2}, AssociateReject(1, 2, 2)),
    ({"protocol_version": 0}, AssociateReject(1, 2, 2)),
    ({"application_context": "1.2.840.10008.3.1.1.2"}, AssociateReject(1, 1, 2)),
    ({"application_context": ""}, AssociateReject(1, 1, 2)),
    ({"calling_ae": "A\\B"}, AssociateReject(1, 1, 3)),
    ({"called_ae": "A\\B"}, AssociateReject(1, 1, 7)),
    ({"user_identity": UserIdentity(1, bytes(40_000))}, AssociateReject(1, 1, 1)),
]


@pytest.mark.req("E14")
@pytest.mark.parametrize(("changes", "reject"), REFUSALS)
def test_what_the_protocol_refuses_is_rejected_with_its_triple(
    changes: dict[str, object], reject: AssociateReject
) -> None:
    request = replace(REQUEST, **changes)  # type: ignore[arg-type]
    association = Association.accepting()
    assert association.receive(encode_request(request)) == [AssociateRejected(reject)]
    written = output(association)
    assert written[0] == 3
    assert written[7:] == bytes((reject.result, reject.source, reject.reason))
    assert refusal(REQUEST) is None


def test_a_protocol_version_with_more_bits_is_fine() -> None:
    assert refusal(replace(REQUEST, protocol_version=3)) is None


def test_a_proposal_has_odd_ids_and_spreads_over_associations() -> None:
    wanted = [(f"1.2.{number}", [IMPLICIT, EXPLICIT]) for number in range(300)]
    offers = propose([*wanted, wanted[0]])
    assert [len(offer) for offer in offers] == [128, 128, 44]
    for offer in offers:
        assert [context.id for context in offer] == list(range(1, 2 * len(offer), 2))
        assert offer[-1].id <= 255
    flat = [(c.abstract_syntax, list(c.transfer_syntaxes)) for offer in offers for c in offer]
    assert flat == wanted
    assert propose([]) == []
