"""One store request: what goes together, and a body that is whole or not at all."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.destinations.making import Hold, load_of
from tests.objects.samples import study
from waystation.destinations.store_request import WRITE_BYTES, StoreRequest, cut
from waystation.model.errors import StorageError


def test_what_goes_alone_shares_a_request_with_nobody() -> None:
    batch, _ = load_of(study(6))
    groups = [[one.id for one in group] for group in cut(batch, {3, 4}, 100, 10**9)]
    assert groups == [[1, 2], [3], [4], [5, 6]]


def test_two_objects_of_one_name_never_share_a_request() -> None:
    batch, _ = load_of(study(5))
    batch[3] = replace(batch[3], sop_instance_uid=batch[1].sop_instance_uid)
    groups = [[one.id for one in group] for group in cut(batch, (), 100, 10**9)]
    assert groups == [[1, 2, 3], [4, 5]]


CHANGES = [lambda data: data + b"x", lambda data: data[:-1], lambda data: data[:-1] + b"?"]


@pytest.mark.req("S-13")
@pytest.mark.parametrize("change", CHANGES)
async def test_pieces_that_are_not_those_of_the_journal_make_no_whole_request(
    change: Callable[[bytes], bytes],
) -> None:
    assert not (await body_of(change, in_pieces=True)).endswith(b"--x--\r\n")


@pytest.mark.req("S-13")
@pytest.mark.parametrize("change", CHANGES[:2])
async def test_an_object_of_another_size_makes_no_whole_request(
    change: Callable[[bytes], bytes],
) -> None:
    assert not (await body_of(change, in_pieces=False)).endswith(b"--x--\r\n")


async def body_of(change: Callable[[bytes], bytes], *, in_pieces: bool) -> bytes:
    """Return what is written of a request whose object has changed, until it fails."""
    batch, cargo = load_of(study(1))
    other = change(cargo.objects[1].data_set)
    cargo.objects[1] = replace(cargo.objects[1], data_set=other)
    cargo.in_pieces = in_pieces
    body = bytearray()

    async def write() -> None:
        async for piece in StoreRequest(batch, cargo, "x").pieces():
            body.extend(piece)

    with pytest.raises(StorageError):
        await write()
    return bytes(body)


class Counting(Hold):
    """How much was asked for, and no object ever held."""

    async def load(self, delivery: Any) -> Any:
        self.loaded.append(delivery.id)
        return bytes(delivery.size_bytes)


async def test_a_body_holds_one_object_at_a_time() -> None:
    batch, _ = load_of(study(1))
    large = [replace(batch[0], id=n, size_bytes=1 << 20) for n in range(20)]
    cargo = Counting({})
    sizes, length = [], StoreRequest(large, cargo, "x").length
    async for piece in StoreRequest(large, cargo, "x").pieces():
        sizes.append(len(piece))
        assert len(cargo.loaded) <= 1 + sum(sizes) // (1 << 20)
    assert sum(sizes) == length
    assert max(sizes) == 1 << 20
    small = [replace(batch[0], id=n, size_bytes=100) for n in range(1000)]
    pieces = [len(piece) async for piece in StoreRequest(small, cargo, "x").pieces()]
    assert max(pieces) < WRITE_BYTES + 2000
    assert len(pieces) < 10
