"""PS3.8 table 9-10, written down a second time by columns of states, and walked for real."""

from collections.abc import Callable

import pytest
from pynetdicom.fsm import TRANSITION_TABLE

from tests.wire.pipes import CT, REQUEST, STORE, asked, established, output, pdu, pdv
from waystation.model.errors import MisuseError
from waystation.wire.association import _STREAMING, Association
from waystation.wire.items import AssociateAccept, AssociateReject, ContextResult
from waystation.wire.pdus import (
    RELEASE_RP_PDU,
    RELEASE_RQ_PDU,
    encode_abort,
    encode_accept,
    encode_reject,
    encode_request,
)
from waystation.wire.states import CELLS, NEXT, Evt, State, step

# state -> event -> action, as printed; "9/10" chooses by role, "3/13" by acceptability.
_WAIT = {3: "AA-8", 4: "AA-8", 6: "AA-8", 10: "AA-8", 12: "AA-8", 13: "AA-8", 15: "AA-1",
         16: "AA-3", 17: "AA-4", 19: "AA-8"}  # fmt: skip
PRINTED: dict[int, dict[int, str]] = {
    1: {1: "AE-1", 5: "AE-5"},
    2: {3: "AA-1", 4: "AA-1", 6: "AE-6", 10: "AA-1", 12: "AA-1", 13: "AA-1", 16: "AA-2",
        17: "AA-5", 18: "AA-2", 19: "AA-1"},
    3: _WAIT | {7: "AE-7", 8: "AE-8"},
    4: {2: "AE-2", 15: "AA-2", 17: "AA-4"},
    5: _WAIT | {3: "AE-3", 4: "AE-4"},
    6: _WAIT | {9: "DT-1", 10: "DT-2", 11: "AR-1", 12: "AR-2"},
    7: _WAIT | {10: "AR-6", 12: "AR-8", 13: "AR-3"},
    8: _WAIT | {9: "AR-7", 14: "AR-4"},
    9: _WAIT | {14: "AR-9"},
    10: _WAIT | {13: "AR-10"},
    11: _WAIT | {13: "AR-3"},
    12: _WAIT | {14: "AR-4"},
    13: {3: "AA-6", 4: "AA-6", 6: "AA-7", 10: "AA-6", 12: "AA-6", 13: "AA-6", 16: "AA-2",
         17: "AR-5", 18: "AA-2", 19: "AA-7"},
}  # fmt: skip
LEADS = {
    "AE-1": 4, "AE-2": 5, "AE-3": 6, "AE-4": 1, "AE-5": 2, "AE-7": 6, "AE-8": 13,
    "DT-1": 6, "DT-2": 6,
    "AR-1": 7, "AR-2": 8, "AR-3": 1, "AR-4": 13, "AR-5": 1, "AR-6": 7, "AR-7": 8, "AR-9": 11,
    "AR-10": 12,
    "AA-1": 13, "AA-2": 1, "AA-3": 1, "AA-4": 1, "AA-5": 1, "AA-6": 13, "AA-7": 13, "AA-8": 13,
}  # fmt: skip
ALL_CELLS = [(event, state) for event in range(1, 20) for state in range(1, 14)]


def led_to(action: str, requestor: bool, acceptable: bool = True) -> int:
    if action == "AE-6":
        return 3 if acceptable else 13
    if action == "AR-8":
        return 9 if requestor else 10
    return LEADS[action]


@pytest.mark.req("S-38")
@pytest.mark.parametrize(("event", "state"), ALL_CELLS)
def test_each_of_the_247_cells_is_as_printed(event: int, state: int) -> None:
    printed = PRINTED[state].get(event)
    for requestor in (True, False):
        for acceptable in (True, False):
            if printed is None:
                with pytest.raises(MisuseError):
                    step(Evt(event), State(state), requestor=requestor, acceptable=acceptable)
                continue
            action, following = step(
                Evt(event), State(state), requestor=requestor, acceptable=acceptable
            )
            assert action == printed
            assert following == led_to(printed, requestor, acceptable)


def test_the_table_agrees_with_the_one_of_pynetdicom() -> None:
    theirs = {
        (int(event.removeprefix("Evt")), int(state.removeprefix("Sta"))): action
        for (event, state), action in TRANSITION_TABLE.items()
    }
    assert {(int(event), int(state)): action for (event, state), action in CELLS.items()} == theirs


def test_the_shortcut_for_data_is_the_same_cell() -> None:
    for state in State:
        action = CELLS.get((Evt.DATA_CAME, state))
        stays = action is not None and NEXT[action] == (state,) and action in ("DT-2", "AR-6")
        assert (state in _STREAMING) == stays


