"""De-identification as the last step of a rule: between `transforms.steps` and the engine.

Contract: what the engine holds is raised as `HeldError`; what it gives becomes a `DeidResult`.
"""

import json

from waystation.dicom.head import Head
from waystation.model.delivery import HoldReason
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.pseudonyms import Pseudonym
from waystation.transforms.deid.result import DeidFacts, Held
from waystation.transforms.held import HeldError
from waystation.transforms.steps import DeidResult, StepFacts


class DeidStep:
    """One profile, ready to be the step of a rule."""

    def __init__(self, deidentifier: Deidentifier) -> None:
        self.deidentifier = deidentifier

    @property
    def digest(self) -> str:
        """Of profile, tables, keys and version."""
        return self.deidentifier.tools_digest

    def __call__(self, head: Head, facts: StepFacts) -> DeidResult:
        """Return the new head.  Raises `HeldError`."""
        known = facts.pseudonym
        done = self.deidentifier.treat(
            head, DeidFacts(pseudonym=known if isinstance(known, Pseudonym) else None)
        )
        if isinstance(done, Held):
            raise HeldError(HoldReason.DEID_FAILED, done.why)
        profile = self.deidentifier.profile
        return DeidResult(
            head=done.head,
            tail_end=done.tail_end,
            mark=f"{profile.name} {profile.digest[:16]}",
            report=json.dumps(done.report.as_dict(), separators=(",", ":")),
            pixels=done.pixels.job,
        )
