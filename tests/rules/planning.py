"""Plans from a few rules and one head: what the tests of planning need."""

from typing import Any

from tests.rules.asking import FACTS, head_of
from waystation.model.plan import Plan, Verdict
from waystation.rules.admission import Admission
from waystation.rules.classes import ClassFilter, class_filter
from waystation.rules.faults import RuleFault
from waystation.rules.plan import explain, plan
from waystation.rules.read import read_rules

CT = "1.2.840.10008.5.1.4.1.1.2"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
WAYS = ["pacs", "reading", "cd"]
ALL = {"name": "all", "send": ["pacs"]}
CHEST = {"name": "chest", "when": {"BodyPartExamined": "*CHEST*"}, "send": ["reading", "pacs"]}
MG = {"name": "mg", "when": {"Modality": "MG"}, "send": ["cd"]}
HEAD = {"Modality": "CT", "BodyPartExamined": "CHEST"}


def planned(
    *tables: dict[str, Any],
    head: dict[str, Any] | None = None,
    otherwise: str = "hold",
    override: str = "",
    filters: dict[str, ClassFilter] | None = None,
    sop_class: str = CT,
) -> Plan:
    read = read_rules(
        tables,
        destinations=WAYS,
        groups=["readers"],
        otherwise=otherwise,
        filters=filters,
        admission=Admission(otherwise={FACTS.peer: override}),
    )
    assert not read.faults
    return plan(
        head_of(HEAD if head is None else head), FACTS, read.ruleset, sop_class_uid=sop_class
    )


def explained(*tables: dict[str, Any], head: dict[str, Any] | None = None) -> tuple[Verdict, ...]:
    read = read_rules(tables, destinations=WAYS, groups=["readers"])
    assert not read.faults
    return explain(head_of(HEAD if head is None else head), FACTS, read.ruleset)


def filters_of(name: str, **more: Any) -> dict[str, ClassFilter]:
    faults: list[RuleFault] = []
    found = {name: class_filter(name, f"destination.{name}", faults, **more)}
    assert not faults
    return found
