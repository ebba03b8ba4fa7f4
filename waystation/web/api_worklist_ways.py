"""``/api/v1/worklist``: entries of files, and HL7 messages with what they did (T-60, T-61, T-64).

Contract: as in `waystation.web.api`.  What is imported comes in whole or not at all; the same file
again is the same steps.  Messages are shown without patient data; their text needs ``phi``.
"""

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from waystation.db.engine import Database
from waystation.dicom.errors import DatasetError
from waystation.flows.entry_files import read_entries
from waystation.flows.hl7_feed import Feed
from waystation.flows.importing_steps import Imported, import_drafts
from waystation.flows.step_folder import StepFolder
from waystation.flows.steps import Steps
from waystation.hl7.mapping import Given
from waystation.hl7.news import EndNews, Item, MergeNews, OrderNews, PatientNews
from waystation.hl7.redacted import redacted
from waystation.journal import hl7_messages
from waystation.journal.hl7_messages import KeptMessage
from waystation.model.step import Author, StepDraft, StepFaults
from waystation.web.access import Ability, Asking, AuthorName, needs
from waystation.web.api_steps import IdText

MOST_ENTRIES: Final = 2000
LONGEST_MESSAGE: Final = 1 << 20


class EntryIn(BaseModel):
    """One entry: a data set, or values by keyword."""

    model_config = ConfigDict(extra="forbid")

    values: dict[str, Any] = Field(default={}, description="Keyword → text, texts or items")
    data: str = Field(default="", description="A data set or a worklist file, Base64")


class Import(BaseModel):
    """Entries of one file."""

    model_config = ConfigDict(extra="forbid")

    entries: list[EntryIn] = Field(min_length=1, max_length=MOST_ENTRIES)
    source: str = Field(default="", max_length=255, description="Name of the file")
    area: str = Field(default="", max_length=64, description="Area of the steps")
    preview: bool = Field(default=False, description="Only say what would be made")
    user: AuthorName = ""


class ImportDone(BaseModel):
    """Numbers of steps, in hexadecimal digits."""

    preview: bool
    made: list[str]
    changed: list[str]
    same: list[str] = Field(description="Those that say the same already")
    left: list[str] = Field(description="Those that are over, and were left alone")


class MessageShown(BaseModel):
    """One HL7 message and what became of it."""

    id: str
    sender: str = Field(description="Sending application and facility")
    control_id: str
    kind: str
    peer: str = Field(description="Name of the sender in the settings")
    received_at: float = Field(description="Unix seconds")
    code: str = Field(description="AA, AE or AR")
    why: str = Field(description="Why it was refused")
    effects: list[str] = Field(description="What it changed")
    lines: list[str] = Field(default=[], description="Its segments without patient data")


class Messages(BaseModel):
    """The newest first."""

    messages: list[MessageShown]


class FolderShown(BaseModel):
    """A worklist folder, and what in it is no worklist file."""

    name: str = Field(description="Its table in the settings")
    mode: str = Field(description="watch, import or two-way")
    problems: dict[str, str] = Field(description="File → why it is not taken")


class Folders(BaseModel):
    """All that are set."""

    folders: list[FolderShown]


class MessageText(BaseModel):
    """A message as it came, to look at what it would say."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=LONGEST_MESSAGE)
    sender: str = Field(default="", max_length=64, description="Name of a sender")


class TriedShown(BaseModel):
    """What a message would say: for each of its parts the values and where they come from."""

    kind: str
    fault: str = Field(description="Why it would be refused")
    parts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What the routes stand on.

    has_area: whether there is an area of that name.  folders: those that are looked at.
    """

    steps: Steps
    feed: Callable[[], Feed]
    database: Database
    has_area: Callable[[str], bool]
    folders: Callable[[], Sequence[StepFolder]] = tuple


def worklist_ways_api(ways: Ways) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1/worklist", tags=["worklist"])
    _add_import(router, ways)
    _add_messages(router, ways)
    _add_trial(router, ways)
    return router


def _add_import(router: APIRouter, ways: Ways) -> None:
    @router.post("/import", openapi_extra=needs(Ability.SCHEDULE))
    async def import_entries(order: Annotated[Import, Body()], who: Asking) -> ImportDone:
        """Make or change steps by the entries of a file."""
        if order.area and not ways.has_area(order.area):
            raise HTTPException(400, f"area: there is no area {order.area}")
        by = who.author(order.user or who.name)
        author = Author(kind="api", name=by, detail=order.source or "import")
        drafts = await asyncio.to_thread(_drafts, order)

        def job(book: Any) -> Imported:
            done = import_drafts(book, drafts, author)
            if order.preview:
                raise _Preview(done)
            return done

        try:
            done = await ways.steps.write(job)
        except _Preview as seen:
            done = seen.done
        except StepFaults as faults:
            raise HTTPException(400, str(faults)) from None
        return ImportDone(
            preview=order.preview,
            made=_hex(done.made),
            changed=_hex(done.changed),
            same=_hex(done.same),
            left=_hex(done.left),
        )

    @router.get("/folders", openapi_extra=needs(Ability.SCHEDULE))
    async def folders() -> Folders:
        """Tell of worklist folders, and of files in them that could not be taken."""
        return Folders(
            folders=[
                FolderShown(name=one.terms.name, mode=one.terms.mode, problems=dict(one.problems))
                for one in ways.folders()
            ]
        )


