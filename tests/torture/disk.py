"""A disk that remembers everything that was asked of it, and what a power cut leaves (F3, S-29).

Contract: `Disk` is a tree in memory with a log of its changes and syncs, each with the instants
when it began and ended.  `remains` is pure: from a log, an instant and a seed it builds one of the
trees that a file system may show after the power went at that instant.  What was synced stays; of
the rest any part may be there: blocks of 512 bytes or 4 KiB lost or reordered, sizes and names as
they were.  A file's sync makes its bytes durable, not its name; a folder's sync its names; a
synchronous write makes its own bytes durable.  A rename is there whole or not at all.
"""

import errno
import math
import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = 1
PIECE = 65_536
ZEROS = bytes(PIECE)
MODES = ("lost", "kept", "torn")


@dataclass(slots=True)
class Op:
    """One change or sync.  node: the file or folder; at: offset, or new size of a ``cut``.

    kind: write, cut, sync; link (a new name for ``child``), unlink, rename.  lasting: a write
    that is durable when it ends.
    """

    kind: str
    node: int
    at: int = 0
    data: bytes = b""
    lasting: bool = False
    is_folder: bool = False
    name: str = ""
    child: int = 0
    to: int = 0
    to_name: str = ""
    begin: float = 0.0
    end: float = math.inf
    wall: float = 0.0


class Disk:
    """Files (bytearray) and folders (name → number), and the log of what happened to them."""

    def __init__(self) -> None:
        self.files: dict[int, bytearray] = {}
        self.folders: dict[int, dict[str, int]] = {ROOT: {}}
        self.changed: dict[int, float] = {ROOT: time.time()}
        self.log: list[Op] = []
        self._last = ROOT
        self._lock = threading.Lock()

    def find(self, folder: int, name: str) -> int:
        """Return the number under a name.  Raises OSError."""
        found = self.folders[folder].get(name)
        if found is None:
            raise OSError(errno.ENOENT, name)
        return found

    def _note(self, op: Op, *touched: int) -> Op:
        op.begin, op.wall = time.monotonic(), time.time()
        for node in touched:
            self.changed[node] = op.wall
        self.log.append(op)
        return op

    def make(self, folder: int, name: str, *, is_folder: bool = False) -> Op:
        """Create an empty file or folder; ``child`` of the result is its number."""
        with self._lock:
            if name in self.folders[folder]:
                raise OSError(errno.EEXIST, name)
            self._last += 1
            if is_folder:
                self.folders[self._last] = {}
            else:
                self.files[self._last] = bytearray()
            self.folders[folder][name] = self._last
            op = Op("link", folder, name=name, child=self._last, is_folder=is_folder)
            return self._note(op, folder, self._last)

    def unlink(self, folder: int, name: str) -> Op:
        """Remove a name; what it named stays readable for whoever has it open."""
        with self._lock:
            child = self.find(folder, name)
            if self.folders.get(child):
                raise OSError(errno.ENOTEMPTY, name)
            del self.folders[folder][name]
            return self._note(Op("unlink", folder, name=name, child=child), folder)

    def rename(self, folder: int, name: str, to: int, to_name: str) -> Op:
        with self._lock:
            child = self.find(folder, name)
            del self.folders[folder][name]
            self.folders[to][to_name] = child
            op = Op("rename", folder, name=name, child=child, to=to, to_name=to_name)
            return self._note(op, folder, to)

    def write(self, node: int, at: int, data: bytes, *, lasting: bool = False) -> Op:
        with self._lock:
            _put(self.files[node], at, data)
            return self._note(Op("write", node, at=at, data=data, lasting=lasting), node)

    def cut(self, node: int, size: int) -> Op:
        """Set a file's size."""
        with self._lock:
            _resize(self.files[node], size)
            return self._note(Op("cut", node, at=size), node)

    def sync(self, node: int) -> Op:
        """Note that everything that a file or folder holds is to be made durable."""
        with self._lock:
            return self._note(Op("sync", node))

    def load(self, left: "Leftover", folder: int = ROOT) -> None:
        """Begin with a tree that is durable from the first."""
        ops = []
        for name, content in left.files.items():
            made = self.make(folder, name)
            ops += [made, self.write(made.child, 0, bytes(content), lasting=True)]
        for name, inner in left.folders.items():
            made = self.make(folder, name, is_folder=True)
            ops.append(made)
            self.load(inner, made.child)
        for op in [*ops, self.sync(folder)]:
            op.begin = op.end = 0.0


def _put(content: bytearray, at: int, data: bytes) -> None:
    if len(content) < at:
        _resize(content, at)
    content[at : at + len(data)] = data


def _resize(content: bytearray, size: int) -> None:
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


