"""``waystation get`` and ``waystation move``: fetch objects from a peer (C-GET, C-MOVE).

Contract: exit 0 if every object came over, 1 if some failed or the peer refused, 3 if it could not
be reached.  ``--json`` prints one document: ``completed``, ``warned``, ``failed``, ``failed_uids``,
``status`` (hex), ``problems``, ``seconds`` and, with ``--output``, ``files`` and ``bytes``.
``move --to`` has the peer send to an application entity that it knows; ``move --output`` listens
for the time of the command under our own title on ``--port``.
"""

import json
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waystation.cli.asking_options import (
    Charset,
    Keys,
    Level,
    QueryFile,
    Relational,
    RetrieveModel,
    identifier_of,
)
from waystation.cli.calling import (
    Ca,
    Calling,
    Cert,
    Insecure,
    Key,
    Target,
    Timeout,
    Tls,
    TlsAsked,
    TlsName,
    exit_code,
    refusal_text,
    remote_of,
    waits_of,
)
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import plain
from waystation.model.errors import ConfigError, LostError, UnreachableError

if TYPE_CHECKING:
    from waystation.app.identifier import Identifier
    from waystation.app.retrieving import Retrieved, Wanted
    from waystation.app.taking import FileTaker
    from waystation.model.peer import Remote
    from waystation.net.client import Waits
    from waystation.wire.commands import Command

    Work = Callable[[Callable[[Command], None]], Coroutine[Any, Any, Retrieved]]

MOST_PRINTED = 20
UNKNOWN_DESTINATION = 0xA801
NAME = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"

Output = Annotated[
    Path | None, typer.Option("--output", metavar="DIR", help="Write the objects into this folder")
]
NameOption = Annotated[
    str, typer.Option("--name", metavar="TEMPLATE", help="Path of each file below the folder")
]
Uids = Annotated[
    str,
    typer.Option("--uids", metavar="FILE", help="One UID of the level per line; - reads stdin"),
]


