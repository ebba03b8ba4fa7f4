"""``/api/v1/archive``: why a query finds a record or not, what is in doubt, what was corrected.

Contract: as in `waystation.web.api`.  What is asked and corrected names patients, so it needs the
right to see them; doubts name UIDs only.
"""

from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Body, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from waystation.web.access import Ability, Who, needs, who_of
from waystation.web.looks import Looking

Uid = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9.]+$")]
Keyword = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9]+$")]
Text = Annotated[str, Field(max_length=1024)]
PAGE, LARGEST_PAGE = 100, 10_000
LOOK, LARGEST_LOOK = 500, 5000
MOST_KEYS = 20


class WhyAsked(BaseModel):
    """A query, and the record that it should have found or not."""

    model_config = ConfigDict(extra="forbid")

    level: Literal["PATIENT", "STUDY", "SERIES", "IMAGE"] = "STUDY"
    keys: dict[Keyword, Text] = Field(min_length=1, max_length=200, description="Keyword → value")
    record: str = Field(
        min_length=1, max_length=64, description="UID, or accession number or Patient ID"
    )
    fuzzy: bool = False
    called_ae: str = Field(default="", max_length=16, description="Of an area; empty: all of it")


class KeySaid(BaseModel):
    """What one key says to the record."""

    matched: bool
    text: str = Field(description="Asked for, found, and yes or no")


class RecordSaid(BaseModel):
    """One record."""

    study: str
    matched: bool
    shown: bool = Field(description="Whether the area shows it at all")
    keys: list[KeySaid]


class WhySaid(BaseModel):
    """Every record of that UID or number; none: there is no such record."""

    records: list[RecordSaid]


class DoubtSaid(BaseModel):
    """Something that contradicts itself."""

    study: str
    kind: str = Field(description="series, instance, patient or identity")
    text: str
    other: str = Field(description="The other study, if there is one")


class DoubtsSaid(BaseModel):
    """Doubts, by study."""

    doubts: list[DoubtSaid]
    after: str = Field(description="To go on with; empty: every study was looked at")


class CorrectionAsked(BaseModel):
    """What to lay over what the objects of some studies say."""

    model_config = ConfigDict(extra="forbid")

    studies: list[Uid] = Field(min_length=1, max_length=1000)
    values: dict[Keyword, Text] = Field(
        default={}, max_length=30, description="Keyword → value; empty to undo"
    )
    because: str = Field(min_length=1, max_length=500, description="Why; kept with it")
    user: str = Field(default="", max_length=64, description="Who decides, where nobody logs in")


class CorrectionDone(BaseModel):
    """study → why it was not done, empty if it was."""

    studies: dict[str, str]


class CorrectionSaid(BaseModel):
    """One correction."""

    study: str
    at: float
    author: str
    because: str
    values: dict[str, str]
    undone_at: float | None
    undone_by: str


class CorrectionsSaid(BaseModel):
    """Corrections, the newest first."""

    corrections: list[CorrectionSaid]


class ArchiveView(Protocol):
    """The archive of a running node."""

    async def why(self, asked: WhyAsked) -> list[RecordSaid]:
        """Hold a query against a record; raise `ConfigError` for what nobody could answer."""

    async def doubts(self, study: str, after: str, limit: int) -> DoubtsSaid:
        """Return what contradicts itself, in one study or ("") in the next ones behind a UID."""

    async def correct(self, asked: CorrectionAsked, author: str) -> dict[str, str]:
        """Correct studies, or undo it; raise `ConfigError` for a word that is no keyword."""

    async def corrections(self, study: str, limit: int) -> list[CorrectionSaid]:
        """Return what was corrected of a study, or ("") of all."""


def add_archive(router: APIRouter, archive: ArchiveView) -> None:
    """Add the routes to ``router``."""

    @router.post("/archive/why", tags=["archive"], openapi_extra=needs(Ability.PHI))
    async def why(asked: Annotated[WhyAsked, Body()], look: Looking) -> WhySaid:
        """Tell for each key of a query whether a record meets it, and why."""
        await look.at(repr(asked), record=asked.record, keys=sorted(asked.keys)[:MOST_KEYS])
        return WhySaid(records=await archive.why(asked))

    @router.get("/archive/doubts", tags=["archive"], openapi_extra=needs(Ability.SEE))
    async def doubts(
        study: Annotated[str, Query(max_length=64)] = "",
        after: Annotated[str, Query(max_length=64)] = "",
        limit: Annotated[int, Query(ge=1, le=LARGEST_LOOK, description="Studies")] = LOOK,
    ) -> DoubtsSaid:
        """Show UIDs that stand twice, and IDs that several persons have; page by page."""
        return await archive.doubts(study, after, limit)

    @router.get("/archive/corrections", tags=["archive"], openapi_extra=needs(Ability.PHI))
    async def corrections(
        study: Annotated[str, Query(max_length=64)] = "",
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
    ) -> CorrectionsSaid:
        """List what was corrected, by whom and why."""
        return CorrectionsSaid(corrections=await archive.corrections(study, limit))

    @router.post("/archive/corrections", tags=["archive"], openapi_extra=needs(Ability.PHI))
    async def correct(
        asked: Annotated[CorrectionAsked, Body()], who: Annotated[Who, Depends(who_of)]
    ) -> CorrectionDone:
        """Correct who the patient of studies is, or what they are called; without values: undo."""
        if not who.may(Ability.ACT):
            raise HTTPException(403, "To correct a study is for operators")
        return CorrectionDone(studies=await archive.correct(asked, who.author(asked.user)))
