"""What ends a Fetch without everything, in words and as a status of HTTP (W-62, W-89, W-115)."""

from waystation.flows.fetch import FetchFailed
from waystation.flows.fetch_manifest import IMAGE, SERIES, Aim
from waystation.model.upstream import (
    BAD_GATEWAY,
    TIMED_OUT,
    UNAVAILABLE,
    UpstreamFailed,
    UpstreamTerms,
)

NOT_FOUND = 404
TITLES = {
    BAD_GATEWAY: "The source failed",
    UNAVAILABLE: "The source is busy",
    TIMED_OUT: "The source did not answer in time",
}
NAMES = {SERIES: "series", IMAGE: "instance"}
# When the same request may come again after a failure that may pass, seconds (W-116).
AGAIN_S = 10.0


def of_upstream(error: UpstreamFailed, fetch: str, *, missing: int = 0) -> FetchFailed:
    """Return what a failed operation at the PACS means to a reader."""
    return FetchFailed(
        error.status,
        TITLES.get(error.status, TITLES[BAD_GATEWAY]),
        f"source {error.source}: {error.text}",
        source=error.source,
        retry_after_s=error.retry_s or (AGAIN_S if error.status != BAD_GATEWAY else None),
        dimse_status=error.dimse_status,
        fetch=fetch,
        missing=missing,
    )


def not_there(source: str, aim: Aim) -> FetchFailed:
    """The PACS says that it has none."""
    name = NAMES.get(aim.level, "study")
    return FetchFailed(NOT_FOUND, "Not found", f"source {source} has no such {name}", source=source)


def refused_destination(
    terms: UpstreamTerms, listens: str, fetch: str, missing: int
) -> FetchFailed:
    """The PACS does not know where to send (A801): a person has to register us there."""
    text = (
        f"source {terms.name} does not know the AE title {terms.tells_to} as a destination:"
        f" register {terms.tells_to} there, with the address of this machine and {listens}"
    )
    return FetchFailed(
        BAD_GATEWAY,
        "The source does not know us",
        text,
        source=terms.name,
        dimse_status=0xA801,
        fetch=fetch,
        missing=missing,
    )


def incomplete(source: str, fetch: str, missing: int, count: int) -> FetchFailed:
    """The PACS sent less than it lists."""
    lacking = f"{missing} of {count} instances" if count else "instances that it has"
    return FetchFailed(
        BAD_GATEWAY,
        "The source did not send everything",
        f"source {source} did not send {lacking}",
        source=source,
        retry_after_s=AGAIN_S,
        fetch=fetch,
        missing=missing,
    )


def cancelled(source: str, fetch: str) -> FetchFailed:
    """Nobody wanted it any more, a person ended it, or the node stops."""
    return FetchFailed(
        UNAVAILABLE,
        "Cancelled",
        f"the retrieval from source {source} was cancelled",
        source=source,
        retry_after_s=1.0,
        fetch=fetch,
    )


def no_room(source: str, why: str) -> FetchFailed:
    """Nothing more can be taken in (W-121)."""
    return FetchFailed(UNAVAILABLE, "No room", why, source=source, retry_after_s=AGAIN_S)


def too_many(source: str, retry_after_s: float) -> FetchFailed:
    """More retrievals wait for the PACS than it can serve soon."""
    text = f"too many retrievals wait for source {source}"
    return FetchFailed(
        UNAVAILABLE,
        TITLES[UNAVAILABLE],
        text,
        source=source,
        retry_after_s=retry_after_s,
    )


def unknown(source: str) -> FetchFailed:
    """There is no such source."""
    return FetchFailed(NOT_FOUND, "Not found", "there is no such source", source=source)
