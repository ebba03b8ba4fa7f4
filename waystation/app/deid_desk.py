"""De-identification in a running node, for people: what waits, decisions, pseudonyms, reports.

Contract: implements `waystation.web.api_deid_shapes.DeidDesk`.  A decision, and that somebody asks
who is behind a pseudonym, stand in the chain of reports and in the audit trail, by one transaction,
before anything follows from them (D-30, D-43).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import structlog

from waystation.app.acting import Acting
from waystation.app.crosswalks import Entry, entries
from waystation.app.deid_looking import Looking, object_said
from waystation.app.node import Node
from waystation.app.node_reading import Read, in_thread
from waystation.app.people import People
from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import deid_records, deid_waiting
from waystation.journal.audit import Event
from waystation.journal.decisions import Action
from waystation.journal.deid_waiting import Waiting
from waystation.journal.entries import Chosen
from waystation.model.errors import ConfigError
from waystation.transforms.deid_step import PIXELS, DeidStep
from waystation.web.api_deid_shapes import (
    Asked,
    ComparisonSaid,
    DecidedSaid,
    DecisionDone,
    DeidDecision,
    DeidLookup,
    EntrySaid,
    NotHereError,
    ProfileSaid,
    ReasonSaid,
    ReportLineSaid,
    StudySaid,
    TotalsSaid,
    WaitingSaid,
)
from waystation.web.view import ActionAsked

log = structlog.get_logger()
T = TypeVar("T")
PIECE: Final = 1000


class NodeDeid:
    """Of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._looking = Looking(node)
        self._acting = Acting(node)

    def profiles(self) -> list[ProfileSaid]:
        """Return the profiles that can be used."""
        return [
            _profile(name, step)
            for name, step in self._node.stepping.deidentifiers.items()
            if isinstance(step, DeidStep)
        ]

    def _step(self, name: str) -> DeidStep:
        step = self._node.stepping.deidentifiers.get(name)
        if not isinstance(step, DeidStep):
            raise NotHereError(f"There is no profile {name}")
        return step

    # looking

    async def waiting(self, study: str = "") -> list[WaitingSaid]:
        """Return what is held, the oldest first."""
        found = await self._node.database.read(deid_waiting.waiting(study))
        return [self._waiting(one) for one in found]

    def _waiting(self, one: Waiting) -> WaitingSaid:
        step = self._node.stepping.deidentifiers.get(one.profile)
        asked_of = step.asked_of if isinstance(step, DeidStep) else lambda _why: ""
        return WaitingSaid(
            study=one.study,
            profile=one.profile,
            recipe=one.recipe,
            reasons=[
                ReasonSaid(
                    why=reason.why,
                    what=asked_of(reason.why),
                    objects=reason.objects,
                    since=reason.since,
                )
                for reason in one.reasons.values()
            ],
            destinations=sorted(one.destinations),
            modalities=sorted(one.modalities - {""}),
            since=one.since,
            decided=[
                DecidedSaid(
                    what=each.what,
                    approved=each.approved,
                    by=each.by,
                    because=each.because,
                    at=each.at,
                )
                for each in one.decided
            ],
        )

    async def study(self, uid: str, after: int, limit: int) -> StudySaid:
        """Return a study with a page of its objects."""
        read = self._node.database.read
        found = await read(deid_waiting.objects_of(uid, after, limit))
        rules = {
            name: await read(deid_waiting.device_rule(step.study_named(uid), name))
            for name, step in self._node.stepping.deidentifiers.items()
            if isinstance(step, DeidStep) and step.asks
        }
        return StudySaid(
            study=uid,
            total=await read(deid_waiting.count_of(uid)),
            objects=[object_said(one) for one in found],
            waiting=await self.waiting(uid),
            device_rules={name: text for name, text in rules.items() if text},
        )

    async def object_named(self, uid: str) -> int:
        """Return the id of the newest object here with this UID, 0 for none."""
        found = await self._node.database.read(deid_waiting.named(uid))
        return found[0].id if found else 0

    async def compare(self, asked: Asked, *, see: bool) -> ComparisonSaid:
        """Return an object before and after."""
        return await self._looking.compare(self._step(asked.profile), asked, see=see)

    async def picture(self, asked: Asked, frame: int, *, blacked: bool) -> bytes:
        """Return a frame as PNG."""
        return await self._looking.picture(self._step(asked.profile), asked, frame, blacked=blacked)

    async def totals(self, study: str, profile: str) -> TotalsSaid:
        """Try a profile on the objects of a study."""
        return await self._looking.totals(self._step(profile), study, profile)

    async def looked(self, who: str, address: str, comparison: ComparisonSaid, page: str) -> None:
        """Record that somebody saw the old values of an object."""
        people = self._node.annexes.find(People)
        if people is not None:
            await people.trail.record(
                Event.LOOKED,
                who,
                address=address,
                page=page,
                study=comparison.study,
                object=comparison.object.id,
                profile=comparison.profile,
            )

    # deciding

    async def decide(self, said: DeidDecision, *, release: bool = False) -> DecisionDone:
        """Write what a person decided; release: and have what waited for it tried again."""
        device = await self._device(said) if said.approved and said.what == PIXELS else ""
        held = await self._write(said, said.approved, device)
        released = await self._release(said) if release else 0
        return DecisionDone(
            held=[] if released >= len(held) else held, released=released, device_rule=device
        )

    async def withdraw(self, said: DeidDecision) -> DecisionDone:
        """Take a decision back."""
        return DecisionDone(held=await self._write(said, None, ""))

    async def _write(self, said: DeidDecision, approved: bool | None, device: str) -> list[str]:
        step = self._step(said.profile)
        words = {True: "approved", False: "rejected", None: "taken back"}[approved]
        log.info("deid_decided", what=said.what, decision=words, by=said.user)
        names = (said.study, step.study_named(said.study))
        verdict = (approved, said.user, said.because)
        job = deid_records.decide(
            names, said.profile, said.what, verdict, self._node.clock(), device
        )
        return await self._audited(
            job,
            Event.DECIDED,
            said.user,
            decision=words,
            about=said.what,
            study=said.study,
            profile=said.profile,
            because=said.because,
        )

    async def _release(self, said: DeidDecision) -> int:
        ids = await self._node.database.read(deid_waiting.held_by(said.study, said.profile))
        released = 0
        for place in range(0, len(ids), PIECE):
            piece = ids[place : place + PIECE]
            asked = ActionAsked(
                action=Action.RETRY,
                chosen=Chosen(ids=piece, state="held", limit=PIECE),
                user=said.user,
                because=said.because,
            )
            released += (await self._acting.act(asked)).changed
        return released

    async def _device(self, said: DeidDecision) -> str:
        """Return a rule for the device whose pixels are looked at, "" if none of it is held."""
        for one in await self.waiting(said.study):
            whys = [each.why for each in one.reasons if each.what == PIXELS]
            if one.profile == said.profile and whys:
                job = deid_waiting.held_object(said.study, whys[0])
                found = await self._node.database.read(job)
                return await self._looking.device_rule(found) if found is not None else ""
        return ""

    async def _audited(self, job: Job[T], event: str, who: str, **what: object) -> T:
        people = self._node.annexes.find(People)

        def both(transaction: Transaction) -> T:
            done = job(transaction)
            if people is not None:
                people.trail.append(transaction, event, who, **what)
            return done

        return await self._node.database.write(both)

    # who is behind a pseudonym

    async def note_lookup(self, said: DeidLookup) -> None:
        """Write down that somebody asks who is behind pseudonyms."""
        content = {"profile": said.profile, "by": said.user, "because": said.because}
        content |= {"pseudonym": said.pseudonym} if said.pseudonym else {}
        log.warning("deid_lookup", what=said.kind, profile=said.profile, by=said.user)
        await self._audited(
            deid_records.looked_up(said.kind, content, self._node.clock()),
            Event.REIDENTIFIED,
            said.user,
            kind=said.kind,
            profile=said.profile,
            pseudonym=said.pseudonym,
            because=said.because,
        )

    async def look_up(self, said: DeidLookup) -> EntrySaid | None:
        """Write that down, then tell."""
        wanted = said.pseudonym

        def first(table: Iterator[Entry]) -> EntrySaid | None:
            return next((_entry(one) for one in table if one.pseudonym_id == wanted), None)

        return await self._table(said, first)

    async def export(self, said: DeidLookup) -> list[EntrySaid]:
        """Write that down, then return the whole table."""
        return await self._table(said, lambda table: [_entry(one) for one in table])

    async def _table(self, said: DeidLookup, take: Callable[[Iterator[Entry]], T]) -> T:
        table = self._node.settings.deidentify.get(said.profile)
        if table is None or not _profile(said.profile, self._step(said.profile)).has_table:
            raise ConfigError(
                f"deidentify.{said.profile}",
                "nobody keeps a table of its pseudonyms: they are calculated, or empty",
            )
        await self.note_lookup(said)

        def read_all(read: Read) -> T:
            try:
                return take(entries(said.profile, table, os.environ, read))
            except OSError as error:
                problem = f"the table cannot be read: {error.strerror}"
                raise ConfigError(f"deidentify.{said.profile}", problem) from error

        return await in_thread(self._node, read_all)

    # reports

    async def reports(self, before: int, limit: int) -> Sequence[ReportLineSaid]:
        """Return studies that were de-identified, the newest first."""
        return [
            ReportLineSaid(
                study=one.study,
                number=one.number,
                at=one.at,
                profile=one.profile,
                objects=one.objects,
                decisions=one.decisions,
            )
            for one in await self._node.database.read(deid_waiting.reports(before, limit))
        ]

    async def report(self, study: str) -> dict[str, Any] | None:
        """Return the reports of a study."""
        return await self._node.database.read(deid_records.report_of(study))


def _profile(name: str, step: DeidStep) -> ProfileSaid:
    profile = step.deidentifier.profile
    return ProfileSaid(
        name=name,
        project=profile.project,
        pseudonyms=profile.source,
        options=list(profile.options),
        sample=profile.sample,
        approves_pixels=profile.pixels.unknown == "approve",
    )


def _entry(one: Entry) -> EntrySaid:
    return EntrySaid(
        pseudonym_id=one.pseudonym_id,
        issuer=one.issuer,
        patient_id=one.patient_id,
        of_study=one.of_study,
    )
