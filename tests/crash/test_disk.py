"""The file system of the power cuts: its own controls (S-29)."""

import os
import random
from pathlib import Path

import pytest

from tests.torture import fuse
from tests.torture.disk import MODES, ROOT, Disk, Leftover, Op, remains

BYTES = b"\xaa" * 10_000


class Writer:
    """Writes on a disk with a clock of its own; every step ends before the next begins."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.now = 0.0

    def did(self, op: Op) -> Op:
        op.begin, op.end = self.now + 1.0, self.now + 2.0
        self.now += 2.0
        return op

    def file(self, name: str, folder: int = ROOT) -> int:
        return self.did(self.disk.make(folder, name)).child

    def write(self, node: int, data: bytes, *, at: int = 0, lasting: bool = False) -> None:
        self.did(self.disk.write(node, at, data, lasting=lasting))

    def sync(self, node: int) -> Op:
        return self.did(self.disk.sync(node))

    def left(self, mode: str, seed: object = 0, at: float | None = None) -> Leftover:
        cut_at = self.now if at is None else at
        return remains(self.disk.log, cut_at, random.Random(str(seed)), mode)


@pytest.mark.req("S-29")
def test_without_a_sync_of_the_file_its_bytes_are_gone() -> None:
    writer = Writer()
    node = writer.file("a")
    writer.write(node, BYTES)
    writer.sync(ROOT)
    assert writer.left("lost").files == {"a": b""}


@pytest.mark.req("S-29")
def test_without_a_sync_of_the_folder_its_name_is_gone() -> None:
    writer = Writer()
    node = writer.file("a")
    writer.write(node, BYTES)
    writer.sync(node)
    assert writer.left("lost").files == {}


@pytest.mark.req("S-29")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lasting", [False, True])
def test_what_was_sealed_in_full_is_there_whatever_is_lost(mode: str, lasting: bool) -> None:
    writer = Writer()
    node = writer.file("a")
    writer.write(node, BYTES, lasting=lasting)
    if not lasting:
        writer.sync(node)
    writer.sync(ROOT)
    for seed in range(20):
        assert writer.left(mode, seed).files == {"a": BYTES}


@pytest.mark.req("S-29")
def test_a_sync_that_has_not_returned_promises_nothing() -> None:
    writer = Writer()
    node = writer.file("a")
    writer.sync(ROOT)
    writer.write(node, BYTES)
    sync = writer.sync(node)
    assert writer.left("lost", at=sync.end - 0.5).files == {"a": b""}
    assert writer.left("lost", at=sync.end).files == {"a": BYTES}


@pytest.mark.req("S-29")
def test_unsynced_blocks_are_torn_and_come_in_any_order() -> None:
    writer = Writer()
    node = writer.file("a")
    writer.sync(ROOT)
    writer.write(node, BYTES)
    writer.write(node, b"\xbb" * 4096, at=4096)
    found = {bytes(writer.left("torn", seed).files["a"]) for seed in range(100)}
    later_alone = bytes(4096) + b"\xbb" * 4096
    assert later_alone in found
    assert bytes(BYTES) in found
    assert len(found) > 10


@pytest.mark.req("S-29")
def test_names_of_a_folder_come_in_their_order_and_a_rename_whole() -> None:
    writer = Writer()
    node = writer.file("new")
    writer.sync(node)
    writer.did(writer.disk.rename(ROOT, "new", ROOT, "journal"))
    writer.file("later")
    found = {tuple(sorted(writer.left("torn", seed).files)) for seed in range(50)}
    assert found == {(), ("new",), ("journal",), ("journal", "later")}


@pytest.mark.req("S-29")
def test_what_a_program_does_below_the_mounted_folder_is_remembered(tmp_path: Path) -> None:
    if why := fuse.unavailable(tmp_path / "tried"):
        pytest.skip(why)
    disk = Disk()
    with fuse.Mount(tmp_path / "disk", disk):
        sealed, unsynced = tmp_path / "disk" / "sealed", tmp_path / "disk" / "unsynced"
        for path, synced in ((sealed, True), (unsynced, False)):
            descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
            os.write(descriptor, BYTES)
            if synced:
                os.fsync(descriptor)
            os.close(descriptor)
        folder = os.open(tmp_path / "disk", os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        assert sealed.read_bytes() == BYTES
    last = max(op.end for op in disk.log)
    left = remains(disk.log, last, random.Random(0), "lost")
    assert left.files == {"sealed": BYTES, "unsynced": b""}
    left.write(tmp_path / "after")
    assert (tmp_path / "after" / "sealed").read_bytes() == BYTES
