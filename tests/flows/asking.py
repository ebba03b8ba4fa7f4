"""Asking a node in this process: queries, retrieval and commitment with our own client."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.flows.rig import Rig
from tests.net.sink import PATIENT
from tests.objects.files import Stored
from waystation.dicom import tags
from waystation.dicom.compose import Elements, compose
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE
from waystation.model.peer import Remote
from waystation.net.client import Waits
from waystation.net.query_call import Answer, QueryCall
from waystation.wire.commands import C_FIND_RQ, C_GET_RQ, C_MOVE_RQ, Command, reply
from waystation.wire.items import AcceptedContext, Extended, ProposedContext, Role
from waystation.wire.negotiate import propose

LEVEL = 0x00080052
STUDY, SERIES, IMAGE = tags.STUDY_INSTANCE_UID, tags.SERIES_INSTANCE_UID, tags.SOP_INSTANCE_UID
CLASSES = {C_FIND_RQ: STUDY_ROOT_FIND, C_MOVE_RQ: STUDY_ROOT_MOVE, C_GET_RQ: STUDY_ROOT_GET}
Words = dict[int, str]


def identifier(level: str, keys: Words) -> bytes:
    elements: Elements = {LEVEL: ("CS", level)} | {
        tag: (tags.vr_of(tag), text) for tag, text in keys.items()
    }
    return compose(elements, EXPLICIT_VR_LE)


def study_of(stored: Stored) -> str:
    return Head.from_bytes(stored.data_set, stored.transfer_syntax).text(STUDY)


@dataclass
class Taken:
    """An attendant that keeps what comes.  answer: the status for a SOP Instance UID."""

    answer: Callable[[str], int] = lambda _uid: 0
    objects: list[Stored] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def begun(self, context: AcceptedContext, command: Command) -> "Piece":
        return Piece(self, context, command)


class Piece:
    """One message on its way into `Taken`."""

    def __init__(self, taken: Taken, context: AcceptedContext, command: Command) -> None:
        self._taken = taken
        self._context = context
        self._command = command
        self._data = bytearray()

    def write(self, data: memoryview) -> None:
        self._data += data

    async def finish(self) -> Command:
        command = self._command
        self._taken.commands.append(command)
        status = self._taken.answer(command.sop_instance_uid)
        if status >> 12 not in (0xA, 0xC):
            self._taken.objects.append(
                Stored(
                    sop_class=command.sop_class_uid,
                    sop_instance=command.sop_instance_uid,
                    transfer_syntax=self._context.transfer_syntax,
                    data_set=bytes(self._data),
                )
            )
        return reply(command, status)

    def forget(self) -> None:
        pass


async def open_call(
    remote: Remote,
    sop_class: str,
    *,
    options: bytes = b"",
    storage: Sequence[tuple[str, Sequence[str]]] = (),
    waits: Waits = PATIENT,
) -> QueryCall:
    wanted: list[tuple[str, Sequence[str]]] = [(sop_class, [EXPLICIT_VR_LE]), *storage]
    contexts: tuple[ProposedContext, ...] = propose(wanted)[0]
    return await QueryCall.open(
        remote,
        contexts,
        waits,
        roles=[Role(name, scu=False, scp=True) for name, _ in storage],
        extended=[Extended(sop_class, options)] if options else (),
    )


async def ask(
    rig: Rig,
    field: int,
    level: str,
    keys: Words,
    *,
    to: str = "",
    options: bytes = b"",
    remote: Remote | None = None,
) -> list[Answer]:
    """Return all answers to one C-FIND or C-MOVE on an association of its own."""
    call = await open_call(remote or rig.remote("ASKER"), CLASSES[field], options=options)
    context = call.context_of(CLASSES[field])
    data = identifier(level, keys)
    asked = call.move(context, data, to) if field == C_MOVE_RQ else call.find(context, data)
    answers = [answer async for answer in asked]
    await call.release()
    return answers


def heads(answers: Sequence[Answer]) -> list[Head]:
    """Return the identifiers of the pending answers."""
    return [Head.from_bytes(answer.data, EXPLICIT_VR_LE) for answer in answers[:-1] if answer.data]


def failed_uids(answer: Answer) -> list[str]:
    if not answer.data:
        return []
    head = Head.from_bytes(answer.data, EXPLICIT_VR_LE)
    return [str(uid) for uid in head.values("FailedSOPInstanceUIDList") or []]


def counts(answer: Answer) -> tuple[int | None, int | None, int | None, int | None]:
    """Return remaining, completed, failed, warning."""
    command = answer.command
    return command.remaining, command.completed, command.failed, command.warning
