"""Blobs: draft, seal, read back; every failing call of the disk is heard."""

import errno
import hashlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from waystation.blobs.folder import BlobFolder, Draft
from waystation.dicom.part10 import file_meta
from waystation.model.errors import StorageError

META = file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", source_ae="CT1")
DATA = bytes(range(256)) * 40
BLOCK = 4096


def pages(data: bytes) -> memoryview:
    """Return ``data`` in memory that begins on a page, filled up to whole blocks."""
    size = -(-len(data) // BLOCK) * BLOCK
    memory = memoryview(mmap.mmap(-1, size))
    memory[: len(data)] = data
    return memory


@pytest.fixture
def blobs(tmp_path: Path) -> Iterator[BlobFolder]:
    made = BlobFolder(tmp_path / "blobs")
    yield made
    made.stop()


def sealed(blobs: BlobFolder, data: bytes = DATA) -> str:
    draft = blobs.draft()
    draft.write(pages(META + data))
    return draft.seal()


def digest(data: bytes = DATA) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_was_sealed_reads_back(blobs: BlobFolder) -> None:
    name = sealed(blobs)
    assert blobs.read(name, len(DATA)) == DATA
    assert blobs.intact(name, len(DATA), digest())
    assert blobs.size_of(name) % BLOCK == 0


@pytest.mark.parametrize("size", [1, 4000, 4096, 10_240])
def test_pieces_of_any_size_give_the_same_bytes(
    blobs: BlobFolder, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    name = sealed(blobs)
    monkeypatch.setattr("waystation.blobs.reading.PIECE", size)
    assert b"".join(blobs.pieces(name, len(DATA))) == DATA


def test_several_writes_follow_each_other(blobs: BlobFolder) -> None:
    content = META + DATA
    draft = blobs.draft()
    draft.write(pages(content[:BLOCK]))
    draft.write(pages(content[BLOCK:]))
    assert blobs.intact(draft.seal(), len(DATA), digest())


def test_a_discarded_draft_leaves_nothing(blobs: BlobFolder) -> None:
    draft = blobs.draft()
    draft.discard()
    draft = blobs.draft()
    draft.write(pages(DATA))
    draft.discard()
    draft.discard()
    assert [path for path in blobs.root.rglob("*") if path.is_file()] == []


@pytest.mark.req("S-39", "R-7")
def test_names_are_of_our_own_making(blobs: BlobFolder) -> None:
    names = {sealed(blobs) for _ in range(5)}
    assert len(names) == 5
    for name in names:
        folder, _, file = name.partition("/")
        assert set(folder) <= set("0123456789abcdef-")
        assert set(file.removesuffix(".dcm")) <= set("0123456789abcdef")


class Faults:
    """Counts a call of the operating system and makes it fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str, error: int) -> None:
        self.descriptors: list[int] = []
        self._original = getattr(os, call)
        self._error = error
        self.broken = True
        monkeypatch.setattr(os, call, self)

    def __call__(self, descriptor: int, *rest: Any) -> Any:
        self.descriptors.append(descriptor)
        if self.broken:
            raise OSError(self._error, os.strerror(self._error))
        return self._original(descriptor, *rest)


@pytest.mark.req("S-20", "E2", "F5")
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_failed_sync_is_heard_and_never_repeated(
    blobs: BlobFolder, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    draft = blobs.draft()
    draft.write(pages(META + DATA))
    syncs = Faults(monkeypatch, "fdatasync", error)
    with pytest.raises(StorageError, match="syncing a blob"):
        draft.seal()
    syncs.broken = False
    assert len(syncs.descriptors) == 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(syncs.descriptors[0])
    draft.discard()
    assert len(syncs.descriptors) == 1
    assert [path for path in blobs.root.rglob("*") if path.is_file()] == []


@pytest.mark.req("S-20", "E2", "F4")
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_failed_write_is_heard(
    blobs: BlobFolder, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    draft = blobs.draft()
    Faults(monkeypatch, "pwrite", error)
    with pytest.raises(StorageError, match="writing a blob"):
        draft.write(pages(DATA))
    draft.discard()
    assert [path for path in blobs.root.rglob("*") if path.is_file()] == []


@pytest.mark.req("S-1", "S-20")
@pytest.mark.parametrize("call", ["pwrite", "open"])
def test_a_blob_with_a_gap_is_never_sealed(
    blobs: BlobFolder, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    draft = blobs.draft()
    with monkeypatch.context() as broken:
        Faults(broken, call, errno.EIO)
        with pytest.raises(StorageError):
            draft.write(pages(DATA))
    with pytest.raises(StorageError, match="an earlier piece"):
        draft.write(pages(DATA))
    with pytest.raises(StorageError, match="an earlier piece"):
        draft.seal()
    draft.discard()
    assert [path for path in blobs.root.rglob("*") if path.is_file()] == []


@pytest.mark.req("S-1")
def test_a_failed_close_is_heard(blobs: BlobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = blobs.draft()
    draft.write(pages(META + DATA))
    close = os.close

    def closing(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "close", closing)
        with pytest.raises(StorageError):
            draft.seal()
    draft.discard()


def test_a_short_write_goes_on_where_it_stopped(
    blobs: BlobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:BLOCK], at))
    assert blobs.intact(sealed(blobs), len(DATA), digest())


def test_without_a_slot_the_error_is_heard(
    blobs: BlobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("waystation.blobs.slots.sync_folder", full)
    with pytest.raises(StorageError, match="no file for a blob"):
        blobs.draft().bind()


@pytest.mark.req("S-13", "F6")
@pytest.mark.parametrize("place", [0, 1, 5000, len(DATA) - 1])
def test_a_changed_byte_is_not_intact(blobs: BlobFolder, place: int) -> None:
    name = sealed(blobs)
    path = blobs.root / name
    content = bytearray(path.read_bytes())
    content[len(META) + place] ^= 1
    path.write_bytes(content)
    assert not blobs.intact(name, len(DATA), digest())


@pytest.mark.req("S-13", "F6")
@pytest.mark.parametrize("size", [0, 100, 300, 5000])
def test_a_cut_file_is_not_intact_and_not_read(blobs: BlobFolder, size: int) -> None:
    name = sealed(blobs)
    os.truncate(blobs.root / name, size)
    assert not blobs.intact(name, len(DATA), digest())
    with pytest.raises(StorageError):
        blobs.read(name, len(DATA))


def test_a_missing_file_is_an_error_and_no_exception_of_the_system(blobs: BlobFolder) -> None:
    assert not blobs.intact("none/none.dcm", 1, digest())
    assert blobs.size_of("none/none.dcm") == -1
    with pytest.raises(StorageError):
        blobs.open("none/none.dcm")
    blobs.drop("none/none.dcm")
    blobs.set_aside("none/none.dcm", blobs.corrupt)


@pytest.mark.req("S-39")
def test_a_link_in_the_place_of_a_blob_is_not_followed(blobs: BlobFolder, tmp_path: Path) -> None:
    name = sealed(blobs)
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 20_000)
    (blobs.root / name).unlink()
    (blobs.root / name).symlink_to(secret)
    with pytest.raises(StorageError):
        blobs.read(name, 100)


@pytest.mark.req("S-11")
def test_what_is_set_aside_keeps_its_bytes(blobs: BlobFolder) -> None:
    name = sealed(blobs)
    content = (blobs.root / name).read_bytes()
    blobs.set_aside(name, blobs.corrupt)
    assert blobs.size_of(name) == -1
    assert [path.read_bytes() for path in blobs.corrupt.iterdir()] == [content]


def test_a_draft_touches_no_disk_before_it_is_bound(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path / "blobs")
    draft = blobs.draft()
    assert isinstance(draft, Draft)
    assert draft.name is None
    assert list(blobs.root.iterdir()) == []
