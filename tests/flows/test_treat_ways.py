"""What a recipe made, over every kind of destination: whole and in pieces (R-54, R-65)."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.destinations.making import Way, load_of, way_of
from tests.destinations.making_remote import REMOTE_WAYS
from tests.destinations.making_ways import command_way, stow_way
from tests.objects.files import Stored
from tests.objects.samples import study
from tests.transforms.editing import treated
from waystation.dicom.head import Head
from waystation.flows.splicing import Original, behind, deflated, inflated, read, spliced
from waystation.flows.treat import Prepared, TreatedCargo
from waystation.flows.treating import deliverable
from waystation.journal.treatments import Treatment
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.model.outcome import Delivered

WAYS = {"stow": stow_way, "command": command_way, **REMOTE_WAYS}
EDITS = ({"set": "InstitutionName", "to": "St Mary"}, {"new_uids": True})


@pytest.fixture(params=["dicom", "folder", *WAYS])
async def way(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Way]:
    own = WAYS.get(request.param)
    async with own(tmp_path) if own else way_of(request.param, tmp_path) as made:
        yield made


def made_of(delivery: Delivery, stored: Stored) -> tuple[Treatment, bytes]:
    """Return what the edits make of an object, and all its bytes."""
    head = Head.from_bytes(stored.data_set, stored.transfer_syntax)
    done = treated(head, *EDITS)
    data = done.head + stored.data_set[head.pixel_offset :]
    found = done.identity
    return Treatment(
        arrival=delivery.arrival_id,
        recipe="r",
        tools="t",
        head=done.head,
        tail_offset=head.pixel_offset,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        sop_class=found.sop_class_uid,
        sop_instance=found.sop_instance_uid,
        study=found.study_uid,
        series=found.series_uid,
        transfer_syntax=stored.transfer_syntax,
        made_at=0.0,
    ), data


@pytest.mark.req("R-54", "R-65")
@pytest.mark.parametrize("in_pieces", [False, True], ids=["whole", "in pieces"])
async def test_every_kind_carries_what_was_made_under_its_own_identity(
    way: Way, in_pieces: bool
) -> None:
    objects = study(3)
    batch, cargo = load_of(objects)
    cargo.in_pieces = in_pieces
    prepared, wanted = Prepared(), {}
    for delivery, stored in zip(batch, objects, strict=True):
        made, data = made_of(delivery, stored)
        prepared.made[delivery.id] = made
        prepared.ready.append((delivery, deliverable(delivery, made)))
        wanted[made.sop_instance] = data
    leaving = [leaves for _, leaves in prepared.ready]
    outcomes = [
        outcome async for _, outcome in way.destination.send(leaving, TreatedCargo(cargo, prepared))
    ]
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert way.arrived() == wanted
    told = prepared.told(leaving[0], outcomes[0])
    assert isinstance(told, Delivered)
    assert told.sha256 == prepared.made[1].sha256


async def test_a_treated_head_that_was_damaged_does_not_leave() -> None:
    (stored,) = study(1)
    (delivery,), cargo = load_of([stored])
    made, _ = made_of(delivery, stored)
    bad = replace(made, head=made.head.replace(b"Mary", b"Anna"))
    prepared = Prepared(ready=[(delivery, deliverable(delivery, bad))], made={1: bad})
    with pytest.raises(StorageError, match="digest differs"):
        await TreatedCargo(cargo, prepared).load(delivery)


async def pieces_of(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize(("begin", "end"), [(0, -1), (10, -1), (10, 20), (20, 20), (0, 50)])
async def test_pieces_of_any_size_give_the_same_splice(size: int, begin: int, end: int) -> None:
    data = bytes(range(50))

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in pieces_of(data, size):
            yield piece

    made = b"".join([one async for one in behind(pieces(), b"HEAD", begin, end)])  # type: ignore[arg-type]
    assert made == b"HEAD" + data[begin : len(data) if end < 0 else end]
    assert spliced(data, b"HEAD", (begin, end), "1.2.840.10008.1.2.1") == made


@pytest.mark.parametrize("kind", ["tiny", "ct"])
async def test_a_head_is_found_however_the_bytes_come(kind: str) -> None:
    (stored,) = study(1, kind=kind)
    batch, cargo = load_of([stored])
    whole: Original = await read(await cargo.load(batch[0]), stored.transfer_syntax)
    cargo.in_pieces = True
    cargo.piece_bytes = 61
    pieces = await read(await cargo.load(batch[0]), stored.transfer_syntax)
    assert pieces.head.data == whole.head.data
    assert pieces.head.pixel_offset == whole.head.pixel_offset
    assert pieces.whole(b"", -1) is None
    made = b"".join([one async for one in pieces.pieces(b"NEW", -1)])
    assert made == whole.whole(b"NEW", -1)
    await pieces.close()


def test_equal_bytes_are_deflated_to_equal_bytes_of_even_length() -> None:
    data = bytes(range(256)) * 9
    assert inflated(deflated(data)) == data
    assert deflated(data) == deflated(bytes(data))
    assert all(len(deflated(data[:n])) % 2 == 0 for n in range(1, 60))
