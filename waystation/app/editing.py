"""Files edited: what ``waystation edit`` does with each of them (T-26, T-77).

Contract: the operations are those of rules; the head is spliced onto the tail, which is copied
byte for byte, and so is what stands before the data set unless the SOP Instance UID changes.  A
file is replaced only if that was asked for, by a whole and synced one.  A file on which something
cannot be done stays as it is.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from waystation.app.object_files import Draft, FileObject, is_dicom, opened
from waystation.dicom import tags
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.nested import Buffer
from waystation.dicom.tree import Elem, Tree, encode, parse
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.model.errors import WaystationError
from waystation.rules.conditions import Condition, Look
from waystation.rules.facts import Facts
from waystation.transforms.deid.changes import Row, differences
from waystation.transforms.edit import Work
from waystation.transforms.edit_origin import CORRECT, previous, record
from waystation.transforms.held import HeldError

EDITED, UNCHANGED, SKIPPED, FAILED, LEFT_OUT = (
    *("edited", "unchanged", "skipped", "failed"),
    "left-out",
)
IDENTITIES = (
    (tags.STUDY_INSTANCE_UID, "study"),
    (tags.SERIES_INSTANCE_UID, "series"),
    (tags.SOP_INSTANCE_UID, "instance"),
)
META_INSTANCE, META_LENGTH = 0x00020003, 0x00020000
PREAMBLE = 132


class Operation(Protocol):
    """One edit."""

    def apply(self, work: Work) -> None:
        """Carry it out.  Raises `HeldError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is done with every file.

    output: folder, None for in place.  backup: what is added to the name of the original, "" if it
    is not kept.  condition: None for every file.  keys: for new UIDs.  system: who changed it, for
    the record of changes; "" for none.
    """

    operations: tuple[Operation, ...]
    output: Path | None = None
    backup: str = ""
    dry_run: bool = False
    utf8: bool = False
    condition: Condition | None = None
    keys: dict[str, bytes] = field(default_factory=dict)
    system: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What became of one file.  rows: what changed.  uids: level → (old, new)."""

    path: Path
    state: str
    why: str = ""
    place: str = ""
    rows: tuple[Row, ...] = ()
    uids: dict[str, tuple[str, str]] = field(default_factory=dict)


class Editor:
    """Works in one process.  folders: that were named, below which names of outputs begin."""

    def __init__(self, order: Order, folders: Sequence[Path] = ()) -> None:
        self._order = order
        self._folders = [folder.resolve() for folder in folders]

    def work(self, path: Path, *, named: bool) -> Edited:
        """Edit one file.  named: it stood on the command line."""
        try:
            with opened(path) as source:
                made = self.edited(source)
                if isinstance(made, Edited):
                    return _at(made, path)
                return self._put(path, source, made)
        except HeldError as held:
            return Edited(path=path, state=FAILED, why=held.why)
        except DatasetError as error:
            state = FAILED if named or is_dicom(path) else LEFT_OUT
            return Edited(path=path, state=state, why=str(error))
        except (WaystationError, ValueError) as error:
            return Edited(path=path, state=FAILED, why=str(error))
        except OSError as error:
            return Edited(path=path, state=FAILED, why=error.strerror or type(error).__name__)

    def close(self) -> None:
        """Nothing is held."""

    def edited(self, source: FileObject) -> "Edited | tuple[bytes, bytes, Edited]":
        """Return meta and head of the edited object, or what became of it without.

        Raises `HeldError`, ValueError, `WaystationError` or DatasetError.
        """
        order, nowhere = self._order, Path()
        if order.condition is not None and not self._holds(order.condition, source.head):
            return Edited(path=nowhere, state=SKIPPED, why="the condition is not true of it")
        before, tree = parse(source.head), parse(source.head)
        work = Work(tree=tree, keys=order.keys, utf8=order.utf8)
        for operation in order.operations:
            operation.apply(work)
            work.utf8 = order.utf8
        if not work.changes:
            return Edited(path=nowhere, state=UNCHANGED)
        if order.system:
            record(
                tree,
                previous(before, [change.top for change in work.changes]),
                now=time.time(),
                system=order.system,
                source="",
                reason=CORRECT,
            )
        rows = tuple(differences(before, tree, {}))
        uids = {
            level: (before.text(tag), tree.text(tag))
            for tag, level in IDENTITIES
            if before.text(tag) != tree.text(tag)
        }
        meta = source.meta
        if "instance" in uids and len(meta) > PREAMBLE:
            meta = renamed(meta, uids["instance"][1])
        return meta, encode(tree), Edited(path=nowhere, state=EDITED, rows=rows, uids=uids)

    def _holds(self, condition: Condition, head: Head) -> bool:
        facts = Facts(received_at=time.time(), transfer_syntax=head.transfer_syntax_uid)
        return condition.holds(Look(head, facts))

    def _put(self, path: Path, source: FileObject, made: tuple[bytes, bytes, Edited]) -> Edited:
        meta, head, done = made
        if self._order.dry_run:
            return _at(done, path)
        pieces = source.spliced(head, -1)
        place = self._written(path, meta, pieces)
        return _at(done, path, str(place))

    def _written(self, path: Path, meta: bytes, pieces: Iterator[Buffer]) -> Path:
        place = path.resolve() if self._order.output is None else self._output(path)
        if self._order.output is not None and place.exists():
            raise ValueError(f"{place} is there already")
        draft = Draft(place)
        try:
            draft.meta(meta)
            draft.write(pieces)
            if self._order.output is None:
                if self._order.backup:
                    keep(place, self._order.backup)
                draft.replace()
            elif not draft.take_place():
                raise ValueError(f"{place} is there already")
        finally:
            draft.drop()
        return place

    def _output(self, path: Path) -> Path:
        """Return where the edited copy of a file goes: below the folder that was named."""
        assert self._order.output is not None
        whole = path.resolve()
        for folder in self._folders:
            if whole.is_relative_to(folder):
                return self._order.output / whole.relative_to(folder)
        return self._order.output / whole.name


def _at(done: Edited, path: Path, place: str = "") -> Edited:
    return Edited(
        path=path, state=done.state, why=done.why, place=place, rows=done.rows, uids=done.uids
    )


def keep(place: Path, suffix: str) -> None:
    """Keep the original beside its place.  Raises ValueError if something is there already."""
    import os

    backup = place.with_name(place.name + suffix)
    try:
        os.link(place, backup)
    except FileExistsError as error:
        raise ValueError(f"{backup} is there already") from error


def renamed(meta: bytes, uid: str) -> bytes:
    """Return what stands before a data set, with another Media Storage SOP Instance UID."""
    head = Head.from_bytes(meta[PREAMBLE:], EXPLICIT_VR_LE)
    tree = parse(head)
    tree.put(META_INSTANCE, "UI", uid.encode("ascii"))
    tree.remove({META_LENGTH})
    rest = encode(tree)
    length = Tree(
        tree.form,
        elements=[Elem.new(META_LENGTH, "UL", len(rest).to_bytes(4, "little"), tree.form)],
    )
    return meta[:PREAMBLE] + encode(length) + rest
