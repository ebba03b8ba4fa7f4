"""Rows O1 to O7 of the policy table: what each answer means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.model.errors import UnreachableError
from waystation.model.outcome import Deferred, Delivered, Fault
from waystation.timing.status import (
    classify_reject,
    classify_silence,
    classify_status,
    classify_unreachable,
)

WARNINGS = [0xB000, 0xB006, 0xB007, 0xB123, 0xBFFF, 0x0001, 0x0107, 0x0116, 0x0111]
FAULTS = [
    *((code, Fault.TRANSIENT) for code in (0xA700, 0xA701, 0xA7FF)),
    *((code, Fault.OBJECT) for code in (0xA900, 0xA9FF, 0xC000, 0xC123, 0xCFFF)),
    *((code, Fault.OBJECT) for code in (0x0105, 0x0106, 0x0110, 0x0112, 0x0117, 0x0122)),
    *((code, Fault.OBJECT) for code in (0xFF00, 0xFE00, 0xA800, 0x0002, 0x0123, 0xD000)),
    *((code, Fault.PROTOCOL) for code in (0x0210, 0x0211, 0x0212)),
    *((code, Fault.PEER) for code in (0x0124, 0x0214)),
]


@pytest.mark.req("O1")
def test_success_is_done_without_warning() -> None:
    assert classify_status(0x0000) == Delivered()
    assert classify_status(0x0000, retry_on_warning=True) == Delivered()


@pytest.mark.req("O2", "N-10")
@pytest.mark.parametrize("status", WARNINGS)
def test_a_warning_is_done_and_keeps_its_code_and_comment(status: int) -> None:
    outcome = classify_status(status, "coerced")
    assert outcome == Delivered(status=status, comment="coerced")
    assert isinstance(outcome, Delivered)
    assert outcome.warned


@pytest.mark.req("O2")
@pytest.mark.parametrize("status", WARNINGS)
def test_a_warning_charges_the_object_where_the_operator_says_so(status: int) -> None:
    outcome = classify_status(status, retry_on_warning=True)
    assert isinstance(outcome, Deferred)
    assert outcome.fault is Fault.OBJECT


@pytest.mark.req("O3", "O5", "O6", "O7")
@pytest.mark.parametrize(("status", "fault"), FAULTS)
def test_a_failure_status_has_its_row(status: int, fault: Fault) -> None:
    outcome = classify_status(status, "why")
    assert outcome == Deferred(
        fault=fault, why=f"status {status:04X} why", status=status, connected=True
    )


@pytest.mark.req("S-21", "O5")
@given(st.integers(0, 0xFFFF))
def test_only_listed_codes_are_success(status: int) -> None:
    delivered = isinstance(classify_status(status), Delivered)
    assert delivered is (status == 0 or 0xB000 <= status <= 0xBFFF or status in WARNINGS)


@pytest.mark.req("O3", "O7")
@pytest.mark.parametrize(
    ("result", "fault"), [(1, Fault.PEER), (2, Fault.TRANSIENT), (9, Fault.TRANSIENT)]
)
def test_a_rejection_counts_by_its_result(result: int, fault: Fault) -> None:
    assert classify_reject(result, "no") == Deferred(fault=fault, why="no")


@pytest.mark.req("O3", "O7", "N-21")
@pytest.mark.parametrize("layer", ["name", "connect", "tls", "associate", "rejected"])
def test_no_association_says_at_which_layer(layer: str) -> None:
    for permanent, fault in ((False, Fault.TRANSIENT), (True, Fault.PEER)):
        error = UnreachableError(layer, f"{layer} failed", permanent=permanent)
        assert classify_unreachable(error) == Deferred(fault=fault, why=f"{layer} failed")


@pytest.mark.req("O4")
def test_silence_after_sending_began_is_unknown() -> None:
    outcome = classify_silence("aborted by peer")
    assert outcome == Deferred(fault=Fault.UNKNOWN, why="aborted by peer", connected=True)
