"""One search at a PACS, from the query to its matches (W-20 to W-26, W-55 to W-62).

Contract: `Inquiry.run` yields each match once, by UID, in the order of the PACS; it raises
`UpstreamFailed` for everything that is not an answer, also after some.  When whoever listens stops
(its limit is reached, the caller has gone) C-CANCEL is sent at once and the rest is read in the
background.  What the answer should say besides stands in `warnings` at the end.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from waystation.dicom import uids
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.tags import PATIENT_ID, STUDY_INSTANCE_UID
from waystation.flows import upstream_query as asking
from waystation.flows.answers import Answers
from waystation.flows.upstream import Loan, Upstream
from waystation.flows.upstream_failures import failure_of_status
from waystation.flows.upstream_query import Step, Unaskable, Unsayable
from waystation.flows.upstream_record import Answered, Checks, patient_asked
from waystation.matching.keys import name_of
from waystation.matching.unique import UNIQUE
from waystation.model.errors import LostError
from waystation.model.query import IMAGE, LEVELS, STUDY, Key, Query
from waystation.model.upstream import BAD_GATEWAY, BAD_REQUEST, TOO_LARGE, UpstreamFailed
from waystation.net.query_call import Answer
from waystation.wire.status import PENDING_KEYS_UNSUPPORTED, Category, category

# Studies that are asked one by one for their series, where that is what it takes (W-24).
MOST_STUDIES: Final = 50
TOO_WIDE: Final = (
    "finds more than {most} {what}, each of which would have to be asked for; narrow the"
    " search by StudyInstanceUID, PatientID or StudyDate"
)
LITERAL: Final = (
    "The fuzzymatching parameter is not supported. Only literal matching has been performed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a PACS has that matches.  The UIDs are "" below its level."""

    source: str
    level: str
    record: Answered
    study_uid: str
    series_uid: str = ""
    sop_instance_uid: str = ""

    @property
    def uids(self) -> tuple[str, str, str]:
        """What it is, whoever holds it."""
        return self.study_uid, self.series_uid, self.sop_instance_uid


