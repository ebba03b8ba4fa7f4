"""``waystation edit``: elements of files changed, the rest byte for byte as it was (T-77).

Contract: the edits are those of rules, with the same limits.  Nothing is changed in place without
``--in-place``.  Order: erase, insert items, add, set, contents of files, other edits, new UIDs.
Exit 0 if all were edited (or needed no change), 1 if something failed or a condition was not true
of a file, 2 for an edit that is none.  ``-`` reads standard input and writes standard output.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waystation.cli.file_lists import expanded
from waystation.cli.options import JsonOption
from waystation.model.errors import ConfigError

if TYPE_CHECKING:
    from waystation.app.editing import Order
    from waystation.transforms.edit import Edit

STDIN = "-"
Values = list[str] | None
Set = Annotated[
    Values, typer.Option("--set", metavar="K=V", help="Element (or path) and its value")
]
Add = Annotated[Values, typer.Option("--add", metavar="K=V", help="The same, where it has none")]
Erase = Annotated[Values, typer.Option("--erase", metavar="K", help="Element, path or (gggg,*)")]
ErasePrivate = Annotated[bool, typer.Option("--erase-private", help="All private elements")]
InsertItem = Annotated[
    Values, typer.Option("--insert-item", metavar="SEQUENCE", help="Add an empty item")
]
FromFile = Annotated[
    Values, typer.Option("--from-file", metavar="K=FILE", help="Value from a file")
]
Other = Annotated[
    Values, typer.Option("--edit", metavar="TOML", help='As in rules: { replace = "...", ... }')
]
If = Annotated[str, typer.Option("--if", metavar="EXPR", help="Only objects of which it is true")]
NewUids = Annotated[bool, typer.Option("--new-uids", help="New UIDs, the same over all files")]
UidKey = Annotated[
    Path | None, typer.Option("--uid-key", metavar="FILE", help="Same key, same new UIDs again")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing; show what would change")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder for the copies")
]
InPlace = Annotated[bool, typer.Option("--in-place", help="Replace the files themselves")]
Backup = Annotated[bool, typer.Option("--backup", help="With --in-place: keep FILE.bak")]
Utf8 = Annotated[bool, typer.Option("--utf-8", help="Convert to UTF-8 where a value needs it")]
Record = Annotated[
    bool, typer.Option("--record", help="Keep previous values in Original Attributes")
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first that fails")]


def edit(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, @LIST, -")],
    assign: Set = None,
    add: Add = None,
    erase: Erase = None,
    erase_private: ErasePrivate = False,
    insert_item: InsertItem = None,
    from_file: FromFile = None,
    other: Other = None,
    condition: If = "",
    new_uids: NewUids = False,
    uid_key: UidKey = None,
    dry_run: DryRun = False,
    output: Output = None,
    in_place: InPlace = False,
    backup: Backup = False,
    utf8: Utf8 = False,
    record: Record = False,
    fail_fast: FailFast = False,
    as_json: JsonOption = False,
) -> None:
    """Change elements of DICOM files."""
    from waystation.app.editing import Order

    said: list[dict[str, Any]] = [{"remove": plain_path(path)} for path in erase or []]
    said += [{"remove": "private"}] * erase_private
    inserted = [plain_path(path) for path in insert_item or []]
    later = [_assigned("default", text, "--add") for text in add or []]
    later += [_assigned("set", text, "--set") for text in assign or []]
    later = [one | ({"charset": "utf-8"} if utf8 else {}) for one in later]
    contents = [_split(text, "--from-file") for text in from_file or []]
    last = [_inline(text) for text in other or []]
    last += [{"new_uids": True}] * new_uids
    operations = (
        *_read(said),
        *_more(inserted, []),
        *_read(later),
        *_more([], contents),
        *_read(last),
    )
    if not operations:
        raise ConfigError("--set", "say what is to be changed; see --help")
    _check_way(paths, output, (in_place, backup, dry_run))
    order = Order(
        operations=operations,
        output=output,
        backup=".bak" if backup else "",
        dry_run=dry_run,
        utf8=utf8,
        condition=_condition(condition),
        keys={"": _key(uid_key)} if new_uids else {},
        system="waystation edit" if record else "",
    )
    if paths == [STDIN]:
        _stream(order)
        return
    _run(expanded(paths), order, fail_fast, as_json=as_json)


def plain_path(path: str) -> str:
    """Return a path as rules write it: ``[*]``, any item, is what they mean without a number."""
    return path.replace("[*]", "")


def _split(text: str, option: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise ConfigError(option, "write KEYWORD=VALUE, such as PatientID=4711")
    return plain_path(path.strip()), value


def _assigned(verb: str, text: str, option: str) -> dict[str, Any]:
    path, value = _split(text, option)
    return {verb: path, "to": value.split("\\")}


def _inline(text: str) -> dict[str, Any]:
    import tomllib

    try:
        found = tomllib.loads(f"edit = {text}")["edit"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("--edit", f"not an inline table of TOML: {error}") from error
    if not isinstance(found, dict) or "lookup" in found or "new_uids" in found:
        raise ConfigError("--edit", "expected one edit of a rule; for new UIDs there is --new-uids")
    return found


def _read(said: list[dict[str, Any]]) -> "Iterator[Edit]":
    from waystation.transforms.edit_read import read_edit

    for one in said:
        try:
            yield read_edit(one)
        except ValueError as error:
            raise ConfigError(" ".join(map(str, one.values())), str(error)) from error


def _more(sequences: list[str], contents: list[tuple[str, str]]) -> Iterator[Any]:
    from waystation.transforms.edit_more import InsertItem as Insert
    from waystation.transforms.edit_more import PutContent

    try:
        for path in sequences:
            yield Insert(path=path)
        for path, name in contents:
            yield PutContent(path=path, content=Path(name).read_bytes())
    except OSError as error:
        raise ConfigError(
            f"--from-file {error.filename}", error.strerror or "unreadable"
        ) from error
    except ValueError as error:
        raise ConfigError("--insert-item or --from-file", str(error)) from error


def _check_way(paths: list[str], output: Path | None, flags: tuple[bool, bool, bool]) -> None:
    in_place, backup, dry_run = flags
    if STDIN in paths:
        if len(paths) > 1 or in_place or output is not None:
            raise ConfigError("-", "standard input goes to standard output, and goes alone")
        return
    if in_place and output is not None:
        raise ConfigError("--in-place", "and --output exclude each other")
    if not (in_place or dry_run or output is not None):
        raise ConfigError("--output", "say where the copies go, or use --in-place or --dry-run")
    if backup and not in_place:
        raise ConfigError("--backup", "has no effect without --in-place")


def _condition(text: str) -> Any:
    if not text:
        return None
    from waystation.rules.expression import expression
    from waystation.rules.known import Known

    return expression(text, "--if", Known(schedules=()), "")


def _key(path: Path | None) -> bytes:
    import hashlib
    import secrets

    if path is None:
        return secrets.token_bytes(32)
    try:
        return hashlib.sha256(path.read_bytes().strip()).digest()
    except OSError as error:
        raise ConfigError("--uid-key", error.strerror or "cannot be read") from error


def _stream(order: "Order") -> None:
    """Edit what comes on standard input."""
    from waystation.app.editing import FAILED, Edited, Editor
    from waystation.app.object_files import read
    from waystation.cli.edit_text import print_edited
    from waystation.dicom.errors import DatasetError
    from waystation.model.errors import WaystationError
    from waystation.transforms.held import HeldError

    try:
        source = read(memoryview(sys.stdin.buffer.read()))
        made = Editor(order).edited(source)
    except (DatasetError, HeldError, ValueError) as error:
        raise WaystationError(f"-: {error}") from error
    meta, head, done = (source.meta, source.head.data, made) if isinstance(made, Edited) else made
    if order.dry_run:
        print_edited(done)
    else:
        sys.stdout.buffer.write(meta)
        for piece in source.spliced(head, -1):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    if done.state in (FAILED, "skipped"):
        raise typer.Exit(1)


def _run(paths: list[Path], order: "Order", fail_fast: bool, *, as_json: bool) -> None:
    from collections import Counter

    from waystation.app.dicom_files import search
    from waystation.app.editing import FAILED, SKIPPED, Editor
    from waystation.cli.edit_text import print_edited, print_line, print_summary

    for path in paths:
        if not path.exists():
            raise ConfigError(str(path), "there is no such file or folder")
    folders = [path for path in paths if path.is_dir()]
    editor = Editor(order, folders)
    states: Counter[str] = Counter()
    for path, named in search(paths):
        done = editor.work(path, named=named)
        states[done.state] += 1
        if as_json:
            print_line(done)
        else:
            print_edited(done, rows=order.dry_run)
        if fail_fast and done.state == FAILED:
            break
    print_summary(states, as_json=as_json, dry_run=order.dry_run)
    if states[FAILED] or states[SKIPPED] or not states.total():
        raise typer.Exit(1)
