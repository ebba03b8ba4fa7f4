"""Reports of studies: sums without values, chained so that a change shows."""

from typing import Any

import pytest

from waystation.transforms.deid.study_report import (
    FIRST,
    StudyReport,
    first_broken,
    merged,
    sealed,
)

ONE: dict[str, Any] = {
    "profile": "research",
    "profile_hash": "ab",
    "edition": "2026c",
    "key": "lung",
    "changed": [{"action": "X", "by": "basic", "tag": "(0010,1040)", "elements": 2}],
    "private_kept": 1,
    "tokens_removed": 3,
    "unreadable": 0,
    "methods": ["clean_descriptors"],
    "loosened": [],
    "pixel_rule": "us",
    "frames": 4,
    "notes": [],
    "verification": "passed",
}


def report(number: int) -> dict[str, Any]:
    made = StudyReport(study="2.25.1")
    for at in range(number):
        made.add(ONE, (f"in{at}", f"out{at}"))
    made.hold("burned-in state unknown", "held")
    made.hold("verification: a date of the original stands in its head", "seen")
    return made.as_dict()


@pytest.mark.req("D-40")
def test_a_report_sums_up_what_single_objects_say() -> None:
    found = report(2)
    assert found["objects"] == {
        "in": 4,
        "out": 2,
        "held": {
            "burned-in state unknown": 1,
            "verification: a date of the original stands in its head": 1,
        },
    }
    assert found["changed"][0]["elements"] == 4
    assert found["pixels"] == {"rules": {"us": 2}, "frames": 8}
    assert (found["private_kept"], found["tokens_removed"]) == (2, 6)
    assert found["verification"] == {"passed": 2, "failed": 1, "off": 0}
    assert {"in": "held", "out": ""} in found["digests"]
    assert (found["profile"], found["key"], found["edition"]) == ("research", "lung", "2026c")


@pytest.mark.req("D-40")
def test_merging_parts_is_the_same_as_one_report() -> None:
    whole = StudyReport(study="2.25.1")
    for at in range(2):
        whole.add(ONE, (f"in{at}", f"out{at}"))
    parts = []
    for at in range(2):
        part = StudyReport(study="2.25.1")
        part.add(ONE, (f"in{at}", f"out{at}"))
        parts.append(part.as_dict())
    assert merged(parts) == whole.as_dict()


@pytest.mark.req("D-40")
def test_a_changed_removed_or_moved_report_breaks_the_chain() -> None:
    chain: list[dict[str, Any]] = []
    for number in range(1, 5):
        previous = chain[-1]["digest"] if chain else FIRST
        chain.append(sealed(report(number), previous))
    assert first_broken(chain) is None
    assert first_broken([*chain[:1], chain[2], chain[1], chain[3]]) == 1
    assert first_broken([chain[0], *chain[2:]]) == 1
    assert first_broken([*chain[:2], {**chain[2], "study": "2.25.2"}, chain[3]]) == 2
    assert first_broken(chain[1:]) == 0
