"""What a modality would see, and why it does not see a step (T-19, T-62).

Contract: reads only.  `preview` gives exactly the answers to a query, as they would be sent: the
same search, the same encoding, read back from the bytes.  `why` goes through everything that may
hide a step from a station: its state, the area, what it lacks, each key of the station's last
queries, and text that a character set cannot carry; each with what would mend it.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import tzinfo

from waystation.db.engine import Database
from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.flows.find import SUPPORTED
from waystation.flows.steps import Steps
from waystation.flows.worklist import Area, read_query, shown
from waystation.index import query_book
from waystation.index.query_book import Asking
from waystation.index.step_search import StepSearch, in_step, without_status
from waystation.matching.answer import REQUEST, STORED
from waystation.matching.entry import STEPS, entry, read_entry
from waystation.matching.entry_data import encoded
from waystation.matching.keys import BadIdentifier, is_universal
from waystation.matching.match import Line, Matcher
from waystation.matching.record import HeadRecord
from waystation.model.query import Key, Options, Query, Record, Row
from waystation.model.step import LISTED, Step, StepRefused

STATE, AREA, INCOMPLETE, KEY, CHARSET = "state", "area", "incomplete", "key", "charset"
REPLACEMENT = "\ufffd"
# A query as most modalities ask it: all of a day for one AE title.
TYPICAL = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"),
    *("StudyInstanceUID", "ReferringPhysicianName", "RequestingPhysician", "PatientWeight"),
    *("RequestedProcedureID", "RequestedProcedureDescription", "RequestedProcedurePriority"),
    *("RequestedProcedureCodeSequence", "MedicalAlerts", "Allergies", "PregnancyStatus"),
)
TYPICAL_OF_STEP = (
    *("Modality", "ScheduledProcedureStepStartTime", "ScheduledPerformingPhysicianName"),
    *("ScheduledProcedureStepDescription", "ScheduledProtocolCodeSequence", "PreMedication"),
    *("ScheduledProcedureStepID", "ScheduledStationName", "ScheduledProcedureStepLocation"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that was looked at.  cause: one of the words above.

    good: it does not hide the step.  mend: what would, "" if nothing has to.
    """

    cause: str
    good: bool
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Whether a station sees a step.  query: the one that was gone by, None for a typical one."""

    step: Step
    station: str
    seen: bool
    reasons: tuple[Reason, ...]
    query: Asking | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One answer as it would be sent: (path of keywords, text) in order.

    charset: what it names.  replaced: characters that became ``?``; left_out: values that their VR
    cannot hold.
    """

    step: int
    values: tuple[tuple[str, str], ...]
    charset: str
    replaced: int
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What looking needs of the node.

    area: what a called AE title shows to a peer; called: the title that is asked by default.
    today: of the node, as YYYYMMDD.  settled: writes down what was asked just now.
    """

    database: Database
    steps: Steps
    area: Callable[[str, str], Area | None]
    called: Callable[[], str]
    zone: Callable[[], tzinfo | None]
    today: Callable[[], str]
    settled: Callable[[], Awaitable[None]]


class WorklistView:
    """Looks at the worklist as a modality does."""

    def __init__(self, window: Window) -> None:
        self._window = window

    async def queries(self, limit: int = 50, station: str = "") -> list[Asking]:
        """Return the last real queries, of one calling AE title or of all, newest first."""
        await self._window.settled()
        return await self._window.database.read(query_book.last(limit, station))

    async def preview(
        self, station: str, *, called: str = "", last: bool = False, limit: int = 100
    ) -> list[Shown]:
        """Return what a station would be answered today, or to its last query (``last``)."""
        asking, called = await self._asking(station, called, last=last)
        area, query, syntax = self._read(asking, station, called)
        search = StepSearch(self._window.database, query, area.scope, home=self._window.zone())
        found: list[Shown] = []
        async with aclosing(search.run()) as entries:
            async for one in entries:
                made = shown(search, query, one.record, syntax, area.manner)
                head = Head.from_bytes(made.data, syntax)
                found.append(
                    Shown(
                        step=one.step,
                        values=tuple(lines_of(HeadRecord(head))),
                        charset=made.charset,
                        replaced=made.replaced,
                        left_out=made.left_out,
                    )
                )
                if len(found) == limit:
                    break
        return found

    async def why(self, step_id: int, station: str = "", *, called: str = "") -> Explained:
        """Return why a station sees a step, or does not.  Raises `StepRefused`: no such step."""
        step = await self._window.steps.get(step_id)
        if step is None:
            raise StepRefused("there is no step of this number")
        station = station or step.station
        asking, called = await self._asking(station, called, last=True)
        reasons = [_state(step)]
        area = self._window.area(called, asking.peer if asking else "")
        if area is None:
            text = f"{called} shows no worklist"
            mend = "let the station call an AE title of an area"
            reasons.append(Reason(cause=AREA, good=False, text=text, mend=mend))
            return _explained(step, station, reasons, asking)
        area, query, syntax = self._read(asking, station, called, area)
        reasons += _area(step, area, self._window.zone())
        reasons.append(_complete(step, area))
        reasons += _keys(step, query, self._window.zone())
        reasons += self._charset(step, query, syntax, area)
        return _explained(step, station, reasons, asking)

    async def _asking(self, station: str, called: str, *, last: bool) -> tuple[Asking | None, str]:
        """Return the query to go by, None for a typical one, and the title that is called."""
        known = await self.queries(1, station) if station else []
        asking = known[0] if known and last else None
        title = called or (known[0].called_ae if known else "") or self._window.called()
        return asking, title

    def _read(
        self, asking: Asking | None, station: str, called: str, area: Area | None = None
    ) -> tuple[Area, Query, str]:
        area = area or self._window.area(called, asking.peer if asking else "")
        if area is None:
            raise StepRefused(f"{called} shows no worklist")
        if asking is None:
            if not is_ae_title(station):
                raise StepRefused("a station has an AE title: up to 16 characters of ASCII")
            identifier, syntax = typical(station, self._window.today()), EXPLICIT_VR_LE
        else:
            identifier, syntax = asking.identifier, asking.syntax
        bits = (asking.options if asking else b"").ljust(len(SUPPORTED), b"\0")
        options = Options(
            fuzzy=bool(bits[2]) or area.manner.fuzzy,
            time_zone=bool(bits[3]),
            empty_value=bool(bits[5]),
            multiple_values=bool(bits[6]),
        )
        query = read_query(identifier, syntax, options, area.manner)
        if isinstance(query, BadIdentifier):
            raise StepRefused(f"the station's query is refused: {query.comment}")
        return area, query, syntax

    def _charset(self, step: Step, query: Query, syntax: str, area: Area) -> list[Reason]:
        """Return what becomes of the step's text on its way."""
        search = StepSearch(self._window.database, query, area.scope)
        record = entry(read_entry(step.data), step.state)
        made = shown(search, query, record, syntax, area.manner)
        if made.replaced:
            terms = made.charset or "ASCII"
            text = f"{made.replaced} characters do not exist in {terms}: shown as ?"
            mend = 'set answer_charset = "stored", or write the name in letters that it has'
            return [Reason(cause=CHARSET, good=True, text=text, mend=mend)]
        if made.charset and area.manner.charset in (STORED, REQUEST) and query.charset == "":
            text = f"the answer is in {made.charset}, which the station did not ask for"
            return [Reason(cause=CHARSET, good=True, text=text)]
        return []


