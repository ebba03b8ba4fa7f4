"""pynetdicom as sender: the statuses, comments and rejections that a test wants to read."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context
from pynetdicom.dimse_primitives import C_STORE

from tests.objects.files import Stored
from tests.peers.program import HOST

ECHO = "1.2.840.10008.1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int


class Refused(Exception):
    """The association was rejected, or ended before it began."""

    def __init__(self, rejection: Rejection | None) -> None:
        super().__init__(str(rejection))
        self.rejection = rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status and Error Comment of one response; status None when none came."""

    status: int | None
    comment: str = ""


def rejection_in(answer: Any) -> Rejection | None:
    """Return what an A-ASSOCIATE primitive says, None if it is no rejection."""
    if answer is None or answer.result not in (1, 2):
        return None
    return Rejection(
        result=int(answer.result),
        source=int(answer.result_source),
        reason=int(answer.diagnostic),
    )


class Scu:
    """One open association of a pynetdicom application entity."""

    def __init__(
        self,
        port: int,
        contexts: Sequence[tuple[str, Sequence[str]]] = ((ECHO, ("1.2.840.10008.1.2",)),),
        *,
        called: str = "WAYSTATION",
        calling: str = "PYNETDICOM",
        tls: ssl.SSLContext | None = None,
        maximum_pdu: int = 16_382,
    ) -> None:
        entity = AE(ae_title=calling)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
        wanted = [build_context(abstract, list(syntaxes)) for abstract, syntaxes in contexts]
        self._assoc: Any = entity.associate(
            HOST,
            port,
            wanted,
            ae_title=called,
            max_pdu=maximum_pdu,
            tls_args=(tls, "localhost") if tls else None,
        )
        if not self._assoc.is_established:
            raise Refused(rejection_in(self._assoc.acceptor.primitive))

    @property
    def results(self) -> list[int]:
        """Return the result of every context, accepted or not, by context id."""
        every = [*self._assoc.accepted_contexts, *self._assoc.rejected_contexts]
        return [context.result for context in sorted(every, key=lambda c: c.context_id)]

    @property
    def established(self) -> bool:
        return bool(self._assoc.is_established)

    def echo(self) -> int | None:
        return self._status(self._assoc.send_c_echo()).status

    def store(self, stored: Stored, *, sop_instance: str = "", sop_class: str = "") -> Answer:
        """Send the data set bytes as they are; the command may name other UIDs than they hold."""
        context = self._context(sop_class or stored.sop_class, stored.transfer_syntax)
        request = C_STORE()
        request.MessageID = 1
        request.AffectedSOPClassUID = sop_class or stored.sop_class
        request.AffectedSOPInstanceUID = sop_instance or stored.sop_instance
        request.Priority = 2
        request.DataSet = BytesIO(stored.data_set)
        self._assoc._reactor_checkpoint.clear()
        self._assoc.dimse.send_msg(request, context)
        _, response = self._assoc.dimse.get_msg(block=True)
        self._assoc._reactor_checkpoint.set()
        if response is None:
            return Answer(status=None)
        return Answer(status=response.Status, comment=str(response.ErrorComment or ""))

    def store_decoded(self, content: bytes) -> Answer:
        """Send one file through pynetdicom's own decoder and encoder."""
        return self._status(self._assoc.send_c_store(dcmread(BytesIO(content))))

    def release(self) -> None:
        self._assoc.release()

    def abort(self) -> None:
        self._assoc.abort()

    def __enter__(self) -> "Scu":
        return self

    def __exit__(self, *_: object) -> None:
        if self._assoc.is_established:
            self._assoc.release()

    def _context(self, sop_class: str, transfer_syntax: str) -> int:
        for context in self._assoc.accepted_contexts:
            if context.abstract_syntax == sop_class and transfer_syntax in context.transfer_syntax:
                found: int = context.context_id
                return found
        raise LookupError(f"no accepted context for {sop_class} with {transfer_syntax}")

    @staticmethod
    def _status(answer: Dataset) -> Answer:
        status = answer.get("Status")
        return Answer(
            status=None if status is None else int(status),
            comment=str(answer.get("ErrorComment", "")),
        )
