"""``waystation queue``: see deliveries, and decide about them (R-59, R-79).

Contract: ``list`` and ``show`` work with the node stopped too; decisions need it running (exit 3).
A decision about more than a hundred says how many and wants ``--yes``.  ``--json`` prints one
document with stable keys (docs/reference/queue-json.md).
"""

import json
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from waystation.cli.api import data_folder
from waystation.cli.decisions import Decided, change_lane, decide
from waystation.cli.fixing import fix_delivery, print_steps, with_values
from waystation.cli.options import ConfigOption, JsonOption, NamesOption
from waystation.cli.queue_text import (
    print_arrivals,
    print_deliveries,
    print_delivery,
    print_lanes,
    print_shares,
)
from waystation.cli.sources import Source, Wanted
from waystation.cli.tables import instant_text, plain
from waystation.model.errors import ConfigError

SHOWN = 50
KINDS = ("peer", "rule", "study")
STATES = ("waiting", "sending", "held", "done", "discarded")

To = Annotated[str, typer.Option("--to", metavar="NAME", help="Only this destination")]
Study = Annotated[str, typer.Option("--study", metavar="UID", help="Only this study")]
State = Annotated[str, typer.Option("--state", help="Only this state: " + ", ".join(STATES))]
Reason = Annotated[str, typer.Option("--reason", help="Only what is held for this reason")]
Where = Annotated[
    str, typer.Option("--where", metavar="EXPR", help="Expression that is true of the object")
]
By = Annotated[
    str, typer.Option("--by", help="Instead of lanes: what is open by peer, rule or study")
]
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
def bare(
    ctx: typer.Context,
    by: By = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """See deliveries and act on them; alone: list the lanes."""
    if ctx.invoked_subcommand is None:
        show_list(by=by, config=config, as_json=as_json)


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
    where: Where = "",
    by: By = "",
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
    wanted = Wanted(to=to, study=study, state=state, reason=reason, where=where, limit=most)
    source = Source(data_folder(config), config)
    if by:
        _show_shares(source, _kind(by), most, as_json=as_json)
        return
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
    print_lanes(document)
    if "deliveries" in document:
        print_deliveries(document["deliveries"], most)
        print_arrivals(document["arrivals"])


def _kind(text: str) -> str:
    if text not in KINDS:
        raise ConfigError("--by", f'nothing is counted by "{text}"; write {", ".join(KINDS)}')
    return text


def _show_shares(source: Source, by: str, most: int, *, as_json: bool) -> None:
    document = source.shares(by, most)
    if as_json:
        print(json.dumps(document | {"running": source.api is not None}, ensure_ascii=False))
    else:
        print_shares(document)


@queue.command("show")
def show(
    item: Annotated[str, typer.Argument(metavar="ID", help="Of a delivery or an arrival")],
    names: NamesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the story of one arrival: where it came from, what became of it, each failure."""
    story = Source(data_folder(config)).story(_id(item))
    if names and story is not None:
        story = with_values(story, int(item, 16), data_folder(config))
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
        print_delivery(entry, story["attempts"].get(entry["id"], []))
        print_steps(story["steps"].get(entry["id"]))


def _command(action: str) -> Callable[..., None]:
    """Return the command of one action; they differ in nothing but its name."""

    def command(
        ids: Ids = None,
        to: To = "",
        study: Study = "",
        state: State = "",
        reason: Reason = "",
        where: Where = "",
        everything: All = False,
        because: Because = "",
        yes: Yes = False,
        preview: Preview = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        decided = Decided(
            action=action,
            wanted=Wanted(to=to, study=study, state=_state(state), reason=reason, where=where),
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


@queue.command("fix")
def fix(
    item: Annotated[str, typer.Argument(metavar="ID", help="Of a held delivery")],
    assign: Annotated[
        list[str], typer.Option("--set", metavar="KEYWORD=VALUE", help="Element and its new value")
    ],
    utf8: Annotated[
        bool, typer.Option("--utf-8", help="Convert the object to UTF-8 where a value needs it")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Send a corrected version of a held object; the original stays as it came."""
    fix_delivery(_id(item), assign, utf8=utf8, config=config)


Lane = Annotated[str, typer.Argument(metavar="NAME", help="Destination")]


@queue.command("pause")
def pause(name: Lane, config: ConfigOption = None) -> None:
    """Stop sending to one destination until it is resumed; survives a restart."""
    change_lane(name, "pause", config)


@queue.command("resume")
def resume(name: Lane, config: ConfigOption = None) -> None:
    """Let a paused destination go on."""
    change_lane(name, "resume", config)
