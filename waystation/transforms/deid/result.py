"""What the engine is told of an object besides its bytes, and what it gives back.

Contract: `Deidentified` is the only way out that has bytes; `Held` has none, and a reason that
shows nothing of the patient.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from waystation.dicom.head import Identity
from waystation.dicom.tags import format_tag
from waystation.transforms.deid.devices import PixelDecision
from waystation.transforms.deid.pseudonyms import Pseudonym
from waystation.transforms.deid.verify import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidFacts:
    """What only the belt can know.

    pseudonym: what table or journal give for `Deidentifier.patient` (sources csv, allocated).
    believed: the sender's Burned In Annotation NO is true (D-32).  trusted: its Private Data
    Element Characteristics are true (D-17).  approved, unrecognizable: a person looked at the
    pixels of this object and said that they show no text, and nobody's features.
    tail_end: what `engine.tail_end` gave for the object as it is stored, where the head at hand
    was changed since, or was not read to the end of the pixels; it comes back as it is.
    """

    pseudonym: Pseudonym | None = None
    believed: bool = False
    trusted: bool = False
    approved: bool = False
    unrecognizable: bool = False
    tail_end: int | None = None


NO_FACTS = DeidFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was done to one object; never an original value (D-40).

    changed: (action, option or "" or "rule", tag) → elements.  methods: codes of CID 7050 that
    were really applied.  loosened: reasons that the profile gives for being less strict.
    """

    profile: str
    profile_hash: str
    edition: str
    key_id: str
    changed: Mapping[tuple[str, str, int], int] = field(default_factory=dict)
    private_kept: int = 0
    tokens_removed: int = 0
    unreadable: int = 0
    methods: tuple[str, ...] = ()
    loosened: tuple[str, ...] = ()
    pixel_rule: str = ""
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Return it as plain data for JSON, in a fixed order."""
        rows = [
            {"action": action, "by": by or "basic", "tag": format_tag(tag), "elements": count}
            for (action, by, tag), count in sorted(self.changed.items())
        ]
        return {
            "profile": self.profile,
            "profile_hash": self.profile_hash,
            "edition": self.edition,
            "key": self.key_id,
            "changed": rows,
            "private_kept": self.private_kept,
            "tokens_removed": self.tokens_removed,
            "unreadable": self.unreadable,
            "methods": list(self.methods),
            "loosened": list(self.loosened),
            "pixel_rule": self.pixel_rule,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Deidentified:
    """A new head, in the syntax of the old one.

    tail_end: the tail to be sent begins at the old head's ``pixel_offset`` and ends here (offsets
    of inflated bytes): what lies behind the pixels does not leave.  pixels: what must be done to
    the whole object before it leaves; only its ``job`` matters to the caller.  check: what the
    bytes that leave must pass, None if the profile wants no verification.
    """

    head: bytes
    tail_end: int
    identity: Identity
    report: Report
    pixels: PixelDecision
    check: Check | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Nothing may leave.  approvable: a person's look at the pixels would change that."""

    why: str
    approvable: bool = False
