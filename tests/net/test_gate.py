"""Who may come in."""

import pytest

from waystation.model.peer import Caller
from waystation.net.gate import ANYBODY, Gate, GateSettings, title_matches
from waystation.wire.items import AssociateReject, AssociateRequest


def peer(name: str, ae_title: str, *address: str) -> Caller:
    return Caller(name=name, ae_title=ae_title, address=address)


def gate(*callers: Caller, anybody: bool = False, any_called: bool = False) -> Gate:
    return Gate(
        GateSettings(
            titles=("WAYSTATION", "OLD"), callers=callers, anybody=anybody, any_called=any_called
        )
    )


def decide(
    door: Gate, calling: str, address: str = "10.1.2.3", called: str = "WAYSTATION"
) -> str | tuple[int, int, int]:
    answer = door.decide(AssociateRequest(called_ae=called, calling_ae=calling), address)
    if isinstance(answer, AssociateReject):
        return (answer.result, answer.source, answer.reason)
    return answer.name


EXACT = peer("exact", "CT1")
NARROW = peer("narrow", "CT*", "10.1.2.3/32")
WIDE = peer("wide", "CT*", "10.0.0.0/8")
LONGER = peer("longer", "CT?A*")
SHORTER = peer("shorter", "CT*")
EVERY = peer("every", "*")
EXACT_HERE = peer("exact here", "CT1", "10.1.0.0/16")


@pytest.mark.req("R-15")
@pytest.mark.parametrize(
    ("callers", "calling", "expected"),
    [
        ((WIDE, NARROW), "CT1", "narrow"),
        ((EXACT, NARROW), "CT1", "exact"),
        ((EXACT, EXACT_HERE), "CT1", "exact here"),
        ((SHORTER, LONGER), "CT1A1", "longer"),
        ((LONGER, SHORTER, WIDE), "CT1A1", "wide"),
        ((EVERY, SHORTER), "CT9", "shorter"),
        ((EVERY, SHORTER), "MR9", "every"),
        ((EXACT,), "ct1", (1, 1, 3)),
        ((EXACT,), "CT12", (1, 1, 3)),
    ],
)
def test_the_most_specific_peer_wins_whatever_the_order(
    callers: tuple[Caller, ...], calling: str, expected: object
) -> None:
    assert decide(gate(*callers), calling) == expected
    assert decide(gate(*reversed(callers)), calling) == expected


@pytest.mark.req("R-15", "S-43")
def test_title_and_address_must_both_match() -> None:
    door = gate(peer("ct", "CT1", "10.1.2.0/24", "fd00::/64"))
    assert decide(door, "CT1", "10.1.2.77") == "ct"
    assert decide(door, "CT1", "fd00::1") == "ct"
    for calling, address in (
        ("CT1", "10.1.3.77"),
        ("CT1", "fd01::1"),
        ("CT1", ""),
        ("MR1", "10.1.2.77"),
    ):
        assert decide(door, calling, address) == (1, 1, 3)


@pytest.mark.req("E13")
def test_a_called_title_that_is_not_ours_is_refused_first() -> None:
    door = gate(EXACT)
    assert decide(door, "CT1", called="OTHER") == (1, 1, 7)
    assert decide(door, "NOBODY", called="OTHER") == (1, 1, 7)
    assert decide(door, "CT1", called="OLD") == "exact"
    assert decide(door, "CT1", called="waystation") == (1, 1, 7)
    assert decide(gate(EXACT, any_called=True), "CT1", called="OTHER") == "exact"


@pytest.mark.req("S-43")
def test_unknown_callers_come_in_only_where_anybody_may() -> None:
    assert decide(gate(), "X") == (1, 1, 3)
    assert decide(gate(anybody=True), "X") == ANYBODY.name == ""
    assert decide(gate(EXACT, anybody=True), "CT1") == "exact"


def test_a_socket_is_taken_from_addresses_of_some_peer_only() -> None:
    door = gate(peer("a", "A", "10.0.0.0/8"), peer("b", "B", "192.168.1.1/32"))
    assert door.socket_allowed("10.200.0.1")
    assert door.socket_allowed("192.168.1.1")
    assert not door.socket_allowed("192.168.1.2")
    assert not door.socket_allowed("")
    assert not gate().socket_allowed("127.0.0.1")
    assert gate(EVERY).socket_allowed("203.0.113.9")
    assert gate(anybody=True).socket_allowed("203.0.113.9")


@pytest.mark.parametrize(
    ("pattern", "title", "matches"),
    [
        ("CT*", "CT", True),
        ("CT?", "CT", False),
        ("CT?", "CT1", True),
        ("C.1", "CX1", False),
        ("*", "", True),
        ("A+B", "A+B", True),
        ("A+B", "AAB", False),
        ("CT1", "CT1 ", False),
    ],
)
def test_star_and_question_mark_are_the_only_signs(pattern: str, title: str, matches: bool) -> None:
    assert title_matches(pattern, title) is matches
