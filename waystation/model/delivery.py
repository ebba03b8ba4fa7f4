"""The life of one delivery: one instance on its way to one destination.

    WAITING --claim--> SENDING --delivered--> DONE
    SENDING --deferred, lost--> WAITING      SENDING --refused--> HELD
    WAITING --hold, expire--> HELD           HELD --retry--> WAITING
    WAITING, SENDING, HELD --discard--> DISCARDED
    DONE --unconfirmed--> WAITING            DONE --hold--> HELD
    HELD --confirmed--> DONE

``lost``: the process died while sending.  We cannot know how far it came, so
we send again; receivers must accept the same instance twice.
``unconfirmed``: the destination was to say that it has the instance, and did not (R-60);
``confirmed``: it said so late.
"""

from enum import Enum

from waystation.model.errors import MisuseError
from waystation.model.values import value


class State(Enum):
    """Where a delivery stands (`docs/spec/routing.md` section 0)."""

    WAITING = "waiting"
    SENDING = "sending"
    DONE = "done"
    HELD = "held"
    DISCARDED = "discarded"


class Step(Enum):
    """What may happen to a delivery."""

    CLAIM = "claim"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    REFUSED = "refused"
    LOST = "lost"
    EXPIRE = "expire"
    HOLD = "hold"
    RETRY = "retry"
    DISCARD = "discard"
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"


MOVES: dict[tuple[State, Step], State] = {
    (State.WAITING, Step.CLAIM): State.SENDING,
    (State.WAITING, Step.EXPIRE): State.HELD,
    (State.WAITING, Step.HOLD): State.HELD,
    (State.WAITING, Step.DISCARD): State.DISCARDED,
    (State.SENDING, Step.DELIVERED): State.DONE,
    (State.SENDING, Step.DEFERRED): State.WAITING,
    (State.SENDING, Step.LOST): State.WAITING,
    (State.SENDING, Step.REFUSED): State.HELD,
    (State.SENDING, Step.EXPIRE): State.HELD,
    (State.SENDING, Step.DISCARD): State.DISCARDED,
    (State.DONE, Step.UNCONFIRMED): State.WAITING,
    (State.DONE, Step.HOLD): State.HELD,
    (State.HELD, Step.CONFIRMED): State.DONE,
    (State.HELD, Step.RETRY): State.WAITING,
    (State.HELD, Step.DISCARD): State.DISCARDED,
}


def advance(state: State, step: Step) -> State:
    """Return the state after ``step``; raise `MisuseError` if there is none."""
    if (state, step) not in MOVES:
        raise MisuseError(f"no {step.name} from {state.name}")
    return MOVES[state, step]


class HoldReason(Enum):
    """Why something waits for a person; one of each hold (R-59)."""

    NO_RULE = "no-rule"
    RULE_ERROR = "rule-error"
    TWO_VERSIONS = "two-versions"
    CONFLICT = "conflict"
    NO_CONTEXT = "no-context"
    OBJECT_REFUSED = "object-refused"
    EXPIRED = "expired"
    DESTINATION_GONE = "destination-gone"
    CORRUPT = "corrupt"
    OPERATOR = "operator"
    NO_ARCHIVE = "no-archive"
    VALIDATION = "validation"
    CHARSET = "charset"
    DEID_FAILED = "deid-failed"
    NOT_DEIDENTIFIED = "not-deidentified"
    UNVERIFIED = "unverified"


@value
class Delivery:
    """One arrival on its way to one destination, as a lane sees it when it claims it.

    attempts: attempts that have ended.  object_failures: those charged to the object itself.
    first_failed_at: Unix seconds of the first failed attempt, or None; `lifetime` runs from it.
    priority: 0 stat, 1 normal, 2 low.  group: whose obligation it is, "" for none.
    sealed: False if the journal's row does not say what it said when it was written.
    origin: rule, replay, resend, switch or late.  rules: the names of those that asked for it.
    recipe: digest of what is done to the object on its way, "" for nothing.
    """

    id: int
    arrival_id: int
    destination: str
    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae: str
    blob: str
    size_bytes: int
    sha256: str
    received_at: float
    attempts: int = 0
    object_failures: int = 0
    first_failed_at: float | None = None
    priority: int = 1
    group: str = ""
    origin: str = "rule"
    required: bool = True
    created_at: float = 0.0
    rules: str = ""
    sealed: bool = True
    recipe: str = ""