def _explained(
    step: Step, station: str, reasons: Sequence[Reason], asking: Asking | None
) -> Explained:
    return Explained(
        step=step,
        station=station,
        seen=all(reason.good for reason in reasons),
        reasons=tuple(reasons),
        query=asking,
    )


def _state(step: Step) -> Reason:
    if step.deleted_at is not None:
        return Reason(cause=STATE, good=False, text="the step was deleted", mend="undo that")
    if step.state in LISTED:
        return Reason(cause=STATE, good=True, text=f"the step is {step.state.value}")
    text = f"the step is {step.state.value}: only scheduled, arrived and ready ones are shown"
    return Reason(cause=STATE, good=False, text=text, mend="put it back on the list")


def _area(step: Step, area: Area, home: tzinfo | None) -> list[Reason]:
    name = area.name or "the whole worklist"
    found: list[Reason] = []
    if area.scope.area is not None and step.area not in ("", area.scope.area):
        text = f"the step belongs to area {step.area}, the station asks {name}"
        found.append(
            Reason(cause=AREA, good=False, text=text, mend=f"move the step to area {name}")
        )
    if area.scope.when:
        matcher = Matcher(Query(level="WORKLIST", keys=in_step(area.scope.when)), home=home)
        lines = matcher.explain(entry(read_entry(step.data), step.state)).lines
        found += [
            Reason(
                cause=AREA,
                good=line.matched,
                text=f"area {name}: {line.text}",
                mend="" if line.matched else "change the step, or the area's when",
            )
            for line in lines
        ]
    return found or [Reason(cause=AREA, good=True, text=f"{name} shows it")]


