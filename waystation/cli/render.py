"""``waystation render``: files and folders as pictures (toolkit `render`).

Contract: draws as ``/rendered`` does.  Exit 0 if everything that was asked for was drawn, 1 if
something was not, 2 for options that cannot be used.  No identity is written into a picture; the
pixels themselves may show one.  ``--json`` prints one document: ``pictures``, ``ignored``,
``failures``, ``files``.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from waystation.cli.file_lists import expanded
from waystation.cli.options import JsonOption
from waystation.cli.tables import plain
from waystation.model.errors import ConfigError

if TYPE_CHECKING:
    from waystation.app.rendering import Made, Order
    from waystation.transforms.render_job import Kind, View, Window

MOST_PRINTED = 20
MOST_FRAMES = 100_000
# Windows of CT as they are taught: center and width in Hounsfield units.
PRESETS = {
    "abdomen": (40, 400),
    "angio": (300, 600),
    "bone": (480, 2500),
    "brain": (40, 80),
    "liver": (90, 150),
    "lung": (-600, 1500),
    "mediastinum": (50, 350),
}
FORMATS = ("jpeg", "png", "png16", "gif", "webp")


def render(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, @LIST")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="Folder, or file of one picture")
    ],
    kind: Annotated[
        str, typer.Option("--format", help="png, png16, jpeg, webp, gif; default as OUT ends, png")
    ] = "",
    frames: Annotated[str, typer.Option(help="Frames, like 1,5-9; default all")] = "",
    window: Annotated[
        str,
        typer.Option(help="center,width[,function], number of one in the file, auto, or a name"),
    ] = "",
    voi: Annotated[int, typer.Option(min=0, help="Number of a VOI LUT in the file")] = 0,
    size: Annotated[str, typer.Option(metavar="WxH", help="Fit into so many pixels")] = "",
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG and WebP")] = 90,
    overlays: Annotated[bool, typer.Option("--overlays", help="Draw overlay planes")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over files")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write images as pictures that any program shows."""
    from waystation.app.loop import run
    from waystation.app.rendering import KINDS, Order
    from waystation.transforms.render_job import RenderJob

    single = output.suffix.lower() in KINDS and not output.is_dir()
    job = RenderJob(
        kind=_kind(kind, KINDS.get(output.suffix.lower(), "png")),
        frames=_frames(frames),
        window=_window(window),
        choice=_choice(window, voi),
        view=_view(size),
        quality=quality,
        overlays=overlays,
    )
    found = expanded(paths)
    if single and (len(found) != 1 or found[0].is_dir()):
        raise ConfigError("--output", "several files go into a folder; name one")
    order = Order(found, output, job, single=single, force=force)
    made = run(_all(order))
    _report(made, as_json=as_json)
    if any(one.why and not one.ignored for one in made) or not any(one.pictures for one in made):
        raise typer.Exit(1)


async def _all(order: "Order") -> "list[Made]":
    from waystation.app.rendering import render_files

    return [made async for made in render_files(order)]


def _kind(text: str, otherwise: str) -> "Kind":
    if text and text not in FORMATS:
        raise ConfigError("--format", "expected one of " + ", ".join(FORMATS))
    return cast("Kind", text or otherwise)


def _frames(text: str) -> tuple[int, ...]:
    """Return frame numbers from 0, () for all."""
    found: list[int] = []
    for part in text.split(",") if text else []:
        first, dash, last = part.strip().partition("-")
        ends = [first, last if dash else first]
        if not all(one.isascii() and one.isdigit() and 0 < int(one) <= MOST_FRAMES for one in ends):
            raise ConfigError("--frames", "expected numbers from 1 on, like 1,5-9")
        found += range(int(ends[0]) - 1, int(ends[1]))
    if text and not found:
        raise ConfigError("--frames", "a range goes from the lower number to the higher one")
    return tuple(found)


def _window(text: str) -> "Window | None":
    from waystation.transforms.render_job import Window, window_of

    if text in PRESETS:
        return Window(*PRESETS[text])
    if not text or text == "auto" or text.isdigit():
        return None
    try:
        return window_of(text if text.count(",") == 2 else text + ",linear")
    except ValueError as error:
        known = ", ".join(PRESETS)
        raise ConfigError("--window", f"{error}; or auto, a number, or one of {known}") from error


def _choice(window: str, voi: int) -> str:
    if window and voi:
        raise ConfigError("--voi", "choose a window or a VOI LUT, not both")
    if voi:
        return f"lut:{voi}"
    if window.isdigit():
        return f"window:{int(window)}"
    return "auto" if window == "auto" else ""


def _view(text: str) -> "View | None":
    from waystation.transforms.render_job import view_of

    if not text:
        return None
    try:
        return view_of(text.lower().replace("x", ","), part=False)
    except ValueError as error:
        raise ConfigError("--size", f"{error}; write it like 800x600") from error


def _report(made: "list[Made]", *, as_json: bool) -> None:
    count = sum(len(one.pictures) for one in made)
    ignored = sum(one.ignored for one in made)
    failures = [one for one in made if one.why and not one.ignored]
    if as_json:
        document: dict[str, Any] = {
            "pictures": count,
            "ignored": ignored,
            "failures": [{"path": str(one.path), "why": one.why} for one in failures],
            "files": {str(one.path): [str(path) for path in one.pictures] for one in made},
        }
        print(json.dumps(document))
        return
    more = f", {ignored} other files left out" if ignored else ""
    drawn = sum(bool(one.pictures) for one in made)
    print(f"{_counted(count, 'picture')} from {_counted(drawn, 'file')}{more}")
    for one in failures[:MOST_PRINTED]:
        print(f"not drawn: {plain(str(one.path))}: {plain(one.why)}", file=sys.stderr)
    if len(failures) > MOST_PRINTED:
        print(f"and {len(failures) - MOST_PRINTED} more", file=sys.stderr)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
