"""Asking a peer that does not behave (T-72)."""

from collections.abc import AsyncGenerator
from typing import Any, cast

from tests.dicom.building import el
from waystation.app import asking
from waystation.app.asking import Query, ask
from waystation.app.identifier import Identifier
from waystation.net.query_call import Answer, QueryCall
from waystation.wire.commands import C_FIND_RSP, Command


class Deaf:
    """A peer that never stops answering; counts what it had to say."""

    def __init__(self) -> None:
        self.said = 0
        self.cancelled = self.aborted = False

    def context_of(self, _sop_class: str) -> Any:
        class Context:
            transfer_syntax = "1.2.840.10008.1.2.1"

        return Context()

    async def find(self, _context: object, _identifier: bytes) -> AsyncGenerator[Answer, None]:
        while True:
            self.said += 1
            data = el(0x00100020, "LO", b"X1")
            yield Answer(Command(field=C_FIND_RSP, message_id=1, status=0xFF00), data)

    def cancel(self) -> None:
        self.cancelled = True

    def abort(self) -> None:
        self.aborted = True


async def test_a_peer_that_hears_no_cancel_is_left() -> None:
    peer = Deaf()
    query = Query(model="study", identifier=Identifier(), limit=3)
    found = [head async for head in ask(cast(QueryCall, peer), query)]
    assert len(found) == 3
    assert peer.cancelled
    assert peer.aborted
    assert peer.said == 3 + asking.ON_THEIR_WAY + 1
