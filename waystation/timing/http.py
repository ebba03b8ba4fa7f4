"""What a failing HTTP status means for a delivery: the HTTP half of rows O3, O5 and O7.

Contract (S-21, `docs/spec/routing.md` section 7): a listed status has its row, every other one
charges the object; none of them is success.  What says that the address is wrong, such as a
redirect, blocks the destination: no object can help that.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from waystation.model.outcome import Deferred, Fault

TRANSIENT = {408, 425, 429}
PEER = {401, 403, 404, 405, 407, 410}
TOO_LARGE = 413
# No answer from whoever stands behind: an object may have been what broke it.
PERHAPS_BROKEN_BY_ONE = {500, 502, 504}


def classify_http(status: int, retry_after: str = "", *, now: float = 0.0) -> Deferred:
    """Return what an answer that is no success means.  now: Unix seconds."""
    if 300 <= status < 400:
        why = f"{status_words(status)}; redirects are not followed, write the new address"
        return Deferred(fault=Fault.PEER, why=why, connected=True)
    if status in TRANSIENT or 500 <= status < 600:
        return Deferred(
            fault=Fault.TRANSIENT,
            why=status_words(status),
            rest_s=rest_asked(retry_after, now),
            connected=True,
        )
    fault = Fault.PEER if status in PEER else Fault.OBJECT
    return Deferred(fault=fault, why=status_words(status), connected=True)


def status_words(status: int) -> str:
    """Return the status with the Standard's phrase; the server's own text is never repeated."""
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def rest_asked(retry_after: str, now: float) -> float:
    """Return the seconds that Retry-After asks for: a number, or a date (RFC 9110, 10.2.3)."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0
    at = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, at.timestamp() - now)
