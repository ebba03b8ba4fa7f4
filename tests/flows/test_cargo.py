"""Bytes on their way out: what fails for a moment is not the object's fault (S-13)."""

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import pytest

from tests.destinations.making import load_of
from tests.objects.samples import study
from waystation.destinations.base import WHOLE_BYTES, Pieces
from waystation.flows.cargo import JournalCargo
from waystation.flows.recent import Recent
from waystation.model.errors import StorageError


class Scarce:
    """Blobs that cannot be opened the second time."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.opened = 0

    def pieces(self, _name: str, _size_bytes: int) -> Iterator[bytes]:
        self.opened += 1
        if self.opened == 2:
            raise StorageError("blob cannot be opened") from OSError(24, "Too many open files")
        yield self.data


class Nothing:
    """No object was received just now."""

    def get(self, _arrival_id: int) -> None:
        return None


async def test_a_big_object_waits_for_a_descriptor_when_it_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("waystation.flows.cargo.AGAIN_S", 0.01)
    (one,), _ = load_of(study(1))
    data = b"pixels"
    digest = hashlib.sha256(data).hexdigest()
    big = replace(one, blob="b", size_bytes=WHOLE_BYTES + 1, sha256=digest)
    with ThreadPoolExecutor(1) as disk:
        blobs: Any = Scarce(data)
        cargo = JournalCargo(cast("Any", None), blobs, disk, cast("Recent", Nothing()))
        loaded = await cargo.load(big)
        assert isinstance(loaded, Pieces)
        assert [piece async for piece in loaded.pieces] == [data]


class Counting:
    """Blobs that are read slowly enough for others to ask meanwhile."""

    def __init__(self, data: bytes, going: threading.Event) -> None:
        self.data = data
        self.read = 0
        self._going = going

    def pieces(self, _name: str, _size_bytes: int) -> Iterator[bytes]:
        self.read += 1
        self._going.wait(10)
        yield self.data


@pytest.mark.req("W-14")
async def test_those_who_want_a_big_object_together_wait_for_one_look() -> None:
    (one,), _ = load_of(study(1))
    data, going = b"pixels", threading.Event()
    digest = hashlib.sha256(data).hexdigest()
    big = replace(one, blob="b", size_bytes=WHOLE_BYTES + 1, sha256=digest)
    with ThreadPoolExecutor(4) as disk:
        blobs: Any = Counting(data, going)
        cargo = JournalCargo(cast("Any", None), blobs, disk, cast("Recent", Nothing()))
        waiting = [asyncio.create_task(cargo.load(big)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        going.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert all(isinstance(each, Pieces) for each in found[1:])
        assert blobs.read == 1
        await cargo.load(big)
        assert blobs.read == 2
