"""The worklist of a node: its steps, its services and its belts, hung onto the node (`Annex`).

Contract: `steps` is what page, API, HL7 and folder share.  Areas, charsets and terms are those of
the settings in force at each request.
"""

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any

from waystation.app import wiring
from waystation.app.node import Node
from waystation.app.people import audit_key
from waystation.app.settings import Settings
from waystation.app.settings_destination import DicomDestination
from waystation.app.settings_worklist import WorklistSettings
from waystation.app.wiring_worklist import area_of, id_forms, splits
from waystation.db.statement import Transaction
from waystation.destinations.webhook import WebhookDestination
from waystation.dicom.uids import MODALITY_WORKLIST_FIND, MPPS
from waystation.flows.desk import Asked, Services
from waystation.flows.mpps import Court, Procedures
from waystation.flows.mpps_forward import MppsForward, Targets, event_of
from waystation.flows.step_ends import StepEnds, StepTerms
from waystation.flows.step_images import StepImages
from waystation.flows.step_watch import StepWatch
from waystation.flows.steps import Steps, Told
from waystation.flows.worklist import Ward, Worklist
from waystation.flows.worklist_why import Window, WorklistView
from waystation.index.mpps import EVENT, Message, enqueue
from waystation.journal import audit
from waystation.journal.audit import Entry, Event
from waystation.model.peer import Remote
from waystation.model.step import Author

PATIENT = frozenset(
    (
        *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
        *("OtherPatientIDs", "PatientAddress"),
    )
)


