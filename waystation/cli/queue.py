"""``waystation queue``: see deliveries, and decide about them (R-59, R-79).

Contract: ``list`` and ``show`` work with the node stopped too; decisions need it running (exit 3).
A decision about more than a hundred says how many and wants ``--yes``.  ``--json`` prints one
document with stable keys (docs/reference/queue-json.md).
"""

import json
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from waystation.cli.api import data_folder
from waystation.cli.decisions import Decided, change_lane, decide
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.sources import Source, Wanted
from waystation.cli.tables import age_text, clears_text, instant_text, plain, print_table, rate_text
from waystation.model.errors import ConfigError

SHOWN = 50
STATES = ("waiting", "sending", "held", "done", "discarded")

To = Annotated[str, typer.Option("--to", metavar="NAME", help="Only this destination")]
Study = Annotated[str, typer.Option("--study", metavar="UID", help="Only this study")]
State = Annotated[str, typer.Option("--state", help="Only this state: " + ", ".join(STATES))]
Reason = Annotated[str, typer.Option("--reason", help="Only what is held for this reason")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of deliveries or held arrivals")]
All = Annotated[bool, typer.Option("--all", help="Everything, when no filter is given")]
Yes = Annotated[bool, typer.Option("--yes", help="Also if it is more than a hundred")]
Preview = Annotated[bool, typer.Option("--preview", help="Only say how many")]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; kept with it")]

queue = typer.Typer(
    help="See deliveries and act on them.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@queue.callback(invoke_without_command=True)
def bare(ctx: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """See deliveries and act on them; alone: list the lanes."""
    if ctx.invoked_subcommand is None:
        show_list(config=config, as_json=as_json)


def _state(text: str) -> str:
    if text and text not in STATES:
        raise ConfigError("--state", f'no state "{text}"; there are {", ".join(STATES)}')
    return text


def _id(text: str) -> str:
    try:
        return f"{int(text, 16):x}"
    except ValueError as error:
        raise ConfigError(plain(text), "an id is hexadecimal, as the list prints it") from error


@queue.command("list")
def show_list(
    to: To = "",
    study: Study = "",
    state: State = "",
    reason: Reason = "",
    held: Annotated[bool, typer.Option("--held", help="Only what is held")] = False,
    deliveries: Annotated[
        bool, typer.Option("--deliveries", help="List the deliveries too, without a filter")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=0, help="At most so many; 0: all (default with --json)")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the lanes; with a filter, the deliveries and held arrivals too."""
    most = limit if limit is not None else (0 if as_json else SHOWN)
    state = "held" if held else _state(state)
    wanted = Wanted(to=to, study=study, state=state, reason=reason, limit=most)
    source = Source(data_folder(config))
    document = source.destinations()
    document["running"] = source.api is not None
    if wanted.narrowed or deliveries:
        document["deliveries"] = source.listed("deliveries", wanted)
        document["arrivals"] = source.listed("arrivals", wanted)
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
        return
    if not document["running"]:
        print("the node is not running; this is its journal", file=sys.stderr)
    _print_lanes(document)
    if "deliveries" in document:
        _print_deliveries(document["deliveries"], most)
        _print_arrivals(document["arrivals"])


def _print_lanes(document: dict[str, Any]) -> None:
    columns = (
        "lane",
        "state",
        "waiting",
        "oldest",
        "sending",
        "held",
        "done",
        "rate",
        "clears",
        "last problem",
    )
    rows = [
        (
            lane["destination"],
            lane["state"],
            lane["waiting"],
            age_text(lane["oldest_s"]),
            lane["sending"],
            lane["held"],
            lane["done"],
            rate_text(lane.get("bytes_per_s", 0.0)),
            clears_text(lane.get("clears_at"), lane["waiting"]),
            lane["why"],
        )
        for lane in document["lanes"]
    ]
    print_table(columns, rows, ("waiting", "oldest", "sending", "held", "done", "rate"))
    reasons = ", ".join(f"{plain(word)} {n}" for word, n in sorted(document["held"].items()))
    total = sum(document["held"].values())
    print(f"held {total}: {reasons}" if total else "held 0")
    if document["unplanned"]:
        print(f"without a plan yet: {document['unplanned']}")


def _print_deliveries(entries: list[dict[str, Any]], most: int) -> None:
    if not entries:
        return
    print()
    columns = ("delivery", "to", "state", "reason", "tries", "study", "since", "last problem")
    rows = [
        (
            entry["id"],
            entry["destination"],
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


def _print_arrivals(entries: list[dict[str, Any]]) -> None:
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


@queue.command("show")
def show(
    item: Annotated[str, typer.Argument(metavar="ID", help="Of a delivery or an arrival")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the story of one arrival: where it came from, what became of it, each failure."""
    story = Source(data_folder(config)).story(_id(item))
    if story is None:
        print(f"there is no delivery or arrival {plain(item)}", file=sys.stderr)
        raise typer.Exit(1)
    if as_json:
        print(json.dumps(story, ensure_ascii=False))
        return
    arrival = story["arrival"]
    for name in ("id", "study", "series", "sop_instance", "sop_class", "transfer_syntax"):
        print(f"{name:<16}{plain(arrival[name])}")
    sender = f"{plain(arrival['calling_ae'])} to {plain(arrival['called_ae'])}"
    print(f"{'received':<16}{instant_text(arrival['received_at'])} from {sender}")
    fate = arrival["reason"] or arrival["ended_why"] or ("planned" if arrival["planned"] else "new")
    print(f"{'fate':<16}{plain(fate)}")
    for verdict in arrival["verdicts"]:
        print(f"rule {plain(verdict['rule'])}: {'match' if verdict['matched'] else 'failed'}")
    for entry in story["deliveries"]:
        print()
        _print_delivery(entry, story["attempts"].get(entry["id"], []))


def _print_delivery(entry: dict[str, Any], attempts: list[dict[str, Any]]) -> None:
    reason = f" ({plain(entry['reason'])})" if entry["reason"] else ""
    by = entry["by_user"] or entry["by_rule"]
    print(
        f"delivery {entry['id']} to {plain(entry['destination'])}: {entry['state']}{reason}"
        + (f" by {plain(by)}" if by else "")
    )
    if entry["state"] == "waiting":
        print(f"  next attempt {instant_text(entry['due'])}")
    for attempt in attempts:
        words = " ".join(filter(None, (attempt["status"], plain(attempt["why"]))))
        print(f"  attempt {attempt['number']}  {instant_text(attempt['ended_at'])}  {words}")
    if entry["ended_at"]:
        words = " ".join(filter(None, (entry["status"], plain(entry["why"]))))
        print(f"  ended      {instant_text(entry['ended_at'])}  {words}")


def _command(action: str) -> Callable[..., None]:
    """Return the command of one action; they differ in nothing but its name."""

    def command(
        ids: Ids = None,
        to: To = "",
        study: Study = "",
        state: State = "",
        reason: Reason = "",
        everything: All = False,
        because: Because = "",
        yes: Yes = False,
        preview: Preview = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        decided = Decided(
            action=action,
            wanted=Wanted(to=to, study=study, state=_state(state), reason=reason),
            ids=[_id(text) for text in ids or []],
            everything=everything,
            because=because,
            yes=yes,
            preview=preview,
        )
        decide(decided, config, as_json=as_json)

    return command


ACTIONS = {
    "retry": "Try held deliveries again now, as if they were new; plan held arrivals again",
    "hold": "Hold waiting deliveries until somebody releases them",
    "release": "Let held deliveries go as they are; plan held arrivals again",
    "discard": "End what is waiting or held, by name and with a reason",
    "resend": "Send again what is done, while its bytes are kept",
}
for _name, _help in ACTIONS.items():
    queue.command(_name, help=_help)(_command(_name))


Lane = Annotated[str, typer.Argument(metavar="NAME", help="Destination")]


@queue.command("pause")
def pause(name: Lane, config: ConfigOption = None) -> None:
    """Stop sending to one destination until it is resumed; survives a restart."""
    change_lane(name, "pause", config)


@queue.command("resume")
def resume(name: Lane, config: ConfigOption = None) -> None:
    """Let a paused destination go on."""
    change_lane(name, "resume", config)
