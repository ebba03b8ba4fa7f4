"""Several sources searched as one: our archive and the PACS (W-126 to W-131, W-52, W-62).

Contract: all are asked side by side, each with its own time; what they have is merged by UID, never
by position.  One UID is one row, taken whole from the source that is preferred; only modalities,
counts and who holds it are combined, never what is said of a patient.  A source that fails is a
warning while another one has matches, else an `UpstreamFailed`: never silently fewer.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Final

from waystation.dicom.tags import PATIENT_ID
from waystation.flows.inquiry import Inquiry
from waystation.flows.upstream import Upstream
from waystation.flows.upstreams import Upstreams
from waystation.index import levels
from waystation.index.search import Found, Search
from waystation.model.query import PATIENT, STUDY, Query, Record
from waystation.model.upstream import TIMED_OUT, TOO_LARGE, UpstreamFailed, joint_status

ARCHIVE: Final = "archive"
# A source that is not done by then is left out, whatever it still has to say.
SOURCE_S: Final = 60.0
BROKEN: Final = 500
COUNTS: Final = frozenset(
    {
        *(levels.PATIENT_STUDIES, levels.PATIENT_SERIES, levels.PATIENT_INSTANCES),
        *(levels.STUDY_SERIES, levels.STUDY_INSTANCES, levels.SERIES_INSTANCES),
    }
)
UNIONS: Final = frozenset({levels.MODALITIES_IN_STUDY, levels.CLASSES_IN_STUDY})
PATIENTS_DIFFER: Final = "name different patients for one study"

Uids = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One study, series or instance, whoever holds it.

    record: as the preferred source has it.  sources: who holds it, the preferred one first.
    """

    uids: Uids
    record: Record
    sources: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a search found.  capped: some source has more than it gave.

    failures: of sources without which this is all there is.
    """

    rows: list[Row] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failures: list[UpstreamFailed] = field(default_factory=list)
    capped: bool = False


@dataclass(slots=True)
class _Heard:
    """What one source said."""

    name: str
    rows: list[tuple[Uids, Record]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failure: UpstreamFailed | None = None
    capped: bool = False


class Federation:
    """The sources of a node.

    archive: gives a search of our own that is not begun.  home: zone of records that name none.
    differ: hears of a study that several sources give to different patients, and of those.
    """

    def __init__(
        self,
        upstreams: Upstreams,
        archive: Callable[[Query], Search],
        home: Callable[[], tzinfo | None] = lambda: None,
        differ: Callable[[str, Sequence[str]], None] = lambda _study, _sources: None,
    ) -> None:
        self.upstreams = upstreams
        self._differ = differ
        self._archive = archive
        self._home = home

    async def search(
        self,
        query: Query,
        source: str = "",
        *,
        own: AsyncGenerator[Found, None] | None = None,
        limit: int = 0,
        most: int = 5000,
    ) -> Outcome:
        """Return what matches, in the order of W-33; with a limit, one PACS's own order is kept.

        source: a PACS, or "" for everything that is federated.  own: what the archive has, where
        that is not a plain search.  limit: matches that are wanted of one PACS, 0 for all.
        most: rows in all.  Raises `UpstreamFailed`.
        """
        if source:
            one = self.upstreams.get(source)
            assert one is not None
            heard = [await self._pacs(one, query, limit)]
        else:
            limit = 0
            heard = await self._all(query, own, most)
        found = merged(heard, self._differ)
        if not limit:
            found.rows.sort(key=_order)
        if len(found.rows) > most:
            del found.rows[most:]
            found.capped = True
        return found

    async def _all(
        self, query: Query, own: AsyncGenerator[Found, None] | None, most: int
    ) -> list[_Heard]:
        """Return what every federated source says, the preferred one first."""
        asked = [
            self._pacs(one, query) if one.down is None else _absent(one.name, one.down)
            for one in self.upstreams.federated
        ]
        archive = self._own(query, most) if own is None else _archived(own, query.level, most)
        return list(await asyncio.gather(archive, *asked))

    async def _own(self, query: Query, most: int) -> _Heard:
        search = self._archive(query)
        heard = await _archived(search.run(), query.level, most)
        if search.unreadable:
            text = f"{search.unreadable} objects could not be read and are left out"
            heard.warnings.append(text)
        if search.unreadable and not heard.rows:
            # Nothing found would say that nothing is there (W-52).
            heard.failure = UpstreamFailed(ARCHIVE, BROKEN, "objects could not be read")
        return heard

    async def _pacs(self, one: Upstream, query: Query, limit: int = 0) -> _Heard:
        heard = _Heard(one.name)
        # PACS are asked by the Study Root model: patients are those of their studies.
        of_patients = query.level == PATIENT
        asked = replace(query, level=STUDY) if of_patients else query
        inquiry = Inquiry(one, asked, limit=limit, home=self._home())
        try:
            async with asyncio.timeout(SOURCE_S), aclosing(inquiry.run()) as matches:
                async for match in matches:
                    uids = _patient(match.record) if of_patients else match.uids
                    heard.rows.append((uids, match.record))
        except UpstreamFailed as failure:
            heard.failure = failure
        except TimeoutError:
            text = f"was not done within {SOURCE_S:g} s"
            heard.failure = UpstreamFailed(one.name, TIMED_OUT, text)
        heard.warnings = inquiry.warnings
        heard.capped = inquiry.capped
        return heard


async def _archived(search: AsyncGenerator[Found, None], level: str, most: int) -> _Heard:
    """Return what our archive has, up to ``most``."""
    heard = _Heard(ARCHIVE)
    try:
        async with asyncio.timeout(SOURCE_S), aclosing(search) as answers:
            async for found in answers:
                if len(heard.rows) == most:
                    heard.capped = True
                    break
                image = found.image.sop_instance_uid if found.image is not None else ""
                uids = (found.study_uid, found.series_uid, image)
                of_patient = level == PATIENT
                heard.rows.append((_patient(found.record) if of_patient else uids, found.record))
    except TimeoutError:
        text = "the search takes too long; narrow it, for example by PatientID or dates"
        heard.failure = UpstreamFailed(ARCHIVE, TOO_LARGE, text)
    return heard


def _patient(record: Record) -> Uids:
    """Return what makes a patient one and the same at several sources."""
    return next(iter(record.values(PATIENT_ID, "LO")), "").strip(), "", ""


async def _absent(name: str, failure: UpstreamFailed) -> _Heard:
    """Return what is known at once of a PACS that is down; the background looks for it (W-129)."""
    return _Heard(name, failure=failure)


def merged(heard: Sequence[_Heard], differ: Callable[[str, Sequence[str]], None]) -> Outcome:
    """Return what all sources say together, in their order; raises `UpstreamFailed` (W-62)."""
    failures = [one.failure for one in heard if one.failure is not None]
    if failures and not any(one.rows for one in heard if one.failure is None):
        raise joint(failures)
    rows: dict[Uids, list[tuple[str, Record]]] = {}
    for one in heard:
        for uids, record in one.rows:
            rows.setdefault(uids, []).append((one.name, record))
    outcome = Outcome(capped=any(one.capped for one in heard), failures=failures)
    outcome.warnings = [text for one in heard for text in one.warnings]
    outcome.warnings += [
        f"source {failure.source} did not answer ({failure.text})" for failure in failures
    ]
    for uids, held in rows.items():
        if names_of := _quarrel(held):
            differ(uids[0], names_of)
            outcome.warnings.append(f"sources {' and '.join(names_of)} {PATIENTS_DIFFER}")
        record = held[0][1] if len(held) == 1 else Combined([one for _, one in held])
        names = tuple(dict.fromkeys(name for name, _ in held))
        outcome.rows.append(Row(uids=uids, record=record, sources=names))
    outcome.warnings = list(dict.fromkeys(outcome.warnings))
    return outcome


def joint(failures: Sequence[UpstreamFailed]) -> UpstreamFailed:
    """Return one failure for all of them."""
    if len(failures) == 1:
        return failures[0]
    names = ", ".join(one.source for one in failures)
    return UpstreamFailed(names, joint_status(failures), "; ".join(map(str, failures)))


def _quarrel(held: Sequence[tuple[str, Record]]) -> list[str]:
    """Return the sources that disagree whose study it is, [] if none do (W-127)."""
    named = {name: next(iter(record.values(PATIENT_ID, "LO")), "") for name, record in held}
    said = {text.strip() for text in named.values()} - {""}
    return list(named) if len(said) > 1 else []


class Combined:
    """One record of several sources: that of the first, but for modalities and counts."""

    __slots__ = ("_all",)

    def __init__(self, records: Sequence[Record]) -> None:
        self._all = records

    @property
    def charset(self) -> str:
        """Character set of the first."""
        return self._all[0].charset

    @property
    def zone(self) -> int | None:
        """Zone of the first."""
        return self._all[0].zone

    def values(self, tag: int, vr: str) -> Sequence[str]:
        """Return the values of an attribute."""
        if tag in UNIONS:
            found = (text for one in self._all for text in one.values(tag, vr))
            return tuple(dict.fromkeys(text for text in found if text))
        if tag in COUNTS:
            counts = [_number(one.values(tag, vr)) for one in self._all]
            known = [count for count in counts if count is not None]
            return (str(max(known)),) if known else ()
        return self._all[0].values(tag, vr)

    def items(self, tag: int) -> Sequence[Record]:
        """Return the items of the first."""
        return self._all[0].items(tag)

    def elements(self) -> Iterable[tuple[int, str]]:
        """Return what is in the first."""
        return self._all[0].elements()


def _number(values: Sequence[str]) -> int | None:
    text = next(iter(values), "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _order(row: Row) -> tuple[int, float, str, int, str, int, str]:
    """Return the place of a row (W-33): newest study first, then numbers, then UIDs."""
    study, series, instance = row.uids

    def one(tag: int, vr: str) -> str:
        return next(iter(row.record.values(tag, vr)), "").strip()

    day, time = one(levels.STUDY_DATE, "DA"), one(levels.STUDY_TIME, "TM")
    return (
        -int(day) if day.isascii() and day.isdigit() else 1,
        -_clock(time),
        study,
        _place(one(levels.SERIES_NUMBER, "IS")),
        series,
        _place(one(levels.INSTANCE_NUMBER, "IS")),
        instance,
    )


def _clock(text: str) -> float:
    digits = text[:6].ljust(6, "0")
    return float(digits) if digits.isascii() and digits.isdigit() else -1.0


def _place(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return levels.FAR
