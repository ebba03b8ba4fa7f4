"""Retrieving from a peer by C-GET or C-MOVE, without a node: what ``get`` and ``move`` do.

Contract: each identifier is one request, one after the other on one association; with C-GET on as
many as it takes for objects to come as they are stored.  The counts are
those of the final responses.  C-GET proposes what the peer says that it holds, one presentation
context for each class and syntax, and the role of an SCP for each class.  Raises
`UnreachableError` and `LostError`; a final failure status is in the result.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from waystation.app.asking import MODELS, SYNTAXES, QueryRefusedError, extended_of
from waystation.app.holdings import Holdings
from waystation.app.identifier import Identifier
from waystation.app.taking import FileTaker
from waystation.dicom import tags
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.flows import get_contexts
from waystation.model.errors import WaystationError
from waystation.model.peer import Remote
from waystation.net.client import Waits
from waystation.net.query_call import Answer, QueryCall
from waystation.wire.commands import Command
from waystation.wire.items import ProposedContext, Role
from waystation.wire.negotiate import propose
from waystation.wire.status import Category, category

MOST = 128
FAILED_UIDS = 0x00080058


@dataclass(slots=True)
class Retrieved:
    """How the requests ended.  problems: final statuses that are no success, in words.

    status: the worst of the final ones.
    """

    completed: int = 0
    warned: int = 0
    failed: int = 0
    status: int = 0
    failed_uids: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """True if nothing failed."""
        return not self.failed and not self.problems

    def take(self, answer: Answer, transfer_syntax_uid: str) -> None:
        """Take the final response of one request."""
        command = answer.command
        self.completed += command.completed or 0
        self.warned += command.warning or 0
        self.failed += command.failed or 0
        if answer.data:
            try:
                head = Head.from_bytes(answer.data, transfer_syntax_uid)
                uids = head.values(tags.format_tag(FAILED_UIDS)) or []
                self.failed_uids += [str(uid) for uid in uids]
            except DatasetError:
                self.problems.append("the list of failed objects cannot be read")
        if command.status:
            self.status = command.status
        if category(command.status) not in (Category.SUCCESS, Category.WARNING):
            self.problems.append(str(QueryRefusedError(answer)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to retrieve.  options: extended negotiation, b"" for none.

    told: called with each response, also the pending ones.
    """

    model: str
    identifiers: Sequence[Identifier]
    charset: str = ""
    options: bytes = b""
    told: Callable[[Command], None] = lambda _command: None


async def move(remote: Remote, wanted: Wanted, to: str, waits: Waits) -> Retrieved:
    """Have the peer send what is wanted to the AE title ``to``."""
    sop_class = MODELS[wanted.model][1]
    extended = extended_of(sop_class, wanted.options)
    call = await QueryCall.open(
        remote, propose([(sop_class, SYNTAXES)])[0], waits, extended=extended
    )
    result = Retrieved()
    await _all(call, sop_class, wanted, lambda context, data: call.move(context, data, to), result)
    return result


async def get(
    remote: Remote, wanted: Wanted, found: Sequence[Holdings], taker: FileTaker, waits: Waits
) -> Retrieved:
    """Have the peer send what is wanted on our own associations.

    found: what the objects of each identifier are.
    """
    sop_class, result = MODELS[wanted.model][2], Retrieved()
    for identifiers, holdings in together(wanted.identifiers, found):
        call = await QueryCall.open(
            remote,
            contexts_of(sop_class, holdings),
            waits,
            roles=[Role(each, scu=False, scp=True) for each in holdings.classes],
            extended=extended_of(sop_class, wanted.options),
        )
        call.attendant = taker
        some = replace(wanted, identifiers=identifiers)
        await _all(call, sop_class, some, call.get, result)
    return result


def together(
    identifiers: Sequence[Identifier], found: Sequence[Holdings]
) -> list[tuple[list[Identifier], Holdings]]:
    """Return what goes over one association: as much as has a context for each syntax (T-44)."""
    groups: list[tuple[list[Identifier], Holdings]] = []
    for identifier, own in zip(identifiers, found, strict=True):
        if groups:
            members, so_far = groups[-1]
            both = Holdings(
                list(dict.fromkeys([*so_far.classes, *own.classes])),
                tuple(dict.fromkeys([*so_far.syntaxes, *own.syntaxes])),
            )
            if len(both.classes) * (len(SYNTAXES) + len(both.syntaxes)) < MOST:
                groups[-1] = ([*members, identifier], both)
                continue
        groups.append(([identifier], own))
    return groups


def contexts_of(sop_class: str, holdings: Holdings) -> tuple[ProposedContext, ...]:
    """Return the service's own context and those of storage.

    Each syntax has a context of its own, so that objects come as they are stored; where that is
    too many, the peer has to choose one compressed syntax, or one at all, for each class.
    """
    return get_contexts.contexts_of(sop_class, holdings.classes, holdings.syntaxes)


async def _all(
    call: QueryCall,
    sop_class: str,
    wanted: Wanted,
    request: "Callable[..., AsyncGenerator[Answer, None]]",
    result: Retrieved,
) -> None:
    try:
        context = call.context_of(sop_class)
        for identifier in wanted.identifiers:
            data = identifier.encode(context.transfer_syntax, wanted.charset)
            async with aclosing(request(context, data)) as answers:
                async for answer in answers:
                    wanted.told(answer.command)
                    if category(answer.status) is not Category.PENDING:
                        result.take(answer, context.transfer_syntax)
    except WaystationError:
        call.abort()
        raise
    await call.release()
