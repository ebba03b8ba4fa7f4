"""Failures that are told again for a moment, so that a crowd does not storm a PACS (W-116).

Contract: the time is that of the event loop; nothing is remembered for longer than it is told, and
never that something is not there.
"""

import asyncio

from waystation.flows.fetch import FetchFailed
from waystation.flows.fetch_failures import NOT_FOUND
from waystation.flows.fetch_manifest import Aim

Key = tuple[str, str, Aim]


class Memory:
    """Of one node; by source, study and what was wanted of it."""

    def __init__(self) -> None:
        self._failed: dict[Key, tuple[float, FetchFailed]] = {}

    def note(self, key: Key, failure: FetchFailed, seconds: float) -> None:
        """Remember a failure; the first one stays."""
        if failure.status == NOT_FOUND:
            return
        now = asyncio.get_running_loop().time()
        self._failed = {key: one for key, one in self._failed.items() if one[0] > now}
        self._failed.setdefault(key, (now + seconds, failure))

    def told(self, key: Key) -> FetchFailed | None:
        """Return the failure as it is told once more, with the time that is left."""
        known = self._failed.get(key)
        if known is None:
            return None
        left = known[0] - asyncio.get_running_loop().time()
        return _again(known[1], left) if left > 0 else None


def _again(failure: FetchFailed, left_s: float) -> FetchFailed:
    return FetchFailed(
        failure.status,
        failure.title,
        failure.text,
        source=failure.source,
        retry_after_s=max(1.0, left_s),
        dimse_status=failure.dimse_status,
        fetch=failure.fetch,
        missing=failure.missing,
    )
