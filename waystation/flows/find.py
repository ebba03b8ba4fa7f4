"""C-FIND asked of us (PS3.4 C.4.1): one query, a stream of answers.

Contract (T-38 to T-40, T-18): answers go out one by one as they are found, each once the network
has room, so that memory stays constant; C-CANCEL, and the caller leaving, end the search at once.
0000 says that the search came to its end, nothing less; more than `MOST` matches end with A700.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import structlog

from waystation.dicom.charsets import DEFAULT_GUESSES
from waystation.dicom.tags import format_tag
from waystation.dicom.uids import PATIENT_ROOT_FIND
from waystation.flows.desk import Asked
from waystation.flows.hierarchy import AVAILABILITY, RETRIEVE_AE, kept
from waystation.matching.answer import answer
from waystation.matching.identifier import read_identifier
from waystation.matching.keys import BadIdentifier
from waystation.matching.match import Matcher
from waystation.matching.unique import LEVEL
from waystation.model.errors import RefusedError
from waystation.model.query import Options, Query, Record
from waystation.wire.status import (
    CANCELLED,
    NOT_AUTHORISED,
    OUT_OF_RESOURCES,
    PENDING,
    PENDING_KEYS_UNSUPPORTED,
    SUCCESS,
)

log = structlog.get_logger()
MOST = 10_000
TOO_MANY = f"more than {MOST} matches, narrow the query"
PATIENT_STUDY_ONLY_FIND = "1.2.840.10008.5.1.4.1.2.3.1"
# What we support of extended negotiation (T-39): all but enhanced multi-frame conversion.
SUPPORTED = bytes((1, 1, 1, 1, 0, 1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one caller is served.

    relational, fuzzy: in force without negotiation.
    strict: unknown keys and odd characters are refused.  forgiving: a bad value matches nothing.
    charset, transliterate: of the answers, as `matching.answer` knows them.
    guesses: terms to try where a query names no character set (T-25).
    """

    relational: bool = False
    fuzzy: bool = False
    strict: bool = False
    forgiving: bool = False
    charset: str = "stored"
    transliterate: bool = False
    guesses: tuple[str, ...] = DEFAULT_GUESSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What finding needs of the node.

    search: the records that match, in the order of the answers, in the area of a called AE title;
    raises `RefusedError` behind them if they are not all.  online: whether images are at hand.
    may: whether the caller's rights and those of the area allow it.  zone: of records that
    name none.
    """

    search: Callable[[Query, str], AsyncGenerator[Record, None]]
    manner: Callable[[Asked], Manner]
    may: Callable[[str, Asked], bool]
    zone: Callable[[], tzinfo | None]
    online: Callable[[Record], bool] = lambda _record: True


class Finding:
    """Serves C-FIND of the Patient Root and Study Root models."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    async def serve(self, asked: Asked) -> None:
        """Answer one request to its end."""
        if not self.catalogue.may("find", asked):
            await asked.answer(NOT_AUTHORISED, comment="not allowed to this peer")
            return
        manner = self.catalogue.manner(asked)
        query = read(asked, manner)
        if isinstance(query, BadIdentifier):
            await refuse(asked, query, forgiving=manner.forgiving)
            return
        await until_cancelled(asked, self._answer_all(asked, query, manner))

    async def _answer_all(self, asked: Asked, query: Query, manner: Manner) -> None:
        matcher = Matcher(query, home=self.catalogue.zone())
        pending = PENDING_KEYS_UNSUPPORTED if query.unknown else PENDING
        ours = (
            (LEVEL, "CS", (query.level,)),
            (RETRIEVE_AE, "AE", (asked.source.called_ae,)),
        )
        count, status, comment = 0, SUCCESS, ""
        search = self.catalogue.search(query, asked.source.called_ae)
        try:
            async with aclosing(search) as records:
                async for record in records:
                    count += 1
                    if count > MOST:
                        raise RefusedError(OUT_OF_RESOURCES, TOO_MANY)
                    at_hand = "ONLINE" if self.catalogue.online(record) else "NEARLINE"
                    made = answer(
                        matcher,
                        query,
                        record,
                        asked.context.transfer_syntax,
                        charset=manner.charset,
                        transliterate=manner.transliterate,
                        extra=(*ours, (AVAILABILITY, "CS", (at_hand,))),
                    )
                    await asked.answer(pending, data=made.data)
        except RefusedError as error:
            status, comment = error.status, error.comment
        self._tell(asked, query, count)
        await asked.answer(status, comment=comment)

    def _tell(self, asked: Asked, query: Query, count: int) -> None:
        """Write down who asked (S-64); never for whom."""
        log.info(
            "queried",
            calling_ae=asked.source.calling_ae,
            address=asked.source.address,
            peer=asked.source.peer,
            asked=query.level,
            answers=count,
            unknown=[name for _, name in query.unknown],
        )


async def until_cancelled(asked: Asked, search: Coroutine[Any, Any, None]) -> None:
    """Run a search to its end, or to that of the caller's patience (FE00)."""
    task = asyncio.create_task(search)
    stop = asyncio.create_task(asked.cancelled.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
    finally:
        for one in (task, stop):
            one.cancel()
        await asyncio.gather(task, stop, return_exceptions=True)
    if task.cancelled() and not asked.gone:
        await asked.answer(CANCELLED)


async def refuse(asked: Asked, fault: BadIdentifier, *, forgiving: bool) -> int:
    """Answer a query that cannot be served; return the status."""
    log.warning(
        "query refused",
        calling_ae=asked.source.calling_ae,
        element=format_tag(fault.element),
        why=fault.comment,
    )
    if forgiving and fault.kind == "value":
        await asked.answer(SUCCESS)
        return SUCCESS
    offending = (fault.element,) if fault.element else ()
    await asked.answer(fault.status, comment=fault.comment, offending=offending)
    return fault.status


def options_of(asked: Asked, manner: Manner) -> Options:
    """Return what is in force: what was negotiated, and what the caller gets without."""
    bits = asked.options.ljust(len(SUPPORTED), b"\0")
    return Options(
        relational=bool(bits[0]) or manner.relational,
        combined=bool(bits[1]),
        fuzzy=bool(bits[2]) or manner.fuzzy,
        time_zone=bool(bits[3]),
        empty_value=bool(bits[5]),
        multiple_values=bool(bits[6]),
    )


def read(asked: Asked, manner: Manner) -> Query | BadIdentifier:
    """Return what is asked for, or why it cannot be answered."""
    query = read_identifier(
        asked.identifier,
        asked.context.transfer_syntax,
        options=options_of(asked, manner),
        strict=manner.strict,
        guesses=manner.guesses,
    )
    if isinstance(query, BadIdentifier):
        return query
    study_only = asked.context.abstract_syntax == PATIENT_STUDY_ONLY_FIND
    return kept(
        query,
        patient_root=study_only or asked.context.abstract_syntax == PATIENT_ROOT_FIND,
        study_only=study_only,
        strict=manner.strict,
    )
