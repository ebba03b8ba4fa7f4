"""Asking a peer by C-FIND, without a node: what ``waystation find`` does.

Contract: answers are yielded as they come; after ``limit`` of them the query is cancelled and its
end awaited, unless the peer does not stop.  Raises `UnreachableError` and `LostError`;
`QueryRefusedError` for a final status that is neither success nor the cancelling that we asked for.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from waystation.app.identifier import Identifier
from waystation.dicom import uids
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.tags import format_tag
from waystation.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.model.errors import LostError, WaystationError
from waystation.model.peer import Remote
from waystation.net.client import Waits
from waystation.net.query_call import Answer, QueryCall
from waystation.wire.items import Extended
from waystation.wire.negotiate import propose
from waystation.wire.status import Category, category, status_text

MODELS = {
    "study": (uids.STUDY_ROOT_FIND, uids.STUDY_ROOT_MOVE, uids.STUDY_ROOT_GET),
    "patient": (uids.PATIENT_ROOT_FIND, uids.PATIENT_ROOT_MOVE, uids.PATIENT_ROOT_GET),
    "worklist": (uids.MODALITY_WORKLIST_FIND, "", ""),
}
SYNTAXES = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
# So many answers may still be on their way when a query is cancelled.
ON_THEIR_WAY = 1_000


class QueryRefusedError(WaystationError):
    """The peer answered with something else than success; ``status`` is what."""

    def __init__(self, answer: Answer) -> None:
        command = answer.command
        text = status_text(command.status)
        if command.error_comment:
            text += f": {command.error_comment}"
        if command.offending_elements:
            text += f" ({', '.join(map(format_tag, command.offending_elements))})"
        super().__init__(text)
        self.status = command.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to ask.  options: the bytes of extended negotiation (PS3.4 C.5.1.1), b"" for none."""

    model: str
    identifier: Identifier
    charset: str = ""
    limit: int = 0
    options: bytes = b""


def options(*, relational: bool, datetime: bool, fuzzy: bool) -> bytes:
    """Return the extended negotiation of a query; b"" if nothing is asked for."""
    asked = bytes((relational, datetime, fuzzy))
    return asked.rstrip(b"\0") and asked


def extended_of(sop_class: str, asked: bytes) -> tuple[Extended, ...]:
    """Return the sub-items for `Call.open`."""
    return (Extended(sop_class, asked),) if asked else ()


async def open_query(remote: Remote, sop_class: str, asked: bytes, waits: Waits) -> QueryCall:
    """Open an association for one query class.  Raises `UnreachableError`."""
    contexts = propose([(sop_class, SYNTAXES)])[0]
    call = await QueryCall.open(remote, contexts, waits, extended=extended_of(sop_class, asked))
    try:
        call.context_of(sop_class)
    except WaystationError:
        await call.release()
        raise
    return call


async def ask(call: QueryCall, query: Query) -> AsyncGenerator[Head, None]:
    """Yield the answers to ``query`` on an open association."""
    context = call.context_of(MODELS[query.model][0])
    identifier = query.identifier.encode(context.transfer_syntax, query.charset)
    count = 0
    async with aclosing(call.find(context, identifier)) as answers:
        async for answer in answers:
            kind = category(answer.status)
            if kind is Category.PENDING:
                count += 1
                if query.limit and count > query.limit + ON_THEIR_WAY:
                    call.abort()
                    return
                if query.limit and count > query.limit:
                    continue
                yield _head(answer, context.transfer_syntax)
                if count == query.limit:
                    call.cancel()
            elif kind is not Category.SUCCESS and not (
                kind is Category.CANCEL and 0 < query.limit <= count
            ):
                raise QueryRefusedError(answer)


async def find(remote: Remote, query: Query, waits: Waits) -> AsyncGenerator[Head, None]:
    """Open an association, yield the answers, end the association."""
    call = await open_query(remote, MODELS[query.model][0], query.options, waits)
    whole = False
    try:
        async with aclosing(ask(call, query)) as answers:
            async for answer in answers:
                yield answer
        whole = True
    except QueryRefusedError:
        whole = True
        raise
    finally:
        if whole:
            await call.release()
        else:
            call.abort()


def _head(answer: Answer, transfer_syntax_uid: str) -> Head:
    try:
        return Head.from_bytes(answer.data, transfer_syntax_uid)
    except DatasetError as error:
        raise LostError(f"the peer sent an answer that cannot be read: {error}") from error
