"""``waystation simulate-peer``: play a PACS or a modality, well-behaved or not.

Contract: results on stdout, talk on stderr.  ``pacs`` prints one ready line, serves until SIGTERM
or Ctrl-C, then prints its summary as JSON.  ``modality`` prints a line per object and a summary;
exit 0 if every object was accepted, 1 if not, 3 if nobody answered.
"""

import asyncio
import json
import signal
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from waystation.cli.options import ConfigOption, JsonOption, VerboseOption

if TYPE_CHECKING:
    from waystation.app.simulated_modality import Modality, Result
    from waystation.app.simulated_pacs import PacsSettings
    from waystation.app.synthetic import Row, Study
    from waystation.model.peer import Remote

simulate = typer.Typer(
    help="Play a PACS or a modality.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
Reject = Literal["transient", "permanent"]


def _duration(text: str) -> float:
    from waystation.app.quantities import read_duration

    try:
        return read_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _size(text: str) -> int:
    from waystation.app.quantities import read_size

    try:
        return read_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _status(text: str) -> int:
    try:
        status = int(text, 16)
    except ValueError as error:
        raise typer.BadParameter("a status is four hexadecimal digits, like A700") from error
    if not 0 <= status <= 0xFFFF:
        raise typer.BadParameter("a status is four hexadecimal digits, like A700")
    return status


def _row(text: str) -> "Row":
    from waystation.app.synthetic import row_of

    try:
        return row_of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@simulate.command("pacs")
def pacs(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any free one")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    ae_title: Annotated[str, typer.Option(help="Our AE title, others are refused")] = "PACS",
    output: Annotated[Path | None, typer.Option(help="Keep what comes in this folder")] = None,
    ledger: Annotated[Path | None, typer.Option(help="Note what was acknowledged here")] = None,
    status: Annotated[str, typer.Option(help="Answer with this status, like A700")] = "0000",
    status_every: Annotated[int, typer.Option(min=1, help="... every n-th object only")] = 1,
    delay: Annotated[str, typer.Option(help="Wait before each answer, like 200ms")] = "0s",
    hang_after: Annotated[int | None, typer.Option(help="Fall silent after n objects")] = None,
    abort_after: Annotated[
        int | None, typer.Option(help="A-ABORT after n objects of an association")
    ] = None,
    drop_every: Annotated[int, typer.Option(help="Cut the connection at each n-th object")] = 0,
    reject: Annotated[Reject | None, typer.Option(help="Refuse every association")] = None,
    accept_syntax: Annotated[
        list[str] | None, typer.Option(help="Accept only this transfer syntax (repeatable)")
    ] = None,
    accept_class: Annotated[
        list[str] | None, typer.Option(help="Accept only this SOP class (repeatable)")
    ] = None,
    slow: Annotated[str, typer.Option(help="Read so much a second, like 1KiB/s")] = "",
    max_pdu: Annotated[str, typer.Option(help="Largest PDU we take")] = "128KiB",
) -> None:
    """Accept C-ECHO and C-STORE; keep nothing unless told to; misbehave by script."""
    from waystation.app.simulated_pacs import PacsSettings, Script

    script = Script(
        status=_status(status),
        status_every=status_every,
        delay_s=_duration(delay),
        hang_after=hang_after,
        abort_after=abort_after,
        drop_every=drop_every,
        reject=reject or "",
        accept_syntax=tuple(accept_syntax or ()),
        accept_class=tuple(accept_class or ()),
        bytes_per_s=float(_size(slow.removesuffix("/s"))) if slow else 0.0,
        max_pdu=_size(max_pdu),
    )
    settings = PacsSettings(ae_title=ae_title, output=output, ledger=ledger, script=script)
    try:
        asyncio.run(_serve(settings, host, port))
    except OSError as error:
        print(f"waystation: {host}:{port}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(1) from error


async def _serve(settings: "PacsSettings", host: str, port: int) -> None:
    from waystation.app.simulated_pacs import SimulatedPacs

    served = SimulatedPacs(settings)
    bound = await served.start(host, port)
    print(f"ready ae={settings.ae_title} port={bound}", flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await served.stop()
    print(json.dumps(served.summary), flush=True)


@simulate.command("modality")
def modality(
    target: Annotated[str, typer.Argument(help="AET@host:port, or a destination's name")],
    studies: Annotated[int, typer.Option(min=1, help="Number of studies")] = 1,
    series: Annotated[int, typer.Option(min=1, help="Series of each study")] = 1,
    images: Annotated[int, typer.Option(min=1, help="Images of each series")] = 10,
    size: Annotated[str, typer.Option(help="Of one image, about, like 12kB or 512kB")] = "512kB",
    rate: Annotated[float, typer.Option(min=0.0, help="Images a second; 0: no limit")] = 0.0,
    parallel: Annotated[int, typer.Option(min=1, help="Associations side by side")] = 1,
    seed: Annotated[str, typer.Option(help="The same seed makes the same images")] = "0",
    calling_ae: Annotated[str, typer.Option(help="Our AE title")] = "MODALITY",
    values: Annotated[
        list[str] | None,
        typer.Option("--set", help="An element of every image, like PatientID=4711 (repeatable)"),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Note what was attempted, and its end")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Send synthetic studies to TARGET; each object once, without retrying."""
    from waystation.app.synthetic import Study
    from waystation.cli.calling import TlsAsked, remote_of

    remote = remote_of(target, calling_ae, config, TlsAsked())
    size_bytes = _size(size)
    study = partial(Study, seed=seed, series=series, images=images, size_bytes=size_bytes)
    rows = tuple(_row(one) for one in values or ())
    wanted = [study(number=number, values=rows) for number in range(1, studies + 1)]
    sender = asyncio.run(_send(remote, wanted, parallel, rate, ledger, as_json=as_json))
    good = sender.endings["acked"] == studies * series * images
    summary = {**sender.endings, "bytes": sender.sent_bytes}
    if as_json:
        print(json.dumps({"summary": summary}))
    else:
        print(", ".join(f"{n} {word}" for word, n in sorted(summary.items())))
    if not sender.reached:
        raise typer.Exit(3)
    if not good:
        raise typer.Exit(1)


async def _send(
    remote: "Remote",
    studies: "list[Study]",
    parallel: int,
    rate: float,
    path: Path | None,
    *,
    as_json: bool,
) -> "Modality":
    from waystation.app.simulated_modality import Ledger, Modality

    ledger = Ledger(path)
    sender = Modality(
        remote, ledger=ledger, told=_print_json if as_json else _print_line, rate=rate
    )
    try:
        await sender.send(studies, parallel)
    finally:
        ledger.close()
    return sender


def _print_line(result: "Result") -> None:
    from waystation.app.simulated_modality import line_of

    print(line_of(result), flush=True)


def _print_json(result: "Result") -> None:
    plain: dict[str, Any] = asdict(result)
    print(json.dumps(plain), flush=True)
