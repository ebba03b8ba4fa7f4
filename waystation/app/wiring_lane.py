"""Settings → the pace of each lane."""

from collections.abc import Mapping

from waystation.app.settings import Settings
from waystation.app.settings_destination import DestinationSettings
from waystation.app.settings_pace import LimitSettings
from waystation.app.wiring_schedule import Windows
from waystation.flows.lane_settings import LaneSettings
from waystation.rules.classes import ClassFilter
from waystation.timing.budget import Limits, RateEntry
from waystation.timing.retry import RetryPolicy
from waystation.timing.window import ALWAYS

# A change of these needs no new association: the lane takes them up as it goes.
PACE = {
    "accept",
    "refuse",
    "refuse_when",
    "window",
    "parallel",
    "retry",
    "limits",
    "closing",
    "stat_waits",
    "send_anyway_after",
    "optional_for",
    "split_study",
    "probe_outside_window",
    "waiting_over",
    "log",
    "only_deidentified",
    "verify",
    "verify_after",
    "commit_by",
}


def lane_settings(
    settings: Settings, name: str, windows: Windows, asked: ClassFilter
) -> LaneSettings:
    """Return the pace of a lane.  asked: the compiled filter of the destination."""
    table = settings.destination[name]
    retry = table.retry
    limits = table.limits
    return LaneSettings(
        policy=RetryPolicy(
            first_s=retry.first,
            cap_s=retry.cap,
            lifetime_s=retry.lifetime,
            tries=retry.tries,
            object_pauses_s=retry.object,
        ),
        parallel=table.parallel,
        window=windows.of(table.window),
        stat_waits=table.stat_waits,
        send_anyway_after_s=table.send_anyway_after,
        finish_study=table.closing == "finish-study",
        split_study=table.split_study,
        probe_outside_window=table.probe_outside_window,
        optional_for_s=table.optional_for,
        limits=limits_of(settings, name, windows),
        share=(limits.share or "") if limits else "",
        filter=asked,
        only_deidentified=table.only_deidentified,
        verified=getattr(table, "verify", None) is not None,
    )


def limits_of(settings: Settings, name: str, windows: Windows) -> Limits:
    """Return the limits of a lane; those who share a budget have it from whoever states it."""
    own = settings.destination[name].limits
    if own is None:
        return Limits()
    sharing = [own]
    if own.share is not None:
        sharing += [
            table.limits
            for table in settings.destination.values()
            if table.limits is not None and table.limits.share == own.share
        ]
    rate = next((each.rate for each in sharing if each.rate is not None), None)
    per_minute = next((each.per_minute for each in sharing if each.per_minute is not None), None)
    return Limits(
        rates=tuple(
            RateEntry(
                bytes_per_s=float(entry.max),
                when=None if always(entry.when) else windows.of(entry.when),
            )
            for entry in rate or ()
        ),
        per_minute=per_minute,
    )


def always(text: str) -> bool:
    """Return whether a schedule is always open as it is written."""
    return text.strip() == ALWAYS.hours.text


def same_way(before: DestinationSettings | None, after: DestinationSettings | None) -> bool:
    """Return whether two tables lead to the same place, whatever their pace."""
    if before is None or after is None:
        return before is after
    return type(before) is type(after) and all(
        getattr(before, key) == getattr(after, key)
        for key in type(after).model_fields
        if key not in PACE
    )


def shared(settings_of: Mapping[str, LimitSettings]) -> dict[str, list[str]]:
    """Return share → names of the destinations that have that budget together."""
    found: dict[str, list[str]] = {}
    for name, limits in settings_of.items():
        if limits.share is not None:
            found.setdefault(limits.share, []).append(name)
    return found