class Worklisting:
    """An annex.  steps: all of them.  worklist: the service that modalities ask.

    view: what a modality would see, and why not.
    """

    def __init__(self, node: Node) -> None:
        self._node = node

        def table() -> WorklistSettings:
            return node.settings.worklist

        self.steps = Steps(
            node.database,
            node.ids,
            lambda: node.clock(),
            lambda area: id_forms(node.settings, area),
            lambda area: splits(node.settings, area),
            self._noted(audit_key(node.data)),
        )
        self.worklist = Worklist(
            Ward(
                database=node.database,
                ids=node.ids,
                clock=lambda: node.clock(),
                area=lambda called, peer: area_of(node.settings, called, peer),
                may=_may,
                zone=lambda: node.router.routing.zone,
            )
        )
        self.forward = MppsForward(
            node.database,
            lambda: node.clock(),
            Targets(
                names=lambda: node.settings.worklist.forward, remote=self._remote, hook=self._hook
            ),
        )
        self.images = StepImages(
            self.steps, node.database, lambda: node.clock(), node.gathers.performed
        )
        self.ends = StepEnds(
            self.steps,
            node.database,
            lambda: node.clock(),
            self._terms,
            lambda: node.router.routing.zone,
        )
        self.lacking = StepWatch(
            node.database,
            lambda: node.clock(),
            lambda: node.router.routing.zone,
            lambda: not table().enabled or table().serve_incomplete,
        )
        self.procedures = Procedures(self._court())
        self.view = WorklistView(
            Window(
                database=node.database,
                steps=self.steps,
                area=lambda called, peer: area_of(node.settings, called, peer),
                called=lambda: node.settings.dicom.ae_title,
                zone=lambda: node.router.routing.zone,
                today=self._today,
                settled=self.worklist.settle,
            )
        )

    def _court(self) -> Court:
        node = self._node
        return Court(
            steps=self.steps,
            ids=node.ids,
            clock=lambda: node.clock(),
            may=_may,
            serves=lambda called, peer: area_of(node.settings, called, peer) is not None,
            relist=lambda: node.settings.worklist.relist,
            forward=lambda: node.settings.worklist.forward,
            queued=self.forward.wake,
            ended=self.images.ended,
        )

    @property
    def services(self) -> Services:
        """What it serves, by abstract syntax."""
        return {MODALITY_WORKLIST_FIND: self.worklist, MPPS: self.procedures}

    async def start(self) -> None:
        """Take up what was under way."""
        await self.images.start()
        self.steps.told += [self.images.told, lambda _told: self.forward.wake()]
        self._node.watching.heard.append(self.images.came)
        self._node.watching.looks.append(self.lacking.findings)

    def belts(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Return its belts, not yet running, by name."""
        return {
            "mpps forward": self.forward.run(),
            "worklist ends": self.ends.run(),
            "worklist images": self.images.run(),
            "worklist queries": self.worklist.run(),
            "worklist watch": self.lacking.run(),
        }

    def check(self, settings: Settings) -> None:
        """Settings that were read can be put in force."""

    async def change(self, settings: Settings) -> None:
        """Everything is asked of the settings in force; what waits for a target may go now."""
        self.forward.wake()

    async def stop(self) -> None:
        """Write down what was asked last."""
        await self.worklist.settle()

    def _noted(self, key: bytes) -> Callable[[Transaction, Told], None]:
        """Return what goes into the transaction of a change: its record, and who hears of it."""

        def noted(transaction: Transaction, told: Told) -> None:
            settings, now = self._node.settings, self._node.clock()
            audit.append(transaction, key, recorded(told, settings.node.name), now)
            if "state" in told.change.after or told.change.what == "created":
                data = json.dumps(event_of(told)).encode()
                self._enqueue(transaction, settings.worklist.webhooks, data, now)

        return noted

    def _enqueue(
        self, transaction: Transaction, names: Sequence[str], data: bytes, now: float
    ) -> None:
        messages = [
            Message(
                id=self._node.ids.next(),
                target=name,
                sop_instance="",
                operation=EVENT,
                data=data,
                attempts=0,
                due=now,
                created_at=now,
            )
            for name in names
        ]
        enqueue(transaction, messages)

    def _today(self) -> str:
        zone = self._node.router.routing.zone
        return datetime.fromtimestamp(self._node.clock(), zone).strftime("%Y%m%d")

    def _terms(self) -> StepTerms:
        table = self._node.settings.worklist
        areas = {
            name: area.keep_done for name, area in table.area.items() if area.keep_done is not None
        }
        return StepTerms(expire_s=table.expire, keep_done_s=table.keep_done, areas=areas)

    def _remote(self, target: str) -> Remote | None:
        settings = self._node.settings
        table = settings.destination.get(target)
        if not isinstance(table, DicomDestination):
            return None
        return wiring.remote(target, table, settings.dicom.ae_title)

    def _hook(self, target: str) -> WebhookDestination | None:
        settings = self._node.settings
        table = settings.destination.get(target)
        if table is None:
            return None
        made = wiring.destination(target, table, settings.dicom.ae_title, self._node.data)
        return made if isinstance(made, WebhookDestination) else None


def recorded(told: Told, node: str) -> Entry:
    """Return what the audit trail says about a change: which fields, never their values."""
    step, change = told.step, told.change
    words = sorted({*change.before, *change.after} - {"state"})
    event = Event.PATIENT if any(word in PATIENT for word in words) else Event.ORDER
    if change.what == "moved":
        event = Event.PROCEDURE
    said: dict[str, Any] = {
        "step": f"{step.id:x}",
        "version": change.version,
        "what": change.what,
        "by": change.author.kind,
        "patient": step.patient_id,
        "accession": step.accession,
        "state": step.state.value,
    }
    about = {"from": change.author.detail, "fields": words, "why": change.why}
    return Entry(event, _who(change.author, node), said | {k: v for k, v in about.items() if v})


def _who(author: Author, node: str) -> str:
    """Return who changes something; what a file or a peer calls itself is no name of a person."""
    if author.kind in ("person", "api"):
        return author.name or node
    return f"{author.kind} {author.name or node}"


def _may(operation: str, asked: Asked) -> bool:
    return operation in asked.rights
