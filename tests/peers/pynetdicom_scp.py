"""A pynetdicom storage SCP that answers what a test tells it to.

Contract: each received object is written as it came (pynetdicom's own encoded bytes); then the
next status of the script is returned, ``0000`` once the script is used up.  `ABORT` in the
script aborts the association instead of answering, `HANG` waits until the peer gives up.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, evt, register_uid
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.service_class import StorageServiceClass

from tests.objects.files import Stored
from tests.peers.program import HOST, free_port

ABORT = -1
HANG = -2

Script = Sequence[int] | Mapping[str, Sequence[int]]


@dataclass(slots=True)
class Seen:
    """What reached the SCP: every attempt, and the objects that it answered."""

    attempts: list[str] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    associations: list[str] = field(default_factory=list)
    rejected: int = 0


class ScriptedScp:
    """A storage SCP in a thread of the test's process.

    script: statuses to answer in order of attempts, or a list for each SOP Instance UID.
    syntaxes: transfer syntaxes that it accepts; all when empty.  classes: storage classes that it
    accepts; all when empty.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        ae_title: str = "PYNETDICOM",
        port: int = 0,
        extra_classes: Sequence[str] = (),
        syntaxes: Sequence[str] = (),
        classes: Sequence[str] = (),
        maximum_pdu: int = 16_382,
        tls: Any = None,
        require_called: bool = False,
        on_attempt: Callable[[str], None] | None = None,
    ) -> None:
        self.ae_title = ae_title
        self.port = port or free_port()
        self.seen = Seen()
        self._script = script
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()
        self._freed = threading.Event()
        self._on_attempt = on_attempt
        entity = AE(ae_title=ae_title)
        entity.maximum_pdu_size = maximum_pdu
        entity.require_called_aet = require_called
        entity.maximum_associations = 50
        taken = list(syntaxes) or [str(uid) for uid in AllTransferSyntaxes]
        for context in AllStoragePresentationContexts:
            if not classes or str(context.abstract_syntax) in classes:
                entity.add_supported_context(str(context.abstract_syntax), taken)
        for number, sop_class in enumerate(extra_classes):
            register_uid(sop_class, f"Private{number}", StorageServiceClass)
            entity.add_supported_context(sop_class, taken)
        entity.add_supported_context("1.2.840.10008.1.1")
        self._server: Any = entity.start_server(
            (HOST, self.port),
            block=False,
            ssl_context=tls,
            evt_handlers=[
                (evt.EVT_C_STORE, self._store),
                (evt.EVT_C_ECHO, lambda event: 0x0000),
                (evt.EVT_ACCEPTED, self._accepted),
            ],
        )

    def digests(self) -> dict[str, str]:
        """Return SOP Instance UID → SHA-256 of the data set, of objects answered 0000 or Bxxx."""
        return {item.sop_instance: item.digest for item in self.seen.stored}

    def count(self) -> int:
        return len(self.seen.stored)

    def close(self) -> None:
        self._freed.set()
        self._server.shutdown()

    def __enter__(self) -> "ScriptedScp":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accepted(self, event: Any) -> None:
        with self._lock:
            self.seen.associations.append(str(event.assoc.requestor.ae_title))

    def _next_status(self, sop_uid: str) -> int:
        script = self._script
        key = ""
        if isinstance(script, Mapping):
            script, key = script.get(sop_uid, ()), sop_uid
        position = self._used.get(key, 0)
        self._used[key] = position + 1
        return script[position] if position < len(script) else 0x0000

    def _store(self, event: Any) -> int | Dataset:
        request = event.request
        sop_uid = str(request.AffectedSOPInstanceUID)
        with self._lock:
            self.seen.attempts.append(sop_uid)
            status = self._next_status(sop_uid)
        if self._on_attempt is not None:
            self._on_attempt(sop_uid)
        if status == HANG:
            self._freed.wait(120)
            status = ABORT
        if status == ABORT:
            event.assoc.abort()
            return 0x0110
        with self._lock:
            self.seen.answered.append(status)
            if status == 0 or status & 0xF000 == 0xB000:
                self.seen.stored.append(
                    Stored(
                        sop_class=str(request.AffectedSOPClassUID),
                        sop_instance=sop_uid,
                        transfer_syntax=str(event.context.transfer_syntax),
                        data_set=event.request.DataSet.getvalue(),
                    )
                )
        answer = Dataset()
        answer.Status = status
        if status:
            answer.ErrorComment = "scripted"
        return answer
