"""Reports of storage commitment that a peer sends us (PS3.4 J.3.3), on whatever association.

Contract: an `Ear` takes the report of one transaction and refuses every other; it serves as the
attendant of the association of the request, and of a listener.
"""

import asyncio
from dataclasses import dataclass, field

from waystation.dicom.errors import DatasetError
from waystation.flows.commitment_data import Report, read_report
from waystation.wire.commands import N_EVENT_REPORT_RQ, Command, reply
from waystation.wire.items import AcceptedContext
from waystation.wire.status import MISTYPED_ARGUMENT, UNRECOGNISED_OPERATION

LONGEST_REPORT = 16 << 20
OTHER_TRANSACTION = 0x0131


@dataclass(slots=True)
class Ear:
    """Takes the report of one transaction."""

    transaction_uid: str
    report: "asyncio.Future[Report]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def begun(self, context: AcceptedContext, command: Command) -> "HeardReport":
        """A message of the peer has begun."""
        return HeardReport(self, context, command)

    def hear(self, report: Report) -> int:
        """Take a report; return the status for it."""
        if report.transaction_uid != self.transaction_uid:
            return OTHER_TRANSACTION
        if not self.report.done():
            self.report.set_result(report)
        return 0


class HeardReport:
    """One N-EVENT-REPORT on its way."""

    def __init__(self, ear: Ear, context: AcceptedContext, command: Command) -> None:
        self._ear = ear
        self._context = context
        self._command = command
        self._data = bytearray()

    def write(self, data: memoryview) -> None:
        """Take a piece of its data set."""
        if len(self._data) <= LONGEST_REPORT:
            self._data += data

    async def finish(self) -> Command:
        """Read it; return the response."""
        command = self._command
        if command.field != N_EVENT_REPORT_RQ:
            return reply(command, UNRECOGNISED_OPERATION, "only N-EVENT-REPORT is served here")
        try:
            report = read_report(bytes(self._data), self._context.transfer_syntax)
        except DatasetError:
            return reply(command, MISTYPED_ARGUMENT, "the event information cannot be read")
        return reply(command, self._ear.hear(report))

    def forget(self) -> None:
        """The association ended before the report did."""
