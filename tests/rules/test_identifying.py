"""Who the patient is stays out of clauses, logs and lists unless somebody asked for it."""

from typing import Any

import pytest

from tests.rules.asking import FACTS, head_of
from tests.rules.planning import WAYS, planned
from waystation.rules.conditions import Look
from waystation.rules.expression import expression
from waystation.rules.identifying import HIDDEN, identifying
from waystation.rules.plan import explain
from waystation.rules.read import read_rules
from waystation.rules.subjects import subject

HEAD = {
    "Modality": "CT",
    "PatientName": "DOE^JANE",
    "PatientID": "SECRET-1",
    "PatientBirthDate": "19700101",
    "PatientSex": "F ",
    "AccessionNumber": "SECRET-2",
    "ReferringPhysicianName": "ROE^RICHARD",
    "Rows": 512,
}
WHO = ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "OtherPatientNames")
WHO_TOO = ("ReferringPhysicianName", "OtherPatientIDsSequence.PatientID", "OperatorsName")
NOT_WHO = ("Modality", "Rows", "PatientSex", "PatientAge", "StudyDescription", "calling_ae", "peer")


@pytest.mark.parametrize("name", [*WHO, *WHO_TOO])
def test_names_numbers_and_birth_dates_identify(name: str) -> None:
    assert identifying(subject(name, ""))


@pytest.mark.parametrize("name", [*NOT_WHO, "(0011,ACME,01)", "RequestAttributesSequence"])
def test_the_object_and_its_way_do_not(name: str) -> None:
    assert not identifying(subject(name, ""))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PatientID == 'SECRET-1'", f"PatientID {HIDDEN}"),
        ("upper(PatientID) == 'SECRET-1'", f"PatientID {HIDDEN}"),
        ("'DOE' in PatientName", f"PatientName {HIDDEN}"),
        ("startswith(PatientID, 'SEC')", f"PatientID {HIDDEN}"),
        ("PatientID == AccessionNumber", f"PatientID, AccessionNumber {HIDDEN}"),
        ("days_since(PatientBirthDate) > 0", f"PatientBirthDate {HIDDEN}"),
        ("present(PatientID)", f"PatientID {HIDDEN}"),
        ("not PatientID == 'X'", f"PatientID {HIDDEN}"),
        ("Rows > 1 and PatientID == 'SECRET-1'", f"Rows 512 > 1 · PatientID {HIDDEN}"),
        ("OtherPatientNames == 'X'", "OtherPatientNames absent"),
        ("Rows > 1000", "Rows 512 not > 1000"),
    ],
)
def test_a_discreet_look_gets_no_value_and_not_what_it_is_compared_to(
    text: str, words: str
) -> None:
    compiled = expression(text, "if", prefix="")
    seen = Look(head_of(HEAD), FACTS, discreet=True)
    assert compiled.explain(seen, compiled.holds(seen)) == words


RULE: dict[str, Any] = {
    "name": "own",
    "when": {"PatientID": "SECRET-*", "ReferringPhysicianName": {"family": "ROE"}},
    "send": ["pacs"],
}


def test_a_plan_never_carries_them() -> None:
    text = repr(planned(RULE, head=HEAD))
    assert "SECRET" not in text
    assert "ROE" not in text


def test_a_failing_rule_does_not_quote_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> bool:
        raise ValueError("cannot read SECRET-1")

    ruleset = read_rules([RULE], destinations=WAYS).ruleset
    object.__setattr__(ruleset.rules[0].when, "holds", fails)
    told = {
        discreet: explain(head_of(HEAD), FACTS, ruleset, discreet=discreet)[0].clause
        for discreet in (True, False)
    }
    assert told == {
        True: "rule-error: ValueError",
        False: "rule-error: ValueError: cannot read SECRET-1",
    }
