"""The worklist as JSON (T-64): steps, their history, what a modality sees of them, and why not."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from waystation.flows.worklist_why import Explained, Shown
from waystation.index.mpps import Kept
from waystation.index.query_book import Asking
from waystation.matching.entry import texts
from waystation.matching.performed import performed
from waystation.model.step import LISTED, Author, Change, Step

STATUS = "ScheduledProcedureStepStatus"


class AuthorShown(BaseModel):
    """Who changed something."""

    kind: str = Field(description="person, hl7, mpps, images, api, file or node")
    name: str
    detail: str = Field(description="Control id, UID or what else names it")


class StepShown(BaseModel):
    """One step."""

    id: str
    version: int = Field(description="Also the ETag")
    state: str
    listed: bool = Field(description="Whether a modality may see it, as far as its state goes")
    area: str = Field(description="The one area that shows it; empty for all that select it")
    missing: list[str] = Field(description="Keywords that an entry must have, and it lacks")
    start: str = Field(description="YYYYMMDDHHMMSS.FFFFFF, 99999999 without a day")
    origin: AuthorShown
    created_at: float
    changed_at: float
    deleted: bool = False
    values: dict[str, Any] = Field(
        default={},
        description="Keyword → text, list of texts or list of items; those of the step on top",
    )


class Steps(BaseModel):
    """A page of steps.  after: gives the next page, empty if there is none."""

    steps: list[StepShown]
    after: str = ""


class ChangeShown(BaseModel):
    """One entry of a history."""

    at: float
    version: int
    author: AuthorShown
    what: str
    why: str
    before: dict[str, str]
    after: dict[str, str]


class History(BaseModel):
    """What happened to a step, oldest first."""

    changes: list[ChangeShown]


class ReasonShown(BaseModel):
    """One thing that may hide a step."""

    cause: str = Field(description="state, area, incomplete, key or charset")
    good: bool = Field(description="It does not hide the step")
    text: str
    mend: str = Field(description="What would mend it")


class QueryShown(BaseModel):
    """One query of a modality."""

    at: float
    calling_ae: str
    called_ae: str
    peer: str
    address: str
    area: str
    status: str = Field(description="Final status, hexadecimal")
    answers: int
    ms: float
    keys: list[tuple[str, str]] = Field(description="Path and what was asked, empty: only asked")


class WhyShown(BaseModel):
    """Whether a station sees a step, and why."""

    step: str
    station: str
    seen: bool
    reasons: list[ReasonShown]
    query: QueryShown | None = Field(description="The query gone by; none: a typical one")


class EntryShown(BaseModel):
    """One answer, as it would be sent."""

    step: str
    charset: str = Field(description="Specific Character Set; empty for ASCII")
    replaced: int = Field(description="Characters that became ?")
    left_out: int = Field(description="Values that their VR cannot hold")
    values: list[tuple[str, str]] = Field(description="Path and text, in order")


class Preview(BaseModel):
    """What a station would be answered."""

    entries: list[EntryShown]


class Queries(BaseModel):
    """The newest first."""

    queries: list[QueryShown]


class ProcedureShown(BaseModel):
    """One performed procedure step (MPPS)."""

    sop_instance: str
    state: str
    calling_ae: str
    study: str
    patient: str
    objects: int = Field(description="Objects that it names")
    created_at: float
    changed_at: float


class ProceduresShown(BaseModel):
    """The newest first."""

    procedures: list[ProcedureShown]


class StepIn(BaseModel):
    """What is to become a step."""

    model_config = ConfigDict(extra="forbid")

    values: dict[str, Any] = Field(description="Keyword → text, list of texts or list of items")
    area: str = Field(default="", max_length=64)


def author(one: Author) -> AuthorShown:
    return AuthorShown(kind=one.kind, name=one.name, detail=one.detail)


def step(one: Step, *, whole: bool = True) -> StepShown:
    """Return a step; ``whole``: with its values."""
    values = _plain(texts(one.data)) if whole else {}
    if STATUS in values:
        values[STATUS] = one.state.value.upper()
    return StepShown(
        id=f"{one.id:x}",
        version=one.version,
        state=one.state.value,
        listed=one.state in LISTED and one.deleted_at is None,
        area=one.area,
        missing=list(one.missing),
        start=one.start,
        origin=author(one.origin),
        created_at=one.created_at,
        changed_at=one.changed_at,
        deleted=one.deleted_at is not None,
        values=values,
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with a single text instead of a list of one."""
    found: dict[str, Any] = {}
    for keyword, said in values.items():
        if said and isinstance(said[0], Mapping):
            found[keyword] = [_plain(item) for item in said]
        else:
            found[keyword] = said[0] if len(said) == 1 else list(said)
    return found


def change(one: Change) -> ChangeShown:
    return ChangeShown(
        at=one.at,
        version=one.version,
        author=author(one.author),
        what=one.what,
        why=one.why,
        before=dict(one.before),
        after=dict(one.after),
    )


def query(one: Asking, keys: Sequence[tuple[str, str]]) -> QueryShown:
    return QueryShown(
        at=one.at,
        calling_ae=one.calling_ae,
        called_ae=one.called_ae,
        peer=one.peer,
        address=one.address,
        area=one.area,
        status=f"{one.status:04X}",
        answers=one.answers,
        ms=round(one.ms, 1),
        keys=list(keys),
    )


def why(one: Explained, keys: Sequence[tuple[str, str]]) -> WhyShown:
    return WhyShown(
        step=f"{one.step.id:x}",
        station=one.station,
        seen=one.seen,
        reasons=[
            ReasonShown(cause=each.cause, good=each.good, text=each.text, mend=each.mend)
            for each in one.reasons
        ],
        query=query(one.query, keys) if one.query else None,
    )


def entry(one: Shown) -> EntryShown:
    return EntryShown(
        step=f"{one.step:x}",
        charset=one.charset,
        replaced=one.replaced,
        left_out=one.left_out,
        values=list(one.values),
    )


def procedure(one: Kept) -> ProcedureShown:
    done = performed(one.data)
    return ProcedureShown(
        sop_instance=one.sop_instance,
        state=one.state.value,
        calling_ae=one.calling_ae,
        study=one.study_uid,
        patient=done.text(0x00100020),
        objects=len(done.objects),
        created_at=one.created_at,
        changed_at=one.changed_at,
    )
