"""HL7 messages in, acknowledgements out (T-60).

Contract: AA is given only after message and effect are committed together; the same message again
gets the same answer and has no second effect.  What is refused is kept with its reason, so that a
person can look at it and `replay` it once the mapping was mended; it may also simply come again.  A
message that could not even be kept is AE: the sender has it still.  No value of a message reaches
the log.
"""

import asyncio
import hashlib
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any, TypeVar

import structlog

from waystation.dicom.charsets import DEFAULT_GUESSES
from waystation.flows.hl7_effects import Effects
from waystation.flows.steps import Steps
from waystation.hl7.answer import REJECTED, acknowledgement, asked_of
from waystation.hl7.errors import APPLICATION_ERROR, DUPLICATE_KEY, WRONG_TYPE, Hl7Error
from waystation.hl7.mapping import FieldMap, Given, default_map
from waystation.hl7.message import MOST_SEGMENTS, Message, parse
from waystation.hl7.news import Item, OrderNews, PatientNews, news_of, sent_at
from waystation.index.step_book import StepBook
from waystation.journal import hl7_messages
from waystation.journal.hl7_messages import ACCEPTED, KeptMessage
from waystation.model.errors import StorageError, WaystationError
from waystation.model.step import Author, StepFaults

log = structlog.get_logger()
T = TypeVar("T")
LONGEST_JUNK = 4096
# What is longer is read in a thread.
LONG = 32 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """What is set for one sender.  charset: term of (0008,0005) where MSH-18 says nothing."""

    charset: str = ""
    guesses: tuple[str, ...] = DEFAULT_GUESSES
    field_map: FieldMap = field(default_factory=default_map)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTerms:
    """What the settings say.

    sender: how messages of a peer are read, by its name.  area: of steps that are made here.
    ended: what the end of a visit does to open steps, ``flag`` or ``cancel``.
    """

    default: Sender = field(default_factory=Sender)
    senders: Mapping[str, Sender] = field(default_factory=dict)
    area: str = ""
    ended: str = "flag"
    most_segments: int = MOST_SEGMENTS

    def sender(self, peer: str) -> Sender:
        """Return what is set for a peer."""
        return self.senders.get(peer, self.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a message would say: for whoever mends a mapping.  fault: why it would be refused."""

    kind: str = ""
    news: tuple[Item, ...] = ()
    fault: str = ""


class Feed:
    """All messages of a node, whichever connection they come by.

    next_id: of messages and orders.  zone: of the node.
    """

    def __init__(
        self,
        steps: Steps,
        terms: FeedTerms,
        next_id: Callable[[], int],
        clock: Callable[[], float],
        zone: tzinfo | None = None,
    ) -> None:
        self.terms = terms
        self._steps = steps
        self._next_id = next_id
        self._clock = clock
        self._zone = zone
        # Of this run, for metrics: by code.
        self.answered: dict[str, int] = {"AA": 0, "AE": 0, "AR": 0}

    async def take(self, raw: bytes, peer: str = "") -> bytes:
        """Return the answer to a message, once everything it says has happened."""
        answer, _ = await self._take(raw, peer)
        return answer

    async def replay(self, kept: KeptMessage) -> KeptMessage:
        """Run a refused message again; return what became of it.

        An accepted one is left alone: its effects are in the worklist.
        """
        if kept.code == ACCEPTED:
            return kept
        _, now = await self._take(kept.message, kept.peer, kept)
        return now

    def attempt(self, raw: bytes, peer: str = "") -> Tried:
        """Return what a message would say, changing nothing."""
        try:
            message = self._parsed(raw, peer)
            news = news_of(message, self.terms.sender(peer).field_map, self._zone)
        except Hl7Error as fault:
            return Tried(fault=str(fault))
        return Tried(kind=message.kind, news=tuple(news))

    def refuse(self, raw: bytes, fault: Hl7Error) -> bytes:
        """Return the answer to what is not even kept: too long, too many segments."""
        return self._answer(raw, fault, self._next_id())

    # within

    def _parsed(self, raw: bytes, peer: str) -> Message:
        sender = self.terms.sender(peer)
        return parse(
            raw,
            charset=sender.charset,
            guesses=sender.guesses,
            most_segments=self.terms.most_segments,
        )

    async def _take(
        self, raw: bytes, peer: str, again: KeptMessage | None = None
    ) -> tuple[bytes, KeptMessage]:
        number = self._next_id() if again is None else again.id
        received = self._clock() if again is None else again.received_at
        blank = KeptMessage(
            id=number,
            sender="",
            control_id="",
            digest=_digest(raw),
            kind="",
            peer=peer,
            received_at=received,
            code="",
            why="",
            effects=(),
            answer=b"",
            message=raw,
        )
        kept = blank
        news: Sequence[Item] = ()
        try:
            # A long one would hold up everybody else.
            run = asyncio.to_thread if len(raw) > LONG else _at_once
            message = await run(self._parsed, raw, peer)
            kept = _named(blank, message)
            news = await run(news_of, message, self.terms.sender(peer).field_map, self._zone)
            kept = await self._steps.write(self._job(kept, message, news))
        except Hl7Error as fault:
            if kept is blank:
                kept = _as_far_as_read(blank, raw)
            kept = await self._keep_refused(kept, fault)
        except StepFaults as faults:
            kept = await self._keep_refused(kept, _fault_of(faults, news))
        except StorageError as error:
            log.warning("hl7 message not kept", peer=peer, problem=str(error))
            kept = self._refused(kept, Hl7Error("", "not kept, send it again", APPLICATION_ERROR))
        except WaystationError as error:
            kept = await self._keep_refused(kept, Hl7Error("", str(error), APPLICATION_ERROR))
        except Exception as error:  # noqa: BLE001 - its own words may hold a value of the message
            at = "".join(traceback.format_tb(error.__traceback__))
            log.error("hl7 message failed", peer=peer, error=type(error).__name__, at=at)
            kept = await self._keep_refused(kept, Hl7Error("", "internal failure"))
        self.answered[kept.code] += 1
        return kept.answer, kept

    def _job(
        self, kept: KeptMessage, message: Message, news: Sequence[Item]
    ) -> Callable[[StepBook], KeptMessage]:
        author = Author(
            kind="hl7", name=message.header.value(3), detail=f"{message.kind} {kept.control_id}"
        )

        def job(book: StepBook) -> KeptMessage:
            before = hl7_messages.same(book.transaction, kept.sender, kept.control_id)
            if before is not None and before.code == ACCEPTED:
                if before.digest == kept.digest:
                    return before
                text = "another message came under this control ID"
                raise Hl7Error("MSH-10", text, DUPLICATE_KEY)
            effects = Effects(
                book=book,
                author=author,
                at=sent_at(message, self._zone) or self._stamp(kept.received_at) + "000000",
                now=kept.received_at,
                next_id=self._next_id,
                area=self.terms.area,
                ended=self.terms.ended,
            ).carry_out(news)
            is_same = before is not None and before.digest == kept.digest
            done = replace(
                kept,
                # Another message that was refused under this control ID stays for a person.
                id=before.id if before is not None and is_same else kept.id,
                code=ACCEPTED,
                effects=tuple(effects),
                answer=self._answer(kept.message, None, kept.id),
            )
            hl7_messages.keep(book.transaction, done)
            return done

        return job

    async def _keep_refused(self, kept: KeptMessage, fault: Hl7Error) -> KeptMessage:
        """Write down a refused message; the same one again replaces itself."""
        refused = self._refused(kept, fault)

        def job(book: StepBook) -> KeptMessage:
            before = hl7_messages.same(book.transaction, refused.sender, refused.control_id)
            is_same = before is not None and before.digest == refused.digest and before.code != "AA"
            final = replace(refused, id=before.id) if before is not None and is_same else refused
            hl7_messages.keep(book.transaction, final)
            return final

        log.info("hl7 message refused", peer=kept.peer, kind=kept.kind, why=refused.why)
        try:
            return await self._steps.write(job)
        except StorageError as error:
            log.warning("hl7 message not kept", peer=kept.peer, problem=str(error))
            return refused

    def _refused(self, kept: KeptMessage, fault: Hl7Error) -> KeptMessage:
        return replace(
            kept,
            code=REJECTED if fault.rejected else "AE",
            why=str(fault),
            answer=self._answer(kept.message, fault, kept.id),
        )

    def _answer(self, raw: bytes, fault: Hl7Error | None, own_id: int) -> bytes:
        now = self._stamp(self._clock())
        return acknowledgement(asked_of(raw), f"W{own_id}", now, fault)

    def _stamp(self, at: float) -> str:
        return datetime.fromtimestamp(at, self._zone).strftime("%Y%m%d%H%M%S")


async def _at_once(work: Callable[..., T], *parts: Any) -> T:
    return work(*parts)


def _named(blank: KeptMessage, message: Message) -> KeptMessage:
    """Return what is kept of a message with what its header says."""
    return replace(
        blank,
        sender=message.sender[:200],
        control_id=message.control_id[:199],
        kind=message.kind[:20],
    )


def _as_far_as_read(blank: KeptMessage, raw: bytes) -> KeptMessage:
    """Return what is kept of a message that cannot be read, as far as its header can."""
    try:
        return _named(blank, parse(raw, most_segments=1 << 20, strict=False))
    except Hl7Error:
        # It cannot be replayed; enough is kept to see what came.
        return replace(blank, message=raw[:LONGEST_JUNK])


def _digest(raw: bytes) -> str:
    """Return the digest of a message without MSH-7: it may be another one in a repetition."""
    line, mark, rest = raw.partition(b"\r")
    separator = line[3:4] or b"|"
    fields = line.split(separator)
    if len(fields) > 6:
        fields[6] = b""
    return hashlib.sha256(separator.join(fields) + mark + rest).hexdigest()


def _fault_of(faults: StepFaults, news: Sequence[Item]) -> Hl7Error:
    """Return what is wrong with a value, with the field that it came from."""
    first = faults.faults[0]
    keyword = first.keyword.split("[")[0]
    given = next((one for one in _given(news, keyword)), None)
    origin = given.origin if given else ""
    path = origin.rpartition("(")[2].rstrip(")") if origin[:1].islower() else origin
    return Hl7Error(path, f"{keyword} {first.text}", WRONG_TYPE)


def _given(news: Sequence[Item], keyword: str) -> list[Given]:
    found = []
    for item in news:
        match item:
            case OrderNews():
                parts = [item.common, *(step.values for step in item.steps)]
            case PatientNews():
                parts = [item.values]
            case _:
                parts = []
        found += [part[keyword] for part in parts if keyword in part]
    return found