ACCEPT = AssociateAccept(
    called_ae="A", calling_ae="B", contexts=(ContextResult(1, 0, "1.2.840.10008.1.2"),)
)
CAME = {
    3: encode_accept(ACCEPT),
    4: encode_reject(AssociateReject(1, 1, 1)),
    6: encode_request(REQUEST),
    10: pdu(4, pdv(b"\0\0\0\0", last=False, command=True)),
    12: RELEASE_RQ_PDU,
    13: RELEASE_RP_PDU,
    16: encode_abort(0, 0),
    19: b"GET / HTTP/1.1\r\n\r\n",
}
SENDS_ABORT = {"AA-1", "AA-7", "AA-8"}
# Sta8, Sta9 and Sta12 never last: the answer to a release is given at once.
AT_ONCE = {8: 13, 9: 11, 12: 13}


def placed(state: int, *, requestor: bool) -> Association:
    """An association in any state, as if it had come there."""
    if state == 4:
        return Association.requesting(REQUEST)
    if state == 2:
        return Association.accepting()
    if state == 3:
        return asked()
    if state == 5:
        association = Association.requesting(REQUEST)
        association.begin()
        association.take_output()
        return association
    association = established()[0 if requestor else 1]
    if state == 1:
        association.receive_eof()
    else:
        association._state = State(state)
    return association


def ends_in(action: str, requestor: bool) -> int:
    following = led_to(action, requestor)
    return AT_ONCE.get(following, following) if action in ("AR-2", "AR-8", "AR-10") else following


@pytest.mark.req("S-38")
@pytest.mark.parametrize("requestor", [True, False])
@pytest.mark.parametrize(("event", "state"), [cell for cell in ALL_CELLS if cell[0] in CAME])
def test_an_association_answers_every_pdu_in_every_state(
    event: int, state: int, requestor: bool
) -> None:
    association = placed(state, requestor=requestor)
    if state == 4:
        with pytest.raises(MisuseError):
            association.receive(CAME[event])
        return
    association.receive(CAME[event])
    action = PRINTED[state].get(event)
    if action is None:
        assert state == 1
        assert association.state == 1
        return
    assert association.state == ends_in(action, requestor)
    assert output(association).startswith(b"\x07") == (action in SENDS_ABORT)
    assert association.wants_artim == (association.state in (2, 13))
    assert association.wants_close == (association.state == 1)


@pytest.mark.req("S-38")
@pytest.mark.parametrize("requestor", [True, False])
@pytest.mark.parametrize("state", range(1, 14))
def test_an_association_answers_the_end_of_the_transport_in_every_state(
    state: int, requestor: bool
) -> None:
    association = placed(state, requestor=requestor)
    events = association.receive_eof()
    assert association.state == 1
    assert bool(events) == (PRINTED[state].get(17) == "AA-4")
    assert association.take_output() == []


@pytest.mark.req("S-38")
@pytest.mark.parametrize("state", range(1, 14))
def test_artim_closes_only_where_it_runs(state: int) -> None:
    association = placed(state, requestor=True)
    assert association.timer_expired() == []
    assert association.state == (1 if state in (2, 13) else state)
    assert association.wants_close == (state in (1, 2, 13))


@pytest.mark.req("S-38")
@pytest.mark.parametrize("state", range(1, 14))
def test_local_requests_move_only_where_the_table_has_them(state: int) -> None:
    requests: dict[int, Callable[[Association], None]] = {
        2: lambda a: a.begin(),
        7: lambda a: a.accept([ContextResult(1, 3), ContextResult(3, 3)]),
        8: lambda a: a.reject(1, 1, 1),
        9: lambda a: a.send(1, STORE, b"data"),
        11: lambda a: a.release(),
    }
    for event, request in requests.items():
        association = placed(state, requestor=False)
        action = PRINTED[state].get(event)
        if action is None:
            with pytest.raises(MisuseError):
                request(association)
            assert association.state == state
        else:
            request(association)
            assert association.state == led_to(action, requestor=False)
            assert output(association) != b""


@pytest.mark.req("S-38")
@pytest.mark.parametrize("state", range(1, 14))
def test_an_abort_is_always_allowed(state: int) -> None:
    association = placed(state, requestor=True)
    association.abort()
    action = PRINTED[state].get(15)
    if action == "AA-1":
        assert output(association) == encode_abort(0, 0)
        assert association.state == 13
    else:
        assert association.take_output() == []
        assert association.state == (13 if state == 13 else 1)


def test_the_class_of_the_request_is_one_of_the_contexts_in_force() -> None:
    requestor, acceptor = established()
    assert requestor.contexts == acceptor.contexts
    assert requestor.contexts[1].abstract_syntax == CT
