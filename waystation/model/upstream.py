"""A PACS behind the broker: how it is called, and the ways in which it fails us (W-61, W-62).

Contract: plain values; seconds and bytes.  `UpstreamFailed` is what every operation at a PACS ends
with when it does not end well; its status is that of HTTP, so that no caller has to read a text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from waystation.model.errors import WaystationError
from waystation.model.peer import Remote

QUIRKS = (
    *("patient_root", "no_relational", "no_uid_list", "no_leading_wildcard", "no_image_find"),
    *("no_cancel", "no_move_originator", "sequential", "uncompressed"),
)
BAD_REQUEST, TOO_LARGE = 400, 413
BAD_GATEWAY, UNAVAILABLE, TIMED_OUT = 502, 503, 504
# When a request may come again where nobody knows better, seconds.
RETRY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamTerms:
    """A ``[pacs.NAME]`` table.

    find, move, get: who serves each.  tells_to: our AE title that it sends objects to (C-MOVE).
    senders: networks that its objects come from; any_sender: from anywhere.
    find_most, retrieve_most: associations at one time.  find_s: longest wait for one answer, and
    for a free association.  retrieve_s: without objects and answers.  quiet_s: for missing objects
    after the final answer.  find_max: most matches taken of one query.
    priority: the lower one wins.  charset: of the keys we send, and of answers that name none.
    keep: "cache", or "archive" for what also goes through the rules.
    """

    name: str
    find: Remote
    move: Remote
    get: Remote
    tells_to: str = "WAYSTATION"
    senders: tuple[str, ...] = ()
    any_sender: bool = False
    retrieve: str = "auto"
    fetch_level: str = "auto"
    federate: bool = True
    priority: int = 10
    charset: str = "ISO_IR 100"
    find_most: int = 4
    retrieve_most: int = 2
    idle_s: float = 30.0
    connect_s: float = 5.0
    associate_s: float = 10.0
    find_s: float = 30.0
    retrieve_s: float = 60.0
    quiet_s: float = 15.0
    attempts: int = 3
    first_s: float = 2.0
    ceiling_s: float = 60.0
    find_max: int = 1000
    revalidate_s: float = 300.0
    keep: str = "cache"
    quirks: frozenset[str] = field(default_factory=frozenset)

    def has(self, quirk: str) -> bool:
        """Tell whether a quirk is set."""
        return quirk in self.quirks


class UpstreamFailed(WaystationError):
    """A PACS did not do what it was asked for.

    status: 502, 503 or 504; 400 and 413 for what it cannot be asked.  text: one sentence without
    patient data.  dimse_status: of its final answer, None if there was none.
    """

    def __init__(
        self,
        source: str,
        status: int,
        text: str,
        *,
        dimse_status: int | None = None,
        retry_s: float | None = None,
    ) -> None:
        super().__init__(f"{source}: {text}")
        self.source = source
        self.status = status
        self.text = text
        self.dimse_status = dimse_status
        self.retry_s = RETRY_S if retry_s is None and status == UNAVAILABLE else retry_s

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later without anybody doing anything."""
        return self.status in (UNAVAILABLE, TIMED_OUT)


def joint_status(failures: Sequence[UpstreamFailed]) -> int:
    """Return the status of an answer that only failures are left of (W-62, last row)."""
    found = {one.status for one in failures}
    if len(found) == 1:
        return found.pop()
    return UNAVAILABLE if found <= {UNAVAILABLE, TIMED_OUT} else BAD_GATEWAY
