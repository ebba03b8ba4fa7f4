"""The JSON of ``explain``: what every rule said of a study, what became of it, what comes next.

Contract: as in `waystation.web.shapes`.  Clauses quote values of the object, but none that tells
who the patient is, unless somebody with a right to them asked (``names``).
"""

from pydantic import Field

from waystation.web.shape import Shape


class Patient(Shape):
    """Who it is; only for who may know."""

    id: str
    name: str


class Sender(Shape):
    """Where objects came from."""

    peer: str
    calling_ae: str
    called_ae: str
    address: str
    way_in: str
    objects: int


class Clause(Shape):
    """The deciding clause with the actual value, and of how many objects it is true."""

    matched: bool
    clause: str
    objects: int


class RuleSaid(Shape):
    """What one rule said.  objects: how many were judged by it."""

    rule: str
    matched: int
    failed: int = Field(description="For how many the rule itself failed")
    objects: int
    clauses: list[Clause] = Field(description="The most frequent ones")
    others: int = Field(description="How many objects have another clause")
    trigger: str = Field(description="instance, series or study")
    send: list[str]
    then: str
    steps: str = Field(default="", description="What it does to an object, in words")


class GatherSaid(Shape):
    """What a rule collects until it is complete."""

    rule: str
    level: str
    uid: str
    generation: int
    state: str = Field(description="open, completing or done")
    objects: int
    opened_at: float
    last_at: float
    evidence: str = Field(description="By what it was complete")
    ended_at: float | None
    waits_for: list[str] = Field(description="In words, while it is open")
    due: float | None = Field(description="When it is complete if nothing more comes")


class ChoiceSaid(Shape):
    """Which member of the group takes the study, and why."""

    member: str
    chosen_at: float | None
    begun: bool
    why: str


class AttemptSaid(Shape):
    """Attempts that ended alike."""

    n: int
    ok: bool
    status: str | None
    why: str
    detail: str = Field(description="What was offered, or changed on the way")
    destination: str
    first_at: float
    last_at: float


class ContextSaid(Shape):
    """What the destination was seen to say about one class in one transfer syntax."""

    sop_class: str
    transfer_syntax: str
    accepted: bool
    at: float | None
    detail: str


class WaySaid(Shape):
    """What goes to one destination for the same reason."""

    destination: str
    group: str
    rules: list[str]
    origin: str = Field(description="rule, late, switch, replay or resend")
    priority: str
    required: bool
    objects: int
    states: dict[str, int]
    statuses: dict[str, int] = Field(description="Of what is done, where it is not 0000")
    held: dict[str, int] = Field(description="By reason")
    helps: list[str] = Field(description="What to do about it")
    discarded: dict[str, int] = Field(description="By whom or what")
    verified: dict[str, int] = Field(
        default={}, description="What became of asking the destination for what it got"
    )
    left_as: dict[str, int] = Field(description="Transfer syntax, where it was changed on the way")
    choice: ChoiceSaid | None
    attempts: list[AttemptSaid]
    contexts: list[ContextSaid]
    ahead: int | None = Field(description="How many go before it in this lane")
    next_at: float | None = Field(description="Not before then")
    why_not_now: list[str] = Field(description="What keeps the waiting ones back")
    would: str = Field(description="Of what was not received: what would become of it")


class FateSaid(Shape):
    """Arrivals that ended, or stay, without a delivery."""

    what: str = Field(description="held, discarded, gathering or unplanned")
    reason: str
    objects: int
    help: str


class Explained(Shape):
    """The whole story of a study, a series, an instance, one arrival, or a file."""

    level: str = Field(description="study, series, instance, arrival or file")
    uid: str
    study: str
    at: float
    running: bool
    hypothetical: bool = Field(description="What would happen, not what did")
    modalities: list[str]
    objects: int
    arrivals: int
    judged: int = Field(description="Of how many the head could be read")
    first_at: float | None
    last_at: float | None
    senders: list[Sender]
    patient: Patient | None
    gathers: list[GatherSaid]
    rules: list[RuleSaid]
    ways: list[WaySaid]
    fates: list[FateSaid]
    notes: list[str] = Field(description="What this answer does not know")