@dataclass(slots=True)
class _Past:
    """What happened to one file or folder, oldest first, and what of it no sync has covered."""

    ops: list[Op] = field(default_factory=list)
    open: dict[int, Op] = field(default_factory=dict)

    def add(self, op: Op, *, durable: bool) -> None:
        if not durable:
            self.open[len(self.ops)] = op
        self.ops.append(op)

    def synced(self, sync: Op) -> None:
        self.open = {place: op for place, op in self.open.items() if op.end > sync.begin}


def _pasts(log: Sequence[Op], at: float) -> dict[int, _Past]:
    """Return number → its past at an instant."""
    pasts: dict[int, _Past] = {}
    for op in log:
        if op.begin > at:
            break
        done = op.end <= at
        past = pasts.setdefault(op.node, _Past())
        if op.kind == "sync":
            if done:
                past.synced(op)
        else:
            past.add(op, durable=done and op.lasting)
            if op.kind == "rename" and op.to != op.node:
                pasts.setdefault(op.to, _Past()).add(op, durable=False)
    return pasts


@dataclass(slots=True)
class Leftover:
    """A folder after the power cut.  changed: when its names last changed, Unix seconds."""

    folders: dict[str, "Leftover"]
    files: dict[str, bytes | bytearray]
    changed: float

    def write(self, folder: Path) -> None:
        """Write it all into a folder of a real file system."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in self.files.items():
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                for at in range(0, len(content), PIECE):
                    piece = content[at : at + PIECE]
                    if piece != ZEROS[: len(piece)]:
                        file.seek(at)
                        file.write(piece)
                file.truncate(len(content))
        for name, inner in self.folders.items():
            inner.write(folder / name)
        os.utime(folder, (self.changed, self.changed))


def remains(log: Sequence[Op], at: float, chance: random.Random, mode: str) -> Leftover:
    """Return the tree after the power went at ``at`` (the clock of the log).

    mode: ``lost`` drops all that is not durable, ``kept`` drops nothing, ``torn`` keeps a part.
    """
    return _Cut(_pasts(log, at), chance, mode).folder(ROOT)


class _Cut:
    """Decides what of the unsynced stays."""

    def __init__(self, pasts: dict[int, _Past], chance: random.Random, mode: str) -> None:
        self._pasts = pasts
        self._chance = chance
        self._mode = mode
        self._block = chance.choice((512, 4096))
        self._lost = set(self._lost_names())
        self._folders = {op.child for past in pasts.values() for op in past.ops if op.is_folder}

    def _lost_names(self) -> Iterator[int]:
        """Yield the changes of names that did not come through: the last ones of each folder."""
        for past in self._pasts.values():
            waiting = [op for op in past.open.values() if op.kind in ("link", "unlink", "rename")]
            kept = {"lost": 0, "kept": len(waiting)}.get(self._mode)
            if kept is None:
                kept = self._chance.randint(0, len(waiting))
            for op in waiting[kept:]:
                # A sync of either folder carries a rename.
                if op.kind != "rename" or self._open_in_both(op):
                    yield id(op)

    def _open_in_both(self, op: Op) -> bool:
        return all(op in self._pasts[node].open.values() for node in {op.node, op.to})

    def folder(self, node: int) -> Leftover:
        names: dict[str, int] = {}
        left = Leftover({}, {}, 0.0)
        for op in self._pasts.get(node, _Past()).ops:
            if id(op) in self._lost:
                continue
            left.changed = op.wall
            if op.kind == "link":
                names[op.name] = op.child
            elif op.node == node:
                names.pop(op.name, None)
            if op.kind == "rename" and op.to == node:
                names[op.to_name] = op.child
        for name, child in names.items():
            if child in self._folders:
                left.folders[name] = self.folder(child)
            else:
                left.files[name] = self.file(child)
        return left

    def file(self, node: int) -> bytearray:
        content = bytearray()
        past = self._pasts.get(node, _Past())
        share = self._chance.choice((0.0, 0.5, 0.9, 1.0))
        for place, op in enumerate(past.ops):
            durable = place not in past.open or self._mode == "kept"
            if not durable and self._mode == "lost":
                continue
            if op.kind == "cut":
                if durable or self._chance.random() < share:
                    _resize(content, op.at)
            elif durable:
                _put(content, op.at, op.data)
            else:
                self._tear(content, op, share)
        return content

    def _tear(self, content: bytearray, op: Op, share: float) -> None:
        """Let some blocks of a write come through."""
        at, end = op.at, op.at + len(op.data)
        while at < end:
            upto = min(end, (at // self._block + 1) * self._block)
            if self._chance.random() < share:
                _put(content, at, op.data[at - op.at : upto - op.at])
            at = upto
