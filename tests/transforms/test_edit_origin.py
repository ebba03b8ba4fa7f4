"""The record of what an object said before: Original Attributes (0400,0561)."""

import pytest

from tests.dicom.building import BIG, EXPLICIT, IMPLICIT, el, item, seq
from tests.transforms.editing import FACTS, again, failed, head_of, tools_of, treated
from waystation.dicom.head import Head
from waystation.transforms.edit_limits import ORIGINAL_ATTRIBUTES
from waystation.transforms.steps import DeidResult, StepFacts, Tools, Treated, apply

pytestmark = pytest.mark.req("R-66")

ID = 0x00100020
RECORD = "OriginalAttributesSequence."
OLD = RECORD + "ModifiedAttributesSequence."


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_it_says_what_was_there_who_changed_it_and_when(syntax: str) -> None:
    private = el(0x00190010, "LO", b"ACME", syntax) + el(0x00191001, "LO", b"v ", syntax)
    head = head_of(el(ID, "LO", b"123 ", syntax), private, syntax=syntax)
    done = treated(head, {"set": "PatientID", "to": "X"}, {"remove": "(0019,ACME,01)"})
    after = again(done, head)
    assert after.values(OLD + "PatientID") == ["123"]
    assert after.values(OLD + "(0019,ACME,01)") == ["v"]
    assert after.values(RECORD + "AttributeModificationDateTime") == ["20260921141320.000000+0000"]
    assert after.values(RECORD + "ModifyingSystem") == ["waystation"]
    assert after.values(RECORD + "SourceOfPreviousValues") == ["CT1"]
    assert after.values(RECORD + "ReasonForTheAttributeModification") == ["COERCE"]
    tags = list(after.elements)
    assert tags == sorted(tags)


def test_a_change_deep_inside_records_the_whole_sequence() -> None:
    head = head_of(seq(0x00400275, item(el(0x00400009, "SH", b"A "))))
    path = "RequestAttributesSequence.ScheduledProcedureStepID"
    after = again(treated(head, {"set": path, "to": "B"}), head)
    assert after.values(path) == ["B"]
    assert after.values(OLD + path) == ["A"]


def test_earlier_items_stay_as_they_are_and_another_follows() -> None:
    head = head_of(el(ID, "LO", b"1 "))
    once = again(treated(head, {"set": "PatientID", "to": "2"}), head)
    twice = again(treated(once, {"set": "PatientID", "to": "3", "reason": "correct"}), once)
    assert twice.values(OLD + "PatientID") == ["1", "2"]
    assert twice.values(RECORD + "ReasonForTheAttributeModification") == ["COERCE", "CORRECT"]
    first, _ = twice.items(ORIGINAL_ATTRIBUTES)
    (before,) = once.items(ORIGINAL_ATTRIBUTES)
    assert first.data == before.data


def test_what_was_only_added_leaves_no_record() -> None:
    head = head_of(el(ID, "LO", b"1 "))
    after = again(treated(head, {"set": "PatientComments", "to": "x"}), head)
    assert not after.has("OriginalAttributesSequence")


def test_a_record_that_cannot_be_continued_is_not_lost() -> None:
    inside = item(el(ID, "LO", b"1 ", IMPLICIT), IMPLICIT)
    head = head_of(el(ID, "LO", b"1 "), el(ORIGINAL_ATTRIBUTES, "UN", inside))
    assert "earlier changes" in failed(head, {"set": "PatientID", "to": "2"}).why


class Removing:
    """De-identification that gives the head back with the patient removed."""

    digest = "d"

    def __call__(self, head: Head, facts: StepFacts) -> DeidResult:
        from waystation.dicom.splice import replace

        return DeidResult(head=replace(head, {ID: b"PSEUDO"}), mark="test 1")


@pytest.mark.req("R-65")
def test_with_de_identification_nothing_of_it_is_recorded() -> None:
    head = head_of(el(ID, "LO", b"123 "))
    edits = tools_of({"set": "PatientID", "to": "X"}, {"set": "PatientComments", "to": "c"}).edits
    done = apply(head, Tools(digest="d", edits=edits, deidentify=Removing()), FACTS)
    assert isinstance(done, Treated)
    after = again(done, head)
    assert (after.text(ID), after.values("PatientComments")) == ("PSEUDO", ["c"])
    assert not after.has("OriginalAttributesSequence")
    assert done.mark == "test 1"
    assert all((one.before, one.after) == ("", "") for one in done.changes)
