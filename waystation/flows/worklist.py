"""Modality worklist asked of us (PS3.4 annex K): one query, a stream of entries.

Contract (T-50 to T-55, T-18): what is seen is decided by the area of the called AE title, which is
looked up and never a path.  Entries go out one by one; C-CANCEL and the caller leaving end the
search; 0000 says that it came to its end, more than `MOST` matches end with A700.  Each query
is kept with its outcome, so that people can see what a modality asked (T-62).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import tzinfo

import structlog

from waystation.db.engine import Database
from waystation.flows.desk import Asked
from waystation.flows.find import MOST, TOO_MANY, Manner, options_of, refuse, until_cancelled
from waystation.flows.rounds import keep_going
from waystation.index import query_book
from waystation.index.query_book import Asking
from waystation.index.step_search import Scope, StepSearch
from waystation.journal.ids import IdSource
from waystation.matching.answer import Answer, answer
from waystation.matching.entry import answered
from waystation.matching.entry_keys import filtered
from waystation.matching.identifier import read_identifier
from waystation.matching.keys import BadIdentifier
from waystation.model.query import WORKLIST, Options, Query, Row
from waystation.wire.commands import C_FIND_RQ
from waystation.wire.status import (
    CANCELLED,
    NOT_AUTHORISED,
    OUT_OF_RESOURCES,
    PENDING,
    PENDING_KEYS_UNSUPPORTED,
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
    UNRECOGNISED_OPERATION,
)

log = structlog.get_logger()
AGAIN_S = 5.0
MOST_UNKEPT = 1000
# Of extended negotiation: fuzzy names, time zones, empty values, several values.
SUPPORTED = bytes((0, 0, 1, 1, 0, 1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """What is shown under a called AE title, and how.  name: "" where there are no areas."""

    name: str = ""
    scope: Scope = Scope()
    manner: Manner = Manner()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """What the worklist needs of the node.

    area: what a called AE title shows to a peer (its name), None if nothing.
    may: whether the caller's rights allow it.  zone: of steps that name none.
    """

    database: Database
    ids: IdSource
    clock: Callable[[], float]
    area: Callable[[str, str], Area | None]
    may: Callable[[str, Asked], bool]
    zone: Callable[[], tzinfo | None]


class Worklist:
    """Serves C-FIND of the Modality Worklist model, and the belt that keeps what was asked."""

    def __init__(self, ward: Ward) -> None:
        self._ward = ward
        # While the database takes nothing the oldest are lost: nothing waits for them.
        self._unkept: deque[Asking] = deque(maxlen=MOST_UNKEPT)
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    async def serve(self, asked: Asked) -> None:
        """Answer one request to its end."""
        if asked.command.field != C_FIND_RQ:
            await asked.answer(UNRECOGNISED_OPERATION, comment="only C-FIND is served here")
            return
        if not self._ward.may("worklist", asked):
            await asked.answer(NOT_AUTHORISED, comment="not allowed to this peer")
            return
        area = self._ward.area(asked.source.called_ae, asked.source.peer)
        if area is None:
            comment = "no worklist under this called AE title"
            await asked.answer(SOP_CLASS_NOT_SUPPORTED, comment=comment)
            return
        tally = _Tally()
        began = asyncio.get_running_loop().time()
        query = read(asked, area.manner)
        if isinstance(query, BadIdentifier):
            tally.status = await refuse(asked, query, forgiving=area.manner.forgiving)
        else:
            await until_cancelled(asked, self._answer_all(asked, query, area, tally))
        self._keep(asked, area, tally, (asyncio.get_running_loop().time() - began) * 1000)

    async def _answer_all(self, asked: Asked, query: Query, area: Area, tally: "_Tally") -> None:
        ward, manner = self._ward, area.manner
        pending = PENDING_KEYS_UNSUPPORTED if query.unknown else PENDING
        search = StepSearch(ward.database, query, area.scope, home=ward.zone())
        async with aclosing(search.run()) as entries:
            async for found in entries:
                if tally.answers == MOST:
                    tally.status = OUT_OF_RESOURCES
                    await asked.answer(OUT_OF_RESOURCES, comment=TOO_MANY)
                    return
                made = shown(search, query, found.record, asked.context.transfer_syntax, manner)
                await asked.answer(pending, data=made.data)
                tally.answers += 1
        tally.status = SUCCESS
        log.info(
            "worklist queried",
            calling_ae=asked.source.calling_ae,
            address=asked.source.address,
            peer=asked.source.peer,
            area=area.name,
            answers=tally.answers,
            unknown=[name for _, name in query.unknown],
        )
        await asked.answer(SUCCESS)

    # what was asked

    def _keep(self, asked: Asked, area: Area, tally: "_Tally", ms: float) -> None:
        source = asked.source
        self._unkept.append(
            Asking(
                id=self._ward.ids.next(),
                at=self._ward.clock(),
                calling_ae=source.calling_ae,
                called_ae=source.called_ae,
                peer=source.peer,
                address=source.address,
                area=area.name,
                identifier=asked.identifier,
                syntax=asked.context.transfer_syntax,
                options=asked.options,
                status=tally.status,
                answers=tally.answers,
                ms=ms,
            )
        )
        self._wake.set()

    async def run(self) -> None:
        """Write down what was asked, until cancelled."""
        await keep_going("worklist queries", self.settle, self._wake, self._ward.clock, AGAIN_S)

    async def settle(self) -> None:
        """Write down what is not yet."""
        async with self._writing:
            asked = list(self._unkept)
            if asked:
                await self._ward.database.write(query_book.note(asked), urgent=False)
                while self._unkept and self._unkept[0].id <= asked[-1].id:
                    self._unkept.popleft()


@dataclass(slots=True)
class _Tally:
    status: int = CANCELLED
    answers: int = 0


def read(asked: Asked, manner: Manner) -> Query | BadIdentifier:
    """Return what is asked for, or why it cannot be answered."""
    options = options_of(asked, manner)
    return read_query(asked.identifier, asked.context.transfer_syntax, options, manner)


def read_query(
    identifier: bytes, transfer_syntax_uid: str, options: Options, manner: Manner
) -> Query | BadIdentifier:
    """Return what an identifier asks for, or why it cannot be answered."""
    query = read_identifier(
        identifier,
        transfer_syntax_uid,
        level=WORKLIST,
        options=options,
        strict=manner.strict,
        guesses=manner.guesses,
    )
    return query if isinstance(query, BadIdentifier) else filtered(query)


def shown(
    search: StepSearch, query: Query, record: Row, transfer_syntax_uid: str, manner: Manner
) -> Answer:
    """Return the answer for an entry that matched, as a modality gets it."""
    return answer(
        search.matcher,
        answered(query, record),
        record,
        transfer_syntax_uid,
        charset=manner.charset,
        transliterate=manner.transliterate,
    )
