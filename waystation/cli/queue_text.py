"""The queue as people read it.

Contract: made of the JSON documents alone; scripts use ``--json``, these tables may change.
"""

import sys
import time
from typing import Any

from waystation.cli.tables import age_text, clears_text, instant_text, plain, print_table, rate_text

AGES = {"5m": "<5m", "15m": "<15m", "1h": "<1h", "4h": "<4h", "1d": "<1d", "more": "more"}


def print_lanes(document: dict[str, Any]) -> None:
    """Print one line for each lane, what is held and what came of today."""
    columns = ("lane", "state", "window", "waiting", "oldest", *AGES.values(), "sending", "held")
    columns += ("rate", "clears", "last problem")
    rows = [
        (
            lane["destination"],
            lane["state"],
            lane["window"],
            lane["waiting"],
            age_text(lane["oldest_s"]),
            *(lane["ages"][name] for name in AGES),
            lane["sending"],
            lane["held"],
            rate_text(lane["bytes_per_s"]),
            clears_text(lane["clears_at"], lane["waiting"]),
            lane["why"],
        )
        for lane in document["lanes"]
    ]
    words = {"lane", "state", "window", "clears", "last problem"}
    print_table(columns, rows, [name for name in columns if name not in words])
    print(_held(document["held"]) + _today(document["today"]))
    if document["gathers"]:
        noun = "series or study" if document["gathers"] == 1 else "series and studies"
        print(f"gathering: {document['gathering']} objects of {document['gathers']} {noun}")
    for name, n in sorted(document.get("unverified", {}).items()):
        print(f"not confirmed yet: {plain(name)} {n:,}")
    if document["unplanned"]:
        print(f"without a plan yet: {document['unplanned']}")


def _held(held: dict[str, int]) -> str:
    reasons = ", ".join(f"{plain(word)} {n}" for word, n in sorted(held.items()))
    total = sum(held.values())
    return f"held {total}: {reasons}" if total else "held 0"


def _today(today: dict[str, int]) -> str:
    """Return what became of the deliveries that were made today."""
    total = sum(today.values())
    order = ("done", "sending", "waiting", "held", "discarded")
    parts = " + ".join(f"{state} {today[state]:,}" for state in order if today.get(state))
    return f"       deliveries today {total:,}" + (f" = {parts}" if parts else "")


def print_shares(document: dict[str, Any]) -> None:
    """Print what is open by peer, rule or study."""
    by = document["by"]
    rows = [
        (
            one["name"] or "-",
            one["waiting"],
            age_text(one["oldest_s"]),
            one["sending"],
            one["held"],
        )
        for one in document["shares"]
    ]
    numbers = ("waiting", "oldest", "sending", "held")
    print_table((by, *numbers), rows, numbers)


def _to(entry: dict[str, Any]) -> str:
    group = entry["group"]
    if not group:
        return str(entry["destination"])
    return group if entry["destination"] == group else f"{group}/{entry['destination']}"


def print_deliveries(entries: list[dict[str, Any]], most: int) -> None:
    """Print deliveries, at most ``most`` of them were asked for."""
    if not entries:
        return
    print()
    columns = ("delivery", "to", "state", "reason", "tries", "study", "since", "last problem")
    rows = [
        (
            entry["id"],
            _to(entry),
            entry["state"],
            entry["reason"],
            entry["attempts"],
            entry["study"],
            instant_text(entry["created_at"]),
            " ".join(filter(None, (entry["status"], entry["why"]))),
        )
        for entry in entries
    ]
    print_table(columns, rows, ("tries",))
    if most and len(entries) == most:
        print(f"the oldest {most}; --limit 0 lists all", file=sys.stderr)


def print_arrivals(entries: list[dict[str, Any]]) -> None:
    """Print arrivals that are held themselves."""
    if not entries:
        return
    print()
    columns = ("held arrival", "reason", "from", "study", "received")
    rows = [
        (
            entry["id"],
            entry["reason"],
            entry["peer"] or entry["calling_ae"],
            entry["study"],
            instant_text(entry["received_at"]),
        )
        for entry in entries
    ]
    print_table(columns, rows)


def print_delivery(entry: dict[str, Any], attempts: list[dict[str, Any]]) -> None:
    """Print one delivery with its attempts."""
    reason = f" ({plain(entry['reason'])})" if entry["reason"] else ""
    by = entry["by_user"] or entry["by_rule"]
    print(
        f"delivery {entry['id']} to {plain(_to(entry))}: {entry['state']}{reason}"
        + (f" by {plain(by)}" if by else "")
        + (f" ({entry['origin']})" if entry["origin"] != "rule" else "")
    )
    if entry["help"]:
        print(f"  what helps: {entry['help']}")
    if entry["state"] == "waiting":
        word = "next attempt" if entry["due"] > time.time() else "due since"
        print(f"  {word} {instant_text(entry['due'])}")
    for attempt in attempts:
        told = (attempt["status"], plain(attempt["why"]), plain(attempt["detail"]))
        words = " ".join(filter(None, told))
        print(f"  attempt {attempt['number']}  {instant_text(attempt['ended_at'])}  {words}")
    if entry["ended_at"]:
        words = " ".join(filter(None, (entry["status"], plain(entry["why"]))))
        print(f"  ended      {instant_text(entry['ended_at'])}  {words}")
