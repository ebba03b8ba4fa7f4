"""What the API and the console tell of de-identification, and who answers them (`DeidDesk`).

Contract: ``before`` and every picture are for those who may see patients; who may not is told that
they are hidden, never an empty value (D-41).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Protocol

from pydantic import Field

from waystation.model.errors import WaystationError
from waystation.web.shape import Shape

What = Literal["sample", "pixels", "features"]
Uid = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9.]+$")]
ProfileName = Annotated[str, Field(min_length=1, max_length=32, description="Of the profile")]
Because = Annotated[str, Field(min_length=1, max_length=500, description="Why; kept with it")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidDecision:
    """What a person decided about a study.  study: its UID as it came in."""

    study: str
    profile: str
    what: str
    approved: bool
    because: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidLookup:
    """Who asks for what is behind a pseudonym, and why.  kind: lookup or export."""

    kind: str
    profile: str
    because: str
    user: str
    pseudonym: str = ""


class ProfileSaid(Shape):
    """One profile that can be used now."""

    name: str
    project: str
    pseudonyms: str = Field(description="hmac, csv, allocated or empty")
    options: list[str]
    sample: float = Field(description="Share of studies that a person sees first")
    approves_pixels: bool = Field(description="Whether a person may approve unknown pixels")

    @property
    def has_table(self) -> bool:
        """Whether there is a table of who is behind its pseudonyms."""
        return self.pseudonyms in ("csv", "allocated")


class ReasonSaid(Shape):
    """Why objects of a study are held."""

    why: str
    what: str = Field(description="What a person can approve: sample, pixels, features; or empty")
    objects: int
    since: float = Field(description="Unix seconds")


class DecidedSaid(Shape):
    """What a person decided about a study."""

    what: str
    approved: bool
    by: str
    because: str
    at: float = Field(description="Unix seconds")


class WaitingSaid(Shape):
    """One study that a profile holds.  study: its UID as it came in."""

    study: str
    profile: str
    recipe: str = Field(description="Digest of the steps of its rule")
    reasons: list[ReasonSaid]
    destinations: list[str]
    modalities: list[str]
    since: float = Field(description="Unix seconds")
    decided: list[DecidedSaid]

    @property
    def asks(self) -> list[str]:
        """What a person can approve of it."""
        return list(dict.fromkeys(one.what for one in self.reasons if one.what))

    def last(self, what: str) -> DecidedSaid | None:
        """Return what was decided about that, None if nothing was."""
        return next((one for one in self.decided if one.what == what), None)


class ObjectSaid(Shape):
    """One object that is here.  id: of its arrival, hexadecimal."""

    id: str
    sop_class: str
    sop_instance: str
    modality: str
    received_at: float = Field(description="Unix seconds")
    size_bytes: int


class StudySaid(Shape):
    """A study and its objects that are here."""

    study: str
    total: int = Field(description="Number of its objects here")
    objects: list[ObjectSaid]
    waiting: list[WaitingSaid]
    device_rules: dict[str, str] = Field(
        description="Profile → text of a rule for the device whose pixels were approved"
    )


class RowSaid(Shape):
    """One element.  before, after: null where it is not there, or where it is hidden."""

    path: str
    name: str
    action: str = Field(description="X, Z, D, U, C, K; + for what was added")
    by: str = Field(description="The deciding rule: basic, an option, rule, edit or mark")
    before: str | None
    after: str | None


class PixelsSaid(Shape):
    """What becomes of the pixels.  Rectangles: left, top, width, height."""

    rows: int
    columns: int
    frames: int
    rule: str = Field(description="Name of the device rule")
    rectangles: list[tuple[int, int, int, int]]
    keep: list[tuple[int, int, int, int]] | None = Field(description="All outside is blacked")


class ComparisonSaid(Shape):
    """One object before and after, as if persons had approved what only waits for them."""

    object: ObjectSaid
    study: str
    profile: str
    held: list[ReasonSaid] = Field(description="Why it would be held now; empty: it would leave")
    final: str = Field(description="Why it cannot leave whoever approves it; empty: it can")
    hidden: bool = Field(description="Old values are for those who may see patients")
    changed: list[RowSaid]
    kept: list[RowSaid] = Field(description="What stays as it is")
    actions: dict[str, int] = Field(description="Action → number of elements")
    pixels: PixelsSaid | None
    device_rule: str = Field(description="Text of a rule for this device, to be copied")
    previous: str = Field(description="Id of the object before it in its study")
    next: str = Field(description="Id of the object behind it")


class TotalsSaid(Shape):
    """What a profile would do to a study."""

    study: str
    profile: str
    total: int = Field(description="Number of its objects here")
    looked: int = Field(description="How many were tried; fewer than all where time ran out")
    report: dict[str, Any] = Field(description="As a report of a study, without original values")
    actions: dict[str, int] = Field(description="Action → number of elements")


class DecisionDone(Shape):
    """What a decision left."""

    held: list[str] = Field(description="Ids of deliveries that are held still")
    released: int = Field(default=0, description="Deliveries that are tried again now")
    device_rule: str = Field(default="", description="For the device whose pixels were approved")


class EntrySaid(Shape):
    """Who is behind a pseudonym."""

    pseudonym_id: str
    issuer: str
    patient_id: str
    of_study: bool = Field(description="A study stands for the patient; patient_id is its UID")


class ReportLineSaid(Shape):
    """One study that was de-identified, by its new UID."""

    study: str
    number: int = Field(description="Of its newest record")
    at: float = Field(description="Unix seconds")
    profile: str
    objects: int
    decisions: int


class NotHereError(WaystationError):
    """There is no such profile, study or object here; the text is shown."""


class Rectangle(NamedTuple):
    """In pixels, origin top left."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One object and what would be done to it.

    recipe: digest of the steps of a rule; "": only the profile.  boxes: tried in place of the
    rectangles that the profile has.
    """

    arrival: int
    profile: str
    recipe: str = ""
    boxes: tuple[Rectangle, ...] = ()


class DeidDesk(Protocol):
    """De-identification in a running node.  Raises `NotHereError`."""

    def profiles(self) -> Sequence[ProfileSaid]:
        """Return the profiles that can be used."""

    async def waiting(self, study: str = "") -> Sequence[WaitingSaid]:
        """Return what is held, the oldest first."""

    async def study(self, uid: str, after: int, limit: int) -> StudySaid:
        """Return a study with a page of its objects."""

    async def object_named(self, uid: str) -> int:
        """Return the id of the newest object here with this UID or id, 0 for none."""

    async def compare(self, asked: Asked, *, see: bool) -> ComparisonSaid:
        """Return an object before and after; nothing is written.  see: whether old values are."""

    async def picture(self, asked: Asked, frame: int, *, blacked: bool) -> bytes:
        """Return a frame as PNG.  Raises `CodecError` or `WorkroomError`."""

    async def totals(self, study: str, profile: str) -> TotalsSaid:
        """Try a profile on the objects of a study; nothing is written."""

    async def decide(self, said: DeidDecision, *, release: bool = False) -> DecisionDone:
        """Write what a person decided; release: and have what waited for it tried again."""

    async def withdraw(self, said: DeidDecision) -> DecisionDone:
        """Take a decision back."""

    async def note_lookup(self, said: DeidLookup) -> None:
        """Write down that somebody asks who is behind pseudonyms, before they are told."""

    async def look_up(self, said: DeidLookup) -> EntrySaid | None:
        """Write that down, then tell; None: nobody has the pseudonym.  `ConfigError`: no table."""

    async def export(self, said: DeidLookup) -> Sequence[EntrySaid]:
        """Write that down, then return the whole table.  `ConfigError`: there is none."""

    async def reports(self, before: int, limit: int) -> Sequence[ReportLineSaid]:
        """Return studies that were de-identified, the newest first."""

    async def report(self, study: str) -> dict[str, Any] | None:
        """Return the reports of a study, by its original or new UID."""

    async def looked(self, who: str, address: str, comparison: ComparisonSaid, page: str) -> None:
        """Record that somebody saw the old values of an object (D-41)."""
