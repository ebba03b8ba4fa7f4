"""Files without identity: what ``waystation anonymize`` does with each of them.

Contract: an object is written whole and verified, under a name made of its new UIDs, or not at
all; no file is ever overwritten, the original least of all (D-3, D-19).  What goes wrong with one
file is told in its `Done` and touches no other; no reason shows anything of the patient (D-39).
The step is the one that rules use; pixels are changed by codec children.
"""

import asyncio
import hashlib
import json
import os
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from waystation.app.media import file_id
from waystation.app.object_files import Draft, FileObject, is_dicom, opened
from waystation.app.settings_deidentify import DeidentifySettings
from waystation.app.wiring_deidentify import crosswalk_of, deidentifier_from
from waystation.codecs.errors import CodecError, WorkroomError
from waystation.codecs.pool import CodecLimits, CodecPool, Converted
from waystation.codecs.text import TextReader
from waystation.dicom import tags
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, Identity, identity
from waystation.dicom.nested import Buffer
from waystation.dicom.part10 import file_meta
from waystation.dicom.tree import parse
from waystation.flows.reading import no_text
from waystation.flows.splicing import plain
from waystation.model.delivery import HoldReason
from waystation.transforms.deid.changes import Row, differences
from waystation.transforms.deid.verify import Pass
from waystation.transforms.deid_step import DeidStep
from waystation.transforms.held import HeldError
from waystation.transforms.redact_job import Glimpse
from waystation.transforms.steps import DeidResult, StepFacts