def get(
    target: Target,
    file: QueryFile = None,
    key: Keys = None,
    output: Output = None,
    name: NameOption = NAME,
    uids: Uids = "",
    model: RetrieveModel = "study",
    level: Level = "",
    relational: Relational = False,
    charset: Charset = "",
    calling: Calling = "",
    timeout: Timeout = "",
    tls: Tls = False,
    ca: Ca = None,
    cert: Cert = None,
    key_file: Key = None,
    tls_name: TlsName = "",
    insecure: Insecure = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch studies, series or images from TARGET on one association (C-GET)."""
    if output is None:
        raise ConfigError("--output", "is missing: the folder for the objects")
    asked = TlsAsked(on=tls, ca=ca, cert=cert, key=key_file, name=tls_name, insecure=insecure)
    remote = remote_of(target, calling, config, asked)
    run = _Run(remote, waits_of(timeout), as_json=as_json)
    run.wanted(model, _identifiers(file, key, level, uids), charset, relational=relational)
    run.files(output, name)
    run.get()


def move(
    target: Target,
    file: QueryFile = None,
    key: Keys = None,
    to: Annotated[str, typer.Option("--to", metavar="AET", help="Where the peer shall send")] = "",
    output: Output = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Of our listener for --output")
    ] = 0,
    name: NameOption = NAME,
    uids: Uids = "",
    model: RetrieveModel = "study",
    level: Level = "",
    relational: Relational = False,
    charset: Charset = "",
    calling: Calling = "",
    timeout: Timeout = "",
    tls: Tls = False,
    ca: Ca = None,
    cert: Cert = None,
    key_file: Key = None,
    tls_name: TlsName = "",
    insecure: Insecure = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have TARGET send studies, series or images somewhere (C-MOVE)."""
    if bool(to) == (output is not None):
        raise ConfigError("--to", "say either --to AET, or --output DIR with --port")
    if output is not None and not port:
        raise ConfigError("--port", "is missing: the port under which the peer knows us")
    asked = TlsAsked(on=tls, ca=ca, cert=cert, key=key_file, name=tls_name, insecure=insecure)
    remote = remote_of(target, calling, config, asked)
    run = _Run(remote, waits_of(timeout), as_json=as_json)
    run.wanted(model, _identifiers(file, key, level, uids), charset, relational=relational)
    if output is not None:
        run.files(output, name)
    run.move(to, port)


def _identifiers(
    file: Path | None, keys: list[str] | None, level: str, uids: str
) -> "list[Identifier]":
    """Return one request, or one for each UID of a list."""
    from waystation.app.holdings import UNIQUE
    from waystation.app.identifier import LEVEL
    from waystation.dicom.tags import keyword_of

    identifier = identifier_of(file, keys, level)
    unique = UNIQUE.get(identifier.text(LEVEL))
    if unique is None:
        raise ConfigError("--level", "one of patient, study, series, image")
    if not uids:
        if not identifier.text(unique):
            raise ConfigError(
                f"-k {keyword_of(unique)}",
                "is missing: retrieval needs the unique key of its level",
            )
        return [identifier]
    try:
        text = sys.stdin.read() if uids == "-" else Path(uids).read_text(encoding="ascii")
    except (OSError, UnicodeError) as error:
        raise ConfigError("--uids", str(error)) from error
    found = []
    for uid in text.split():
        one = identifier_of(file, keys, level)
        one.add(f"{keyword_of(unique)}={uid}")
        found.append(one)
    if not found:
        raise ConfigError("--uids", "no UID in the list")
    return found


class _Run:
    """One command from its options to its exit code."""

    def __init__(self, remote: "Remote", waits: "Waits", *, as_json: bool) -> None:
        self._remote = remote
        self._waits = waits
        self._json = as_json
        self._wanted: Wanted | None = None
        self._taker: FileTaker | None = None
        self._began = time.perf_counter()

    def wanted(
        self, model: str, identifiers: "list[Identifier]", charset: str, *, relational: bool
    ) -> None:
        """Say what to fetch."""
        from waystation.app.asking import options
        from waystation.app.retrieving import Wanted

        asked = b"\1" if relational else options(relational=False, datetime=False, fuzzy=False)
        self._wanted = Wanted(model=model, identifiers=identifiers, charset=charset, options=asked)

    def files(self, output: Path, name: str) -> None:
        """Say where the objects go."""
        from waystation.app.taking import FileTaker

        try:
            self._taker = FileTaker(output, name)
        except ValueError as error:
            raise ConfigError("--name", str(error)) from error
        except OSError as error:
            raise ConfigError("--output", f"{output}: {error.strerror or error}") from error

    def get(self) -> None:
        """Fetch on one association."""
        self._end(self._get)

    def move(self, to: str, port: int) -> None:
        """Have it sent to ``to``, or to ourselves."""
        self._end(lambda told: self._move(told, to, port))

    async def _get(self, told: "Callable[[Command], None]") -> "Retrieved":
        from dataclasses import replace

        from waystation.app.holdings import holdings
        from waystation.app.retrieving import get

        assert self._wanted is not None
        assert self._taker is not None
        wanted = replace(self._wanted, told=told)
        found = await holdings(self._remote, wanted.model, wanted.identifiers, self._waits)
        return await get(self._remote, wanted, found, self._taker, self._waits)

    async def _move(self, told: "Callable[[Command], None]", to: str, port: int) -> "Retrieved":
        from dataclasses import replace

        from waystation.app.catching import Catcher, local_address
        from waystation.app.retrieving import move

        assert self._wanted is not None
        wanted = replace(self._wanted, told=told)
        if self._taker is None:
            return await move(self._remote, wanted, to, self._waits)
        catcher = Catcher(self._taker, self._remote.calling_ae)
        place = local_address(self._remote)
        await catcher.start(place, port)
        try:
            result = await move(self._remote, wanted, self._remote.calling_ae, self._waits)
        finally:
            await catcher.stop()
        if result.status == UNKNOWN_DESTINATION:
            ours = f"{self._remote.calling_ae} = {place}:{port}"
            result.problems.append(f"add {ours} to the destinations that the peer knows")
        return result

    def _end(self, work: "Work") -> None:
        from waystation.app.loop import run

        try:
            with _progress() as told:
                result = run(work(told))
        except UnreachableError as error:
            print(plain(refusal_text(error, self._remote)), file=sys.stderr)
            raise typer.Exit(exit_code(error)) from None
        except LostError as error:
            print(plain(f"lost: {error}"), file=sys.stderr)
            self._partial()
            raise typer.Exit(1) from None
        self._report(result)
        if not result.whole or (self._taker is not None and self._taker.failed):
            raise typer.Exit(1)

    def _partial(self) -> None:
        if self._taker is not None:
            print(f"{len(self._taker.taken)} objects are in the folder", file=sys.stderr)

    def _report(self, result: "Retrieved") -> None:
        seconds = time.perf_counter() - self._began
        taker = self._taker
        document: dict[str, object] = {
            "completed": result.completed,
            "warned": result.warned,
            "failed": result.failed,
            "failed_uids": result.failed_uids,
            "status": f"{result.status:04X}",
            "problems": result.problems,
            "seconds": round(seconds, 3),
        }
        if taker is not None:
            document |= {"files": len(taker.taken), "bytes": taker.seen_bytes}
            document["not_written"] = taker.failed
        if self._json:
            print(json.dumps(document, ensure_ascii=False))
            return
        for problem in result.problems:
            print(plain(problem), file=sys.stderr)
        for uid in result.failed_uids[:MOST_PRINTED]:
            print(f"failed: {plain(uid)}", file=sys.stderr)
        for uid, why in list(taker.failed.items() if taker else ())[:MOST_PRINTED]:
            print(f"not written: {plain(uid)}: {plain(why)}", file=sys.stderr)
        written = f", {len(taker.taken)} files" if taker is not None else ""
        print(
            f"{result.completed} completed ({result.warned} more with a warning),"
            f" {result.failed} failed{written} in {seconds:.1f} s"
        )


def _progress() -> "AbstractContextManager[Callable[[Command], None]]":
    """Return a count of sub-operations on a terminal, and silence elsewhere."""
    if not sys.stderr.isatty():
        return nullcontext(lambda _command: None)
    from waystation.cli.progress import CountBar

    return CountBar()
