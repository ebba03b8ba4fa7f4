"""Asking a DICOMweb server by QIDO-RS whether it has what it got (PS3.18 10.6; R-60).

Contract: as `waystation.flows.verifying`.
"""

import json
from collections.abc import Sequence
from typing import Any

from waystation.destinations.http import Server
from waystation.flows.verifying import INSTANCE, NOT_THERE, Looked, by_series
from waystation.journal.verifications import Owed
from waystation.model.errors import LostError
from waystation.model.outcome import Deferred
from waystation.net.credentials import Identity
from waystation.net.http import HttpSettings

PAGE = 1000
FOUND, NOTHING, NO_SUCH = 200, 204, 404
# Answers that say nothing about the objects.
NOT_NOW = (401, 403, 429)
THEIRS = 500


class QidoAsk:
    """By QIDO-RS for the instances of each series.  url: root of the DICOMweb service."""

    by_report = False

    def __init__(self, url: str, http: HttpSettings, identity: Identity) -> None:
        self._url = url
        self._http = http
        self._identity = identity

    async def look(self, owed: Sequence[Owed], transaction_uid: str) -> Looked:
        """Ask series by series."""
        server = Server(self._http, self._identity)
        safe: set[str] = set()
        failed: dict[str, str] = {}
        try:
            for (study, series), group in by_series(owed):
                wanted = {one.sop_instance for one in group}
                found, problem = await self._instances(server, study, series, wanted)
                safe |= found & wanted
                failed |= dict.fromkeys(wanted - found, problem or NOT_THERE)
        finally:
            await server.close()
        return Looked(safe=frozenset(safe), failed=failed)

    async def _instances(
        self, server: Server, study: str, series: str, wanted: set[str]
    ) -> tuple[set[str], str]:
        """Read page by page until all are found or nothing new comes."""
        found: set[str] = set()
        place = f"{self._url}/studies/{study}/series/{series}/instances?limit={PAGE}"
        offset = 0
        while not wanted <= found:
            reply = await server.ask(
                "GET", f"{place}&offset={offset}", headers={"Accept": "application/dicom+json"}
            )
            if isinstance(reply, Deferred):
                raise LostError(reply.why, sent=True)
            if reply.status in NOT_NOW or reply.status >= THEIRS:
                raise LostError(f"query answered HTTP {reply.status}", sent=True)
            if reply.status not in (FOUND, NOTHING, NO_SUCH):
                return found, f"query refused: HTTP {reply.status}"
            page = _uids_in(reply.body or b"") if reply.status == FOUND else []
            if not set(page) - found:
                break
            found |= set(page)
            offset += len(page)
        return found, ""


def _uids_in(body: bytes) -> list[str]:
    """Return the SOP instance UIDs of an answer in DICOM JSON (PS3.18 F.2)."""
    try:
        entries: Any = json.loads(body)
        return [str(entry[f"{INSTANCE:08X}"]["Value"][0]) for entry in entries]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise LostError("query answered with something else than DICOM JSON", sent=True) from error