class _Preview(Exception):
    """Ends a transaction that is not to be."""

    def __init__(self, done: Imported) -> None:
        super().__init__()
        self.done = done


def _drafts(order: Import) -> list[StepDraft]:
    found: list[StepDraft] = []
    for number, entry in enumerate(order.entries, 1):
        if not entry.data:
            found.append(StepDraft(values=entry.values, area=order.area))
            continue
        try:
            read = read_entries(base64.b64decode(entry.data, validate=True), area=order.area)
        except (ValueError, DatasetError):
            raise HTTPException(400, f"entry {number}: data is no data set in Base64") from None
        if read.faults:
            raise HTTPException(400, f"entry {number}: {read.faults[0]}")
        found += read.drafts
    return found


def _hex(numbers: Sequence[int]) -> list[str]:
    return [f"{number:x}" for number in numbers]


def _add_messages(router: APIRouter, ways: Ways) -> None:
    @router.get("/messages", openapi_extra=needs(Ability.SEE))
    async def messages(
        code: Annotated[str, Query(pattern="^(AA|AE|AR)?$")] = "",
        control_id: Annotated[str, Query(max_length=199)] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Messages:
        """List HL7 messages, the newest first."""
        codes = (code,) if code else ()
        found = await ways.database.read(hl7_messages.latest(limit, codes, control_id))
        return Messages(messages=[_shown(one) for one in found])

    @router.get("/messages/{message_id}", openapi_extra=needs(Ability.SEE))
    async def message(message_id: IdText) -> MessageShown:
        """Show one HL7 message, without patient data."""
        kept = await _kept(ways, message_id)
        return _shown(kept, redacted(kept.message))

    @router.get("/messages/{message_id}/text", openapi_extra=needs(Ability.PHI))
    async def text(message_id: IdText) -> MessageText:
        """Show one HL7 message as it came."""
        kept = await _kept(ways, message_id)
        return MessageText(text=kept.message.decode("utf-8", "replace")[:LONGEST_MESSAGE])

    @router.post("/messages/{message_id}/replay", openapi_extra=needs(Ability.SCHEDULE))
    async def replay(message_id: IdText) -> MessageShown:
        """Run a refused message again; one that was accepted is left alone."""
        done = await ways.feed().replay(await _kept(ways, message_id))
        return _shown(done, redacted(done.message))


def _add_trial(router: APIRouter, ways: Ways) -> None:
    @router.post("/messages/try", openapi_extra=needs(Ability.SCHEDULE))
    async def attempt(order: Annotated[MessageText, Body()]) -> TriedShown:
        """Say what a message would mean, and where each value comes from; nothing is changed."""
        raw = order.text.replace("\r\n", "\r").replace("\n", "\r").strip("\r\x0b\x1c")
        tried = await asyncio.to_thread(ways.feed().attempt, raw.encode(), order.sender)
        return TriedShown(
            kind=tried.kind, fault=tried.fault, parts=[_part(one) for one in tried.news]
        )


async def _kept(ways: Ways, message_id: str) -> KeptMessage:
    kept = await ways.database.read(hl7_messages.get(int(message_id, 16)))
    if kept is None:
        raise HTTPException(404, "There is no such message")
    return kept


def _shown(kept: KeptMessage, lines: Sequence[str] = ()) -> MessageShown:
    return MessageShown(
        id=f"{kept.id:x}",
        sender=kept.sender,
        control_id=kept.control_id,
        kind=kept.kind,
        peer=kept.peer,
        received_at=kept.received_at,
        code=kept.code,
        why=kept.why,
        effects=list(kept.effects),
        lines=list(lines),
    )


def _part(item: Item) -> dict[str, Any]:
    match item:
        case OrderNews():
            steps = [{"id": one.id, "values": _values(one.values)} for one in item.steps]
            about = {"order": list(item.keys), "verb": item.verb, "steps": steps}
            return {**about, "values": _values(item.common)}
        case PatientNews():
            return {"patient": str(item.patient), "values": _values(item.values)}
        case MergeNews():
            return {"merged": str(item.old), "into": str(item.into)}
        case EndNews():
            return {"patient": str(item.patient), "ended": item.why}


def _values(values: Mapping[str, Given]) -> dict[str, dict[str, Any]]:
    return {word: {"value": one.value, "from": one.origin} for word, one in values.items()}
