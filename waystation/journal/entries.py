"""The queue in values: what an operator chooses by, and what comes back.

Contract: frozen, without any field that names a patient.  Instants are Unix seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from waystation.model.plan import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which deliveries or arrivals are meant; "" and () choose all.

    reason: why held.  after: ids above this one.  until: ids up to this one, 0 for all.
    """

    destination: str = ""
    study: str = ""
    state: str = ""
    reason: str = ""
    ids: tuple[int, ...] = ()
    after: int = 0
    until: int = 0
    limit: int = 100

    @property
    def everything(self) -> bool:
        """True if nothing narrows the choice."""
        return not (self.destination or self.study or self.state or self.reason or self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One delivery with what an operator asks first.  Instants are Unix seconds.

    group: whose obligation it is; ``destination`` is the group until a member is chosen.
    origin: rule, late, switch, replay or resend.  sent_syntax, sent_sha256: of what left, if that
    was changed.  verified: what became of asking the destination for it, "" if nobody asks: open,
    verified, failed or off.
    """

    id: int
    arrival: int
    destination: str
    state: str
    reason: str | None
    study: str
    priority: int
    rules: str
    attempts: int
    object_failures: int
    status: int | None
    why: str
    due: float
    created_at: float
    first_failed_at: float | None
    ended_at: float | None
    by_rule: str | None
    by_user: str | None
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    peer: str
    calling_ae: str
    received_at: float
    size_bytes: int
    group: str
    origin: str
    required: int
    sent_syntax: str
    verified: str = ""
    sent_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedArrival:
    """One arrival.  reason: why it is held, or None; ended_why: its fate without a delivery."""

    id: int
    received_at: float
    peer: str
    calling_ae: str
    called_ae: str
    way_in: str
    study: str
    series: str
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    size_bytes: int
    planned: bool
    reason: str | None
    ended_why: str | None
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """One attempt that did not end in success, or changed something on the way.

    detail: what was offered, or changed.
    """

    number: int
    ended_at: float
    status: int | None
    why: str
    destination: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was done to one delivery.  steps: in words.

    changes: (path, before, after); values, as ``detail`` (of a finding, JSON), are only for those
    who may see the patient.  deidentified: the mark of our de-identification.
    """

    steps: str
    changes: tuple[tuple[str, str, str], ...] = ()
    deidentified: str = ""
    sha256: str = ""
    report: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One arrival, its deliveries, and of each (by delivery id) its failed attempts and steps."""

    arrival: ListedArrival
    deliveries: tuple[Listed, ...]
    attempts: Mapping[int, tuple[FailedAttempt, ...]]
    steps: Mapping[int, Told] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCounts:
    """How much is in which state for one destination; oldest_at: creation of the oldest waiting."""

    destination: str
    waiting: int = 0
    sending: int = 0
    held: int = 0
    done: int = 0
    discarded: int = 0
    oldest_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All lanes that have or had something, what is held by reason, what has no plan yet.

    unverified: destination → what it got and has not confirmed, where it has to.
    """

    lanes: tuple[LaneCounts, ...]
    held: Mapping[str, int]
    unplanned: int
    unverified: Mapping[str, int] = field(default_factory=dict)
