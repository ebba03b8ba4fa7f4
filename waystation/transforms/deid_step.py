"""De-identification as the last step of a rule: between `transforms.steps` and the engine.

Contract: what the engine holds is raised as `HeldError`; what it gives becomes a `DeidResult`.
"""

import json
from collections.abc import Callable

from waystation.dicom.head import Head
from waystation.model.delivery import HoldReason
from waystation.transforms.deid.devices import (
    NATIVE,
    NO_RULE,
    NOT_CLEANED,
    UNKNOWN,
    has_pixels,
)
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.marks import VISUAL
from waystation.transforms.deid.pseudonyms import Patient, Pseudonym
from waystation.transforms.deid.refusals import FACES
from waystation.transforms.deid.result import Deidentified, DeidFacts, Held
from waystation.transforms.deid.segments import FrameCheck
from waystation.transforms.held import HeldError
from waystation.transforms.steps import DeidResult, StepFacts

FRAMES = 0x00280008
# What a person can approve of a study (D-32, D-43).
SAMPLE, PIXELS, FEATURES = "sample", "pixels", "features"
APPROVABLE = (SAMPLE, PIXELS, FEATURES)
UNSEEN = "sample: a person is to see this study, and approve it, before it leaves"
REJECTED = "sample: a person has seen this study and rejected it"
TEXT_LEFT = "there is text in its pixels, and no device rule blacks it"


class DeidStep:
    """One profile, ready to be the step of a rule.

    find: asks a table, or the journal, for the pseudonym of a patient, where the profile wants
    that; may raise `HeldError`.
    """

    def __init__(
        self,
        deidentifier: Deidentifier,
        find: Callable[[Patient], Pseudonym | None] | None = None,
    ) -> None:
        self.deidentifier = deidentifier
        self._find = find

    @property
    def digest(self) -> str:
        """Of profile, tables, keys and version; another one when a table of pseudonyms changed."""
        table = getattr(self._find, "digest", "")
        return f"{self.deidentifier.tools_digest}{table}"

    def study_named(self, uid: str) -> str:
        """Return what the study of an original UID is called in the outputs."""
        return self.deidentifier.study_named(uid)

    @property
    def asks(self) -> str:
        """Name of the profile if what persons decided about a study matters to it, else ""."""
        profile = self.deidentifier.profile
        matters = profile.sample > 0 or profile.pixels.unknown == "approve"
        return profile.name if matters or profile.has(VISUAL) else ""

    def asked_of(self, why: str) -> str:
        """Return what a person could approve of what is held so, "" if nobody can."""
        profile = self.deidentifier.profile
        if why in (UNSEEN, REJECTED):
            return SAMPLE
        unseen = why in (NO_RULE, UNKNOWN, NOT_CLEANED) or why.startswith(TEXT_LEFT)
        if unseen and profile.pixels.unknown == "approve":
            return PIXELS
        return FEATURES if why == FACES else ""

    def __call__(self, head: Head, facts: StepFacts) -> DeidResult:
        """Return the new head.  Raises `HeldError`."""
        said = facts.approvals
        known = DeidFacts(
            pseudonym=self._pseudonym(head),
            approved=said.get(PIXELS, False),
            unrecognizable=said.get(FEATURES, False),
            believed=facts.believed,
            trusted=facts.trusted,
            tail_end=facts.tail_end,
        )
        done = self.deidentifier.treat(head, known)
        if isinstance(done, Held):
            raise HeldError(HoldReason.DEID_FAILED, done.why)
        if self.deidentifier.is_sample(facts.study) and not said.get(SAMPLE, False):
            raise HeldError(HoldReason.DEID_FAILED, REJECTED if SAMPLE in said else UNSEEN)
        profile = self.deidentifier.profile
        # A person who has looked at the pixels sees more than any program.
        unwritten = profile.ocr and has_pixels(head) and not known.approved
        return DeidResult(
            head=done.head,
            tail_end=done.tail_end,
            mark=f"{profile.name} {profile.digest[:16]}",
            report=json.dumps(self._report(done, head, unwritten), separators=(",", ":")),
            pixels=done.pixels.job,
            check=done.check or _frames_of(head),
            unwritten=unwritten,
        )

    def _report(self, done: Deidentified, head: Head, unwritten: bool) -> dict[str, object]:
        """Return what is kept with the object.  It is only kept if it passes what follows."""
        job = done.pixels.job
        frames = head.text(FRAMES) if job is not None and job.blacks else "0"
        return {
            **done.report.as_dict(),
            "frames": int(frames) if frames.isdigit() else 1,
            "verification": "off" if done.check is None else "passed",
            **({"ocr": "passed"} if unwritten else {}),
        }

    def _pseudonym(self, head: Head) -> Pseudonym | None:
        who = self.deidentifier.patient(head) if self._find is not None else None
        return self._find(who) if who is not None and self._find is not None else None


def _frames_of(head: Head) -> FrameCheck | None:
    """Return what looks at compressed frames where nothing else does."""
    return None if head.transfer_syntax_uid in NATIVE else FrameCheck()
