"""Retrievals under way as the web faces see them (T-46)."""

import time
from collections.abc import Sequence

from waystation.flows.retrieve import Going
from waystation.matching.unique import Wanted
from waystation.web.view import RetrieveView


def retrieves(going: Sequence[Going]) -> list[RetrieveView]:
    """Return what is going on, the oldest first."""
    return [_view(one) for one in going]


def _view(one: Going) -> RetrieveView:
    progress, counts = one.progress, one.progress.counts
    return RetrieveView(
        id=one.id,
        kind=progress.asked.command.name,
        peer=one.source.peer,
        calling_ae=one.source.calling_ae,
        address=one.source.address,
        what=_what(one.wanted),
        to=one.to,
        total=progress.total,
        remaining=counts.remaining,
        completed=counts.completed,
        failed=counts.failed,
        warning=counts.warning,
        sent_bytes=progress.sent_bytes,
        sent_s=time.monotonic() - progress.began,
    )


def _what(wanted: Wanted) -> str:
    """Return what is asked for in words; of a patient only that there is one."""
    for one, many, uids in (
        ("instance", "instances", wanted.instances),
        ("series", "series", wanted.series),
        ("study", "studies", wanted.studies),
    ):
        if uids:
            return f"{one} {uids[0]}" if len(uids) == 1 else f"{len(uids)} {many}"
    n = len(wanted.patient_ids)
    return "all studies of a patient" if n == 1 else f"all studies of {n} patients"