T = TypeVar("T")
WRITTEN, HELD, FAILED, LEFT_OUT = "written", "held", "failed", "left-out"
WORKROOM = ".waystation-work"
_UID = re.compile(r"[0-9][0-9.]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is done with every file.

    profile: name and table.  output: folder, None for a dry run.  previews: folder of pictures of
    frames whose pixels change.  approved: what the caller has looked at (`APPROVABLE`).
    media: outputs get names that a DICOMDIR can hold.
    """

    profile: str
    table: DeidentifySettings
    output: Path | None
    previews: Path | None = None
    approved: tuple[str, ...] = ()
    media: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of one file.

    state: written (in a dry run: it would be), held, failed (it cannot be read or written) or
    left-out (no DICOM object to be treated).  why: of the last three.  place: below the output
    folder.  digests: SHA-256 of the data set before and after, "" if there is none.  study: its
    new name.  rows: differences, in a dry run.
    """

    path: Path
    state: str
    why: str = ""
    place: str = ""
    digests: tuple[str, str] = ("", "")
    study: str = ""
    report: dict[str, Any] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()


class Anonymizer:
    """Works in one process; `close` ends its codec children."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._deidentifier = deidentifier_from(order.profile, order.table, os.environ)
        self._step = DeidStep(self._deidentifier, crosswalk_of(order.table))
        self._runner: asyncio.Runner | None = None
        self._pool: CodecPool | None = None

    def work(self, path: Path, *, named: bool) -> Done:
        """Treat one file.  named: it stood on the command line, and was not found in a folder."""
        try:
            with opened(path) as source:
                return self._treat(path, source)
        except DatasetError as error:
            if named or is_dicom(path):
                return Done(path=path, state=FAILED, why=str(error))
            return Done(path=path, state=LEFT_OUT, why="no DICOM file")
        except OSError as error:
            return Done(path=path, state=FAILED, why=error.strerror or type(error).__name__)

    def close(self) -> None:
        """End what was started."""
        if self._runner is not None:
            with closing(self._runner):
                if self._pool is not None:
                    self._runner.run(self._pool.close())

    def _treat(self, path: Path, source: FileObject) -> Done:
        digests, study = (source.digest, ""), ""
        try:
            study = self._deidentifier.study_of(source.head)
            uid = source.head.text(tags.STUDY_INSTANCE_UID)
            approvals = dict.fromkeys(self._order.approved, True)
            facts = StepFacts(now=0.0, system="", study=uid, approvals=approvals)
            made = self._step(source.head, facts)
            place, digest = self._made(source, made)
        except HeldError as held:
            return Done(path=path, state=HELD, why=held.why, digests=digests, study=study)
        rows: tuple[Row, ...] = ()
        report = json.loads(made.report)
        if self._order.output is None:
            rows = tuple(differences(parse(source.head), parse(_head(source, made)), report))
        return Done(
            path=path,
            state=WRITTEN,
            place=place,
            digests=(source.digest, digest),
            study=study,
            report=report,
            rows=rows,
        )

    def _made(self, source: FileObject, made: DeidResult) -> tuple[str, str]:
        """Write, or only verify, an output; return its place and digest.  Raises `HeldError`."""
        syntax = source.head.transfer_syntax_uid
        if made.pixels is not None and self._order.previews is not None:
            self._picture(source, made)
        if made.pixels is None or self._order.output is None:
            pieces = source.spliced(made.head, made.tail_end)
            return self._put(source, made, pieces, syntax)
        converted = self._redacted(source, made)
        try:
            pieces = self._pieces(converted)
            return self._put(source, made, pieces, converted.transfer_syntax_uid)
        finally:
            converted.drop()

    def _put(
        self, source: FileObject, made: DeidResult, pieces: Iterable[Buffer], syntax: str
    ) -> tuple[str, str]:
        seen = None if made.check is None else made.check.over(syntax)
        whose = identity(_head(source, made))
        place = place_of(whose, media=self._order.media)

        def watched() -> Iterator[Buffer]:
            for piece in pieces:
                if seen is not None:
                    seen.feed(piece)
                yield piece

        if self._order.output is None:
            digest = hashlib.sha256()
            for piece in watched():
                digest.update(piece)
            _judge(seen)
            return place, digest.hexdigest()
        draft = Draft(self._order.output / place)
        try:
            draft.meta(file_meta(whose.sop_class_uid, whose.sop_instance_uid, syntax))
            draft.write(watched())
            _judge(seen)
            if made.unwritten:
                self._look(source, draft, syntax)
            if not draft.take_place():
                raise _held("another object with the same new UID was written already")
            return place, draft.digest
        finally:
            draft.drop()

    def _look(self, source: FileObject, draft: Draft, syntax: str) -> None:
        """Raise `HeldError` unless nothing is written in the pixels of an output (D-36)."""

        async def look(pool: CodecPool) -> None:
            pieces = _each(draft.again())
            await no_text(TextReader(pool), pieces, digest=source.digest, syntax=syntax)

        self._of_child(look)

    def _redacted(self, source: FileObject, made: DeidResult) -> Converted:
        return self._of_child(
            lambda pool: pool.redact(
                _each(source.spliced(made.head, made.tail_end)),
                digest=source.digest,
                syntax=source.head.transfer_syntax_uid,
                job=made.pixels,
            )
        )

    def _picture(self, source: FileObject, made: DeidResult) -> None:
        """Write the first frame with the rectangles marked, under the new name."""
        assert self._order.previews is not None
        png = self._of_child(
            lambda pool: pool.preview(
                _each(source.spliced(made.head, made.tail_end)),
                digest=source.digest,
                syntax=source.head.transfer_syntax_uid,
                glimpse=Glimpse(job=made.pixels),
            )
        )
        self._order.previews.mkdir(parents=True, exist_ok=True)
        name = identity(_head(source, made)).sop_instance_uid
        (self._order.previews / f"{safe(name)}.png").write_bytes(png)

    def _of_child(self, ask: Callable[[CodecPool], Coroutine[Any, Any, T]]) -> T:
        """Let a codec child do something.  Raises `HeldError`."""
        if self._runner is None or self._pool is None:
            home = self._order.output or self._order.previews
            assert home is not None
            self._runner = asyncio.Runner()
            self._pool = CodecPool(home / f"{WORKROOM}-{os.getpid()}", CodecLimits(children=1))
        try:
            return self._runner.run(ask(self._pool))
        except (CodecError, WorkroomError) as error:
            raise _held(f"pixels: {error}") from error

    def _pieces(self, converted: Converted) -> Iterator[bytes]:
        """Yield what a child made."""
        assert self._runner is not None
        each = converted.pieces()
        while piece := self._runner.run(_next(each)):
            yield piece


async def _next(pieces: AsyncGenerator[bytes, None]) -> bytes:
    try:
        return await anext(pieces, b"")
    except WorkroomError as error:
        raise _held(str(error)) from error


async def _each(pieces: Iterable[Buffer]) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield bytes(piece)


def _head(source: FileObject, made: DeidResult) -> Head:
    return Head.from_bytes(made.head, plain(source.head.transfer_syntax_uid))


def _held(why: str) -> HeldError:
    return HeldError(HoldReason.DEID_FAILED, why)


def _judge(seen: Pass | None) -> None:
    """Raise `HeldError` if what was seen may not leave."""
    why = seen.refusal() if seen is not None else ""
    if why:
        raise _held(why)


def place_of(whose: Identity, *, media: bool = False) -> str:
    """Return where an output goes: a name made of its own UIDs (D-19).

    media: of so few characters that a DICOMDIR can hold it.
    """
    names = (whose.study_uid, whose.series_uid, whose.sop_instance_uid)
    if media:
        return "/".join(("DICOM", *map(file_id, names)))
    return "/".join(map(safe, names)) + ".dcm"


def safe(uid: str) -> str:
    """Return a UID as a name of a file; what is no UID gives a name that shows nothing of it."""
    if _UID.fullmatch(uid):
        return uid
    return "x" + hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()[:24]