def _complete(step: Step, area: Area) -> Reason:
    if not step.missing:
        return Reason(cause=INCOMPLETE, good=True, text="the entry is complete")
    text = f"the entry lacks {', '.join(step.missing)}"
    if area.scope.incomplete:
        return Reason(cause=INCOMPLETE, good=True, text=f"{text}, and is shown all the same")
    return Reason(cause=INCOMPLETE, good=False, text=text, mend="fill in what is missing")


def _keys(step: Step, query: Query, home: tzinfo | None) -> list[Reason]:
    """Return a line for each key that filters, those of the step item as if they stood alone."""
    record = entry(read_entry(step.data), step.state)
    asked = without_status(query)
    of_step = asked.key(STEPS)
    parts: list[tuple[Query, Record]] = [
        (asked.with_keys(key for key in asked.keys if key.tag != STEPS), record)
    ]
    if of_step is not None:
        item = next(iter(record.items(STEPS)), Row())
        parts.append((asked.with_keys(of_step.keys), item))
    found: list[Reason] = []
    for part, said in parts:
        filters = {key.tag for key in part.keys if not is_universal(key)}
        lines = Matcher(part, home=home).explain(said).lines
        found += [_key(line, query) for line in lines if line.tag in filters]
    return found


def _all(keys: Sequence[Key]) -> list[Key]:
    return [one for key in keys for one in (key, *_all(key.keys))]


def _key(line: Line, query: Query) -> Reason:
    if line.matched:
        return Reason(cause=KEY, good=True, text=line.text)
    key = next((one for one in _all(query.keys) if one.tag == line.tag), None)
    unread = key is not None and any(REPLACEMENT in value for value in key.values)
    unnamed = not query.charset and key is not None and not all(map(str.isascii, key.values))
    if unread or unnamed:
        declared = query.charset or "no character set"
        text = f"{line.text}; the query names {declared} for this text"
        mend = "set charset_guess for the peer to what the station really sends"
        return Reason(cause=CHARSET, good=False, text=text, mend=mend)
    word = tags.keyword_of(line.tag)
    mend = f"change {word} of the step, or what the station asks for" if word else ""
    return Reason(cause=KEY, good=False, text=line.text, mend=mend)


def keys_of(asking: Asking) -> list[tuple[str, str]]:
    """Return what a query asked: (path, text), "" for what it only wanted to have."""
    return lines_of(HeadRecord(Head.from_bytes(asking.identifier, asking.syntax)))


def is_ae_title(text: str) -> bool:
    """Tell whether this can be an AE title, or is empty (PS3.5 6.2)."""
    return len(text) <= 16 and text.isascii() and text.isprintable() and "\\" not in text


def typical(station: str, today: str) -> bytes:
    """Return the identifier of a query as most modalities ask it."""
    of_step = {
        "ScheduledStationAETitle": station,
        "ScheduledProcedureStepStartDate": today,
    } | dict.fromkeys(TYPICAL_OF_STEP, "")
    return encoded(dict.fromkeys(TYPICAL, "") | {"ScheduledProcedureStepSequence": [of_step]})


def lines_of(record: Record, within: str = "") -> list[tuple[str, str]]:
    """Return (path, text) of everything in a data set, in order."""
    found: list[tuple[str, str]] = []
    for tag, vr in record.elements():
        name = within + (tags.keyword_of(tag) or tags.format_tag(tag))
        if vr == "SQ":
            items = record.items(tag)
            if not items:
                found.append((name, ""))
            for number, item in enumerate(items):
                found += lines_of(item, f"{name}[{number}].")
        else:
            found.append((name, "\\".join(record.values(tag, vr))))
    return found
