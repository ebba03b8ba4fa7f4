"""What was done to the objects of one study: counts and digests, no original value (D-40).

Contract: `StudyReport` adds up what single objects report; `as_dict` is plain data in a fixed
order.  `sealed` chains a report to the one before it by SHA-256: who changes, removes or moves one
breaks the chain behind it, unless they calculate all of that anew.  Pure: the caller brings time,
name of the run and the report before.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

FORM: Final = 1
FIRST: Final = "0" * 64  # what stands for the report before the first one
_SUMS: Final = ("private_kept", "tokens_removed", "unreadable")
_SAME: Final = ("profile", "profile_hash", "edition", "key")
_LISTS: Final = ("methods", "loosened", "notes")


@dataclass(slots=True)
class StudyReport:
    """Of one study, by one profile.  study: as it is called in the outputs."""

    study: str = ""
    said: dict[str, str] = field(default_factory=dict)
    left: int = 0
    held: Counter[str] = field(default_factory=Counter)
    changed: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    lists: dict[str, dict[str, None]] = field(default_factory=dict)
    verified: Counter[str] = field(default_factory=Counter)
    digests: list[tuple[str, str]] = field(default_factory=list)

    def add(self, report: Mapping[str, Any], digests: tuple[str, str]) -> None:
        """Add one object that left.  digests: SHA-256 of the data set before and after."""
        self.left += 1
        self.digests.append(digests)
        self.said |= {name: str(report[name]) for name in _SAME if name in report}
        for row in report.get("changed", ()):
            self.changed[row["action"], row["by"], row["tag"]] += row["elements"]
        for name in _SUMS:
            self.sums[name] += report.get(name, 0)
        if report.get("pixel_rule"):
            self.rules[report["pixel_rule"]] += 1
            self.frames += report.get("frames", 0)
        for name in _LISTS:
            self.lists.setdefault(name, {}).update(dict.fromkeys(report.get(name, ())))
        self.verified[report.get("verification", "off")] += 1

    def hold(self, why: str, digest: str) -> None:
        """Add one object that did not leave, and why; digest: SHA-256 of its data set."""
        self.held[why] += 1
        self.digests.append((digest, ""))
        self.verified["failed"] += why.startswith("verification: ")

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, in a fixed order."""
        rows = [
            {"action": action, "by": by, "tag": tag, "elements": count}
            for (action, by, tag), count in sorted(self.changed.items())
        ]
        return {
            "study": self.study,
            **{name: self.said.get(name, "") for name in _SAME},
            "objects": {
                "in": self.left + self.held.total(),
                "out": self.left,
                "held": dict(sorted(self.held.items())),
            },
            "changed": rows,
            **{name: self.sums[name] for name in _SUMS},
            "pixels": {"rules": dict(sorted(self.rules.items())), "frames": self.frames},
            **{name: list(self.lists.get(name, ())) for name in _LISTS},
            "verification": {name: self.verified[name] for name in ("passed", "failed", "off")},
            "digests": [{"in": before, "out": after} for before, after in self.digests],
        }


def merged(reports: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return several reports of one study as one, without their links."""
    whole = StudyReport()
    for one in reports:
        whole.study = one["study"]
        whole.said |= {name: one[name] for name in _SAME if one[name]}
        whole.left += one["objects"]["out"]
        whole.held.update(one["objects"]["held"])
        for row in one["changed"]:
            whole.changed[row["action"], row["by"], row["tag"]] += row["elements"]
        for name in _SUMS:
            whole.sums[name] += one[name]
        whole.rules.update(one["pixels"]["rules"])
        whole.frames += one["pixels"]["frames"]
        for name in _LISTS:
            whole.lists.setdefault(name, {}).update(dict.fromkeys(one[name]))
        whole.verified.update(one["verification"])
        whole.digests += [(row["in"], row["out"]) for row in one["digests"]]
    return whole.as_dict()


def sealed(report: Mapping[str, Any], previous: str) -> dict[str, Any]:
    """Return a report with the digest of the one before it, and its own."""
    linked = {"form": FORM, **report, "previous": previous}
    return {**linked, "digest": digest_of(linked)}


def digest_of(report: Mapping[str, Any]) -> str:
    """Return the digest of a report, its own not counted."""
    plain = {name: value for name, value in report.items() if name != "digest"}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def first_broken(reports: Sequence[Mapping[str, Any]], previous: str = FIRST) -> int | None:
    """Return the place of the first report that does not fit the one before it; None if all do."""
    for place, report in enumerate(reports):
        if report.get("previous") != previous or report.get("digest") != digest_of(report):
            return place
        previous = report["digest"]
    return None
