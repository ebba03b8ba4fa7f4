"""Files that are durable by name before anything is in them."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waystation.blobs.slots import SlotPool


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[SlotPool]:
    made = SlotPool(tmp_path, low=2, high=6)
    yield made
    made.stop()


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_a_slot_is_an_empty_file_of_its_own(pool: SlotPool, tmp_path: Path) -> None:
    slots = [pool.take() for _ in range(3)]
    assert len({slot.name for slot in slots}) == 3
    for slot in slots:
        found = (tmp_path / slot.name).stat()
        assert (found.st_size, found.st_mode & 0o777) == (0, 0o600)
        assert os.fstat(slot.descriptor).st_ino == found.st_ino
        os.close(slot.descriptor)


def test_slots_are_kept_ready_and_filled_up_again(pool: SlotPool, tmp_path: Path) -> None:
    assert pool.take_ready() is None
    pool.start()
    until(lambda: len(pool._ready) == 6)
    for _ in range(5):
        slot = pool.take_ready()
        assert slot is not None
        os.close(slot.descriptor)
    until(lambda: len(pool._ready) == 6)


def test_stopping_removes_what_nobody_took(pool: SlotPool, tmp_path: Path) -> None:
    pool.start()
    until(lambda: len(pool._ready) == 6)
    kept = pool.take()
    os.close(kept.descriptor)
    pool.stop()
    assert [str(path.relative_to(tmp_path)) for path in files(tmp_path)] == [kept.name]


def test_a_folder_holds_a_bounded_number_of_files(
    pool: SlotPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.blobs.slots.FILES_PER_FOLDER", 2)
    slots = [pool.take() for _ in range(5)]
    assert len({slot.name.partition("/")[0] for slot in slots}) == 3
    for slot in slots:
        os.close(slot.descriptor)


@pytest.mark.req("S-20")
@pytest.mark.parametrize("call", ["open", "fsync"])
def test_a_failing_volume_leaves_no_slot_behind(
    pool: SlotPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    os.close(pool.take().descriptor)
    before = len(files(tmp_path))
    original = getattr(os, call)

    def fail(target: Any, *rest: Any) -> Any:
        if call == "fsync" or str(target).endswith(".dcm"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(target, *rest)

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(OSError, match="No space"):
            pool.take()
    assert len(files(tmp_path)) == before
    os.close(pool.take().descriptor)


def test_the_filling_thread_survives_a_full_volume(
    pool: SlotPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("waystation.blobs.slots.sync_folder", fail)
        broken.setattr("waystation.blobs.slots.time.sleep", lambda _: None)
        pool.start()
        time.sleep(0.02)
        assert pool.take_ready() is None
    pool.take_ready()
    until(lambda: len(pool._ready) == 6)
