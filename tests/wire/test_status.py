"""Codes in plain words, and the answer rows E1 to E15 as they stand in the spec."""

import re
from pathlib import Path

import pytest
from pynetdicom.status import GENERAL_STATUS, STORAGE_SERVICE_CLASS_STATUS

from waystation.wire.answers import ANSWERS
from waystation.wire.items import AssociateReject
from waystation.wire.limits import Limits
from waystation.wire.negotiate import (
    REFUSED_APPLICATION_CONTEXT,
    REFUSED_CALLED_TITLE,
    REFUSED_CALLING_TITLE,
    REFUSED_IDENTITY,
    REFUSED_PROTOCOL_VERSION,
)
from waystation.wire.status import NAMES, Category, abort_text, category, status_text

SPEC = Path(__file__).parents[2] / "docs" / "spec" / "reliability.md"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x0000, Category.SUCCESS),
        (0xFF00, Category.PENDING),
        (0xFF01, Category.PENDING),
        (0xFE00, Category.CANCEL),
        (0xB000, Category.WARNING),
        (0xB123, Category.WARNING),
        (0x0001, Category.WARNING),
        (0x0107, Category.WARNING),
        (0x0116, Category.WARNING),
        (0x0111, Category.FAILURE),
        (0x0124, Category.FAILURE),
        (0xA700, Category.FAILURE),
        (0xA9FF, Category.FAILURE),
        (0xC000, Category.FAILURE),
        (0x0002, Category.FAILURE),
        (0x4711, Category.FAILURE),
        (0xFF02, Category.FAILURE),
    ],
)
def test_a_status_has_its_category(status: int, expected: Category) -> None:
    assert category(status) is expected


def test_only_0000_is_a_success() -> None:
    successes = [status for status in range(0x10000) if category(status) is Category.SUCCESS]
    assert successes == [0]


def test_categories_agree_with_pynetdicom_on_the_listed_codes() -> None:
    theirs = GENERAL_STATUS | STORAGE_SERVICE_CLASS_STATUS
    differing = {
        f"{status:04X}"
        for status in NAMES
        if status in theirs and theirs[status][0].lower() != category(status).value
    }
    # Attribute list errors may travel as either; O2 of the spec counts them as warnings.
    assert differing <= {"0001", "0107", "0116"}


def test_every_status_has_words() -> None:
    assert status_text(0xA700) == "A700 out of resources"
    assert status_text(0xA7FF) == "A7FF out of resources"
    assert status_text(0xC123) == "C123 cannot understand"
    assert status_text(0x4711) == "4711 unlisted failure"
    assert status_text(0xB123) == "B123 warning"


def test_rejections_and_aborts_speak_plainly() -> None:
    text = AssociateReject(1, 1, 7).text
    assert text == "rejected for good by the application: called AE title not recognised (1/1/7)"
    assert AssociateReject(2, 3, 2).text.endswith("local limit exceeded (2/3/2)")
    assert AssociateReject(1, 1, 7).permanent
    assert not AssociateReject(2, 3, 2).permanent
    assert "(9/9/9)" in AssociateReject(9, 9, 9).text
    assert abort_text(0, 0) == "aborted by the application (0/0)"
    assert abort_text(2, 6) == "aborted by the upper layer: invalid PDU parameter value (2/6)"
    assert "(7/7)" in abort_text(7, 7)


def test_the_answer_table_has_every_row_and_no_success() -> None:
    assert {answer.row for answer in ANSWERS.values()} == {f"E{n}" for n in range(1, 16)}
    for answer in ANSWERS.values():
        assert answer.status != 0
        assert answer.stow != 0
        assert all(code >= 400 for code in answer.http)
        if answer.status is not None:
            assert category(answer.status) is Category.FAILURE


def rows_of_the_spec() -> dict[str, tuple[str, str]]:
    rows = {}
    for line in SPEC.read_text(encoding="utf-8").splitlines():
        found = re.match(r"\| (E\d+) \|[^|]*\|([^|]*)\|([^|]*)\|", line)
        if found:
            rows[found[1]] = (found[2], found[3])
    return rows


@pytest.mark.req("S-10")
@pytest.mark.parametrize("name", ANSWERS)
def test_each_answer_is_the_one_of_its_row_in_the_spec(name: str) -> None:
    answer = ANSWERS[name]
    dimse, http = rows_of_the_spec()[answer.row]
    if answer.status is not None:
        assert f"`{answer.status:04X}`" in dimse
    if answer.reject is not None:
        assert f"`{'/'.join(map(str, answer.reject))}`" in dimse
    if answer.abort is not None:
        assert "/".join(map(str, answer.abort)) in dimse
    if answer.context_result is not None:
        assert re.search(r"result 3(, 4)?", dimse)
    if answer.stow is not None:
        assert f"{answer.stow:04X}" in http
    numbers = re.findall(r"(?<![0-9A-F])[45]\d\d(?![0-9A-F])", http)
    if numbers:
        assert {str(code) for code in answer.http} <= set(numbers)


@pytest.mark.req("S-10")
def test_each_code_of_the_spec_is_in_the_answer_table() -> None:
    for row, (dimse, _http) in rows_of_the_spec().items():
        answers = [answer for answer in ANSWERS.values() if answer.row == row]
        statuses = {f"{answer.status:04X}" for answer in answers if answer.status is not None}
        assert set(re.findall(r"`([0-9A-F]{4})`", dimse)) == statuses
        triples = {"/".join(map(str, answer.reject)) for answer in answers if answer.reject}
        assert set(re.findall(r"`(\d/\d/\d)`", dimse)) == triples


def test_what_the_wire_refuses_itself_is_in_the_answer_table() -> None:
    for name, reject in {
        "application-context": REFUSED_APPLICATION_CONTEXT,
        "protocol-version": REFUSED_PROTOCOL_VERSION,
        "caller": REFUSED_CALLING_TITLE,
        "called-title": REFUSED_CALLED_TITLE,
        "identity": REFUSED_IDENTITY,
    }.items():
        assert ANSWERS[name].reject == (reject.result, reject.source, reject.reason)


def test_the_defaults_of_the_limits_are_those_of_the_spec() -> None:
    limits = Limits()
    assert (limits.associate_bytes, limits.max_pdu) == (1 << 20, 128 << 10)
    assert (limits.pdvs_per_pdu, limits.empty_fragments) == (128, 16)
    assert (limits.contexts, limits.syntaxes_per_context) == (128, 64)
    assert (limits.user_items, limits.identity_bytes) == (1024, 32 << 10)
    assert (limits.command_bytes, limits.command_elements) == (64 << 10, 256)
    assert (limits.identifier_bytes, limits.service_bytes) == (1 << 20, 16 << 20)
    assert limits.references == 100_000
