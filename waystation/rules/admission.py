"""What `[dicom]` and the peers say about an object before its sender gets an answer.

Contract (R-8, R-18, R-34): pure.  `refusal` names the filter that refuses an object, for the
Error Comment of the answer 0124H: an address of the configuration, never a value of the patient.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from waystation.rules.conditions import Condition, Look

EVERYBODY = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """refuse_when: by peer, "" for all of them.  otherwise: by peer, where it says its own."""

    refuse_when: Mapping[str, Condition] = field(default_factory=dict)
    otherwise: Mapping[str, str] = field(default_factory=dict)

    def refusal(self, seen: Look) -> str:
        """Return which filter refuses the object, such as ``peer.ct1.refuse_when``, or ""."""
        for peer in (EVERYBODY, seen.facts.peer):
            asked = self.refuse_when.get(peer)
            if asked is not None and asked.holds(seen):
                return f"peer.{peer}.refuse_when" if peer else "dicom.refuse_when"
        return ""
