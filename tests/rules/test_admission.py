"""What is refused before the answer: filters of [dicom] and peers, and `otherwise` (R-8, R-34)."""

from dataclasses import replace
from typing import Any

import pytest

from tests.rules.asking import FACTS, head_of
from waystation.rules.admission import EVERYBODY, Admission
from waystation.rules.conditions import condition
from waystation.rules.plan import refusal
from waystation.rules.read import RuleSet, read_rules

CT = "1.2.840.10008.5.1.4.1.1.2"
MG = {"name": "mg", "when": {"Modality": "MG"}, "send": ["pacs"]}


def ruleset(
    refuse_when: dict[str, Any] | None = None,
    otherwise: str = "hold",
    override: dict[str, str] | None = None,
) -> RuleSet:
    conditions = {name: condition(when, "", []) for name, when in (refuse_when or {}).items()}
    admission = Admission(refuse_when=conditions, otherwise=override or {})
    read = read_rules([MG], destinations=["pacs"], otherwise=otherwise, admission=admission)
    assert not read.faults
    return read.ruleset


def refused(rules: RuleSet, *, peer: str = "ct1", modality: str = "CT") -> str:
    head = head_of({"Modality": modality, "PatientID": "SECRET"})
    return refusal(head, replace(FACTS, peer=peer), rules, sop_class_uid=CT)


def test_a_filter_refuses_by_its_address_and_tells_nothing_of_the_patient() -> None:
    secret = {"PatientID": "SECRET"}
    assert refused(ruleset({EVERYBODY: secret})) == "refused by dicom.refuse_when"
    assert refused(ruleset({"ct1": secret})) == "refused by peer.ct1.refuse_when"
    assert refused(ruleset({"ct2": secret})) == ""
    assert refused(ruleset({"ct1": {"PatientID": "OTHER"}})) == ""


@pytest.mark.req("R-34")
def test_a_peer_may_override_what_becomes_of_what_no_rule_takes() -> None:
    strict = ruleset(otherwise="refuse", override={"ct2": "hold"})
    assert refused(strict, peer="ct1") == "no rule takes this object"
    assert refused(strict, peer="ct2") == ""
    assert refused(strict, peer="ct1", modality="MG") == ""
    mild = ruleset(override={"ct2": "refuse"})
    assert refused(mild, peer="ct1") == ""
    assert refused(mild, peer="ct2") == "no rule takes this object"


def test_whether_anything_may_be_refused_is_known_beforehand() -> None:
    assert not ruleset().may_refuse
    assert ruleset({"ct1": {"Modality": "CT"}}).may_refuse
    assert ruleset(otherwise="refuse").may_refuse
    assert ruleset(override={"ct2": "refuse"}).may_refuse
