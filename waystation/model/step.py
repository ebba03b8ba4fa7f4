"""The life of one scheduled procedure step, and what it is made from (T-54, T-59).

    SCHEDULED --> ARRIVED --> READY --> STARTED --> COMPLETED | DISCONTINUED
    SCHEDULED, ARRIVED, READY --> CANCELLED, EXPIRED
    COMPLETED, DISCONTINUED, CANCELLED, EXPIRED --> SCHEDULED (back on the list)
    CANCELLED, EXPIRED, COMPLETED, DISCONTINUED --> STARTED (it is scanned nevertheless)
    CANCELLED, EXPIRED --> COMPLETED, DISCONTINUED (its scan was under way)

The table decides and nothing else does.  Who moved a step, when and why stays with it as `Change`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

from waystation.model.errors import WaystationError


class StepState(Enum):
    """Where a step stands."""

    SCHEDULED = "scheduled"
    ARRIVED = "arrived"
    READY = "ready"
    STARTED = "started"
    COMPLETED = "completed"
    DISCONTINUED = "discontinued"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


# What a modality sees unless it asks for another status (T-50).
LISTED: Final = frozenset({StepState.SCHEDULED, StepState.ARRIVED, StepState.READY})

_S = StepState
MOVES: Final[Mapping[StepState, frozenset[StepState]]] = {
    _S.SCHEDULED: frozenset(_S) - {_S.SCHEDULED},
    _S.ARRIVED: frozenset(_S) - {_S.ARRIVED},
    _S.READY: frozenset(_S) - {_S.READY},
    _S.STARTED: frozenset({_S.SCHEDULED, _S.COMPLETED, _S.DISCONTINUED, _S.CANCELLED}),
    _S.COMPLETED: frozenset({_S.SCHEDULED, _S.STARTED, _S.DISCONTINUED}),
    _S.DISCONTINUED: frozenset({_S.SCHEDULED, _S.STARTED, _S.COMPLETED, _S.CANCELLED}),
    _S.CANCELLED: frozenset({_S.SCHEDULED, _S.STARTED, _S.COMPLETED, _S.DISCONTINUED}),
    _S.EXPIRED: frozenset(_S) - {_S.EXPIRED, _S.ARRIVED, _S.READY},
}

Kind = Literal["person", "hl7", "mpps", "images", "api", "file", "node"]
# keyword → one text, several texts, or the items of a sequence.
Values = Mapping[str, str | Sequence[str] | Sequence["Values"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who changes a step.

    name: user, sending application, AE title or file.  detail: control id, UID, what names it.
    """

    kind: Kind
    name: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step as it is kept.

    version: counts changes of any kind.  area: the one area that shows it, "" for every area
    whose ``when`` selects it.  data: the data set in explicit little endian, in a character set
    of its own; what stands below ``deleted_at`` follows from it.
    missing: keywords of what the Standard wants and it lacks (T-51).
    start: ``YYYYMMDDHHMMSS.FFFFFF``, to sort by; ``YYYYMMDD999999`` if it names no time,
    ``99999999`` if no day.
    Instants are Unix seconds.  deleted_at: None unless it was deleted and can still be undone.
    """

    id: int
    version: int
    state: StepState
    area: str
    data: bytes
    origin: Author
    created_at: float
    changed_at: float
    state_at: float
    deleted_at: float | None = None
    missing: tuple[str, ...] = ()
    start: str = ""
    station: str = ""
    step_id: str = ""
    study_uid: str = ""
    accession: str = ""
    patient_id: str = ""
    patient_name: str = ""
    modality: str = ""
    priority: str = ""

    @property
    def listed(self) -> bool:
        """Whether a modality may see it, as far as its state goes."""
        return self.state in LISTED and self.deleted_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDraft:
    """What is to become a step.

    values: keyword → value, those of the step itself at the top too (``Modality``,
    ``ScheduledStationAETitle``, ``ScheduledProcedureStepStartDate`` …); "" or () clears one.
    data: a data set in explicit little endian to begin with (a ``.wl`` file); values lie over it.
    scheduled: False for what was done without an order.
    """

    values: Values = field(default_factory=dict)
    area: str = ""
    data: bytes = b""
    scheduled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of a step's history.

    what: ``created``, ``changed``, ``moved``, ``deleted``, ``restored``, ``split``.
    before, after: texts by keyword that this change touched; state too, under ``state``.
    """

    at: float
    version: int
    author: Author
    what: str
    why: str = ""
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One value that cannot be kept: its keyword and a sentence about it, without the value."""

    keyword: str
    text: str


class StepFaults(WaystationError):
    """What was entered cannot be kept; nothing was changed."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.keyword}: {fault.text}" for fault in faults))
        self.faults = tuple(faults)


class StepConflict(WaystationError):
    """Somebody else changed the step in the meantime; nothing was changed (T-63).

    newer: the step as it is now.  since: the changes that came in between, oldest first.
    """

    def __init__(self, newer: Step, since: Sequence[Change]) -> None:
        super().__init__(f"the step was changed meanwhile (now version {newer.version})")
        self.newer = newer
        self.since = tuple(since)


class StepRefused(WaystationError):
    """What was asked cannot be done with this step; the sentence says why."""


def advance(state: StepState, to: StepState) -> StepState:
    """Return ``to``; raise `StepRefused` if no step goes there from ``state``."""
    if to not in MOVES[state]:
        raise StepRefused(f"a {state.value} step cannot become {to.value}")
    return to