class Inquiry:
    """A search at one PACS, to be run once.

    query: what must match and, as keys without values, what is to come back.
    limit: matches after which it ends, 0 for none but ``find_max`` of the PACS.
    home: zone of answers that name none.  capped: whether ``find_max`` ended it.
    """

    def __init__(
        self, upstream: Upstream, query: Query, *, limit: int = 0, home: tzinfo | None = None
    ) -> None:
        self.upstream = upstream
        self.capped = False
        self._said: dict[str, None] = {}
        self._asked = query
        self._limit = limit
        self._seen: set[tuple[str, str, str]] = set()
        self._nameless = 0
        self._home = home

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.upstream.name

    @property
    def warnings(self) -> list[str]:
        """What is to be said besides the matches, as far as it is known by now."""
        found = list(self._said)
        if self.capped:
            most = self.upstream.terms.find_max
            found.append(f"source {self.name} has more than {most} matches; narrow the query")
        if self._nameless:
            text = f"source {self.name} sent {self._nameless} matches without a UID; they are left"
            found.append(f"{text} out")
        return found

    def _say(self, text: str) -> None:
        self._said[f"source {self.name}: {text}"] = None

    async def run(self) -> AsyncGenerator[Match, None]:
        """Yield what matches; raises `UpstreamFailed`."""
        loop, ended = asyncio.get_running_loop(), "ok"
        began = loop.time()
        try:
            async with aclosing(self._run()) as matches:
                async for match in matches:
                    yield match
        except UpstreamFailed as failure:
            ended = str(failure.status)
            raise
        finally:
            self.upstream.ended[ended] += 1
            self.upstream.search_s.add(loop.time() - began)

    async def _run(self) -> AsyncGenerator[Match, None]:
        terms = self.upstream.terms
        try:
            self._query = query = asking.readied(self._asked)
            if query.level == IMAGE and terms.has("no_image_find"):
                text = "cannot be asked for instances (no_image_find)"
                raise UpstreamFailed(self.name, BAD_GATEWAY, text)
            self._checks = Checks(query, self._home)
            wanted = asking.asked_options(query, terms.quirks)
            options = asking.options_bytes(wanted)
            async with self.upstream.association(self._sop_class, options) as loan:
                self._granted = asking.granted_options(options, _told(loan))
                if wanted.fuzzy and not self._granted.fuzzy:
                    self._said[f"{LITERAL} (source {self.name})"] = None
                steps = asking.steps_of(query, self._granted, terms.quirks)
                async with aclosing(self._walk(loan, steps)) as matches:
                    async for match in matches:
                        yield match
        except Unaskable as error:
            raise UpstreamFailed(self.name, BAD_REQUEST, str(error)) from None
        except Unsayable as error:
            self._say(f"its character set {terms.charset} does not have what {error} asks for")
        for tag in self._checks.unchecked:
            self._say(f"its answers do not carry {name_of(tag)}, which was left to it")

    @property
    def _sop_class(self) -> str:
        is_patient = self.upstream.terms.has("patient_root")
        return uids.PATIENT_ROOT_FIND if is_patient else uids.STUDY_ROOT_FIND

    async def _walk(self, loan: Loan, steps: Sequence[Step]) -> AsyncGenerator[Match, None]:
        """Yield the matches of the last step, each once, until there are enough."""
        async with aclosing(self._below(loan, steps, {}, None)) as matches:
            async for match in matches:
                if match.uids in self._seen:
                    continue
                self._seen.add(match.uids)
                yield match
                if len(self._seen) == self._limit:
                    return

    async def _below(
        self, loan: Loan, steps: Sequence[Step], parents: dict[int, str], above: Answered | None
    ) -> AsyncGenerator[Match, None]:
        """Yield what the steps find below what was found before."""
        step, *rest = steps
        for fixed in self._fixed(step, parents):
            if not rest:
                async with aclosing(self._find(loan, step, fixed, above)) as answers:
                    async for answer in answers:
                        if (match := self._match(step.level, answer)) is not None:
                            yield match
                if self.capped:
                    return
                continue
            for answer in await self._found(loan, step, fixed, above):
                unique = UNIQUE[step.level]
                within = {**fixed, unique: answer.one(unique)}
                async with aclosing(self._below(loan, rest, within, answer)) as matches:
                    async for match in matches:
                        yield match
                if self.capped:
                    return

    def _fixed(self, step: Step, parents: dict[int, str]) -> Iterator[dict[int, str]]:
        """Yield the unique values above a step: those found, and those that the query names."""
        above = [] if self._granted.relational else LEVELS[1 : LEVELS.index(step.level)]
        choices = []
        for tag in (UNIQUE[level] for level in above):
            key = self._query.key(tag)
            values = (parents[tag],) if tag in parents else key.values if key else ()
            choices.append([(tag, value) for value in values])
        for chosen in itertools.product(*choices):
            yield dict(chosen)

    async def _found(
        self, loan: Loan, step: Step, fixed: dict[int, str], above: Answered | None
    ) -> list[Answered]:
        """Return everything that a step above the last one finds, each once."""
        unique = UNIQUE[step.level]
        found: dict[str, Answered] = {}
        async with aclosing(self._find(loan, step, fixed, above)) as answers:
            async for answer in answers:
                found.setdefault(answer.one(unique), answer)
                if step.level == STUDY and len(found) > MOST_STUDIES:
                    text = TOO_WIDE.format(most=MOST_STUDIES, what="studies")
                    raise UpstreamFailed(self.name, TOO_LARGE, text)
        if self.capped:
            # What lies below those that it did not send would be lacking without a word.
            what = "studies" if step.level == STUDY else "series"
            text = TOO_WIDE.format(most=self.upstream.terms.find_max, what=what)
            raise UpstreamFailed(self.name, TOO_LARGE, text)
        found.pop("", None)
        return list(found.values())

    def _match(self, level: str, answer: Answered) -> Match | None:
        depth = LEVELS.index(level)
        uids = [answer.one(UNIQUE[each]) for each in LEVELS[1 : depth + 1]]
        if not all(uids):
            self._nameless += 1
            return None
        study, series, instance = (*uids, "", "")[:3]
        return Match(
            source=self.name,
            level=level,
            record=answer,
            study_uid=study,
            series_uid=series,
            sop_instance_uid=instance,
        )

    async def _find(
        self, loan: Loan, step: Step, fixed: dict[int, str], above: Answered | None
    ) -> AsyncGenerator[Answered, None]:
        """Yield the answers to one step that match, until the PACS has no more or too many."""
        terms = self.upstream.terms
        several = self._granted.multiple_values
        count = 0
        for keys in asking.portions(step, terms.quirks, several=several):
            async with aclosing(self._ask(loan, step.level, keys, fixed)) as heads:
                async for head in heads:
                    count += 1
                    if count > terms.find_max:
                        self.capped = True
                        return
                    answer = Answered(head, terms.charset, fixed, above)
                    if self._checks.hold(step.checks, answer):
                        self._note_patient(answer)
                        yield answer

    def _note_patient(self, answer: Answered) -> None:
        if self.upstream.terms.has("patient_root"):
            patient, study = answer.one(PATIENT_ID, "LO"), answer.one(STUDY_INSTANCE_UID)
            if patient and study:
                self.upstream.remember(study, patient)

    async def _ask(
        self, loan: Loan, level: str, keys: Sequence[Key], fixed: dict[int, str]
    ) -> AsyncGenerator[Head, None]:
        """Yield the answers to one C-FIND."""
        terms = self.upstream.terms
        zone = self._query.zone if self._granted.time_zone else None
        keys = (*keys, *self._patient(keys, fixed))
        while True:
            context = loan.call.context_of(self._sop_class)
            syntax = context.transfer_syntax
            data = asking.identifier(level, keys, fixed, syntax, terms.charset, zone)
            answers = Answers(loan.call, context, data)
            try:
                final = None
                async for answer in answers:
                    loan.new = True
                    if category(answer.status) is Category.PENDING:
                        yield self._head(answer, syntax)
                    else:
                        final = answer.command
                if final is not None and category(final.status) is not Category.SUCCESS:
                    raise failure_of_status(self.name, final)
                return
            except LostError as error:
                # One that lingered may have ended unseen: nothing of it was heard yet.
                if loan.new or error.timed_out:
                    raise
                await self.upstream.renew(loan)
            finally:
                if not answers.task.done():
                    answers.stop(cancel=not terms.has("no_cancel"))
                    self.upstream.drain(loan, answers.task)

    def _patient(self, keys: Sequence[Key], fixed: dict[int, str]) -> list[Key]:
        """Return the unique key that the Patient Root model wants besides."""
        is_there = any(key.tag == PATIENT_ID for key in keys)
        if is_there or not self.upstream.terms.has("patient_root"):
            return []
        known = patient_asked(self._query) or self.upstream.patient_of(
            fixed.get(STUDY_INSTANCE_UID, "")
        )
        return [Key(PATIENT_ID, "LO", (known,) if known else ())]

    def _head(self, answer: Answer, transfer_syntax_uid: str) -> Head:
        if answer.status == PENDING_KEYS_UNSUPPORTED:
            self._say("it does not support every key of the search")
        try:
            return Head.from_bytes(answer.data, transfer_syntax_uid)
        except DatasetError:
            text = "sent an answer that cannot be read"
            raise UpstreamFailed(self.name, BAD_GATEWAY, text) from None


def _told(loan: Loan) -> bytes:
    """Return what the PACS accepted of extended negotiation."""
    accepted = loan.call.accepted
    told = {one.sop_class: one.info for one in accepted.extended} if accepted else {}
    return told.get(loan.key[0], b"")
