"""One run of ``waystation anonymize``: what became of all files, told by study (D-40).

Contract: a `Run` takes each `Done` as it comes.  Its document holds digests, counts, new UIDs and
reasons; paths of the input, which often name patients, are only in the list that the command
prints.  The reports of the studies are chained in the order in which studies were first seen.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import waystation
from waystation.app.anonymizing import FAILED, HELD, LEFT_OUT, WRITTEN, Done
from waystation.transforms.deid.study_report import FIRST, StudyReport, sealed

DIRECTORY = "DICOMDIR"


@dataclass(slots=True)
class Run:
    """Of one call of the command."""

    studies: dict[str, StudyReport] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)
    told: list[Done] = field(default_factory=list)  # what was not written
    shown: list[Done] = field(default_factory=list)  # the first that were compared

    def add(self, done: Done) -> None:
        """Take what became of one file."""
        self.states[done.state] += 1
        if done.state != WRITTEN:
            self.told.append(done)
        elif done.rows and not self.shown:
            self.shown.append(done)
        if done.state in (WRITTEN, HELD):
            study = self.studies.setdefault(done.study, StudyReport(study=done.study))
            if done.state == WRITTEN:
                study.add(done.report, done.digests)
            else:
                study.hold(done.why, done.digests[0])

    @property
    def failures(self) -> list[Done]:
        """What should have been written and was not."""
        return [one for one in self.told if one.state != LEFT_OUT]

    @property
    def total(self) -> StudyReport:
        """All studies added up, for people."""
        whole = StudyReport()
        for one in self.studies.values():
            whole.changed.update(one.changed)
            whole.rules.update(one.rules)
            whole.sums.update(one.sums)
            whole.verified.update(one.verified)
            whole.frames += one.frames
        return whole

    def document(self, began: str, seconds: float) -> dict[str, Any]:
        """Return the report; began: as ISO 8601."""
        reports: list[dict[str, Any]] = []
        for one in self.studies.values():
            previous = reports[-1]["digest"] if reports else FIRST
            reports.append(sealed({"run": began, **one.as_dict()}, previous))
        return {
            "product": f"Waystation {waystation.__version__}",
            "began": began,
            "seconds": round(seconds, 3),
            "files": {
                state.replace("-", "_"): self.states[state]
                for state in (WRITTEN, HELD, FAILED, LEFT_OUT)
            },
            "studies": reports,
        }


def directories(paths: Iterable[Path]) -> int:
    """Return how many DICOMDIR files folders hold: none goes out, one is made anew (D-19)."""
    return sum(
        1 for path in paths if path.is_dir() for one in path.rglob(DIRECTORY) if one.is_file()
    )
