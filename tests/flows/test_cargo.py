"""Bytes on their way out: what fails for a moment is not the object's fault (S-13)."""

import hashlib
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
