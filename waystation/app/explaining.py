"""Why a study went where it went, and why not further (R-76).

Contract: `Explainer` reads the journal and the heads and changes nothing; it works with the node
running or stopped, and blocks, so it belongs into a worker thread.  Rules are judged again by the
configuration that planned each arrival.  Without ``names`` nothing in the answer tells who the
patient is.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from waystation.app.explaining_now import Standing, gather_waits
from waystation.app.explaining_rules import Verdicts, senders
from waystation.app.explaining_ways import Around, ways
from waystation.app.past_rules import PastRules
from waystation.blobs.reading import BlobReader
from waystation.db.engine import Job
from waystation.dicom.charset_doubts import warning_of
from waystation.dicom.head import Head
from waystation.flows.heads import head_from
from waystation.index.doubts import doubts_of
from waystation.journal import contexts, gathers, heads, queue, studies
from waystation.journal.entries import Listed
from waystation.journal.gathers import Gather
from waystation.journal.studies import Fate
from waystation.model.advice import help_for
from waystation.model.arrival import Arrival
from waystation.model.errors import StorageError
from waystation.rules.plan import explain
from waystation.web.shapes_explain import (
    ContextSaid,
    Explained,
    FateSaid,
    GatherSaid,
    Patient,
)

Read = Callable[[Job[Any]], Any]
CHUNK = 100
# A study has some thousand objects at most; a series of the same objects says the same again.
MOST_JUDGED = 5000
LONGEST_ID = 16
HEXADECIMAL = set("0123456789abcdef")
OPEN_STATES = (gathers.OPEN, gathers.COMPLETING)


def heads_of(
    read: Read, blobs: BlobReader, arrivals: Sequence[Arrival]
) -> Iterator[tuple[Arrival, Head | None]]:
    """Yield each arrival with its head, None where that cannot be read any more."""
    for start in range(0, len(arrivals), CHUNK):
        chunk = arrivals[start : start + CHUNK]
        found = {one.arrival: one for one in read(heads.sources([one.id for one in chunk]))}
        for arrival in chunk:
            try:
                head = head_from(found[arrival.id], blobs)
            except (KeyError, StorageError):
                head = None
            yield arrival, head


def place_in_journal(read: Read, what: str) -> tuple[str, str | int]:
    """Return the level of a UID, of an arrival's id, or of a delivery's; "" for none."""
    level = read(studies.level_of(what))
    if level or not 0 < len(what) <= LONGEST_ID or set(what.lower()) - HEXADECIMAL:
        return level, what
    number = int(what, 16)
    arrival_id = read(queue.arrival_of(number))
    return "arrival", number if arrival_id is None else arrival_id


class Explainer:
    """Of one journal.  names: the answer may tell who the patient is."""

    def __init__(
        self,
        read: Read,
        blobs: BlobReader,
        rules: PastRules,
        standing: Standing,
        *,
        names: bool = False,
    ) -> None:
        self._read = read
        self._blobs = blobs
        self._rules = rules
        self._standing = standing
        self._names = names

    def about(self, what: str) -> Explained | None:
        """Return the story of a UID or an id; None if nothing is known of it."""
        level, key = place_in_journal(self._read, what)
        return self._story(level, key, what) if level else None

    def _story(self, level: str, key: str | int, uid: str) -> Explained | None:
        fates: list[Fate] = self._read(studies.fates(level, key))
        if not fates:
            return None
        first = fates[0].arrival.instance
        entries: list[Listed] = self._read(studies.deliveries(level, key))
        rows: list[Gather] = self._read(gathers.of_study(first.study_uid))
        verdicts = Verdicts()
        notes: list[str] = []
        judged, patient = self._judge(fates, verdicts, notes)
        notes += [f"in doubt: {one.text}" for one in self._read(doubts_of(first.study_uid))]
        times = [fate.arrival.received_at for fate in fates]
        return Explained(
            level=level,
            uid=uid,
            study=first.study_uid,
            at=self._standing.at,
            running=self._standing.running,
            hypothetical=False,
            modalities=sorted({one.arrival.instance.modality for one in fates} - {""}),
            objects=len({one.arrival.instance.sop_instance_uid for one in fates}),
            arrivals=len(fates),
            judged=judged,
            first_at=min(times),
            last_at=max(times),
            senders=senders(fate.arrival.source for fate in fates),
            patient=patient,
            gathers=[self._gather(row) for row in rows],
            rules=verdicts.said(),
            ways=ways(
                entries, self._read(studies.attempts(level, key)), self._around(first.study_uid)
            ),
            fates=_fates(fates, entries, rows),
            notes=notes,
        )

    def _judge(
        self, fates: Sequence[Fate], verdicts: Verdicts, notes: list[str]
    ) -> tuple[int, Patient | None]:
        """Collect what the rules said; return of how many objects, and who the patient is."""
        judged, patient, unread = 0, None, 0
        doubt = ""
        by_id = {fate.arrival.id: fate for fate in fates}
        asked = [fate.arrival for fate in fates][:MOST_JUDGED]
        for arrival, head in heads_of(self._read, self._blobs, asked):
            fate = by_id[arrival.id]
            routing = self._rules.of(fate.config, arrival.received_at) if fate.planned else None
            if head is not None and self._names and patient is None:
                patient = _patient(head)
            if head is not None and not doubt:
                doubt = warning_of(head)
            if routing is not None:
                verdicts.know(routing.ruleset)
            if routing is None or head is None:
                unread += head is None
                if fate.planned:
                    verdicts.remember(fate.verdicts)
                continue
            facts = routing.facts(arrival)
            verdicts.add(explain(head, facts, routing.ruleset, discreet=not self._names))
            judged += 1
        if doubt:
            notes.append(doubt)
        if unread:
            what = "their heads are" if unread > 1 else "its head is"
            notes.append(f"{unread} not judged again: {what} gone; only what matched is known")
        for revision, problem in self._rules.problems.items():
            notes.append(f"configuration {revision or 'of that time'}: {problem}")
        if len(fates) > MOST_JUDGED:
            notes.append(f"only the first {MOST_JUDGED:,} of {len(fates):,} were judged again")
        return judged, patient

    def _gather(self, row: Gather) -> GatherSaid:
        waits = gather_waits(self._standing, row)
        return GatherSaid(
            rule=row.rule,
            level=row.level,
            uid=row.uid,
            generation=row.generation,
            state=row.state,
            objects=row.n,
            opened_at=row.opened_at,
            last_at=row.last_at,
            evidence=row.evidence,
            ended_at=row.ended_at,
            waits_for=list(waits.words),
            due=waits.next_at,
        )

    def _around(self, study: str) -> Around:
        read = self._read

        @cache
        def chosen(group: str) -> studies.Chosen | None:
            found: studies.Chosen | None = read(studies.chosen(group, study))
            return found

        @cache
        def known(destination: str) -> tuple[dict[Any, Any], dict[Any, Any]]:
            return read(contexts.seen(destination)), read(contexts.refusals(destination))

        def asked(destination: str, entries: Sequence[Listed]) -> list[ContextSaid]:
            seen, refused = known(destination)
            pairs = dict.fromkeys((one.sop_class, one.transfer_syntax) for one in entries)
            return [
                ContextSaid(
                    sop_class=pair[0],
                    transfer_syntax=pair[1],
                    accepted=seen.get(pair, False) and pair not in refused,
                    at=refused[pair].at if pair in refused else None,
                    detail=refused[pair].detail if pair in refused else "",
                )
                for pair in pairs
                if pair in seen or pair in refused
            ]

        def ahead(destination: str, priority: int, due: float) -> int:
            return int(read(studies.ahead(destination, priority, due)))

        return Around(standing=self._standing, chosen=chosen, contexts=asked, ahead=ahead)


def _patient(head: Head) -> Patient:
    def text(keyword: str) -> str:
        return " ".join(str(value) for value in head.values(keyword) or ())

    return Patient(id=text("PatientID"), name=text("PatientName"))


def _fates(
    fates: Sequence[Fate], entries: Sequence[Listed], rows: Sequence[Gather]
) -> list[FateSaid]:
    """Return what stands, or ended, without any delivery, or is held itself."""
    delivered = {entry.arrival for entry in entries}
    gathering = any(row.state in OPEN_STATES for row in rows)
    counted: Counter[tuple[str, str]] = Counter()
    for fate in fates:
        if not fate.planned:
            counted["unplanned", ""] += 1
        elif fate.hold_reason is not None:
            counted["held", fate.hold_reason] += 1
        elif fate.arrival.id in delivered:
            continue
        elif fate.ended_why is not None:
            word, _, by = fate.ended_why.partition(":")
            counted[word, by] += 1
        elif gathering:
            counted["gathering", ""] += 1
    return [
        FateSaid(what=what, reason=reason, objects=n, help=help_for(reason))
        for (what, reason), n in counted.items()
    ]
