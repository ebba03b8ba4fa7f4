"""Modality performed procedure steps (PS3.4 annex F): N-CREATE and N-SET drive the steps (T-58).

Contract: success is answered once everything is committed: the performed step, the state of the
steps that it belongs to, and what has to go on to others.  A performed step that belongs to no
step opens an unscheduled one.  Where several belong to one step, it is started while one of them
is in progress, completed if one of them was, discontinued if none was.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.dicom.tags import format_tag
from waystation.dicom.uids import EXPLICIT_VR_LE, make_uid
from waystation.flows.desk import Asked
from waystation.flows.steps import Steps
from waystation.index import mpps
from waystation.index.mpps import CREATE, SET, Kept, Message
from waystation.index.step_book import StepBook
from waystation.journal.ids import IdSource
from waystation.matching.entry import ISSUER
from waystation.matching.entry_data import entry_data
from waystation.matching.entry_form import faults
from waystation.matching.keys import name_of
from waystation.matching.performed import (
    START_DATE,
    START_TIME,
    STATION,
    Order,
    Performed,
    Refusal,
    read_created,
    read_set,
)
from waystation.model.step import Author, Step, StepDraft, StepState
from waystation.wire.commands import N_CREATE_RQ, N_SET_RQ
from waystation.wire.status import (
    NOT_AUTHORISED,
    SUCCESS,
    UNRECOGNISED_OPERATION,
)

log = structlog.get_logger()
DUPLICATE, NO_SUCH_INSTANCE = 0x0111, 0x0112
_PATIENT = (
    *(tags.PATIENT_NAME, tags.PATIENT_ID, ISSUER, 0x00100030, 0x00100040),
    *(0x00081030, 0x00401001),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Court:
    """What performed procedure steps need of the node.

    relist: whether every discontinued step goes back on the list.  forward: names of targets that
    hear of everything.  serves: whether there is a worklist under a called AE title for a peer.
    queued: told that something has to go on.  ended: told of each that is over.
    """

    steps: Steps
    ids: IdSource
    clock: Callable[[], float]
    may: Callable[[str, Asked], bool]
    serves: Callable[[str, str], bool]
    relist: Callable[[], bool]
    forward: Callable[[], Sequence[str]]
    queued: Callable[[], None]
    ended: Callable[[Performed], None]


class Procedures:
    """Serves N-CREATE and N-SET."""

    def __init__(self, court: Court) -> None:
        self._court = court

    async def serve(self, asked: Asked) -> None:
        """Take one request."""
        uid = asked.command.sop_instance_uid
        if asked.command.field == N_CREATE_RQ and not uid:
            uid = make_uid(secrets.token_bytes(16))
        found = await self._take(asked, uid)
        if isinstance(found, Refusal):
            log.warning(
                "performed procedure step refused",
                calling_ae=asked.source.calling_ae,
                status=f"{found.status:04X}",
                why=found.comment,
                elements=[format_tag(tag) for tag in found.elements],
            )
            await asked.answer(found.status, comment=found.comment, error_id=found.error_id)
            return
        await asked.answer(SUCCESS, sop_instance=uid)

    async def _take(self, asked: Asked, uid: str) -> Performed | Refusal:
        court, field, source = self._court, asked.command.field, asked.source
        if field not in (N_CREATE_RQ, N_SET_RQ):
            comment = "only N-CREATE and N-SET are served here"
            return Refusal(status=UNRECOGNISED_OPERATION, comment=comment)
        if not court.may("mpps", asked) or not court.serves(source.called_ae, source.peer):
            return Refusal(status=NOT_AUTHORISED, comment="not allowed to this peer")
        take = self._create if field == N_CREATE_RQ else self._set
        done = await court.steps.write(lambda book: take(book, asked, uid))
        if isinstance(done, Performed):
            log.info(
                "performed procedure step",
                calling_ae=source.calling_ae,
                operation=asked.command.name,
                state=done.state.value,
                objects=len(done.objects),
            )
            court.queued()
            if done.state is not StepState.STARTED:
                court.ended(done)
        return done

    def _create(self, book: StepBook, asked: Asked, uid: str) -> Performed | Refusal:
        if mpps.get(book.transaction, uid) is not None:
            return Refusal(status=DUPLICATE, comment="this performed procedure step exists")
        made = read_created(asked.identifier, asked.context.transfer_syntax)
        if isinstance(made, Refusal):
            return made
        author = Author(kind="mpps", name=asked.source.calling_ae, detail=uid)
        steps = {step.id: step for order in made.orders for step in _scheduled(book, order, made)}
        if not steps:
            step = book.add(unscheduled(made), author)
            steps[step.id] = step
        now = self._court.clock()
        kept = Kept(
            sop_instance=uid,
            state=made.state,
            calling_ae=asked.source.calling_ae,
            data=made.data,
            study_uid=next(iter(made.orders)).study_uid,
            created_at=now,
            changed_at=now,
        )
        mpps.put(book.transaction, kept)
        mpps.link(book.transaction, uid, list(steps))
        for step in steps.values():
            book.move(step.id, StepState.STARTED, author)
        self._forward(book, uid, CREATE, made.data)
        return made

    def _set(self, book: StepBook, asked: Asked, uid: str) -> Performed | Refusal:
        kept = mpps.get(book.transaction, uid)
        if kept is None:
            return Refusal(status=NO_SUCH_INSTANCE, comment="no such performed procedure step")
        made = read_set(kept.data, asked.identifier, asked.context.transfer_syntax)
        if isinstance(made, Refusal):
            return made
        now = self._court.clock()
        changed = Kept(
            sop_instance=uid,
            state=made.state,
            calling_ae=kept.calling_ae,
            data=made.data,
            study_uid=kept.study_uid,
            created_at=kept.created_at,
            changed_at=now,
        )
        mpps.put(book.transaction, changed)
        if made.state is not StepState.STARTED:
            author = Author(kind="mpps", name=asked.source.calling_ae, detail=uid)
            for step_id in mpps.steps_of(book.transaction, uid):
                self._settle(book, step_id, made, author)
        self._forward(book, uid, SET, self._sent(asked))
        return made

    def _settle(self, book: StepBook, step_id: int, made: Performed, author: Author) -> None:
        """Bring a step to the state that all that was performed for it means."""
        step = book.get(step_id)
        if step is None or step.deleted_at is not None:
            return
        states = {one.state for one in mpps.of_step(book.transaction, step_id)}
        for state in (StepState.STARTED, StepState.COMPLETED, StepState.DISCONTINUED):
            if state in states:
                book.move(step_id, state, author)
                break
        # Whoever cancelled it while it was scanned does not want it back.
        was_wanted = step.state is not StepState.CANCELLED
        is_back = made.wrong_entry or self._court.relist()
        if state is StepState.DISCONTINUED and is_back and was_wanted:
            why = "the wrong entry was chosen" if made.wrong_entry else "back on the list"
            book.move(step_id, StepState.SCHEDULED, author, why)

    def _sent(self, asked: Asked) -> bytes:
        """Return an N-SET as it goes on: in explicit little endian."""
        if asked.context.transfer_syntax == EXPLICIT_VR_LE:
            return asked.identifier
        return entry_data(Head.from_bytes(asked.identifier, asked.context.transfer_syntax))

    def _forward(self, book: StepBook, uid: str, operation: str, data: bytes) -> None:
        now = self._court.clock()
        messages = [
            Message(
                id=self._court.ids.next(),
                target=target,
                sop_instance=uid,
                operation=operation,
                data=data,
                attempts=0,
                due=now,
                created_at=now,
            )
            for target in self._court.forward()
        ]
        mpps.enqueue(book.transaction, messages)


def _scheduled(book: StepBook, order: Order, made: Performed) -> list[Step]:
    """Return the steps that an order means: by step and study, else by accession and patient."""
    if order.step_id and order.study_uid:
        found = book.find(step_id=order.step_id, study_uid=order.study_uid)
        if found:
            return found
    patient = made.text(tags.PATIENT_ID)
    if not order.accession or not patient:
        return []
    found = book.find(accession=order.accession, patient_id=patient)
    if len(found) > 1:
        same = [step for step in found if step.modality == made.text(tags.MODALITY)]
        found = same or found
    return found


def unscheduled(made: Performed) -> StepDraft:
    """Return the step that a performed one without an order opens."""
    order = next(iter(made.orders), Order())
    values = {name_of(tag): made.text(tag) for tag in _PATIENT if made.text(tag)}
    said = {
        "StudyInstanceUID": order.study_uid,
        "AccessionNumber": order.accession,
        "RequestedProcedureID": order.procedure_id,
        "RequestedProcedureDescription": order.procedure or made.text(0x00400254),
        "ScheduledProcedureStepID": order.step_id,
        "ScheduledProcedureStepDescription": order.description or made.text(0x00400254),
        "ScheduledStationAETitle": made.text(STATION),
        "ScheduledProcedureStepStartDate": made.text(START_DATE),
        "ScheduledProcedureStepStartTime": made.text(START_TIME),
        "Modality": made.text(tags.MODALITY),
        "ScheduledProcedureStepStatus": StepState.STARTED.value.upper(),
    }
    values |= {keyword: text for keyword, text in said.items() if text}
    # What no entry could hold is left out: the scan was made all the same.
    for fault in faults(values):
        values.pop(fault.keyword, None)
    return StepDraft(values=values, scheduled=False)
