"""Keys inside sequences, and what their lines say (T-10, T-1, T-19)."""

import pytest

from tests.matching.asking import holds, key, row
from waystation.matching.match import Matcher, match
from waystation.model.query import WORKLIST, Key, Query, Row

STEPS = "ScheduledProcedureStepSequence"


def step(**texts: str | list[str] | tuple[Row, ...]) -> Row:
    return row(None, **texts)


def steps(*keys: Key) -> Key:
    return key(STEPS, keys=keys)


ENTRY = row(
    PatientID="P1",
    ScheduledProcedureStepSequence=(
        step(Modality="CT", ScheduledStationAETitle=["CT1", "CT2"]),
        step(Modality="MR", ScheduledStationAETitle="MR1"),
    ),
)


@pytest.mark.req("T-10")
def test_all_keys_must_hold_in_one_and_the_same_item() -> None:
    assert holds(steps(key("Modality", "CT"), key("ScheduledStationAETitle", "CT2")), ENTRY)
    assert not holds(steps(key("Modality", "CT"), key("ScheduledStationAETitle", "MR1")), ENTRY)
    assert not holds(steps(key("Modality", "CT")), row(PatientID="P1"))


@pytest.mark.req("T-10")
@pytest.mark.parametrize("asked", [key(STEPS), steps(key("Modality")), steps(key("Modality", "*"))])
def test_a_sequence_that_asks_for_nothing_is_universal(asked: Key) -> None:
    assert holds(asked, ENTRY)
    assert holds(asked, row())
    assert len(Matcher(Query(keys=(asked,))).matching_items(asked, ENTRY)) == 2


@pytest.mark.req("T-10")
def test_only_matching_items_are_given_back_at_every_depth() -> None:
    asked = steps(key("Modality", "MR"))
    (only,) = Matcher(Query(keys=(asked,))).matching_items(asked, ENTRY)
    assert only.values(0x00080060, "CS") == ("MR",)
    deep = key("RequestAttributesSequence", keys=(key("ScheduledProtocolCodeSequence", keys=(
        key("CodeValue", "B"),)),))  # fmt: skip
    code_a, code_b = (step(CodeValue=value) for value in "AB")
    record = row(RequestAttributesSequence=(step(ScheduledProtocolCodeSequence=(code_a, code_b)),))
    assert holds(deep, record)
    assert not holds(deep, row(RequestAttributesSequence=(step(CodeValue="B"),)))


@pytest.mark.req("T-1", "T-19")
def test_each_key_says_why_with_both_values() -> None:
    query = Query(
        level=WORKLIST,
        keys=(
            key("PatientID", "p1"),
            key("PatientName"),
            steps(key("Modality", "CT"), key("ScheduledStationAETitle", "CT9")),
        ),
    )
    verdict = match(query, ENTRY)
    assert not verdict.matched
    assert [line.text for line in verdict.lines] == [
        "PatientID asked p1, entry has P1 (differs only in case): no",
        "PatientName asked for, entry has nothing: yes",
        f"{STEPS} asked with 2 keys, entry has 2 items: no",
        f"{STEPS}[0].ScheduledStationAETitle asked CT9, entry has CT1, CT2: no",
        f"{STEPS}[1].Modality asked CT, entry has MR: no",
        f"{STEPS}[1].ScheduledStationAETitle asked CT9, entry has MR1: no",
    ]


@pytest.mark.req("T-19")
def test_lines_are_short_and_harmless_whatever_the_values() -> None:
    stored = row(ImageType=["A\x1b[2J", "B" * 500, *"CDEFG"])
    (line,) = match(Query(keys=(key("ImageType", "X"),)), stored).lines
    assert line.text.startswith("ImageType asked X, object has A\\x1b[2J, ")
    assert line.text.endswith("C and 4 more: no") or line.text.endswith("D and 3 more: no")
    assert len(line.text) < 200
